"""Counters that follow what happens: a stream of server-sent events (HTML Living Standard, section 9.2).

A stream holds neither a thread nor a database session: it sits in ASGI's `receive`, as long polls do, and one
look in two seconds, shared by all, wakes it. It ends with its session, after five minutes, and when the
service stops; it does not keep a session from ending. Numbers go out, and nothing else.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.identity.people import sessions
from app.identity.people.sessions import Visitor
from app.identity.service import Caller
from app.platform.announcer import Announcer, Listener
from app.platform.aside import aside
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.problems import Problem
from app.web import counters
from app.web.access import Watching
from app.web.edge import PageRoute
from app.web.pages import HEADERS

router = APIRouter(prefix="/console", route_class=PageRoute, include_in_schema=False)
OF_A_PERSON, OF_ALL = 2, 200
"""How many streams are open at most."""
LASTS_SECONDS, LOOK_SECONDS = 300.0, 2.0
_BEAT = 8
"""Looks after which a stream says that it is there, so that no proxy takes it for dead."""
_NAME = "/console/live"
"""What streams listen to; no list has such a name."""
_RETRY = b"retry: 5000\n\n"
_STILL_HERE, _ENDED = b":\n\n", b"event: ended\ndata: signed out\n\n"
Key = tuple[str, str, frozenset[str]]
"""Kind, organisation and scopes: whoever has the same sees the same numbers."""
Numbers = dict[str, int]


@dataclass(frozen=True)
class _Seen:
    """A look at everything that is watched: numbers by key, and sessions that are over."""

    numbers: dict[Key, Numbers]
    ended: frozenset[str]


@dataclass(frozen=True, eq=False)
class _Seat:
    """An open stream."""

    key: Key
    caller: Caller
    person_id: str
    session_id: str


class Live:
    """Of one process and one event loop."""

    def __init__(self, database: Database, clock: Clock, announcer: Announcer) -> None:
        self._database, self._clock, self.announcer = database, clock, announcer
        self._seats: set[_Seat] = set()
        self._seen = _Seen({}, frozenset())
        self._watch: asyncio.Task[None] | None = None

    def take(self, visitor: Visitor) -> _Seat:
        """A seat for one more stream. Raises a 429 or 503 problem when too many are open."""
        member = visitor.member
        taken = Counter(seat.person_id for seat in self._seats)
        if taken[member.person.id] >= OF_A_PERSON:
            detail = f"{OF_A_PERSON} pages of yours are kept up to date already"
            raise Problem("too-many-requests", detail, headers={"Retry-After": "60"})
        if taken.total() >= OF_ALL or self.announcer.is_closed:
            raise Problem("unavailable", "too many pages are kept up to date", headers={"Retry-After": "60"})
        key = (member.caller.kind.value, member.caller.organisation_id, member.caller.scopes)
        seat = _Seat(key, member.caller, member.person.id, visitor.session_id)
        self._seats.add(seat)
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_again())
        return seat

    def leave(self, seat: _Seat) -> None:
        """The stream is over."""
        self._seats.discard(seat)

    def numbers(self, seat: _Seat) -> Numbers | None:
        """As of the last look; None before the first one."""
        return self._seen.numbers.get(seat.key)

    def is_over(self, seat: _Seat) -> bool:
        """Whether the session that opened the stream has ended."""
        return seat.session_id in self._seen.ended

    async def _look_again(self) -> None:
        """While anybody watches."""
        looks = 0
        try:
            while self._seats and not self.announcer.is_closed:
                before, self._seen = self._seen, await self._look()
                looks += 1
                if self._seen != before or looks % _BEAT == 0:
                    self.announcer.announce(_NAME)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._watch, self._seen = None, _Seen({}, frozenset())

    async def _look(self) -> _Seen:
        seats = list(self._seats)
        callers = {seat.key: seat.caller for seat in seats}
        asked = frozenset(seat.session_id for seat in seats)
        try:
            return await aside(self._read, callers, asked, self._clock())
        except Exception:
            # Every stream ends; whoever opens it again meets the same failure, which is answered for there.
            return _Seen({}, asked)

    def _read(self, callers: dict[Key, Caller], asked: frozenset[str], now: datetime) -> _Seen:
        with self._database.reading() as session:
            numbers = {
                key: {one.name: one.number for one in counters.of(session, caller, now)}
                for key, caller in callers.items()
            }
            return _Seen(numbers, asked - sessions.still_in_force(session, asked, now))


class Stream(Response):
    """One open stream: what changed, as JSON, a line each."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, seat: _Seat) -> None:
        headers = {**HEADERS, "X-Accel-Buffering": "no"}
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._live, self._seat = live, seat

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            with self._live.announcer.listening(_NAME) as listener:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": _RETRY, "more_body": True})
                await self._follow(listener, receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._live.leave(self._seat)

    async def _follow(self, listener: Listener, receive: Receive, send: Send) -> None:
        ends = asyncio.get_running_loop().time() + LASTS_SECONDS
        said: Numbers | None = None
        while not self._live.announcer.is_closed:
            is_over, found = self._live.is_over(self._seat), self._live.numbers(self._seat)
            body = _ENDED if is_over else _STILL_HERE if found == said else _event(found)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            said = found
            if is_over or not await listener.heard(receive, ends):
                return


def _event(numbers: Numbers | None) -> bytes:
    return f"data: {json.dumps(numbers)}\n\n".encode() if numbers is not None else _STILL_HERE


def live_of(request: Request) -> Live:
    """The application's."""
    found: Live = request.app.state.live
    return found


@router.get("/live", response_class=Response)
async def live(visitor: Watching, streams: Annotated[Live, Depends(live_of)]) -> Response:
    """The visitor's counters, again whenever one changes."""
    return Stream(streams, streams.take(visitor))
