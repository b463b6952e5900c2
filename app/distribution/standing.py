"""Who may read which version, loaded in one go and kept in memory: what is asked thousands of times a second.

A standing is never changed. It is looked at anew as soon as this process wrote anything, and at most half a
second after another did: so long can somebody that was taken off there go on reading here. What it would
refuse is looked at once more first, so that nobody waits for what was granted.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlmodel import Session

from app.core.terms import Kind
from app.distribution.published import Published
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots
from app.lists.snapshots import Position
from app.platform.aside import aside
from app.platform.database import Database
from app.platform.problems import Problem

STALE_SECONDS = 0.5
"""How long other processes' writes can go unnoticed."""
NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ListStanding:
    """A list: who subscribes (`canaries` are of them), where it stands, and its newest versions by number."""

    name: str
    min_poll_seconds: int
    subscribers: frozenset[str]
    canaries: frozenset[str]
    position: Position
    newest: Mapping[int, Published]

    def newest_for(self, caller: Caller) -> int:
        """The newest version the caller may have; every version before is there for it too. 0: none."""
        is_canary = caller.organisation_id in self.canaries
        return self.position.for_canaries if is_canary else self.position.served

    def require(self, caller: Caller, version: int) -> None:
        """Raises a 404 problem for a version that the caller may not know of."""
        if version > self.newest_for(caller):
            raise snapshots.unknown()

    def view(self, caller: Caller) -> str:
        """Which of the list's two pointers is the caller's."""
        return "canary" if caller.organisation_id in self.canaries else "all"

    def require_file(self, caller: Caller, folder: str, is_whole: bool) -> None:
        """Raises a 404 or 410 problem for a file of the list's repository that is not for the caller.

        The metadata is public and names a staged version's files; canaries alone may have them. A version
        that is not known of may be a staged one. Whole lists of a version that was taken back are for
        nobody, its manifest and delta lead to the next.
        """
        version = int(folder) if folder != "canary" else 0
        if version > self.position.last:
            raise snapshots.unknown()
        is_early = version in self.position.on_trial or folder == "canary"
        if is_early and caller.organisation_id not in self.canaries:
            raise Problem("not-found", "there is no target of this name for you")
        if is_whole:
            self.require_kept(version)

    def require_kept(self, version: int) -> None:
        """Raises a 410 problem for the whole list of a version that was taken back."""
        if version in self.position.taken_back:
            raise Problem("gone", "this version was taken back; take the latest")


@dataclass(frozen=True)
class Standing:
    """As of one count of changes. `callers` are the clients in force, by id."""

    number: int
    callers: Mapping[str, Caller]
    lists: Mapping[str, ListStanding]

    def caller(self, client_id: str, scopes: frozenset[str]) -> Caller | None:
        """The client with those of the scopes that it holds; None when it is not in force."""
        found = self.callers.get(client_id)
        return replace(found, scopes=found.scopes & scopes) if found else None

    def visible(self, caller: Caller, name: str) -> ListStanding:
        """The list, if the caller may know of it. Raises a 404 problem."""
        found = self.lists.get(name)
        if found is None or (caller.kind is Kind.ISP and caller.organisation_id not in found.subscribers):
            raise lists.hidden()
        return found

    def readable(self, caller: Caller, name: str) -> ListStanding:
        """The list, if the caller may read its entries. Raises a 404 or 403 problem."""
        found = self.visible(caller, name)
        if caller.organisation_id not in found.subscribers:
            raise lists.unreadable()
        return found


def load(session: Session, known: Standing | None) -> Standing:
    """The standing as of now; `known` itself when nothing changed since."""
    # The number first: where a change comes between these queries, the next look finds another number.
    number = lists.standing_number(session)
    if known is not None and known.number == number:
        return known
    subscriptions = lists.subscriptions(session)
    found = {}
    for name, policy in lists.policies(session).items():
        subscribers = frozenset(subscriptions.get(name, NOBODY))
        position = snapshots.position(session, name)
        found[name] = ListStanding(
            name,
            policy.min_poll_seconds,
            subscribers,
            subscribers & frozenset(policy.canaries),
            position,
            _newest(session, name, position, known),
        )
    return Standing(number, identity.callers(session), found)


def _newest(session: Session, name: str, position: Position, known: Standing | None) -> dict[int, Published]:
    """What was published never changes: it is taken over from the standing before."""
    before = known.lists.get(name) if known else None
    held = before.newest if before else {}
    numbers = {position.served, position.for_canaries} - {0}
    return {
        number: held.get(number) or Published.of(snapshots.get(session, name, number)) for number in numbers
    }


class Standings:
    """The newest standing, of one process. All but `fresh` in one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standing: Standing | None = None
        self._looked_at, self._writes = 0.0, -1
        self._looking: asyncio.Task[None] | None = None

    def fresh(self) -> Standing | None:
        """The standing in memory, if it can be relied on."""
        is_fresh = self._writes == self._database.writes and (
            time.monotonic() - self._looked_at < STALE_SECONDS
        )
        return self._standing if is_fresh else None

    async def current(self) -> Standing:
        """With every write of this process up to now in it."""
        return self.fresh() or await self._since(time.monotonic() - STALE_SECONDS)

    async def newest(self) -> Standing:
        """With every write up to now in it, whoever wrote."""
        return await self._since(time.monotonic())

    async def _since(self, moment: float) -> Standing:
        writes = self._database.writes
        while self._standing is None or self._looked_at < moment or self._writes < writes:
            # Whoever asks while a look is under way shares it, and the next one if that began too early.
            self._looking = self._looking or asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        return self._standing

    async def _look(self) -> None:
        try:
            writes, moment = self._database.writes, time.monotonic()
            self._standing = await aside(self._read, self._standing)
            self._writes, self._looked_at = writes, moment
        finally:
            self._looking = None

    def _read(self, known: Standing | None) -> Standing:
        with self._database.reading() as session:
            return load(session, known)
