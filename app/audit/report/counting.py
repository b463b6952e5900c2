"""Counting the log: each leaf once, in order, by the month it counts for.

The log is the source of every count, so that a report cannot differ from what a verifier counts. What a leaf
about an entry does not say, its ground, country and the time of its submission, is asked of the entries.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.audit.report.models import ReportCount, ReportDecision, ReportProgress
from app.core import tally
from app.entries import figures as entries
from app.entries.figures import Fact
from app.log import stream

EVERY = timedelta(minutes=1)
"""How old counts of the running month may be, besides the worker's own pace."""
AT_ONCE = 2000
TOTAL, GROUND, COUNTRY = "", "ground", "country"
NOT_AVAILABLE = "not_available"
"""The value where an entry does not say."""
_DECIDES = ("approved", "rejected")
_BROKEN_DOWN = ("submitted", "approved", "rejected", "listed", "delisted.")
"""What is counted by ground and country too."""
Leaf = Mapping[str, Any]


class Cell(NamedTuple):
    """What is counted: the key of a ReportCount."""

    period: str
    list: str
    measure: str
    dimension: str
    value: str


def progress(session: Session) -> ReportProgress | None:
    """How far the log is counted; None before its first leaf is."""
    return session.get(ReportProgress, 1)


def is_due(session: Session, now: datetime) -> bool:
    """Whether much is to be counted, or anything and the last time is long enough ago, or a month is over."""
    found = progress(session)
    if found is None:
        return stream.newest(session) > 0
    if tally.month(now) > found.period:
        return True
    behind = stream.newest(session) - found.leaf_id
    return behind >= AT_ONCE or (behind > 0 and now - found.counted_at >= EVERY)


def count(session: Session, now: datetime) -> bool:
    """Count the next leaves, AT_ONCE at most; whether none is left."""
    found = progress(session)
    rows = stream.after(session, found.leaf_id if found else 0, AT_ONCE)
    if not rows:
        return True
    leaves = [orjson.loads(body) for _, body in rows]
    found = found or ReportProgress(id=1, leaf_id=0, period=tally.month(leaves[0]["at"]), counted_at=now)
    counted = [leaf for leaf in leaves if tally.is_counted(leaf["type"])]
    facts = entries.facts(session, list({leaf["entry"] for leaf in counted if "entry" in leaf}))
    _add(session, Counter(_cells(counted, facts, found.period)))
    session.add_all(_decisions(counted, facts, found.period))
    found.leaf_id, found.counted_at = rows[-1][0], now
    session.add(found)
    session.flush()
    return len(rows) < AT_ONCE


def counts(session: Session, since: str, until: str) -> dict[str, dict[tally.Key, int]]:
    """Totals by month, of months from the first to the last that have no report."""
    query = select(ReportCount).where(
        ReportCount.dimension == TOTAL, ReportCount.period >= since, ReportCount.period <= until
    )
    found: dict[str, dict[tally.Key, int]] = {}
    for row in session.exec(query):
        found.setdefault(row.period, {})[row.list, row.measure] = row.count
    return found


def broken_down(session: Session, period: str) -> dict[tuple[str, str], Counter[str]]:
    """Counts of a month over all lists: (dimension, measure) -> value -> count."""
    query = select(ReportCount).where(ReportCount.period == period, ReportCount.dimension != TOTAL)
    found: dict[tuple[str, str], Counter[str]] = {}
    for row in session.exec(query):
        found.setdefault((row.dimension, row.measure), Counter())[row.value] += row.count
    return found


def decisions(session: Session, period: str) -> Iterator[tuple[str, int]]:
    """(list, seconds) of each decision of a month."""
    query = sa.select(col(ReportDecision.list), col(ReportDecision.seconds)).where(
        col(ReportDecision.period) == period
    )
    for row in session.execute(query):
        yield row[0], row[1]


def forget(session: Session, period: str) -> None:
    """A closed month's report says it all."""
    for table in (ReportCount, ReportDecision):
        session.execute(sa.delete(table).where(col(table.period) == period))


def _cells(leaves: Iterable[Leaf], facts: Mapping[str, Fact], first: str) -> Iterator[Cell]:
    for leaf in leaves:
        period, measure = max(tally.month(leaf["at"]), first), tally.measure(leaf)
        fact = facts[leaf["entry"]] if "entry" in leaf else None
        yield Cell(period, fact.list if fact else tally.APPEALS, measure, TOTAL, "")
        if fact and measure.startswith(_BROKEN_DOWN):
            yield Cell(period, fact.list, measure, GROUND, fact.legal_ground or NOT_AVAILABLE)
            yield Cell(period, fact.list, measure, COUNTRY, fact.hosting_country or NOT_AVAILABLE)


def _decisions(leaves: Iterable[Leaf], facts: Mapping[str, Fact], first: str) -> Iterator[ReportDecision]:
    for leaf in leaves:
        if tally.measure(leaf) in _DECIDES:
            fact, at = facts[leaf["entry"]], datetime.fromisoformat(leaf["at"])
            seconds = max(0, int((at - fact.submitted_at).total_seconds()))
            period = max(tally.month(leaf["at"]), first)
            yield ReportDecision(period=period, list=fact.list, seconds=seconds)


def _add(session: Session, more: Counter[Cell]) -> None:
    """Bring the new counts into the rows there are; one look for all of them."""
    periods, measures = {cell.period for cell in more}, {cell.measure for cell in more}
    query = select(ReportCount).where(
        col(ReportCount.period).in_(periods), col(ReportCount.measure).in_(measures)
    )
    known = {
        Cell(row.period, row.list, row.measure, row.dimension, row.value): row for row in session.exec(query)
    }
    for cell, number in more.items():
        row = known.get(cell) or ReportCount(**cell._asdict(), count=0)
        row.count += number
        session.add(row)
