"""Waiting for a list's next version (RFC 7240, `Prefer: wait`), holding neither a thread nor a session."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import Request

from app.distribution.looks import Looks
from app.identity.service import Caller
from app.lists import snapshots
from app.lists.models import Snapshot
from app.platform.announcer import Announcer, Listener
from app.platform.database import Database
from app.platform.problems import Problem

AT_ONCE = 4
"""How many requests of one client may wait."""
_SLICE_SECONDS = 1.0
"""How long a caller that hung up can go unnoticed."""


class WaitingRoom:
    """Of one process and one event loop."""

    def __init__(self, database: Database, announcer: Announcer) -> None:
        self._database, self._announcer, self._looks = database, announcer, Looks(database)
        self._ends: dict[str, list[float]] = {}

    async def for_news(
        self, request: Request, caller: Caller, name: str, is_news: Callable[[Snapshot], bool], seconds: int
    ) -> Snapshot:
        """The first newest version that is news, or the last one seen at the end of the time.

        The caller's right is looked at anew each time and once more at the end. Raises what a request without
        waiting would, and a 429 problem to a client of which too many wait already.
        """
        with self._announcer.listening(name, lambda: self._standing(name)) as listener:
            found = await self._looks.newest(name, caller)
            if is_news(found):
                return found
            ends = asyncio.get_running_loop().time() + seconds
            with self._seat(caller, ends):
                while await self._hears(listener, request, ends):
                    found = await self._looks.newest(name, caller)
                    if is_news(found):
                        return found
                return await self._looks.newest(name, caller)

    async def _hears(self, listener: Listener, request: Request, ends: float) -> bool:
        """Wait until there may be news; False when the time is over, or nobody is left to hear."""
        clock = asyncio.get_running_loop().time
        while (left := ends - clock()) > 0 and not self._announcer.is_closed:
            if await listener.heard(min(left, _SLICE_SECONDS)):
                return not self._announcer.is_closed
            if await request.is_disconnected():
                return False
        return False

    @contextmanager
    def _seat(self, caller: Caller, ends: float) -> Iterator[None]:
        taken = self._ends.setdefault(caller.client_id, [])
        if len(taken) >= AT_ONCE:
            left = max(1, math.ceil(min(taken) - asyncio.get_running_loop().time()))
            detail = f"{AT_ONCE} requests of this client wait already; answer comes to those"
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(left)})
        taken.append(ends)
        try:
            yield
        finally:
            taken.remove(ends)
            if not taken:
                del self._ends[caller.client_id]

    def _standing(self, name: str) -> object:
        with self._database.reading() as session:
            return snapshots.standing(session, name)
