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
    """How many are open, and of how many somebody is late: with an answer, or with the removal."""
    runs = col(Takedown.ended_at).is_(None)
    yield gauge(
        "wardlist_takedowns_overdue",
        "Takedowns in which an answer or the removal is late",
        ["late"],
        [
            (("answer",), _late(session, runs, col(Takedown.acknowledge_due_at) <= now, _UNANSWERED)),
            (("removal",), _late(session, runs, col(Takedown.removal_due_at) <= now, _NOT_REMOVED)),
        ],
    )


_UNANSWERED = col(Entry.takedown) == State.NOTIFIED
_NOT_REMOVED = col(Entry.takedown) != State.REMOVED


def _late(session: Session, *conditions: sa.ColumnElement[bool]) -> int:
    """In agreement with `takedown list --overdue` (app/takedown/feed.py)."""
    query = (
        sa.select(func.count(col(Takedown.entry_id)))
        .join_from(Takedown, Entry, col(Entry.id) == col(Takedown.entry_id))
        .where(col(Entry.status).in_(sorted(OPEN)), *conditions)
    )
    return int(session.execute(query).scalar_one())
