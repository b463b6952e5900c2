"""Appeals as gauges: how many are open, since when, and how many are late. A partial index has them."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from prometheus_client import Metric
from sqlmodel import Session, col, func

from app.appeals.models import Appeal
from app.platform.gauges import gauge, seconds_since


def of_appeals(session: Session, now: datetime) -> Iterable[Metric]:
    """Of those without a decision."""
    is_late = sa.case((col(Appeal.decide_by) < now, 1), else_=0)
    query = sa.select(
        func.count(col(Appeal.seq)), func.min(col(Appeal.filed_at)), func.coalesce(func.sum(is_late), 0)
    ).where(col(Appeal.decided_at).is_(None))
    number, oldest, late = session.execute(query).one()
    age = seconds_since(oldest, now) if oldest else 0.0
    yield gauge("wardlist_appeals_open", "Appeals without a decision", (), [((), number)])
    yield gauge("wardlist_appeals_overdue", "Appeals past the day they should be decided", (), [((), late)])
    yield gauge("wardlist_appeals_oldest_seconds", "Since when the oldest appeal waits", (), [((), age)])
