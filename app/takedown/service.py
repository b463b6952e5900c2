"""A takedown's story: begun when its entry is approved, told, answered, ended.

Every step goes through `app/entries/removal.py`, which writes its leaf. What is decided when is
`app/takedown/clock.py`'s; who is told is `app/takedown/routing.py`'s. Source: design section 3.
"""

from datetime import datetime, timedelta

from sqlmodel import Session

from app.core import url
from app.core.lifecycle import DelistReason, Status, TakedownEvent
from app.core.lifecycle import Takedown as State
from app.core.policy import Policy
from app.core.terms import (
    AnsweredBy,
    Channel,
    Deconfliction,
    Excuse,
    NoticeKind,
    NoticeOutcome,
    RefusalReason,
)
from app.entries import removal
from app.entries import service as entries
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.lists import service as lists
from app.platform.clock import instant
from app.platform.epochs import Epochs
from app.takedown import clock, outbox, routing
from app.takedown.clock import Standing, Step
from app.takedown.models import Contact, Notice, Takedown

LIVE = (Status.APPROVED, Status.LISTED)
_RETRACTED = (DelistReason.WITHDRAWN, DelistReason.APPEAL_UPHELD, DelistReason.EMERGENCY)
"""Ends that say that the entry ought not to have been: whoever was told is told so."""


def of(session: Session, entry: Entry, now: datetime) -> Takedown:
    """The entry's takedown, made if there is none yet; its clock runs from the approval only."""
    found = session.get(Takedown, entry.id)
    if found is None:
        found = Takedown(
            entry_id=entry.id,
            organisation_id=entry.organisation_id,
            list=entry.list,
            country=entry.hosting_country,
            opened_at=now,
        )
        session.add(found)
        session.flush()
    return found


def look(session: Session, epochs: Epochs, entry: Entry, now: datetime) -> None:
    """Something happened to the entry: begin its takedown, go on with it, or end it."""
    entry.takedown_due = False
    session.add(entry)
    is_live = entry.status in LIVE
    found = session.get(Takedown, entry.id)
    if is_live and (found is None or entry.routed_by is None):
        _begin(session, epochs, of(session, entry, now), entry, now)
    elif is_live and found and found.ended_at:
        _go_on(found, now)
    elif is_live and found and found.removed_at and entry.takedown is not State.REMOVED:
        _reopen(found, now)
    elif found and not is_live and found.ended_at is None and _has_begun(entry):
        _end(session, found, entry, now)
    session.flush()


def _has_begun(entry: Entry) -> bool:
    return entry.status is not Status.SUBMITTED or entry.routed_by is not None


def _go_on(found: Takedown, now: datetime) -> None:
    """The entry is live again; who was to be told and was not is told now."""
    found.ended_at, found.due_at = None, now
    if found.first_notice_at is None:
        found.turn = 0


def _reopen(found: Takedown, now: datetime) -> None:
    """What was said to be removed is there still: whoever was told is reminded at once."""
    found.removed_at, found.acknowledge_due_at, found.due_at = None, now, now


def _begin(session: Session, epochs: Epochs, found: Takedown, entry: Entry, now: datetime) -> None:
    policy = lists.policy_in_force(session, entry.list)
    _route(session, epochs, entry, policy)
    found.due_at, found.ended_at = now, None
    hours = policy.law_enforcement_hours
    if hours and found.held_until is None and entry.takedown is State.NOT_STARTED:
        until = now.replace(microsecond=0) + timedelta(hours=hours)
        _hold(found, Deconfliction.DECONFLICTION, until)
        removal.hold(session, entry, now, reason=Deconfliction.DECONFLICTION.value, until=instant(until))
        entry.takedown_due = False
        for step in _steps(entry, 0):
            outbox.put(session, entry, 0, step.contact, NoticeKind.DECONFLICTION, 0, now)


def _route(session: Session, epochs: Epochs, entry: Entry, policy: Policy) -> None:
    """Whom to tell, by what is known now; those who were told before stay in front."""
    opened = entries.secret(session, epochs, entry)
    if opened is None:
        return
    told = entry.routed_by or []
    known = {step["contact"] for step in told}
    last = max((step["turn"] for step in told), default=0)
    fresh = routing.route(session, policy, entry, opened)
    fresh = [step for step in fresh if step.contact not in known and (step.turn or not told)]
    turns = {turn: place for place, turn in enumerate(sorted({step.turn for step in fresh if step.turn}), 1)}
    placed = [
        step.model_copy(update={"turn": last + turns[step.turn]}) if step.turn else step for step in fresh
    ]
    entry.routed_by = [*told, *(step.model_dump(mode="json") for step in placed)]
    session.add(entry)
    session.flush()


def _steps(entry: Entry, turn: int) -> list[RoutedBy]:
    """Who is told at that turn."""
    steps = (RoutedBy.model_validate(step) for step in entry.routed_by or ())
    return [step for step in steps if step.turn == turn]


