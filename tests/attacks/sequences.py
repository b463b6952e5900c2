"""Any actors, any calls, in any order: what must never come about, over thousands of random sequences.

Nothing is listed without its quorum of independent bodies; nothing stays past its recheck date; neither an
appellant nor a foreign hotline learns what is listed. The model below keeps its own books and never asks the
service for them.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, text

from app.client.session import Connection, Failed
from app.core import appeal, jose
from app.core.replay import Replay
from app.core.terms import AppealOutcome, Kind
from app.identity import conflicts
from app.identity import service as identity
from app.log import service as log
from app.platform.clock import instant
from tests.programs import databases, selection
from tests.programs.inside import Inside
from tests.programs.service import LIST, Service, new_entry, signed_review

SEQUENCES = int(os.environ.get("WARDLIST_SEQUENCES", selection.times(2000, 80, 40)))
STEPS = 8
QUORUM = {"url": 2, "host": 3}
RECHECK = timedelta(days=30)
PLACES = st.sampled_from([("url", 1), ("url", 2), ("host", 1)])


@dataclass
class Book:
    """What the model knows of an entry."""

    scope: str
    view: dict[str, Any]
    parties: set[int]
    approvals: set[int] = field(default_factory=set)
    rejections: set[int] = field(default_factory=set)
    looked: list[datetime] = field(default_factory=list)
    is_served: bool = False


@dataclass
class Appeal:
    """An appeal as the appellant has it."""

    answer: dict[str, Any]
    is_decided: bool = False


class World:
    """One service for all sequences of a run. `ended` are the entries of sequences before, off with the next
    version."""

    def __init__(self, folder: Path, **knobs: Any) -> None:
        self.service = Service(folder / "home", appeals_per_hour=1_000_000)
        event.listen(self.service.database.engine, "connect", _never_wait_for_disk)
        days = {"appeal_days": 10, "retention_days": 25}
        usual = {"scopes": ["url", "host"], "quorum": QUORUM, "second_opinion_percent": 30, **days}
        self.service.add_list(**{**usual, **knobs})
        self.inside = Inside(self.service.app)
        self.ids: dict[Kind, list[str]] = {}
        self.hotlines = self._connect(Kind.HOTLINE, 3)
        self.bodies = self._connect(Kind.REVIEW_BODY, 4)
        self.operators = self._connect(Kind.OPERATOR, 2)
        self.provider = self._connect(Kind.ISP, 1)[0]
        self.service.subscribe(self.ids[Kind.ISP][0])
        self.public = httpx.Client(base_url=self.service.address, transport=self.inside)
        self.replayed = Replay()
        self.rounds, self._etag = 0, '"none"'
        self._served: set[str] = set()
        self.ended: set[str] = set()

    def _connect(self, kind: Kind, count: int) -> list[Connection]:
        self.ids[kind] = [self.service.organisation(kind) for _ in range(count)]
        return [self.service.connect(kind, organisation, self.inside) for organisation in self.ids[kind]]

    def served(self) -> set[str]:
        """Entry ids on the newest version, as the provider reads it."""
        path = f"/v1/lists/{LIST}/snapshots"
        latest = self.provider.send("GET", f"{path}/latest", headers={"If-None-Match": self._etag})
        if latest.status_code == 200:
            self._etag = latest.headers["ETag"]
            lines = self.provider.request("GET", f"{path}/{latest.json()['version']}/jsonl").content
            self._served = {json.loads(line)["entry"] for line in lines.splitlines()}
        return self._served

    def publish(self) -> set[str]:
        """The publisher's round; what is served then."""
        self.service.publish()
        assert not self.ended & self.served(), "still served after its emergency"
        self.ended.clear()
        return self._served

    def follow(self) -> None:
        """A stranger replays what is new in the log. Raises Deviation."""
        with self.service.database.writing() as session:
            size = log.sequence(session).size
            fresh = log.leaves(session, self.replayed.size, size)
        for body in fresh:
            self.replayed.feed(body)

    def close(self) -> None:
        """End it."""
        self.service.database.close()
        self.inside.finish()


