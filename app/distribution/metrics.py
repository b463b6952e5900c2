"""Coverage as gauges, read from the database. No label holds an address.

The times to unblock, which cost the most, are read more seldom than the rest.
"""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlmodel import Session

from app.distribution import coverage
from app.distribution.schemas import Coverage, SecondsToUnblock
from app.lists import snapshots
from app.platform.gauges import SLOW

FRESH_UNBLOCKED = SLOW
_QUANTILES = (("0.5", "median"), ("0.9", "p90"))


class OfCoverage:
    """For one thread at a time."""

    def __init__(self) -> None:
        self._unblocked: dict[str, tuple[datetime, SecondsToUnblock]] = {}

    def __call__(self, session: Session, now: datetime) -> Iterable[Metric]:
        """The gauges of every list."""
        return _families([self._of_list(session, name, now) for name in snapshots.names(session)])

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
