"""What goes on by itself: a takedown begins with its entry's approval, its clock tells, the entry ends it.

What is decided when is `app/takedown/clock.py`'s. Nobody is told of an entry that asks for no removal, unless
its list wants a notice first. Source: design section 3; docs/takedown.md.
"""

from datetime import datetime, timedelta

from sqlmodel import Session

from app.core import url
from app.core.lifecycle import LIVE, DelistReason, Status, TakedownEvent
from app.core.lifecycle import Takedown as State
from app.core.policy import Policy
from app.core.terms import AnsweredBy, Deconfliction, Excuse, Measure, NoticeKind
from app.entries import removal
from app.entries import service as entries
from app.entries.models import Entry
from app.lists import service as lists
from app.platform.clock import instant
from app.platform.epochs import Epochs
from app.takedown import clock, outbox, service, turns
from app.takedown.clock import Standing, Step
from app.takedown.contacts import routing
from app.takedown.models import Takedown

_RETRACTED = (DelistReason.WITHDRAWN, DelistReason.APPEAL_UPHELD, DelistReason.EMERGENCY)
"""Ends that say that the entry ought not to have been: whoever was told is told so."""


def look(session: Session, epochs: Epochs, entry: Entry, now: datetime) -> None:
    """Something happened to the entry: begin its takedown, go on with it, or end it."""
    entry.takedown_due = False
    session.add(entry)
    found = session.get(Takedown, entry.id)
    policy = lists.policy_in_force(session, entry.list)
    if entry.status not in LIVE:
        if found and (entry.status is not Status.SUBMITTED or entry.routed_by is not None):
            _end(session, found, entry, now)
    elif entry.routed_by is None:
        if _is_asked_for(entry, policy):
            _begin(session, epochs, service.of(session, entry, now), entry, policy, now)
    elif found:
        _go_on(session, found, entry, now)
    session.flush()


def _is_asked_for(entry: Entry, policy: Policy) -> bool:
    return Measure.TAKEDOWN in entry.measures or (entry.is_blocking and policy.notice_first)


def _begin(
    session: Session, epochs: Epochs, found: Takedown, entry: Entry, policy: Policy, now: datetime
) -> None:
    turns.place(session, epochs, found, entry, policy)
    found.due_at, found.ended_at = now, None
    if found.first_notice_at is None:
        found.opened_at = now
    session.add(found)
    hours = policy.law_enforcement_hours
    if hours and found.held_until is None and entry.takedown is State.NOT_STARTED:
        until = now.replace(microsecond=0) + timedelta(hours=hours)
        found.hold_reason, found.held_until = Deconfliction.DECONFLICTION, until
        removal.hold(session, entry, now, reason=Deconfliction.DECONFLICTION.value, until=instant(until))
        entry.takedown_due = False
        for step in turns.steps(entry, 0):
            outbox.put(session, entry, 0, step.contact, NoticeKind.DECONFLICTION, 0, now)


def _go_on(session: Session, found: Takedown, entry: Entry, now: datetime) -> None:
    """The entry is live, again perhaps: who was to be told and was not is told now."""
    found.rests_until = None
    if found.ended_at:
        found.ended_at = None
        turns.take_out(session, found, now, ())
    if found.removed_at and entry.takedown is not State.REMOVED:
        service.reopen(session, found, now)
    if found.due_at is None and entry.takedown is not State.REMOVED:
        found.due_at = now
    session.add(found)


def _end(session: Session, found: Takedown, entry: Entry, now: datetime) -> None:
    """The entry is no longer live: tell nobody any more, but whoever was told in error."""
    outbox.cancel(session, entry.id, now)
    found.ended_at, found.due_at = found.ended_at or now, None
    if entry.takedown is State.REMOVED:
        found.removed_at = found.removed_at or now
        if entry.delist_reason is DelistReason.REMOVED_AT_SOURCE:
            found.confirmed_at = found.confirmed_at or now
    session.add(found)
    if _is_taken_back(entry):
        turns.retract(session, entry, now)


def _is_taken_back(entry: Entry) -> bool:
    """Not by being erased: whoever asked for that did not say that the material may stay."""
    if entry.status is Status.DELISTED:
        return entry.delist_reason in _RETRACTED
    is_gone = entry.takedown is State.REMOVED
    return entry.status is Status.REJECTED or (entry.status is Status.WITHDRAWN and not is_gone)


def tick(session: Session, epochs: Epochs, found: Takedown, entry: Entry, now: datetime) -> None:
    """The clock is due: tell, remind, or wait on."""
    policy = lists.policy_in_force(session, entry.list)
    if entry.routed_by is None and not _is_asked_for(entry, policy):
        found.due_at = None
        session.add(found)
        return
    is_sending = any(
        one.done_at is None and one.kind in outbox.TELLS for one in outbox.of_entry(session, entry.id)
    )
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
    if asked.step is Step.REMIND and turns.remind(session, found, entry, now):
        return
    if asked.step is not Step.WAIT and not turns.tell_next(session, epochs, found, entry, policy, now):
        _give_up(session, epochs, found, entry, now)


def _give_up(session: Session, epochs: Epochs, found: Takedown, entry: Entry, now: datetime) -> None:
    """Nobody is left to tell: say so once, and look for new contacts later."""
    found.due_at = found.rests_until = now + clock.LOOK_AGAIN
    found.rests_as = routing.mark(session)
    if entry.notice_at is None:
        service.excuse(session, found, entry, _why_none(session, epochs, entry), now)
    elif entry.takedown is State.NOTIFIED:
        removal.move(session, entry, TakedownEvent.LOSE_CONTACT, now, by=AnsweredBy.SERVICE.value)


def _why_none(session: Session, epochs: Epochs, entry: Entry) -> Excuse:
    opened = entries.secret(session, epochs, entry)
    host = url.host_of(opened.canonical_url) if opened else ""
    return Excuse.HIDDEN_SERVICE if host.endswith((".onion", ".i2p")) else Excuse.NO_CONTACT
