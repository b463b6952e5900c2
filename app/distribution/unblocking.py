"""How soon what left a list is unblocked: from the decision to a provider's receipt of a version without it.

Counted is each pair of an entry that left in a version of the last 30 days and a provider whose newest
applied version before that one held it. Who has not got so far is no pair yet: coverage shows it as behind.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, func

from app.core.terms import ReceiptOutcome
from app.distribution.models import Receipt
from app.distribution.schemas import SecondsToUnblock
from app.entries import figures as entries
from app.lists import figures as lists

WINDOW = timedelta(days=30)
Left = dict[int, list[tuple[int, int]]]
"""By version: (listed in, seconds since 1970 when it was decided) of each entry it is the first without."""


@dataclass(frozen=True)
class Way:
    """The versions that a provider applied, ascending; when it first had each, or a later one.

    Moments are seconds since 1970.
    """

    versions: list[int]
    had_at: list[int]

    def past(self, version: int) -> tuple[int, int] | None:
        """(newest applied before a version, moment it had that or a later one); None without either."""
        place = bisect_left(self.versions, version)
        if not 0 < place < len(self.versions):
            return None
        return self.versions[place - 1], self.had_at[place]


def seconds(session: Session, name: str, organisations: list[str], now: datetime) -> SecondsToUnblock:
    """The figures of a list and these providers."""
    left = _left(session, name, now - WINDOW)
    ways = _ways(session, name, organisations, min(left)) if left and organisations else []
    counted: Counter[int] = Counter()
    for way in ways:
        counted.update(_of_way(way, left))
    return SecondsToUnblock(
        count=counted.total(), median=_percentile(counted, 50), p90=_percentile(counted, 90)
    )


def _percentile(counted: Counter[int], percent: int) -> int | None:
    """By nearest rank. The moment is the provider's word: one before the decision counts as the same."""
    rank, passed = -(-counted.total() * percent // 100), 0
    for value, count in sorted(counted.items()):
        passed += count
        if passed >= rank:
            return max(0, value)
    return None


def _of_way(way: Way, left: Left) -> list[int]:
    found: list[int] = []
    for version, entries_left in left.items():
        step = way.past(version)
        if step:
            had, at = step
            found += [at - decided for listed_in, decided in entries_left if listed_in <= had]
    return found


def _left(session: Session, name: str, since: datetime) -> Left:
    """Of an erased entry the moment is not kept: the making of the version without it stands for it."""
    made = lists.published_since(session, name, since)
    left: Left = defaultdict(list)
    if made:
        for listed_in, version, decided_at in entries.left(session, name, min(made)):
            moment = decided_at or made.get(version)
            if moment:
                left[version].append((listed_in, int(moment.timestamp())))
    return left


def _ways(session: Session, name: str, organisations: list[str], first: int) -> list[Way]:
    """Each provider's way from the last version it applied before `first`."""
    applied = (
        col(Receipt.list) == name,
        col(Receipt.organisation_id).in_(organisations),
        col(Receipt.outcome) == ReceiptOutcome.APPLIED.value,
    )
    columns = col(Receipt.organisation_id), col(Receipt.version)
    moment = sa.extract("epoch", col(Receipt.applied_at))
    query = sa.select(*columns, moment).where(*applied, col(Receipt.version) >= first)
    steps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for organisation, version in _before(session, name, organisations, first):
        steps[organisation].append((version, 0))
    for organisation, version, at in session.execute(query, execution_options={"yield_per": 5000}):
        steps[organisation].append((version, int(at)))
    return [_way(sorted(found)) for found in steps.values()]


def _way(steps: list[tuple[int, int]]) -> Way:
    had_at, earliest = [], steps[-1][1]
    for _, at in reversed(steps):
        earliest = min(earliest, at)
        had_at.append(earliest)
    return Way([version for version, _ in steps], had_at[::-1])


def _before(session: Session, name: str, organisations: list[str], first: int) -> list[tuple[str, int]]:
    """(organisation, newest version it applied before `first`); one look at the index each."""
    rows = [(organisation,) for organisation in organisations]
    asked = sa.values(sa.column("organisation", sa.String), name="asked").data(rows).cte("asked")
    newest = (
        sa.select(func.max(col(Receipt.version)))
        .where(
            col(Receipt.list) == name,
            col(Receipt.organisation_id) == asked.c.organisation,
            col(Receipt.outcome) == ReceiptOutcome.APPLIED.value,
            col(Receipt.version) < first,
        )
        .correlate(asked)
        .scalar_subquery()
    )
    found = session.execute(sa.select(asked.c.organisation, newest))
    return [(organisation, version) for organisation, version in found if version]
