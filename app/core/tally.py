"""Totals of a calendar month (UTC) that the public log shows by itself: the counts of a transparency report.

Whoever counts, the service or a verifier, counts with this. Rules:
- A leaf belongs to the month it is dated in; one that comes when that month's report is out, to the next
  month without one. So each is counted once.
- The first month is that of the log's first leaf.
- Zeros are left out. Entries count for their list; leaves of appeals name none, so they count for all lists.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

APPEALS = ""
"""In the place of a list's name."""
Key = tuple[str, str]
"""(list, measure)"""

_MEASURES = {
    "entry.submitted": "submitted",
    "entry.approved": "approved",
    "entry.rejected": "rejected",
    "entry.withdrawn": "withdrawn",
    "entry.reopened": "reopened",
    "entry.listed": "listed",
    "entry.taken_back": "taken_back",
    "entry.reinstated": "reinstated",
    "entry.erased": "erased",
    "appeal.filed": "filed",
    "appeal.overdue": "overdue",
    "appeal.lapsed": "lapsed",
}
_BY_MEMBER = {
    "entry.reviewed": ("votes", "decision"),
    "entry.delisted": ("delisted", "reason"),
    "appeal.decided": ("", "outcome"),
}
"""Measures that are a member of the leaf, of a group where there is one."""
_KINDS = _MEASURES.keys() | _BY_MEMBER.keys()
GROUPS = ("votes", "delisted")


def is_counted(kind: object) -> bool:
    """Whether a leaf of this type is counted at all."""
    return kind in _KINDS


def measure(leaf: Mapping[str, Any]) -> str:
    """What a counted leaf counts as: a word, or `group.word`. Raises KeyError."""
    kind = leaf["type"]
    if kind in _MEASURES:
        return _MEASURES[kind]
    group, member = _BY_MEMBER[kind]
    return f"{group}.{leaf[member]}" if group else str(leaf[member])


def month(at: str | datetime) -> str:
    """The month of a moment, such as "2026-10"."""
    return at[:7] if isinstance(at, str) else f"{at.astimezone(UTC):%Y-%m}"


def start(period: str) -> datetime:
    """When a month begins. Raises ValueError."""
    return datetime(int(period[:4]), int(period[5:]), 1, tzinfo=UTC)


def later(period: str, months: int = 1) -> str:
    """The month that many after, or before where negative. Raises ValueError."""
    number = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{number // 12:04}-{number % 12 + 1:02}"


def end(period: str) -> datetime:
    """When a month is over: the start of the next. Raises ValueError."""
    return start(later(period))


def stated(counts: Mapping[Key, int]) -> dict[str, Any]:
    """Counts as a leaf states them: `{"appeals": {measure: n}, "lists": {list: {measure: n or group}}}`."""
    told: dict[str, Any] = {"appeals": {}, "lists": {}}
    for (name, word), count in counts.items():
        if not count:
            continue
        place = told["lists"].setdefault(name, {}) if name else told["appeals"]
        group, _, word_of_group = word.rpartition(".")
        if group:
            place = place.setdefault(group, {})
        place[word_of_group] = count
    return told


class Tally:
    """What a verifier counts: each month that has no report yet. `open` is the next to be reported."""

    def __init__(self) -> None:
        self.open = ""
        self._months: dict[str, Counter[Key]] = {}

    def count(self, leaf: Mapping[str, Any], name: str) -> None:
        """Count a leaf that is_counted, of an entry on that list."""
        period = max(month(leaf["at"]), self.open)
        self._months.setdefault(period, Counter())[name, measure(leaf)] += 1

    def close(self) -> dict[str, Any]:
        """The open month's counts, as its leaf must state them; then the next is open. Raises ValueError."""
        counts = self._months.pop(self.open, Counter())
        self.open = later(self.open)
        return stated(counts)