def tick(session: Session, epochs: Epochs, found: Takedown, entry: Entry, now: datetime) -> None:
    """The clock is due: tell, remind, or wait on."""
    policy = lists.policy_in_force(session, entry.list)
    notices = outbox.of_entry(session, entry.id)
    is_sending = any(one.done_at is None and one.kind in outbox.TELLS for one in notices)
    standing = Standing(
        entry.takedown,
        found.reminders,
        is_sending,
        found.held_until,
        found.acknowledge_due_at,
        found.removal_due_at,
    )
    asked = clock.move(standing, policy, now)
    found.due_at = asked.look_at
    session.add(found)
    if asked.step is Step.REMIND and _remind(session, found, entry, now):
        return
    if asked.step is not Step.WAIT and not _tell_next(session, epochs, found, entry, policy, now):
        _give_up(session, epochs, found, entry, now)


def _remind(session: Session, found: Takedown, entry: Entry, now: datetime) -> bool:
    found.reminders += 1
    put = [
        outbox.put(session, entry, found.turn, step.contact, NoticeKind.REMINDER, found.reminders, now)
        for step in _steps(entry, found.turn)
    ]
    return any(put)


def _tell_next(
    session: Session, epochs: Epochs, found: Takedown, entry: Entry, policy: Policy, now: datetime
) -> bool:
    """Tell the next turn's contacts; contacts are looked up anew where there are none. False: nobody left."""
    if not _steps(entry, found.turn + 1):
        _route(session, epochs, entry, policy)
    while steps := _steps(entry, found.turn + 1):
        found.turn, found.reminders = found.turn + 1, 0
        put = [
            outbox.put(session, entry, found.turn, step.contact, NoticeKind.NOTICE, 0, now) for step in steps
        ]
        if any(put):
            return True
    return False


def _give_up(session: Session, epochs: Epochs, found: Takedown, entry: Entry, now: datetime) -> None:
    """Nobody is left to tell: say so once, and look for new contacts later."""
    found.due_at = now + clock.LOOK_AGAIN
    if entry.notice_at is None:
        excuse(session, found, entry, _why_none(session, epochs, entry), now)
    elif entry.takedown is State.NOTIFIED:
        removal.move(session, entry, TakedownEvent.LOSE_CONTACT, now, by=AnsweredBy.SERVICE.value)


def _why_none(session: Session, epochs: Epochs, entry: Entry) -> Excuse:
    opened = entries.secret(session, epochs, entry)
    host = url.host_of(opened.canonical_url) if opened else ""
    return Excuse.HIDDEN_SERVICE if host.endswith((".onion", ".i2p")) else Excuse.NO_CONTACT


def on_sent(session: Session, notice: Notice, now: datetime) -> None:
    """A notice arrived where it was sent: it is on record from here on. In the transaction that says so."""
    entry = entries.get(session, notice.entry_id)
    if entry is None or notice.kind not in outbox.TELLS:
        return
    found = of(session, entry, now)
    begun = instant((notice.begun_at or now).replace(microsecond=0))
    how = {"to": notice.contact_kind.value, "channel": notice.channel.value, "begun_at": begun}
    is_waiting = entry.takedown in (State.NOTIFIED, State.ACKNOWLEDGED)
    if notice.kind is NoticeKind.REMINDER:
        if is_waiting:
            removal.remind(session, entry, now, **how)
    elif is_waiting:
        removal.escalate(session, entry, now, **how)
    elif entry.takedown is not State.REMOVED:
        removal.move(session, entry, TakedownEvent.NOTIFY, now, **how)
    _count_from(session, found, entry, notice, now)


def _count_from(session: Session, found: Takedown, entry: Entry, notice: Notice, now: datetime) -> None:
    policy = lists.policy_in_force(session, entry.list)
    if found.first_notice_at is None:
        found.first_notice_at = now
        found.removal_due_at = now + timedelta(hours=policy.removal_hours)
        contact = session.get(Contact, notice.contact_id)
        found.provider_class = contact.provider_class if contact else None
    found.acknowledge_due_at = now + timedelta(hours=policy.acknowledge_hours)
    if found.ended_at is None:
        found.due_at = found.acknowledge_due_at
    session.add(found)


def on_failed(session: Session, notice: Notice, now: datetime) -> None:
    """A notice cannot arrive, or came back: unless another of its turn did, the next turn is told at once."""
    entry = entries.get(session, notice.entry_id)
    found = session.get(Takedown, notice.entry_id)
    if entry is None or found is None or notice.kind not in outbox.TELLS or notice.turn != found.turn:
        return
    same_turn = [one for one in outbox.of_entry(session, entry.id) if one.turn == notice.turn]
    hopeful = (None, NoticeOutcome.SENT)
    if any(one.outcome in hopeful and one.kind in outbox.TELLS for one in same_turn if one.id != notice.id):
        return
    policy = lists.policy_in_force(session, entry.list)
    found.reminders = policy.reminders
    found.acknowledge_due_at = now
    if found.ended_at is None and entry.takedown is not State.REMOVED:
        found.due_at = now
    session.add(found)


