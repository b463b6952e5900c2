"""The desk: who asks, what for, and the answer. The same for the hot layer and for the framework's routes."""

from dataclasses import dataclass

from starlette.types import Receive

from app.core import preference
from app.distribution.addresses import Address, Wanted
from app.distribution.answers import REVALIDATE, Answer, Header, Headers, answer, has
from app.distribution.figures import Tally, tally
from app.distribution.polls import Poller, PollLimits
from app.distribution.published import Published
from app.distribution.service import Shelf
from app.distribution.standing import ListStanding, Standing, Standings
from app.distribution.waiting import WaitingRoom
from app.identity.access import Access
from app.identity.gate import ended
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.identity.tokens import Token
from app.lists import snapshots
from app.platform.clock import Clock
from app.platform.problems import Problem

MOST = 20_000
"""Tokens whose caller is remembered for one standing."""
READER = Access(Scope.LISTS_READ)


@dataclass(frozen=True)
class Asked:
    """A request: its headers, and how to hear that the caller hung up."""

    headers: Headers
    receive: Receive


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A 304 and what to count it in, good for one standing. `lines` lack the end of the headers."""

    standing: Standing
    poller: Poller
    seconds_each: int
    lines: bytes
    tally: Tally


class Desk:
    """Of one process and one event loop."""

    def __init__(
        self, standings: Standings, shelf: Shelf, room: WaitingRoom, limits: PollLimits, clock: Clock
    ) -> None:
        self._standings, self._shelf, self._room = standings, shelf, room
        self._limits, self._clock = limits, clock
        self._callers: dict[Token, Caller] = {}
        self._callers_of: Standing | None = None

    async def caller(self, token: Token) -> Caller:
        """Whose token it is. Raises a 401 or 403 problem."""
        standing = self._standings.fresh() or await self._standings.current()
        if standing is not self._callers_of or len(self._callers) > MOST:
            self._callers, self._callers_of = {}, standing
        found = self._callers.get(token)
        if found is None:
            known = standing.caller(token.client_id, token.scopes) or (await self._standings.newest()).caller(
                token.client_id, token.scopes
            )
            if known is None:
                raise ended()
            found = self._callers[token] = READER(known)
        return found

    def still(self, file: str, offered: bytes) -> bytes | None:
        """The lines of a 304 for metadata, if the caller has what there is."""
        try:
            found = self._shelf.metadata(file)
        except Problem:
            return None
        return found.not_modified_lines if found.etag == offered else None

    def unchanged(self, wanted: Wanted, offered: bytes, token: Token) -> "Unchanged | None":
        """For who has the newest version it may have: what holds as long as the standing does.

        None when there is more to say, or memory alone cannot say it.
        """
        standing = self._standings.fresh()
        caller = self._callers.get(token) if standing is self._callers_of else None
        if standing is None or caller is None:
            return None
        try:
            place = allowed(standing, caller, wanted)
        except Problem:
            return None
        found = newest(place, caller).as_latest
        if found.etag != offered:
            return None
        poller = self._limits.of(caller.client_id, place.name, self._clock().timestamp())
        lines = found.not_modified_lines
        return Unchanged(standing, poller, place.min_poll_seconds, lines, tally(wanted, 304))

    async def metadata(self, file: str, asked: Asked) -> Answer:
        """TUF metadata, for anybody. Raises a 404 problem."""
        return answer(self._shelf.metadata(file), asked.headers)

    async def answer(self, caller: Caller, wanted: Wanted, asked: Asked) -> Answer:
        """What a caller gets, who may read lists. Raises a 403, 404, 410, 416 or 429 problem."""
        if not wanted.list:
            return answer(self._shelf.target(wanted.file), asked.headers)
        place = await self._place(caller, wanted)
        match wanted.address:
            case Address.LATEST:
                return await self._latest(caller, place, asked)
            case Address.ACCESS:
                view = place.view(caller).encode()
                return Answer(204, ((b"x-wardlist-view", view), (b"cache-control", REVALIDATE.encode())), b"")
            case Address.TARGET:
                return answer(self._shelf.target(wanted.file), asked.headers)
        found = await self._shelf.published(place, wanted.version)
        match wanted.address:
            case Address.SNAPSHOT:
                return answer(found.as_version, asked.headers)
            case Address.JWS:
                return answer(found.as_jws, asked.headers)
            case Address.DELTA:
                return answer(self._shelf.delta(found, asked.headers), asked.headers)
        place.require_kept(wanted.version)
        return answer(self._shelf.artefact(found, wanted.file, asked.headers), asked.headers)

    async def _place(self, caller: Caller, wanted: Wanted) -> ListStanding:
        """Where the list stands, once it is known that the caller may have what it wants. Raises a problem.

        Before somebody is refused the database is asked, so that what another process granted counts at once.
        """
        try:
            return allowed(self._standings.fresh() or await self._standings.current(), caller, wanted)
        except Problem:
            return allowed(await self._standings.newest(), caller, wanted)

    async def _latest(self, caller: Caller, place: ListStanding, asked: Asked) -> Answer:
        found, now = newest(place, caller), self._clock().timestamp()
        offered, prefer = asked.headers.get(b"if-none-match"), asked.headers.get(b"prefer")
        seconds = None
        if prefer is not None and offered is not None:
            seconds = preference.wait_seconds((prefer.decode("latin-1"),))
        more: tuple[Header, ...] = ()
        is_held = False
        if seconds and offered is not None and has(offered, found.as_latest.etag):
            found, is_held = await self._wait(caller, found, offered, asked.receive, seconds)
        answered = answer(found.as_latest, asked.headers)
        if is_held:
            self._limits.told(caller.client_id, place.name, found.version, now)
        else:
            told = found.version if answered.status == 200 else None
            more = self._limits.count(caller.client_id, place.name, place.min_poll_seconds, told, now)
        if seconds:
            more = (*more, (b"preference-applied", b"wait=%d" % seconds))
        return Answer(answered.status, answered.headers + more, answered.body)

    async def _wait(
        self, caller: Caller, found: Published, offered: bytes, receive: Receive, seconds: int
    ) -> tuple[Published, bool]:
        def is_news(standing: Standing) -> bool:
            nonlocal found
            if caller.client_id not in standing.callers:
                raise ended()
            found = newest(standing.visible(caller, found.list), caller)
            return not has(offered, found.as_latest.etag)

        is_held = await self._room.for_news(receive, caller, found.list, is_news, seconds)
        return found, is_held


def newest(place: ListStanding, caller: Caller) -> Published:
    """The newest version the caller may have. Raises a 404 problem."""
    number = place.newest_for(caller)
    if not number:
        raise snapshots.unknown()
    return place.newest[number]


def allowed(standing: Standing, caller: Caller, wanted: Wanted) -> ListStanding:
    """Where the list stands, for a caller that may have this of it. Raises a 403, 404 or 410 problem."""
    address = wanted.address
    if address is Address.LATEST:
        place = standing.visible(caller, wanted.list)
        newest(place, caller)
    elif address in (Address.SNAPSHOT, Address.JWS):
        place = standing.visible(caller, wanted.list)
        place.require(caller, wanted.version)
    else:
        place = standing.readable(caller, wanted.list)
        if address in (Address.ARTEFACT, Address.DELTA):
            place.require(caller, wanted.version)
        elif address is Address.ACCESS and wanted.version:
            place.require_file(caller, str(wanted.version), wanted.is_whole)
        elif address is Address.TARGET:
            parts = wanted.file.split("/")
            if len(parts) == 4:
                place.require_file(caller, parts[2], ".list." in parts[3])
    return place
