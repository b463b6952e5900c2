"""Erasures and legal holds as gauges. What is overdue is counted over the settled entries: ask seldom."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from prometheus_client import Metric
from sqlmodel import Session, col, func

from app.core.lifecycle import SETTLED, Status
from app.entries.models import Entry, EntryKey, LegalHold
from app.lists import service as lists
from app.platform.gauges import gauge

GRACE = timedelta(days=2)
"""Erasing is done once a day: what has been due for less than this is not late."""


def of_erasures(session: Session, now: datetime) -> Iterable[Metric]:
    """How many are late to be erased, and how many are erased but for their secret."""
    yield gauge(
        "wardlist_erasures_overdue",
        "Entries on no hold that have been due to be erased for two days",
        (),
        [((), _overdue(session, now))],
    )
    erased = sa.select(func.count(col(EntryKey.entry_id))).join_from(
        EntryKey, Entry, sa.and_(col(Entry.id) == col(EntryKey.entry_id), col(Entry.status) == Status.ERASED)
    )
    yield gauge(
        "wardlist_erasures_unfinished",
        "Erased entries whose secret still is to be destroyed",
        (),
        [((), session.execute(erased).scalar_one())],
    )


def of_holds(session: Session, now: datetime) -> Iterable[Metric]:
    """How many entries may not be erased."""
    held = sa.select(func.count(sa.distinct(col(LegalHold.entry_id)))).where(col(LegalHold.until) > now)
    number = session.execute(held).scalar_one()
    yield gauge("wardlist_legal_holds", "Entries on legal hold", (), [((), number)])


def _overdue(session: Session, now: datetime) -> int:
    held = sa.select(col(LegalHold.entry_id)).where(col(LegalHold.until) > now)
    late = 0
    for name, policy in lists.policies(session).items():
        due = now - timedelta(days=policy.retention_days) - GRACE
        query = sa.select(func.count(col(Entry.seq))).where(
            col(Entry.list) == name,
            col(Entry.status).in_(sorted(SETTLED)),
            col(Entry.settled_at) <= due,
            col(Entry.id).not_in(held),
        )
        late += session.execute(query).scalar_one()
    return late