def answer(
    session: Session,
    entry: Entry,
    event: TakedownEvent,
    by: AnsweredBy,
    now: datetime,
    reason: RefusalReason | None = None,
    **actor: str,
) -> Takedown:
    """Somebody said how it stands; `actor` is client and organisation of a hotline. Raises a 409 problem.

    What a hotline or a peer says is removed leaves its list with the next version.
    """
    found = of(session, entry, now)
    members = {"by": by.value, **({"reason": reason.value} if reason else {}), **actor}
    removal.move(session, entry, event, now, **members)
    match event:
        case TakedownEvent.ACKNOWLEDGE:
            found.acknowledged_at = found.acknowledged_at or now
            found.due_at = found.removal_due_at
        case TakedownEvent.REFUSE:
            found.refusal, found.due_at = (reason or RefusalReason.OTHER).value, now
        case TakedownEvent.LOSE_CONTACT:
            found.due_at = now
        case TakedownEvent.REMOVE:
            found.removed_at, found.due_at = now, None
        case TakedownEvent.REOPEN:
            _reopen(found, now)
    session.add(found)
    if event is TakedownEvent.REMOVE and by in (AnsweredBy.HOTLINE, AnsweredBy.PEER):
        _leave(session, found, entry, now, actor)
    elif entry.status not in LIVE:
        found.due_at = None
    return found


def confirm(session: Session, entry: Entry, now: datetime, **actor: str) -> Takedown:
    """A hotline saw that what a provider said it removed is gone: it leaves its list. Raises Problem."""
    found = of(session, entry, now)
    removal.confirm(session, entry, now, **actor)
    _leave(session, found, entry, now, actor)
    return found


def _leave(session: Session, found: Takedown, entry: Entry, now: datetime, actor: dict[str, str]) -> None:
    found.confirmed_at = now
    session.add(found)
    entries.end(session, entry, DelistReason.REMOVED_AT_SOURCE, now, client=actor["client"])


def tell_by_own_means(session: Session, entry: Entry, now: datetime, **actor: str) -> Takedown:
    """A hotline told somebody itself: a notice is on record. Raises a 409 problem."""
    found = of(session, entry, now)
    removal.move(session, entry, TakedownEvent.NOTIFY, now, channel=Channel.OWN.value, **actor)
    policy = lists.policy_in_force(session, entry.list)
    found.first_notice_at = found.first_notice_at or now
    found.removal_due_at = found.removal_due_at or now + timedelta(hours=policy.removal_hours)
    found.acknowledge_due_at = now + timedelta(hours=policy.acknowledge_hours)
    if entry.status in LIVE and found.ended_at is None:
        found.due_at = found.acknowledge_due_at
    session.add(found)
    return found


def excuse(
    session: Session, found: Takedown, entry: Entry, reason: Excuse, now: datetime, **actor: str
) -> None:
    """No notice is possible: a list that asks for one first may go on."""
    found.excuse = reason
    session.add(found)
    removal.excuse(session, entry, now, reason=reason.value, **actor)


def hold(
    session: Session,
    entry: Entry,
    reason: Deconfliction,
    until: datetime,
    now: datetime,
    **actor: str,
) -> Takedown:
    """Law enforcement asks that nobody is told for now; the list may block meanwhile."""
    found = of(session, entry, now)
    until = until.replace(microsecond=0)
    _hold(found, reason, until, actor["organisation"])
    session.add(found)
    removal.hold(session, entry, now, reason=reason.value, until=instant(until), **actor)
    if entry.notice_at is None:
        excuse(session, found, entry, Excuse.LAW_ENFORCEMENT_HOLD, now, **actor)
    return found


def release(session: Session, entry: Entry, now: datetime, **actor: str) -> Takedown:
    """Law enforcement needs no more time."""
    found = of(session, entry, now)
    found.held_until = None
    found.hold_organisation_id = found.hold_reason = None
    if entry.status in LIVE:
        found.due_at = now
    session.add(found)
    removal.release(session, entry, now, **actor)
    return found


def _hold(
    found: Takedown, reason: Deconfliction, until: datetime, organisation_id: str | None = None
) -> None:
    found.hold_reason, found.held_until = reason, until
    found.hold_organisation_id = organisation_id


def _end(session: Session, found: Takedown, entry: Entry, now: datetime) -> None:
    """The entry is no longer live: tell nobody any more, but whoever was told in error."""
    outbox.cancel(session, entry.id, now)
    found.ended_at, found.due_at = now, None
    if entry.takedown is State.REMOVED:
        found.removed_at, found.confirmed_at = found.removed_at or now, found.confirmed_at or now
    session.add(found)
    is_taken_back = entry.status is Status.WITHDRAWN or entry.delist_reason in _RETRACTED
    if entry.takedown is not State.REMOVED and is_taken_back:
        retract(session, entry, now)


def retract(session: Session, entry: Entry, now: datetime) -> None:
    """Whoever was told is told that the notice no longer stands; the URL is not repeated."""
    for one in outbox.of_entry(session, entry.id):
        if _was_told(one):
            outbox.put(session, entry, one.turn, one.contact_id, NoticeKind.RETRACTION, 0, now)


def _was_told(notice: Notice) -> bool:
    return notice.kind is NoticeKind.NOTICE and (notice.outcome is NoticeOutcome.SENT or notice.at_risk)
