"""Waiting for a list's next version (RFC 7240, `Prefer: wait`), holding neither a thread nor a session.

A publisher of another process announces too (app/platform/news.py). Where such news is lost one look a
second, shared by all who wait, notices instead.
"""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Gauge
from starlette.types import Receive

from app.distribution.standing import Standing, Standings
from app.identity.service import Caller
from app.lists.snapshots import Position
from app.platform.announcer import Announcer
from app.platform.problems import Problem

AT_ONCE = 4
"""How many requests of one client may wait."""
LOOK_SECONDS = 1.0
_waiting = Gauge(
    "wardlist_polls_waiting", "Requests that wait for a list's next version", multiprocess_mode="livesum"
)
IsNews = Callable[[Standing], bool]
"""Whether a standing has news for who waits. Raises the problem of one who may not have any."""


class WaitingRoom:
    """Of one process and one event loop."""

    def __init__(self, standings: Standings, announcer: Announcer) -> None:
        self._standings, self._announcer = standings, announcer
        self._ends: dict[str, list[float]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def for_news(
        self, receive: Receive, caller: Caller, name: str, is_news: IsNews, seconds: int
    ) -> bool:
        """Return once there is news for the caller, or its time is over; whether it waited at all.

        Its right is looked at anew each time and once more at the end. Raises what `is_news` does, and a 429
        problem to a client of which too many wait already.
        """
        with self._announcer.listening(name) as listener:
            standing = await self._standings.current()
            if is_news(standing):
                return False
            ends = asyncio.get_running_loop().time() + seconds
            with self._seat(caller, ends):
                if self._watch is None:
                    self._watch = asyncio.create_task(self._notice(standing))
                while not self._announcer.is_closed and await listener.heard(receive, ends):
                    if is_news(await self._standings.current()):
                        return True
                is_news(await self._standings.current())
                return True

    @contextmanager
    def _seat(self, caller: Caller, ends: float) -> Iterator[None]:
        taken = self._ends.setdefault(caller.client_id, [])
        if len(taken) >= AT_ONCE:
            left = max(1, math.ceil(min(taken) - asyncio.get_running_loop().time()))
            detail = f"{AT_ONCE} requests of this client wait already; answer comes to those"
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(left)})
        taken.append(ends)
        _waiting.inc()
        try:
            yield
        finally:
            _waiting.dec()
            taken.remove(ends)
            if not taken:
                del self._ends[caller.client_id]

    async def _notice(self, seen: Standing) -> None:
        """Announce each list that moved on since; while anybody waits."""
        try:
            while self._announcer.waiting:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    found = await self._standings.current()
                except Exception:
                    # Whoever waits looks too, meets the same failure and answers for it.
                    for name in self._announcer.names():
                        self._announcer.announce(name)
                    continue
                for name in self._announcer.names() if found is not seen else ():
                    if _position(found, name) != _position(seen, name):
                        self._announcer.announce(name)
                seen = found
        finally:
            self._watch = None


def _position(standing: Standing, name: str) -> Position | None:
    place = standing.lists.get(name)
    return place.position if place else None
