"""The durable outbox of notices: a row for each message to each contact, one for each event.

A row holds no URL. It is written in the transaction that decides that somebody is to be told, and cancelled
in the one that decides otherwise (app/platform/queue.py says how it is sent).
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.terms import NoticeKind, NoticeOutcome
from app.entries.models import Entry
from app.platform.queue import Queue
from app.takedown.models import Contact, Notice, Takedown

LONGEST = timedelta(hours=24)
"""From a notice to the last try to send it."""
KEPT = timedelta(days=400)
"""How long what became of a notice is kept: a year's report, and time to close it."""
_DELETED_AT_ONCE = 20_000
TELLS = (NoticeKind.NOTICE, NoticeKind.REMINDER)
"""What asks for removal: it waits while law enforcement is heard."""
queue = Queue(Notice, LONGEST)


def put(
    session: Session, entry: Entry, turn: int, contact_id: str, kind: NoticeKind, number: int, now: datetime
) -> Notice | None:
    """Have a contact told, once for an event; None when it was, or when the contact has ended.

    What was cancelled before anybody had it is put anew.
    """
    contact = session.get(Contact, contact_id)
    event = f"{entry.id}/{kind.value}/{turn}/{contact_id}/{number}"
    before = session.exec(select(Notice).where(Notice.event == event)).first()
    was_told = before and (before.outcome is not NoticeOutcome.CANCELLED or before.at_risk)
    if contact is None or contact.ended_at or was_told:
        return None
    if before:
        session.delete(before)
        session.flush()
    notice = Notice(
        id=secrets.token_hex(16),
        event=event,
        entry_id=entry.id,
        kind=kind,
        turn=turn,
        contact_id=contact.id,
        contact_version=contact.version,
        contact_kind=contact.kind,
        channel=contact.channel,
        language=contact.language,
        made_at=now,
        next_at=now,
    )
    session.add(notice)
    session.flush()
    return notice


def cancel(session: Session, entry_id: str, now: datetime) -> None:
    """Tell nobody what was not sent yet; a retraction is sent still."""
    waiting = (queue.open, col(Notice.entry_id) == entry_id, col(Notice.kind) != NoticeKind.RETRACTION)
    queue.update(session, *waiting, done_at=now, next_at=None, outcome=NoticeOutcome.CANCELLED)


def of_entry(session: Session, entry_id: str) -> list[Notice]:
    """Every notice about an entry, oldest first."""
    query = select(Notice).where(Notice.entry_id == entry_id).order_by(col(Notice.made_at), col(Notice.id))
    return list(session.exec(query.execution_options(populate_existing=True)))


def is_due(session: Session, now: datetime) -> bool:
    """Whether something waits to be sent."""
    return queue.is_due(session, now, _is_free(now))


def claim(session: Session, now: datetime, under_way: Collection[str]) -> list[tuple[str, int]]:
    """(id, attempt) of what is to be sent now; nothing that asks for removal while its entry is held."""
    return queue.claim(session, now, under_way, _is_free(now))


def begin(session: Session, notice_id: str, now: datetime) -> Notice | None:
    """A claimed notice, from here on being sent; None when it was cancelled, or is held since."""
    query = select(Notice).where(queue.open, Notice.id == notice_id, _is_free(now))
    found = session.exec(query.execution_options(populate_existing=True)).first()
    if found:
        found.begun_at = now
        session.add(found)
        session.flush()
    return found


def tidy(session: Session, now: datetime) -> None:
    """Delete what became of notices long ago, so many at a time."""
    old = select(Notice.id).where(col(Notice.done_at) < now - KEPT).limit(_DELETED_AT_ONCE)
    session.execute(sa.delete(Notice).where(col(Notice.id).in_(old)))


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    held = select(Takedown.entry_id).where(col(Takedown.held_until) > now)
    return sa.or_(col(Notice.kind).not_in(TELLS), col(Notice.entry_id).not_in(held))
