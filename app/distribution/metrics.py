"""Coverage as Prometheus gauges, read from the database: every process of a service says the same.

No label holds an address. However often it is asked, the database is asked once in `FRESH`, and for the
times to unblock, which cost the most, once in `FRESH_UNBLOCKED`.
"""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.distribution import coverage
from app.distribution.schemas import Coverage, SecondsToUnblock
from app.lists import snapshots
from app.platform.clock import Clock
from app.platform.database import Database

FRESH = timedelta(seconds=15)
FRESH_UNBLOCKED = timedelta(minutes=5)
_QUANTILES = (("0.5", "median"), ("0.9", "p90"))


def registry(database: Database, clock: Clock) -> CollectorRegistry:
    """The gauges of one service."""
    made = CollectorRegistry()
    made.register(CoverageCollector(database, clock))
    return made


class CoverageCollector(Collector):
    """Reads when scraped. While the database does not answer there are no gauges."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._found: list[Coverage] = []
        self._unblocked: dict[str, tuple[datetime, SecondsToUnblock]] = {}

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        with self._lock:
            now = self._clock()
            if self._read_at is None or not timedelta() <= now - self._read_at < FRESH:
                self._found = self._read(now)
                self._read_at = now
            return _families(self._found)

    def _read(self, now: datetime) -> list[Coverage]:
        try:
            with self._database.reading() as session:
                return [self._of_list(session, name, now) for name in snapshots.names(session)]
        except SQLAlchemyError:
            return []

    def _of_list(self, session: Session, name: str, now: datetime) -> Coverage:
        read_at, unblocked = self._unblocked.get(name, (now, None))
        if unblocked and now - read_at < FRESH_UNBLOCKED:
            return coverage.of_list(session, name, now, unblocked)
        found = coverage.of_list(session, name, now)
        self._unblocked[name] = now, found.seconds_to_unblock
        return found


def _families(found: list[Coverage]) -> list[Metric]:
    by_provider = ["list", "organisation"]
    versions = GaugeMetricFamily(
        "wardlist_provider_versions_behind",
        "Versions from the newest that a provider applied to the newest there is",
        labels=by_provider,
    )
    seconds = GaugeMetricFamily(
        "wardlist_provider_seconds_behind",
        "Seconds since the first version that a provider lacks was made",
        labels=by_provider,
    )
    unblock = GaugeMetricFamily(
        "wardlist_seconds_to_unblock",
        "Seconds from an entry's delisting to a provider's receipt of a version without it, "
        "quantiles of the last 30 days",
        labels=["list", "quantile"],
    )
    counted = GaugeMetricFamily(
        "wardlist_unblocked",
        "Pairs of an entry delisted in the last 30 days and a provider that unblocked it",
        labels=["list"],
    )
    for one in found:
        for provider in one.providers:
            labels = [one.list, provider.organisation]
            versions.add_metric(labels, provider.versions_behind)
            seconds.add_metric(labels, provider.seconds_behind)
        counted.add_metric([one.list], one.seconds_to_unblock.count)
        for quantile, name in _QUANTILES:
            value = getattr(one.seconds_to_unblock, name)
            if value is not None:
                unblock.add_metric([one.list, quantile], value)
    return [versions, seconds, unblock, counted]
