"""The durable outbox of notices: a row for each message to each contact, one for each event.

A row holds no URL. It is written in the transaction that decides that somebody is to be told, and cancelled
in the one that decides otherwise (app/platform/queue.py says how it is sent).
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.lifecycle import LIVE
from app.core.lifecycle import Takedown as State
from app.core.terms import NoticeKind, NoticeOutcome
from app.entries.models import Entry
from app.log import stream
from app.platform.queue import Queue
from app.takedown.models import Contact, Notice, Takedown

LONGEST = timedelta(hours=24)
"""From a notice to the last try to send it."""
KEPT = timedelta(days=400)
"""How long what became of a notice is kept: a year's report, and time to close it."""
_DELETED_AT_ONCE = 20_000
TELLS = (NoticeKind.NOTICE, NoticeKind.REMINDER)
"""What asks for removal: it waits while law enforcement is heard."""
NOT_RETRACTIONS = tuple(set(NoticeKind) - {NoticeKind.RETRACTION})
queue = Queue(Notice, LONGEST)


def put(
    session: Session, entry: Entry, turn: int, contact_id: str, kind: NoticeKind, number: int, now: datetime
) -> Notice | None:
    """Have a contact told, once for an event; None when it was, or when the contact has ended.

    What was cancelled is put anew under the same id: who should have it already sees that it is the same.
    """
    contact = session.get(Contact, contact_id)
    event = f"{entry.id}/{kind.value}/{turn}/{contact_id}/{number}"
    found = session.exec(
        select(Notice).where(Notice.event == event).execution_options(populate_existing=True)
    ).first()
    if contact is None or contact.ended_at or (found and found.outcome is not NoticeOutcome.CANCELLED):
        return None
    as_now: dict[str, Any] = {
        "contact_version": contact.version,
        "contact_kind": contact.kind,
        "channel": contact.channel,
        "language": contact.language,
        "made_at": now,
        "next_at": now,
    }
    if found is None:
        own = secrets.token_hex(16)
        found = Notice(
            id=own, event=event, entry_id=entry.id, kind=kind, turn=turn, contact_id=contact.id, **as_now
        )
    unsaid = dict.fromkeys(("done_at", "outcome", "failure", "expires_at"))
    for name, value in {**as_now, **unsaid, "attempts": 0}.items():
        setattr(found, name, value)
    session.add(found)
    session.flush()
    return found


def cancel(
    session: Session, entry_id: str, now: datetime, kinds: Collection[NoticeKind] = NOT_RETRACTIONS
) -> None:
    """Send nothing of these kinds that was not sent yet; a retraction is sent still."""
    waiting = (queue.open, col(Notice.entry_id) == entry_id, col(Notice.kind).in_(kinds))
    queue.update(session, *waiting, done_at=now, next_at=None, outcome=NoticeOutcome.CANCELLED)


def of_entry(session: Session, entry_id: str) -> list[Notice]:
    """Every notice about an entry, oldest first."""
    return of_entries(session, [entry_id])


def of_entries(session: Session, ids: Sequence[str]) -> list[Notice]:
    """Every notice about these entries, at most some hundreds, oldest first."""
    query = select(Notice).where(col(Notice.entry_id).in_(ids)).order_by(col(Notice.made_at), col(Notice.id))
    return list(session.exec(query.execution_options(populate_existing=True)))


def is_due(session: Session, now: datetime) -> bool:
    """Whether something waits to be sent."""
    return queue.is_due(session, now, _is_free(now))


def claim(session: Session, now: datetime, under_way: Collection[str]) -> list[tuple[str, int]]:
    """(id, attempt) of what is to be sent now; nothing that asks for removal while its entry is held."""
    return queue.claim(session, now, under_way, _is_free(now))


def begin(session: Session, notice_id: str, now: datetime) -> Notice | None:
    """A claimed notice, from here on being sent; None when it was cancelled, is held, or its entry ended."""
    query = select(Notice).where(queue.open, Notice.id == notice_id, _is_free(now), _is_wanted())
    found = session.exec(query.execution_options(populate_existing=True)).first()
    if found:
        found.begun_at, found.begun_after = now, stream.newest(session)
        session.add(found)
        session.flush()
    return found


def settle(
    session: Session, notice: Notice, outcome: NoticeOutcome, now: datetime, failure: str | None = None
) -> None:
    """Say what became of a notice, whatever was said before; what was sent or failed is done with since."""
    if notice.outcome in (None, NoticeOutcome.CANCELLED):
        notice.done_at = now
    notice.outcome, notice.failure, notice.next_at = outcome, failure, None
    session.add(notice)
    session.flush()


def tidy(session: Session, now: datetime) -> None:
    """Delete what became of notices long ago, so many at a time."""
    old = select(Notice.id).where(col(Notice.done_at) < now - KEPT).limit(_DELETED_AT_ONCE)
    session.execute(sa.delete(Notice).where(col(Notice.id).in_(old)))


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    held = select(Takedown.entry_id).where(col(Takedown.held_until) > now)
    return sa.or_(col(Notice.kind).not_in(TELLS), col(Notice.entry_id).not_in(held))


def _is_wanted() -> sa.ColumnElement[bool]:
    """The entry may have ended, or be said to be removed, since: what cancels its notices comes later."""
    wanted = sa.exists().where(
        col(Entry.id) == col(Notice.entry_id),
        col(Entry.status).in_(sorted(LIVE)),
        col(Entry.takedown) != State.REMOVED,
    )
    return sa.or_(col(Notice.kind).not_in(TELLS), wanted)
