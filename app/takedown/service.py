"""A takedown as others move it: what was sent, what is answered, excused, held. The clock is progress.py's.

Every step goes through `app/entries/removal.py`, which writes its leaf; whose turn it is stands in turns.py.
Source: design section 3; docs/takedown.md.
"""

import json
from datetime import datetime, timedelta

from sqlmodel import Session

from app.core.lifecycle import LIVE, DelistReason, TakedownEvent
from app.core.lifecycle import Takedown as State
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
from app.lists import service as lists
from app.log import stream
from app.platform.clock import instant
from app.platform.problems import Problem, at_field
from app.takedown import outbox, turns
from app.takedown.models import Contact, Notice, Takedown

_SAY_GONE = (AnsweredBy.HOTLINE, AnsweredBy.PEER)
"""Whose word that it is removed takes an entry off its list."""


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


def is_held(found: Takedown, now: datetime) -> bool:
    """Whether law enforcement is heard, and nobody else told."""
    return found.held_until is not None and now < found.held_until


def prove(session: Session, notice: Notice, now: datetime) -> None:
    """An answer proves that the notice arrived, whatever its sender heard of it."""
    if notice.outcome is not NoticeOutcome.SENT:
        on_sent(session, notice, now)


def on_sent(session: Session, notice: Notice, now: datetime) -> None:
    """A notice arrived where it was sent: it is on record from here on, as of no moment before it was begun.

    It may have been cancelled while it went out; whoever was told of what ended meanwhile hears of that.
    """
    outbox.settle(session, notice, NoticeOutcome.SENT, now)
    entry = entries.get(session, notice.entry_id)
    if entry is None or notice.kind not in outbox.TELLS:
        return
    found = of(session, entry, now)
    found.turn = max(found.turn, notice.turn)
    begun = _begun(session, notice, now)
    how = {"to": notice.contact_kind.value, "channel": notice.channel.value, "begun_at": instant(begun)}
    at = max(begun, now)
    is_waiting = entry.takedown in (State.NOTIFIED, State.ACKNOWLEDGED)
    if notice.kind is NoticeKind.REMINDER:
        if is_waiting:
            removal.remind(session, entry, at, **how)
    elif is_waiting:
        removal.escalate(session, entry, at, **how)
    elif entry.takedown is not State.REMOVED:
        removal.move(session, entry, TakedownEvent.NOTIFY, at, **how)
    if found.first_notice_at is None:
        contact = session.get(Contact, notice.contact_id)
        found.provider_class = contact.provider_class if contact else None
    _count_from(session, found, entry, now)


def _begun(session: Session, notice: Notice, now: datetime) -> datetime:
    """When the sending was begun: by the clock, but never after what the log has behind that moment.

    Clocks differ, and are set back; it was begun while the entry was live and nobody asked to wait.
    """
    if notice.begun_at is None or notice.begun_after is None:
        return min(notice.begun_at or now, now).replace(microsecond=0)
    later = stream.about(session, notice.entry_id, notice.begun_after)
    moments = (datetime.fromisoformat(json.loads(leaf)["at"]) for leaf in later)
    return min([notice.begun_at, *moments]).replace(microsecond=0)


def _count_from(session: Session, found: Takedown, entry: Entry, now: datetime) -> None:
    """Somebody was told: the hours to answer begin, and those to remove at the first."""
    policy = lists.policy_in_force(session, entry.list)
    found.first_notice_at = found.first_notice_at or now
    found.removal_due_at = found.removal_due_at or now + timedelta(hours=policy.removal_hours)
    found.acknowledge_due_at = now + timedelta(hours=policy.acknowledge_hours)
    if entry.status in LIVE and found.ended_at is None:
        found.due_at = found.acknowledge_due_at
    session.add(found)


