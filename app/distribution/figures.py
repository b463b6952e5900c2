"""Figures of polls for /metrics: by list, status and kind of answer. Refusals are in the log instead.

A poll counts in a plain number of this process, which costs next to nothing; what came since the last time is
brought to the metrics before a scrape.
"""

from prometheus_client import Counter

from app.distribution.addresses import Address, Wanted
from app.platform.telemetry import before_scrape

_POLLS = Counter("wardlist_polls", "Polls answered", ["list", "status", "answer"])


class Tally:
    """How many answers of one kind; counted in the event loop, which needs no lock for it."""

    __slots__ = ("number", "told")

    def __init__(self) -> None:
        self.number = self.told = 0


_tallies: dict[tuple[str, int, Address], Tally] = {}


def _tell() -> None:
    for (name, status, address), one in list(_tallies.items()):
        number = one.number
        _POLLS.labels(name, str(status), address.name.lower()).inc(number - one.told)
        one.told = number


before_scrape("polls", _tell)


def tally(wanted: Wanted, status: int) -> Tally:
    """What counts the answers with this status; the list is one there is, or none."""
    key = wanted.list, status, wanted.address
    found = _tallies.get(key)
    if found is None:
        found = _tallies[key] = Tally()
    return found


def count(wanted: Wanted, status: int) -> None:
    """A poll was answered."""
    tally(wanted, status).number += 1
