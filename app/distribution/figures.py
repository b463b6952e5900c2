"""Figures of polls for /metrics: by list, status and kind of answer. Refusals are in the log instead."""

from collections.abc import Iterable

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from app.distribution.addresses import Address, Wanted


class Tally:
    """How many answers of one kind; counted in the event loop, which needs no lock for it."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class _Polls(Collector):
    def __init__(self) -> None:
        self.tallies: dict[tuple[str, int, Address], Tally] = {}

    def collect(self) -> Iterable[Metric]:
        """For the registry."""
        family = CounterMetricFamily("wardlist_polls", "Polls answered", labels=["list", "status", "answer"])
        for (name, status, address), tally in list(self.tallies.items()):
            family.add_metric([name, str(status), address.name.lower()], tally.number)
        yield family


_polls = _Polls()
REGISTRY.register(_polls)


def tally(wanted: Wanted, status: int) -> Tally:
    """What counts the answers with this status; the list is one there is, or none."""
    key = wanted.list, status, wanted.address
    found = _polls.tallies.get(key)
    if found is None:
        found = _polls.tallies[key] = Tally()
    return found


def count(wanted: Wanted, status: int) -> None:
    """A poll was answered."""
    tally(wanted, status).number += 1