class Machine(RuleBasedStateMachine):
    """One sequence. What is submitted is to be blocked; the machine in takedowns.py has it taken down too."""

    world: World
    measures: ClassVar[list[str]] = ["blocking"]
    ends_published: ClassVar[bool] = False
    """Whether a sequence ends with a version of its own, so that the next one's begins from nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.books: dict[str, Book] = {}
        self.appeals: list[Appeal] = []
        self.suspended: set[int] = set()
        self.conflicting: set[tuple[int, int]] = set()
        self.shapes: set[tuple[Any, ...]] = set()
        self.words: dict[str, set[int]] = {}
        self.steps, self.published_at = 0, -1

    @initialize(hotline=st.integers(0, 2), place=PLACES, voters=st.permutations(range(4)))
    def begin(self, hotline: int, place: tuple[str, int], voters: list[int]) -> None:
        """Names of its own, so that sequences do not meet; one entry that bodies have looked at."""
        self.world.rounds += 1
        self.word = f"s{self.world.rounds}"
        self.submit(hotline, place)
        for body in voters[: 1 + voters[-1]]:
            self.review(body, 0, True)

    def url(self, place: tuple[str, int]) -> str:
        scope, number = place
        path = "" if scope == "host" else f"{number}"
        return f"https://{self.word}h{number}.example.test/{path}"

    def book_of(self, scope: str, view: dict[str, Any], hotline: int) -> Book:
        return Book(scope, view, {hotline})

    def book(self, index: int) -> tuple[str, Book] | None:
        names = list(self.books)
        return (names[index % len(names)], self.books[names[index % len(names)]]) if names else None

    @rule(hotline=st.integers(0, 2), place=PLACES)
    def submit(self, hotline: int, place: tuple[str, int]) -> None:
        """A hotline submits: a new entry, or it becomes party to one there is."""
        body = new_entry(self.url(place), scope=place[0], measures=self.measures)
        answer = self.world.hotlines[hotline].send("POST", "/v1/entries", json=body)
        assert answer.status_code in (200, 201, 409), answer.text
        if answer.status_code == 201:
            view = answer.json()
            self.books[view["id"]] = self.book_of(place[0], view, hotline)
        elif answer.status_code == 200:
            self.books[answer.json()["id"]].parties.add(hotline)

    @rule(
        body=st.integers(0, 3), which=st.integers(0, 5), approves=st.sampled_from([True, True, True, False])
    )
    def review(self, body: int, which: int, approves: bool) -> None:
        """A body decides, whether it may or not."""
        found = self.book(which)
        if found is None:
            return
        name, book = found
        reviewer = self.world.bodies[body]
        criteria = {} if approves else {"narrowest_scope": False}
        sent = signed_review(
            book.view,
            reviewer.credentials.private_jwk,
            decision="approve" if approves else "reject",
            criteria=criteria,
            signed={"iat": int(reviewer.clock())},
        )
        before = self.true_status(name)
        try:
            answer = reviewer.send("POST", f"/v1/entries/{name}/reviews", json=sent)
        except Failed:
            assert body in self.suspended, "only a suspended body cannot sign in"
            return
        assert answer.status_code in (201, 401, 403, 409), answer.text
        if answer.status_code == 201:
            assert body not in self.suspended
            assert not any((body, hotline) in self.conflicting for hotline in book.parties)
            if before == "submitted":
                (book.approvals if approves else book.rejections).add(body)

    def true_status(self, name: str) -> str:
        with self.world.service.database.reading() as session:
            found = session.execute(text("SELECT status FROM entry WHERE id = :id"), {"id": name})
            return str(found.scalar_one()).lower()

    @rule(hotline=st.integers(0, 2), which=st.integers(0, 5))
    def withdraw(self, hotline: int, which: int) -> None:
        """A hotline takes an entry back, its own or not."""
        if found := self.book(which):
            answer = self.world.hotlines[hotline].send("POST", f"/v1/entries/{found[0]}/withdrawal")
            assert answer.status_code in (200, 403, 404, 409)
            assert (answer.status_code == 404) == (hotline not in found[1].parties)

    @rule(
        hotline=st.integers(0, 2),
        which=st.integers(0, 5),
        outcome=st.sampled_from(["still_available", "still_available", "removed", "changed", "unreachable"]),
    )
    def recheck(self, hotline: int, which: int, outcome: str) -> None:
        """A hotline looks again."""
        if found := self.book(which):
            now = self.world.service.clock()
            body = {"outcome": outcome, "checked_at": instant(now)}
            answer = self.world.hotlines[hotline].send("POST", f"/v1/entries/{found[0]}/rechecks", json=body)
            assert answer.status_code in (201, 404, 409), answer.text
            assert (answer.status_code == 404) == (hotline not in found[1].parties)
            if answer.status_code == 201 and outcome == "still_available":
                found[1].looked.append(now)

    @rule(which=st.integers(0, 5))
    def emergency(self, which: int) -> None:
        """An operator takes an entry off."""
        if found := self.book(which):
            wanted = {"entries": [found[0]]}
            self.world.operators[0].request("POST", "/v1/entries/emergency-delisting", json=wanted)

    @rule(body=st.integers(0, 3), is_suspended=st.booleans())
    def suspend(self, body: int, is_suspended: bool) -> None:
        """An operator suspends or readmits a body."""
        if is_suspended != (body in self.suspended):
            self.set_suspended(body, is_suspended)

    def set_suspended(self, body: int, is_suspended: bool) -> None:
        service = self.world.service
        organisation = self.world.ids[Kind.REVIEW_BODY][body]
        with service.database.writing() as session:
            identity.suspend_organisation(session, organisation, is_suspended, service.clock())
        (self.suspended.add if is_suspended else self.suspended.discard)(body)

    @rule(body=st.integers(0, 3), hotline=st.integers(0, 2))
    def conflict(self, body: int, hotline: int) -> None:
        """An operator declares a conflict, or ends it."""
        one, other = self.world.ids[Kind.REVIEW_BODY][body], self.world.ids[Kind.HOTLINE][hotline]
        path = f"/v1/conflicts/{one}/{other}"
        if (body, hotline) in self.conflicting:
            self.world.operators[0].request("DELETE", path)
            self.conflicting.discard((body, hotline))
        else:
            self.world.operators[0].request("PUT", path, json={"reason": "funding"})
            self.conflicting.add((body, hotline))

    @rule(days=st.integers(3, 20))
    def time_passes(self, days: int) -> None:
        """Days go by, and the publisher does its rounds."""
        self.world.service.clock.ahead += timedelta(days=days)
        self.publish()

    @rule(place=PLACES, known=st.booleans())
    def appeal(self, place: tuple[str, int], known: bool) -> None:
        """Anyone complains about an address, listed or not."""
        url = self.url(place) if known else f"https://{self.word}x{place[1]}.example.test/{place[1]}"
        body = {"url": url, "statement": "This page is mine and carries no such material."}
        answer = self.world.public.post("/v1/appeals", json=body)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        self.shapes.add((len(answer.content), *sorted(found), answer.headers["content-type"]))
        self.appeals.append(Appeal(found))

    @rule(body=st.integers(0, 3), which=st.integers(0, 3), upheld=st.booleans())
    def decide(self, body: int, which: int, upheld: bool) -> None:
        """A body decides an appeal, when it may."""
        if not self.appeals or body in self.suspended:
            return
        wanted = self.appeals[which % len(self.appeals)]
        reviewer = self.world.bodies[body]
        waiting = reviewer.request("GET", "/v1/appeals", params={"limit": 100}).json()["appeals"]
        shown = next((one for one in waiting if one["reference"] == wanted.answer["reference"]), None)
        if shown is None:
            return
        ids = [entry["id"] for entry in shown["entries"]]
        outcome = AppealOutcome.UPHELD if upheld and ids else AppealOutcome.DENIED
        for name in ids:
            assert body not in self.books[name].approvals | self.books[name].rejections
        sent = {"outcome": outcome.value, "reason": "Examined on site."}
        payload = appeal.statement(
            bytes.fromhex(shown["appeal_key"]),
            appeal=shown["log_id"],
            entries=ids,
            iat=int(reviewer.clock()),
            outcome=outcome,
            reason=sent["reason"],
        )
        sent["signature"] = jose.sign(payload, reviewer.credentials.private_jwk)
        answer = reviewer.send("POST", f"/v1/appeals/{shown['reference']}/decision", json=sent)
        assert answer.status_code in (200, 201, 409), answer.text
        wanted.is_decided |= answer.status_code < 300

    @precondition(lambda self: self.steps != self.published_at)
    @rule()
    def publish(self) -> None:
        """The publisher's round, never twice on end; then the books are compared with what is served."""
        now = self.world.service.clock() + timedelta(seconds=1)
        served = self.world.publish()
        self.check_version(served, now)
        for name, book in self.books.items():
            book.is_served = name in served
        # The invariant counts this step next.
        self.published_at = self.steps + 1

    def check_version(self, served: set[str], now: datetime) -> None:
        """What is served has its quorum and is not overdue."""
        for name in served & self.books.keys():
            self.check_served(self.books[name], now)

    def check_served(self, book: Book, now: datetime) -> None:
        counted = book.approvals if book.is_served else book.approvals - self.suspended
        assert len(counted) >= QUORUM[book.scope], "listed without its quorum"
        newest = max([*book.looked, self.settled_by(book)])
        assert now <= newest + RECHECK + timedelta(seconds=2), "listed past its recheck date"

    def settled_by(self, book: Book) -> datetime:
        """The latest moment at which it can have been approved: its recheck date says so."""
        party = self.world.hotlines[min(book.parties)]
        seen = party.request("GET", f"/v1/entries/{book.view['id']}").json()["recheck_by"]
        assert seen is not None
        return datetime.fromisoformat(seen) - RECHECK

    @invariant()
    def nobody_learns(self) -> None:
        """A foreign hotline sees nothing of an entry, an appellant nothing before a person decided."""
        foreign = [(name, one) for name, book in self.books.items() for one in {0, 1, 2} - book.parties]
        self.steps += 1
        if foreign:
            name, hotline = foreign[self.steps % len(foreign)]
            assert self.world.hotlines[hotline].send("GET", f"/v1/entries/{name}").status_code == 404
        assert len(self.shapes) <= 1
        for one in self.appeals[-1:]:
            headers = {"Authorization": f"Bearer {one.answer['secret']}"}
            seen = self.world.public.get(f"/v1/appeals/{one.answer['reference']}", headers=headers).json()
            assert (seen["state"] == "decided") == one.is_decided
            if not one.is_decided:
                told = {name for name, value in seen.items() if value is not None}
                assert told == {"reference", "state", "filed_at", "decide_by"}

    def teardown(self) -> None:
        """Everybody is readmitted, everything taken off, and a stranger replays the log so far."""
        for body in list(self.suspended):
            self.set_suspended(body, False)
        with self.world.service.database.writing() as session:
            for body, hotline in self.conflicting:
                ids = self.world.ids
                one, other = ids[Kind.REVIEW_BODY][body], ids[Kind.HOTLINE][hotline]
                conflicts.end(session, one, other, self.world.service.clock())
        if self.books:
            wanted = {"entries": list(self.books)}
            self.world.operators[0].request("POST", "/v1/entries/emergency-delisting", json=wanted)
            self.world.ended |= self.books.keys()
        if self.ends_published:
            self.world.publish()
        self.world.follow()


def _never_wait_for_disk(connection: Any, _record: object) -> None:
    """Nobody pulls the plug here; PostgreSQL's server in tests never waits."""
    if not databases.IS_POSTGRESQL:
        connection.execute("PRAGMA synchronous=OFF")


def run(machine: type[Machine], world: World, sequences: int, steps: int = STEPS) -> None:
    """So many random sequences on this world; it is closed afterwards."""
    limits = settings(
        max_examples=sequences,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        with mock.patch("os.fsync"):
            run_state_machine_as_test(type("OfThisRun", (machine,), {"world": world}), settings=limits)
        assert world.rounds >= sequences
        world.publish()
        world.follow()
        assert len(world.replayed.lists[LIST].versions) > sequences // 10, "versions did come about"
    finally:
        world.close()
