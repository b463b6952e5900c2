"""Where the removal of an entry at its source stands: the one way it changes, with its leaf.

Who is told, when and by what channel is the takedown's affair (app/takedown/); what became of it stands here,
for a list may ask that somebody was told before it blocks. Source: design section 3 ("A takedown runs beside
it").
"""

from datetime import datetime

from sqlmodel import Session

from app.core import lifecycle
from app.core.lifecycle import Takedown, TakedownEvent
from app.entries.models import Entry
from app.log import service as log
from app.platform.problems import Problem

_LEAF = {
    TakedownEvent.NOTIFY: "notified",
    TakedownEvent.ACKNOWLEDGE: "acknowledged",
    TakedownEvent.REMOVE: "removed",
    TakedownEvent.REFUSE: "refused",
    TakedownEvent.LOSE_CONTACT: "unreachable",
    TakedownEvent.REOPEN: "reopened",
}


def move(session: Session, entry: Entry, event: TakedownEvent, now: datetime, **members: str) -> None:
    """One step of the machine, with its leaf, in this transaction. Raises a 409 problem."""
    try:
        entry.takedown = lifecycle.takedown_after(entry.takedown, event)
    except lifecycle.NotAllowed as refused:
        raise Problem("state-conflict", str(refused), entry=entry.id) from None
    if event is TakedownEvent.NOTIFY:
        _clear(entry, now)
    _record(session, entry, _LEAF[event], now, members)


def escalate(session: Session, entry: Entry, now: datetime, **members: str) -> None:
    """The next contact was told while the one before has not answered, or not acted."""
    _record(session, entry, "escalated", now, members)


def remind(session: Session, entry: Entry, now: datetime, **members: str) -> None:
    """Whoever was told was told again."""
    _record(session, entry, "reminded", now, members)


def confirm(session: Session, entry: Entry, now: datetime, **members: str) -> None:
    """A hotline saw that what somebody said it removed is gone. Raises a 409 problem."""
    if entry.takedown is not Takedown.REMOVED:
        raise Problem("state-conflict", "nobody said that it is removed", entry=entry.id)
    _record(session, entry, "confirmed", now, members)


def excuse(session: Session, entry: Entry, now: datetime, **members: str) -> None:
    """No notice is possible, for a coded `reason`."""
    _clear(entry, now)
    _record(session, entry, "excused", now, members)


def hold(session: Session, entry: Entry, now: datetime, **members: str) -> None:
    """Nobody is told before `until`, for a coded `reason`."""
    _record(session, entry, "held", now, members)


def release(session: Session, entry: Entry, now: datetime, **members: str) -> None:
    """Law enforcement needs no more time."""
    _record(session, entry, "released", now, members)


def seen_gone(session: Session, entry: Entry) -> None:
    """A hotline's recheck found it removed; the leaf is that of the recheck."""
    if entry.takedown is not Takedown.REMOVED:
        entry.takedown = lifecycle.takedown_after(entry.takedown, TakedownEvent.REMOVE)
    _look_at(session, entry)


def seen_again(session: Session, entry: Entry) -> None:
    """A hotline's recheck found what was said to be removed; the leaf is that of the recheck."""
    if entry.takedown is Takedown.REMOVED:
        entry.takedown = lifecycle.takedown_after(entry.takedown, TakedownEvent.REOPEN)
        _look_at(session, entry)


def _clear(entry: Entry, now: datetime) -> None:
    entry.notice_at = entry.notice_at or now.replace(microsecond=0)


def _look_at(session: Session, entry: Entry) -> None:
    entry.takedown_due = True
    session.add(entry)
    session.flush()


def _record(session: Session, entry: Entry, what: str, now: datetime, members: dict[str, str]) -> None:
    _look_at(session, entry)
    log.append(session, f"takedown.{what}", now, entry=entry.id, list=entry.list, **members)