def on_failed(session: Session, notice: Notice, now: datetime) -> None:
    """A settled notice did not arrive: unless another of its turn did, the next turn is told at once."""
    entry = entries.get(session, notice.entry_id)
    found = session.get(Takedown, notice.entry_id)
    if entry is None or found is None:
        return
    # Who could not be reached after all may have another address by now.
    found.rests_until = None
    session.add(found)
    if notice.kind not in outbox.TELLS or notice.turn != found.turn:
        return
    hopeful = (None, NoticeOutcome.SENT)
    others = (one for one in outbox.of_entry(session, entry.id) if one.id != notice.id)
    if any(
        one.kind is NoticeKind.NOTICE and one.turn == notice.turn and one.outcome in hopeful for one in others
    ):
        return
    found.reminders = lists.policy_in_force(session, entry.list).reminders
    found.acknowledge_due_at = now
    if entry.status in LIVE and found.ended_at is None and entry.takedown is not State.REMOVED:
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
    if event is TakedownEvent.REFUSE:
        reason = reason or RefusalReason.OTHER
    members = {"by": by.value, **({"reason": reason.value} if reason else {}), **actor}
    removal.move(session, entry, event, now, **members)
    match event:
        case TakedownEvent.ACKNOWLEDGE:
            _acknowledge(session, found, entry, now)
        case TakedownEvent.REFUSE:
            found.refusal, found.due_at = reason and reason.value, now
            turns.take_out(session, found, now, (NoticeKind.REMINDER,))
        case TakedownEvent.LOSE_CONTACT:
            found.due_at = now
        case TakedownEvent.REMOVE:
            found.removed_at, found.due_at = now, None
            turns.take_out(session, found, now, outbox.TELLS)
        case TakedownEvent.REOPEN:
            reopen(session, found, now)
    session.add(found)
    if event is TakedownEvent.REMOVE and by in _SAY_GONE:
        _leave(session, found, entry, now, actor)
    elif entry.status not in LIVE:
        found.due_at = None
    return found


def _acknowledge(session: Session, found: Takedown, entry: Entry, now: datetime) -> None:
    """It is to be gone by the removal date; who is late to say so has the hours of an answer for it."""
    policy = lists.policy_in_force(session, entry.list)
    found.acknowledged_at = found.acknowledged_at or now
    found.removal_due_at = found.removal_due_at or now + timedelta(hours=policy.removal_hours)
    found.acknowledge_due_at = now + timedelta(hours=policy.acknowledge_hours)
    found.due_at = max(found.removal_due_at, found.acknowledge_due_at)
    turns.take_out(session, found, now, (NoticeKind.REMINDER,))


def reopen(session: Session, found: Takedown, now: datetime) -> None:
    """What was said to be removed is there still: whoever was told is reminded at once, or the next told."""
    turns.take_out(session, found, now, ())
    found.removed_at, found.acknowledge_due_at, found.due_at = None, now, now
    session.add(found)


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
    _count_from(session, found, entry, now)
    return found


def excuse(
    session: Session, found: Takedown, entry: Entry, reason: Excuse, now: datetime, **actor: str
) -> None:
    """No notice is possible: a list that asks for one first may go on.

    Of a hostile host nobody is told that may be on its side: what waits for them is taken out. Once that is
    taken back they are told.
    """
    is_other = Excuse.HOSTILE_HOST in (reason, found.excuse)
    found.excuse = reason
    session.add(found)
    removal.excuse(session, entry, now, reason=reason.value, **actor)
    if is_other:
        _start_anew(session, found, entry, now)


def hold(
    session: Session,
    entry: Entry,
    reason: Deconfliction,
    until: datetime,
    now: datetime,
    **actor: str,
) -> Takedown:
    """Law enforcement asks that nobody is told for now; the list may block meanwhile. Raises Problem.

    What waits to be sent is taken out, and put anew with all its time once the hold is over.
    """
    found = of(session, entry, now)
    until = until.replace(microsecond=0)
    if until <= now:
        raise at_field("invalid-input", "until", "a hold ends in the future")
    asked_by = found.hold_organisation_id
    if is_held(found, now) and asked_by not in (None, actor["organisation"]):
        raise Problem("state-conflict", "another organisation's hold is in force", entry=entry.id)
    found.hold_reason, found.held_until = reason, until
    found.hold_organisation_id = actor["organisation"]
    session.add(found)
    removal.hold(session, entry, now, reason=reason.value, until=instant(until), **actor)
    if entry.notice_at is None:
        excuse(session, found, entry, Excuse.LAW_ENFORCEMENT_HOLD, now, **actor)
    _start_anew(session, found, entry, now)
    return found


def release(session: Session, entry: Entry, now: datetime, **actor: str) -> Takedown:
    """Law enforcement needs no more time."""
    found = of(session, entry, now)
    found.held_until = now.replace(microsecond=0)
    found.hold_organisation_id = found.hold_reason = None
    if entry.status in LIVE:
        found.due_at = now
    session.add(found)
    removal.release(session, entry, now, **actor)
    return found


def _start_anew(session: Session, found: Takedown, entry: Entry, now: datetime) -> None:
    """Nothing that waits goes out; the clock looks again, and puts what may be told."""
    turns.take_out(session, found, now, outbox.TELLS)
    if entry.status in LIVE and found.ended_at is None and entry.takedown is not State.REMOVED:
        found.due_at = now
    session.add(found)
