"""The random sequences with removal at the source: contacts, a courier, answers, events, holds, policies.

The courier is the real one; what it sends by is made here, keeps what it was given, and may have something
else happen in the middle of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlmodel import Session, col, select

from app.core.lifecycle import LIVE, DelistReason, Status
from app.core.lifecycle import Takedown as State
from app.core.policy import Policy
from app.core.terms import Channel, Kind, NoticeKind, NoticeOutcome
from app.entries.models import Entry
from app.lists import service as lists
from app.lists.schemas import PolicyChange
from app.takedown import outbox
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.models import Contact, Notice, Takedown
from app.takedown.notices.courier import Courier
from app.takedown.notices.parcels import Parcel, Sent
from tests.attacks.sequences import PLACES, Machine, World
from tests.programs.service import LIST, leaves, new_entry

WAYS: dict[str, dict[str, Any]] = {
    "partner": {"kind": "partner_hotline", "name": "Partner", "country": "NL", "rank": 0},
    "second partner": {"kind": "partner_hotline", "name": "Second", "country": "NL", "rank": 1},
    "provider": {"kind": "provider", "name": "Provider", "host_suffix": "example.test"},
    "law enforcement": {"kind": "law_enforcement", "name": "Police", "country": "NL"},
}
KNOBS = st.fixed_dictionaries(
    {},
    optional={
        "notice_first": st.booleans(),
        "notice_window_hours": st.sampled_from([0, 0, 24, 100]),
        "provider_notices": st.sampled_from(["never", "without_partner", "always"]),
        "law_enforcement_hours": st.sampled_from([0, 0, 48]),
        "acknowledge_hours": st.sampled_from([1, 24]),
        "removal_hours": st.sampled_from([1, 72]),
        "reminders": st.sampled_from([0, 1, 3]),
    },
)
SENDS = st.sampled_from(["sent", "sent", "sent", "lost", "again", "unheard"])
WHICH = st.integers(0, 5)
_TAKEN_BACK = (DelistReason.WITHDRAWN, DelistReason.APPEAL_UPHELD, DelistReason.EMERGENCY)


def _nothing() -> None:
    """Happens meanwhile."""


class Post:
    """What notices are sent by: it does as it is told next, and keeps what arrived."""

    def __init__(self, world: "TakedownWorld") -> None:
        self._world = world
        self.result = "sent"
        self.meanwhile: Callable[[], object] = _nothing
        self.arrived: list[Parcel] = []
        self.undecided: set[str] = set()

    def __call__(self, parcel: Parcel, at_risk: Callable[[], None]) -> Sent:
        """A channel of the courier."""
        meanwhile, self.meanwhile = self.meanwhile, _nothing
        if self.result == "lost":
            meanwhile()
            return Sent(NoticeOutcome.FAILED, "unknown-recipient", is_refused=True)
        if self.result == "again":
            return Sent(None, "busy", is_refused=True)
        if parcel.attempt % 2:
            meanwhile()
        at_risk()
        self._check(parcel)
        self.arrived.append(parcel)
        meanwhile()
        if self.result == "unheard":
            self.undecided.add(parcel.id)
            return Sent(None, "silence")
        return Sent(NoticeOutcome.SENT)

    def _check(self, parcel: Parcel) -> None:
        """At this moment it may be told; and it was not before, but in a try of which nothing was heard."""
        with self._world.reading() as session:
            notice = session.get_one(Notice, parcel.id)
            entry = session.exec(select(Entry).where(Entry.id == parcel.entry_id)).one()
            found = session.get_one(Takedown, entry.id)
            before = [one.id for one in self.arrived]
            events = session.exec(select(Notice.event).where(col(Notice.id).in_(before))).all()
        assert parcel.id not in before or parcel.id in self.undecided, "told twice"
        assert notice.event not in events or parcel.id in before, "told twice under another id"
        if parcel.kind in outbox.TELLS:
            assert found.held_until is None or found.held_until <= self._world.service.clock(), (
                "told while held"
            )
            assert entry.status in LIVE, "told after the end"
            assert entry.takedown is not State.REMOVED, "told of what is said to be gone"
        assert (parcel.url is None) == (parcel.kind is NoticeKind.RETRACTION)


class TakedownWorld(World):
    """The service of `World`, with law enforcement and somebody to be told."""

    def __init__(self, folder: Any, **knobs: Any) -> None:
        super().__init__(folder, **knobs)
        self.police = self._connect(Kind.LAW_ENFORCEMENT, 2)
        self.post = Post(self)
        one = self.service
        self.courier = Courier(
            one.database, one.keyring, one.settings, one.clock, {Channel.MAIL: self.post}, factor=lambda: 1.0
        )
        self.told_by: dict[str, str] = {}
        self.leaves: set[str] = set()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A look into the database."""
        with self.service.database.reading() as session:
            yield session

    def set_contact(self, name: str, is_there: bool) -> None:
        """Add one, or end it."""
        now = self.service.clock()
        with self.service.database.writing() as session:
            known = session.get(Contact, self.told_by.get(name, ""))
            is_known = known is not None and known.ended_at is None
            if is_there and not is_known:
                reached = {"channel": "mail", "address": f"abuse@{len(name)}.example"}
                content = ContactContent.model_validate({**WAYS[name], **reached})
                self.told_by[name] = contacts.add(session, content, now).id
            elif known and is_known and not is_there:
                contacts.end(session, known.id, now)

    def change_policy(self, **knobs: Any) -> None:
        """The same policy but for these knobs."""
        with self.service.database.writing() as session:
            version = lists.policy_version(session, LIST, None)
            asked = PolicyChange(**{**version.policy, **knobs, "base_version": version.version})
            lists.change_policy(session, None, LIST, asked, self.service.clock())

    def policy(self) -> Policy:
        """That in force."""
        with self.reading() as session:
            return lists.policy_in_force(session, LIST)

    def carry(self) -> int:
        """Send what is due, one after the other; how much that was."""
        with self.service.database.writing() as session:
            claimed = outbox.claim(session, self.service.clock(), ())
        for notice, attempt in claimed:
            self.courier._carry(notice, attempt)
        return len(claimed)

    def close(self) -> None:
        """End it; what kinds of leaves there were stays known."""
        with self.reading() as session:
            self.leaves.update(leaf["type"] for leaf in leaves(session))
        self.courier.close()
        super().close()


