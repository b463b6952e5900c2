"""What the publisher does for takedowns in its rounds: begin, go on, end. Each step may be repeated."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.lifecycle import Status
from app.core.lifecycle import Takedown as State
from app.entries import service as entries
from app.entries.models import TAKEDOWN_DUE, Entry
from app.lists import service as lists
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.takedown import service
from app.takedown.models import Takedown

AT_ONCE = 200


def each_round(database: Database, keyring: Keyring, now: datetime) -> None:
    """One short look whether there is work, and the work in one transaction."""
    with database.reading() as session:
        is_due = _is_due(session, now)
    if is_due:
        with database.writing() as session:
            work(session, keyring, now)


def work(session: Session, keyring: Keyring, now: datetime) -> None:
    """Look at entries to which something happened, then at clocks that are due, so many of each."""
    for query in (_changed(), *_unnoticed(session)):
        for entry in session.exec(query.limit(AT_ONCE)).all():
            service.look(session, keyring.epochs, entry, now)
    due = list(session.exec(_due(now).limit(AT_ONCE)))
    live = {entry.id: entry for entry in entries.by_ids(session, [one.entry_id for one in due])}
    for found in due:
        if live[found.entry_id].status in service.LIVE:
            service.tick(session, keyring.epochs, found, live[found.entry_id], now)
        else:
            found.due_at = None
            session.add(found)
    session.flush()


def _is_due(session: Session, now: datetime) -> bool:
    queries = (_changed(), *_unnoticed(session))
    if any(session.exec(query.limit(1)).first() for query in queries):
        return True
    return session.exec(_due(now).limit(1)).first() is not None


def _changed() -> SelectOfScalar[Entry]:
    return select(Entry).where(TAKEDOWN_DUE).order_by(col(Entry.seq))


def _unnoticed(session: Session) -> list[SelectOfScalar[Entry]]:
    """What waits for a notice on lists that began to ask for one after it was approved."""
    names = sorted(name for name, policy in lists.policies(session).items() if policy.notice_first)
    if not names:
        return []
    waiting = select(Entry).where(
        col(Entry.list).in_(names),
        Entry.status == Status.APPROVED,
        col(Entry.is_blocking),
        col(Entry.notice_at).is_(None),
        col(Entry.takedown) != State.REMOVED,
        ~sa.exists().where(col(Takedown.entry_id) == col(Entry.id), col(Takedown.due_at).is_not(None)),
    )
    return [waiting.order_by(col(Entry.seq))]


def _due(now: datetime) -> SelectOfScalar[Takedown]:
    return (
        select(Takedown)
        .where(col(Takedown.ended_at).is_(None), col(Takedown.due_at) <= now)
        .order_by(col(Takedown.due_at))
    )
