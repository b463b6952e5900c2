"""How many entries wait for reviewers on each list, and how long; and how long decisions take.

What waits is read by one look at an index. Decisions are counted by the process that takes them in.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from prometheus_client import Metric
from sqlalchemy import event
from sqlmodel import Session

from app.core.terms import Decision
from app.entries import figures as entries
from app.lists import snapshots
from app.platform import telemetry
from app.platform.gauges import gauge, seconds_since

OLD = timedelta(hours=24)


def count_decision(session: Session, name: str, verdict: Decision, took: timedelta) -> None:
    """Once this transaction is committed: an entry of that list was settled so."""

    def count(_session: object) -> None:
        telemetry.DECISION_SECONDS.labels(name, verdict.value).observe(took.total_seconds())

    event.listen(session, "after_commit", count, once=True)


def of_queue(session: Session, now: datetime) -> Iterable[Metric]:
    """Every list has its samples, also with nothing in its queue."""
    found = entries.submitted(session, snapshots.names(session), now - OLD)
    yield gauge(
        "wardlist_review_queue_entries",
        "Entries that wait for a decision",
        ["list"],
        [((name,), one.number) for name, one in found.items()],
    )
    yield gauge(
        "wardlist_review_queue_old_entries",
        "Entries that wait for a decision for more than 24 hours",
        ["list"],
        [((name,), one.old) for name, one in found.items()],
    )
    yield gauge(
        "wardlist_review_queue_oldest_seconds",
        "How long the entry that waits for longest has waited for a decision",
        ["list"],
        [((name,), seconds_since(one.oldest, now) if one.oldest else 0.0) for name, one in found.items()],
    )
