"""What a hotline says of a takedown, and what law enforcement asks: each is one step with its leaf.

A hotline speaks of what it submitted or corroborated, by its own eyes and means; while law enforcement is
heard it tells nobody. A hold is bounded and ends by itself; one that an organisation asked for is its own to
end or renew, one that a list's policy began is any law enforcement's.
"""

from datetime import datetime, timedelta

from sqlmodel import Session

from app.core.lifecycle import OPEN, TakedownEvent
from app.core.lifecycle import Takedown as State
from app.core.replay.takedowns import LONGEST_HOLD
from app.core.terms import AnsweredBy, Deconfliction, Excuse, RefusalReason, TakedownReport
from app.entries import service as entries
from app.entries.models import Entry
from app.identity.service import Caller
from app.platform.clock import instant
from app.platform.problems import Problem, at_field
from app.takedown import service
from app.takedown.models import Takedown
from app.takedown.schemas import NewEvent

_EVENT = {
    TakedownReport.ACKNOWLEDGED: TakedownEvent.ACKNOWLEDGE,
    TakedownReport.REMOVED: TakedownEvent.REMOVE,
    TakedownReport.REFUSED: TakedownEvent.REFUSE,
    TakedownReport.UNREACHABLE: TakedownEvent.LOSE_CONTACT,
    TakedownReport.STILL_AVAILABLE: TakedownEvent.REOPEN,
}


def report(session: Session, caller: Caller, entry_id: str, new: NewEvent, now: datetime) -> Entry:
    """Record what a hotline says. Raises a 404 problem, and a 409 one where it says nothing new."""
    entry = entries.visible(session, caller, entry_id)
    _require_open(entry)
    found, actor = service.of(session, entry, now), _actor(caller)
    if new.event is TakedownReport.NOTIFIED:
        _refuse_while_held(found, entry, now)
        service.tell_by_own_means(session, entry, now, **actor)
    elif new.event is TakedownReport.NO_NOTICE:
        _excuse(session, found, entry, Excuse(str(new.reason)), now, actor)
    elif new.event is TakedownReport.REMOVED and entry.takedown is State.REMOVED:
        _confirm(session, found, entry, now, actor)
    else:
        reason = new.reason if isinstance(new.reason, RefusalReason) else None
        service.answer(session, entry, _EVENT[new.event], AnsweredBy.HOTLINE, now, reason, **actor)
    return entry


def hold(
    session: Session, caller: Caller, entry_id: str, reason: Deconfliction, until: datetime, now: datetime
) -> Entry:
    """Law enforcement asks that nobody is told before `until`; again to renew it. Raises Problem."""
    entry = entries.existing(session, entry_id)
    _require_open(entry)
    if not now + timedelta(seconds=1) <= until <= now + LONGEST_HOLD:
        raise at_field("invalid-input", "until", "a hold ends within 14 days; renew it before it does")
    if entry.takedown is State.REMOVED:
        raise Problem("state-conflict", "it is said to be removed; nobody is told any more", entry=entry.id)
    service.hold(session, entry, reason, until, now, **_actor(caller))
    return entry


def release(session: Session, caller: Caller, entry_id: str, now: datetime) -> Entry:
    """End one's own hold, or that of a list's policy, before its date. Raises a 404 or 403 problem."""
    entry = entries.existing(session, entry_id)
    found = session.get(Takedown, entry.id)
    if found is None or not service.is_held(found, now):
        raise Problem("not-found", "no hold is in force on a takedown of this id")
    if found.hold_organisation_id not in (None, caller.organisation_id):
        raise Problem("forbidden", "only the organisation that asked for a hold ends it")
    service.release(session, entry, now, **_actor(caller))
    return entry


def _confirm(session: Session, found: Takedown, entry: Entry, now: datetime, actor: dict[str, str]) -> None:
    if found.confirmed_at:
        raise Problem("state-conflict", "a hotline said so already", entry=entry.id)
    service.confirm(session, entry, now, **actor)


def _excuse(
    session: Session, found: Takedown, entry: Entry, reason: Excuse, now: datetime, actor: dict[str, str]
) -> None:
    if found.first_notice_at or found.excuse is reason:
        detail = "a notice is on record, or this reason why there is none"
        raise Problem("state-conflict", detail, entry=entry.id)
    if found.excuse is Excuse.HOSTILE_HOST and actor["organisation"] != entry.organisation_id:
        # Its provider would be told from here on.
        detail = "that the host is hostile is for the organisation that submitted the entry to take back"
        raise Problem("state-conflict", detail, entry=entry.id)
    service.excuse(session, found, entry, reason, now, **actor)


def _refuse_while_held(found: Takedown, entry: Entry, now: datetime) -> None:
    if service.is_held(found, now):
        until = instant(found.held_until or now)
        detail = f"law enforcement asked that nobody is told before {until}"
        raise Problem("state-conflict", detail, entry=entry.id, until=until)


def _require_open(entry: Entry) -> None:
    if entry.status not in OPEN:
        detail = f"the entry is {entry.status.value}; its takedown is over"
        raise Problem("state-conflict", detail, entry=entry.id)


def _actor(caller: Caller) -> dict[str, str]:
    return {"client": caller.client_id, "organisation": caller.organisation_id}
