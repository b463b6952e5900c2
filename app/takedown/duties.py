"""What the worker `duties` does for takedowns in its rounds: begin, go on, end. Each step may be repeated."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core.lifecycle import LIVE
from app.core.lifecycle import Takedown as State
from app.entries import service as entries
from app.entries.models import TAKEDOWN_DUE, UNROUTED, Entry
from app.lists import service as lists
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.failures import Failures
from app.platform.keyring import Keyring
from app.takedown import clock, progress
from app.takedown.contacts import routing
from app.takedown.models import Referral, Takedown

AT_ONCE = 200


def each_round(database: Database, keyring: Keyring, wall: Clock) -> None:
    """One short look whether there is work, and the work in one transaction.

    An entry that fails stops no other. Raises the first failure, when the rest is done.
    """
    with database.reading() as session:
        is_due = _is_due(session, wall())
    if is_due:
        failures = Failures("duties")
        with database.writing() as session:
            work(session, keyring, wall(), failures)
        failures.raise_first()


def work(session: Session, keyring: Keyring, now: datetime, failures: Failures) -> None:
    """Look at entries to which something happened, then at clocks that are due, so many of each."""
    for query in (_changed(), *_unrouted(session)):
        for entry in session.exec(query.limit(AT_ONCE)).all():
            _apart(session, failures, entry, lambda one: progress.look(session, keyring.epochs, one, now))
    _let_rest(session, now)
    due = list(session.exec(_due(now).limit(AT_ONCE)))
    found = {entry.id: entry for entry in entries.by_ids(session, [one.entry_id for one in due])}
    for one in due:
        # Should its tick fail, the others' turn comes first.
        one.due_at = now + clock.PATIENCE
        session.add(one)
    session.flush()
    for one in due:
        _apart(session, failures, found[one.entry_id], lambda entry: _tick(session, keyring, entry, now))
    session.flush()


def _let_rest(session: Session, now: datetime) -> None:
    """Who has nobody to tell waits another day, unless something changed that decides who is told.

    One statement for all. Not for what a peer referred: who may hear of that depends on the referral too.
    """
    is_referred = sa.exists().where(
        col(Referral.entry_id) == col(Takedown.entry_id), col(Referral.is_ours).is_(False)
    )
    until = now + clock.LOOK_AGAIN
    session.execute(
        sa.update(Takedown)
        .where(
            col(Takedown.ended_at).is_(None),
            col(Takedown.due_at) <= now,
            col(Takedown.due_at) == col(Takedown.rests_until),
            col(Takedown.rests_as) == routing.mark(session),
            sa.not_(is_referred),
        )
        .values(due_at=until, rests_until=until)
    )


def _tick(session: Session, keyring: Keyring, entry: Entry, now: datetime) -> None:
    found = session.get_one(Takedown, entry.id)
    if entry.status in LIVE:
        progress.tick(session, keyring.epochs, found, entry, now)
    else:
        found.due_at = None
        session.add(found)


def _apart(session: Session, failures: Failures, entry: Entry, act: Callable[[Entry], object]) -> None:
    """All of an entry's changes, or none of them."""
    with failures.noted("takedown", entry=entry.id), session.begin_nested():
        act(entry)


def _is_due(session: Session, now: datetime) -> bool:
    queries = (_changed(), *_unrouted(session))
    if any(session.exec(query.limit(1)).first() for query in queries):
        return True
    return session.exec(_due(now).limit(1)).first() is not None


def _changed() -> SelectOfScalar[Entry]:
    return select(Entry).where(TAKEDOWN_DUE).order_by(col(Entry.seq))


def _unrouted(session: Session) -> list[SelectOfScalar[Entry]]:
    """What waits for a notice on lists that began to ask for one after it was approved."""
    names = sorted(name for name, policy in lists.policies(session).items() if policy.notice_first)
    if not names:
        return []
    # By no index of lists: those hold all that is approved, `entry_unrouted` next to nothing.
    on_lists = col(Entry.list).concat("").in_(names)
    waiting = select(Entry).where(sa.literal_column(f"({UNROUTED})"), on_lists)
    return [waiting.where(col(Entry.takedown) != State.REMOVED).order_by(col(Entry.seq))]


def _due(now: datetime) -> SelectOfScalar[Takedown]:
    return (
        select(Takedown)
        .where(col(Takedown.ended_at).is_(None), col(Takedown.due_at) <= now)
        .order_by(col(Takedown.due_at))
    )