class Told(Machine):
    """One sequence in which somebody is told."""

    world: TakedownWorld
    measures: ClassVar[list[str]] = ["takedown", "blocking"]

    @initialize(
        hotline=st.integers(0, 2),
        place=PLACES,
        voters=st.permutations(range(4)),
        names=st.sampled_from([tuple(WAYS), ("partner", "second partner"), ("provider",), ("partner",), ()]),
        result=st.sampled_from(["sent", "sent", "lost", "unheard"]),
    )
    def begin(
        self, hotline: int, place: tuple[str, int], voters: list[int], names: tuple[str, ...], result: str
    ) -> None:
        """As always, and with contacts there may be one entry of which somebody is told."""
        super().begin(hotline, place, voters)
        for name in WAYS:
            self.world.set_contact(name, name in names)
        self.sign_off(0)
        self.publish()
        self.carry(result, 0, "")

    @rule(which=WHICH)
    def sign_off(self, which: int) -> None:
        """Every body approves."""
        for body in range(4):
            self.review(body, which, True)

    @rule(hotline=st.integers(0, 2), measure=st.sampled_from(["takedown", "blocking"]))
    def submit_for_one(self, hotline: int, measure: str) -> None:
        """An entry that asks for one measure only."""
        body = new_entry(self.url(("url", 3)), measures=[measure])
        answer = self.world.hotlines[hotline].send("POST", "/v1/entries", json=body)
        if answer.status_code == 201:
            view = answer.json()
            self.books[view["id"]] = self.book_of("url", view, hotline)
            self.sign_off(len(self.books) - 1)
        elif answer.status_code == 200:
            self.books[answer.json()["id"]].parties.add(hotline)

    @rule(result=SENDS, which=WHICH, meanwhile=st.sampled_from(["", "", "withdraw", "hold", "remove", "end"]))
    def carry(self, result: str, which: int, meanwhile: str) -> None:
        """The courier sends what is due, with this result; something may happen meanwhile."""
        acts: dict[str, Callable[[], object]] = {
            "": _nothing,
            "withdraw": lambda: [self.withdraw(hotline, which) for hotline in range(3)],
            "hold": lambda: self.hold(0, which, 30),
            "remove": lambda: self.answer(which, "removed"),
            "end": lambda: self.change_contacts("partner", False),
        }
        self.world.post.result, self.world.post.meanwhile = result, acts[meanwhile]
        self.world.carry()

    @rule(hours=st.sampled_from([1, 2, 25, 49, 73]))
    def hours_pass(self, hours: int) -> None:
        """Time for an answer, and the publisher does its rounds; what is due then goes out."""
        self.world.service.clock.ahead += timedelta(hours=hours)
        self.publish()
        self.world.post.result = "sent"
        self.world.carry()
        self.publish()

    @rule(which=WHICH, said=st.sampled_from(["acknowledged", "removed", "refused"]))
    def answer(self, which: int, said: str) -> None:
        """Whoever was told answers by its newest link."""
        found = self.book(which)
        links = [
            one.link for one in self.world.post.arrived if found and one.entry_id == found[0] and one.link
        ]
        if links:
            token = links[-1].rpartition("/")[2]
            body = {"answer": said} | ({"reason": "not_hosted_here"} if said == "refused" else {})
            answer = self.world.public.post(f"/v1/takedown-answers/{token}", json=body)
            assert answer.status_code in (200, 201, 409, 410), answer.text

    @rule(
        hotline=st.integers(0, 2),
        which=WHICH,
        said=st.sampled_from(
            ["notified", "acknowledged", "removed", "refused", "unreachable", "still_available", "no_notice"]
        ),
        reason=st.sampled_from(["hostile_host", "no_contact", "hidden_service"]),
    )
    def tell_events(self, hotline: int, which: int, said: str, reason: str) -> None:
        """A hotline says how it stands."""
        if found := self.book(which):
            reasons = {"refused": {"reason": "not_found"}, "no_notice": {"reason": reason}}
            body = {"event": said, **reasons.get(said, {})}
            path = f"/v1/takedowns/{found[0]}/events"
            answer = self.world.hotlines[hotline].send("POST", path, json=body)
            assert answer.status_code in (201, 404, 409), answer.text
            assert (answer.status_code == 404) == (hotline not in found[1].parties)

    @rule(police=st.integers(0, 1), which=WHICH, hours=st.sampled_from([1, 30, 14 * 24 - 1]))
    def hold(self, police: int, which: int, hours: int) -> None:
        """Law enforcement asks for time."""
        if found := self.book(which):
            until = self.world.service.clock() + timedelta(hours=hours)
            body = {"reason": "investigation", "until": until.isoformat()}
            answer = self.world.police[police].send("POST", f"/v1/takedowns/{found[0]}/hold", json=body)
            assert answer.status_code in (201, 409), answer.text

    @rule(police=st.integers(0, 1), which=WHICH)
    def release(self, police: int, which: int) -> None:
        """Law enforcement needs no more."""
        if found := self.book(which):
            answer = self.world.police[police].send("DELETE", f"/v1/takedowns/{found[0]}/hold")
            assert answer.status_code in (200, 403, 404), answer.text

    @rule(name=st.sampled_from(sorted(WAYS)), is_there=st.booleans())
    def change_contacts(self, name: str, is_there: bool) -> None:
        """Somebody can be told, or no longer."""
        self.world.set_contact(name, is_there)

    @rule(knobs=KNOBS)
    def change_policy(self, knobs: dict[str, Any]) -> None:
        """The operator turns knobs."""
        self.world.change_policy(**knobs)

    @rule(which=WHICH, reason=st.sampled_from(["victim_request", "court_order"]), luck=st.integers(0, 5))
    def erase(self, which: int, reason: str, luck: int) -> None:
        """Somebody has it forgotten, now and then."""
        if luck == 5 and (found := self.book(which)):
            path = f"/v1/entries/{found[0]}/erasure"
            answer = self.world.operators[0].send("POST", path, json={"reason": reason})
            assert answer.status_code in (200, 201, 202, 409), answer.text

    def rows(self, session: Session, name: str) -> tuple[Entry, Takedown | None]:
        entry = session.exec(select(Entry).where(Entry.id == name)).one()
        return entry, session.get(Takedown, name)

    def check_version(self, served: set[str], now: datetime) -> None:
        """Where the list asks for it, what enters has its notice, and for long enough."""
        super().check_version(served, now)
        policy = self.world.policy()
        with self.world.reading() as session:
            for name in self.books:
                entry, found = self.rows(session, name)
                if name in served and not self.books[name].is_served and policy.notice_first:
                    window = timedelta(hours=policy.notice_window_hours)
                    assert entry.notice_at is not None, "listed without its notice"
                    assert entry.notice_at + window <= now, "listed before its time"
                    assert entry.takedown is not State.REMOVED
                self.check_going_on(session, entry, found)
                self.check_retracted(session, entry)

    def check_going_on(self, session: Session, entry: Entry, found: Takedown | None) -> None:
        """After a round nothing that should go on stands still, and nothing that ended goes on."""
        if entry.takedown_due:
            return
        if entry.status in LIVE and entry.routed_by is not None:
            assert found is not None
            assert found.ended_at is None
            assert found.due_at or entry.takedown is State.REMOVED, "it stands still"
        elif entry.status not in LIVE and found:
            assert found.due_at is None
            open_ = select(Notice).where(Notice.entry_id == entry.id, col(Notice.done_at).is_(None))
            assert not session.exec(open_.where(col(Notice.kind).in_(outbox.TELLS))).all()

    def check_retracted(self, session: Session, entry: Entry) -> None:
        """Whoever was told in error is told so; nobody else is."""
        if entry.takedown_due or entry.status is Status.ERASED:
            return
        is_gone = entry.takedown is State.REMOVED
        is_wrong = entry.status is Status.REJECTED or (entry.status is Status.WITHDRAWN and not is_gone)
        is_wrong |= entry.status is Status.DELISTED and entry.delist_reason in _TAKEN_BACK
        notices = outbox.of_entry(session, entry.id)
        told = {
            one.contact_id
            for one in notices
            if one.kind is NoticeKind.NOTICE and one.outcome is NoticeOutcome.SENT
        }
        retracted = {one.contact_id for one in notices if one.kind is NoticeKind.RETRACTION}
        in_force = {one for one in told if session.get_one(Contact, one).ended_at is None}
        if is_wrong:
            assert retracted >= in_force, "told, and not that it was wrong"
        else:
            assert not retracted

    @invariant()
    def everybody_can_verify(self) -> None:
        """A stranger replays the log after each step."""
        self.world.follow()
