"""Gauges that are read when somebody scrapes, each group at most once in its `fresh`, and kept meanwhile.

What a group says is the same in every process of an installation: rules and dashboards take the largest of
them, never the sum. A group that cannot be read has no gauges, and `wardlist_figures_failed` says which.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.failures import place

FRESH = timedelta(seconds=15)
SLOW = timedelta(minutes=5)
"""For what has to count many rows."""
Read = Callable[[Session, datetime], Iterable[Metric]]
"""What reads some gauges in a session, as of a moment."""
_logger = structlog.get_logger("metrics")


@dataclass(frozen=True)
class Group:
    """Gauges that are read together. `read` may raise; `name` is a label, and no content."""

    name: str
    read: Callable[[datetime], Iterable[Metric]]
    fresh: timedelta = FRESH
    needs_database: bool = False


def gauge(
    name: str,
    meaning: str,
    labels: Sequence[str] = (),
    samples: Iterable[tuple[Sequence[str], float]] = (),
) -> Metric:
    """One gauge; each sample is the labels' values and the number."""
    made = GaugeMetricFamily(name, meaning, labels=labels)
    for values, number in samples:
        made.add_metric(values, number)
    return made


def seconds_since(moment: datetime, now: datetime) -> float:
    """How long ago, never less than nothing."""
    return max(0.0, (now - moment).total_seconds())


def of_database(name: str, database: Database, read: Read, fresh: timedelta = FRESH) -> Group:
    """A group that is read in a session of its own."""

    def of_moment(now: datetime) -> list[Metric]:
        with database.reading() as session:
            return list(read(session, now))

    return Group(name, of_moment, fresh, needs_database=True)


class Gauges(Collector):
    """For a registry. Scrapes that come together wait for the one that reads."""

    def __init__(self, groups: Iterable[Group], clock: Clock) -> None:
        self._groups, self._clock = tuple(groups), clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[datetime, list[Metric] | None]] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing is read when a registry takes this in."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The gauges, and which groups could not be read."""
        with self._lock:
            now, is_database_down = self._clock(), False
            found: list[Metric] = []
            failed: list[tuple[Sequence[str], float]] = []
            for group in self._groups:
                kept = None if is_database_down and group.needs_database else self._of(group, now)
                if isinstance(kept, SQLAlchemyError):
                    # Whoever is asked next would wait as long for it.
                    is_database_down = True
                metrics = kept if isinstance(kept, list) else None
                found += metrics or ()
                failed.append(((group.name,), float(metrics is None)))
            meaning = "Whether the figures of this group could not be read"
            return [*found, gauge("wardlist_figures_failed", meaning, ["group"], failed)]

    def _of(self, group: Group, now: datetime) -> list[Metric] | Exception:
        read_at, metrics = self._kept.get(group.name, (now, None))
        if metrics is not None and timedelta() <= now - read_at < group.fresh:
            return metrics
        try:
            metrics = list(group.read(now))
        except Exception as failure:
            kind, where = type(failure).__name__, place(failure)
            _logger.error("figures failed", group=group.name, failure=kind, where=where)
            return failure
        self._kept[group.name] = now, metrics
        return metrics
