"""Takedowns and what is sent for them as gauges. Each count is of a partial index: of what is open alone."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from prometheus_client import Metric
from sqlmodel import Session, col, func

from app.core.lifecycle import OPEN
from app.core.lifecycle import Takedown as State
from app.entries.models import Entry
from app.platform.gauges import gauge
from app.takedown.models import Takedown


def of_takedowns(session: Session, now: datetime) -> Iterable[Metric]:
    """Of how many somebody is late: with an answer, or with the removal."""
    unanswered = col(Entry.takedown) == State.NOTIFIED
    not_removed = col(Entry.takedown) != State.REMOVED
    yield gauge(
        "wardlist_takedowns_overdue",
        "Takedowns in which an answer or the removal is late",
        ["late"],
        [
            (("answer",), _late(session, col(Takedown.acknowledge_due_at) <= now, unanswered)),
            (("removal",), _late(session, col(Takedown.removal_due_at) <= now, not_removed)),
        ],
    )


def _late(session: Session, is_past: sa.ColumnElement[bool], stands: sa.ColumnElement[bool]) -> int:
    """In agreement with `takedown list --overdue` (app/takedown/feed.py): from clocks to entries."""
    is_of_entry = sa.and_(
        col(Entry.id) == col(Takedown.entry_id), col(Entry.status).in_(sorted(OPEN)), stands
    )
    query = sa.select(func.count(col(Takedown.entry_id))).where(
        col(Takedown.ended_at).is_(None), is_past, sa.exists().where(is_of_entry)
    )
    return int(session.execute(query).scalar_one())
