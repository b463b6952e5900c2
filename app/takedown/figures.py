"""How long takedowns take: to the first notice, to an acknowledgement, to removal; and how many are late.

A takedown is counted by the day it was opened. One that nobody answered yet is in no span, and one that was
neither removed nor ended by its date is overdue, also after it was removed. Not public: small counts stand as
they are. One query of a few columns, for a country may have a quarter of a million.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core.percentile import nearest_rank
from app.core.terms import Kind, ProviderClass
from app.identity.service import Caller
from app.takedown.models import Takedown
from app.takedown.schemas import FiguresView, Group, Spans

UNKNOWN = "unknown"
"""The class where the service told nobody yet."""


@dataclass(frozen=True)
class Asked:
    """Takedowns opened in that time, `until` itself not included, on one list or all."""

    since: datetime | None = None
    until: datetime | None = None
    list: str | None = None


class Times(NamedTuple):
    """Of one takedown; moments are seconds since 1970."""

    country: str
    provider_class: ProviderClass | None
    opened_at: int
    first_notice_at: int | None
    acknowledged_at: int | None
    removed_at: int | None
    removal_due_at: int | None
    ended_at: int | None


@dataclass
class Tally:
    """What is counted of some takedowns; spans in seconds."""

    takedowns: int = 0
    with_deadline: int = 0
    overdue: int = 0
    to_first_notice: list[int] = field(default_factory=list)
    to_acknowledgement: list[int] = field(default_factory=list)
    to_removal: list[int] = field(default_factory=list)

    def count(self, one: Times, now: int) -> None:
        """Count a takedown."""
        self.takedowns += 1
        if one.removal_due_at is not None:
            stood_until = min(one.removed_at or now, one.ended_at or now)
            self.with_deadline += 1
            self.overdue += stood_until > one.removal_due_at
        if one.first_notice_at is None:
            return
        self.to_first_notice.append(max(0, one.first_notice_at - one.opened_at))
        if one.acknowledged_at is not None:
            self.to_acknowledgement.append(max(0, one.acknowledged_at - one.first_notice_at))
        if one.removed_at is not None:
            self.to_removal.append(max(0, one.removed_at - one.first_notice_at))

    def view(self) -> Group:
        """In the API's shape."""
        return Group(
            takedowns=self.takedowns,
            to_first_notice=_spans(self.to_first_notice),
            to_acknowledgement=_spans(self.to_acknowledgement),
            to_removal=_spans(self.to_removal),
            with_deadline=self.with_deadline,
            overdue=self.overdue,
            overdue_percent=_percent(self.overdue, self.with_deadline),
        )


def view(session: Session, caller: Caller, asked: Asked, now: datetime) -> FiguresView:
    """The figures: of a hotline's own takedowns, for others of all."""
    every, countries, classes = Tally(), defaultdict[str, Tally](Tally), defaultdict[str, Tally](Tally)
    until = int(now.timestamp())
    for one in _times(session, caller, asked):
        provider_class = one.provider_class.value if one.provider_class else UNKNOWN
        for tally in (every, countries[one.country], classes[provider_class]):
            tally.count(one, until)
    return FiguresView(
        since=asked.since,
        until=asked.until,
        every=every.view(),
        by_country={name: countries[name].view() for name in sorted(countries)},
        by_provider_class={name: classes[name].view() for name in sorted(classes)},
    )


def _times(session: Session, caller: Caller, asked: Asked) -> Iterator[Times]:
    moments = (
        Takedown.opened_at,
        Takedown.first_notice_at,
        Takedown.acknowledged_at,
        Takedown.removed_at,
        Takedown.removal_due_at,
        Takedown.ended_at,
    )
    seconds = (sa.extract("epoch", col(moment)) for moment in moments)
    query = sa.select(col(Takedown.country), col(Takedown.provider_class), *seconds)
    if caller.kind is Kind.HOTLINE:
        query = query.where(col(Takedown.organisation_id) == caller.organisation_id)
    if asked.list:
        query = query.where(col(Takedown.list) == asked.list)
    if asked.since:
        query = query.where(col(Takedown.opened_at) >= asked.since)
    if asked.until:
        query = query.where(col(Takedown.opened_at) < asked.until)
    for country, provider_class, opened_at, *later in session.execute(
        query.execution_options(yield_per=5000)
    ):
        moments_later = (None if moment is None else int(moment) for moment in later)
        yield Times(country, provider_class, int(opened_at), *moments_later)


def _spans(seconds: list[int]) -> Spans:
    return Spans(count=len(seconds), median=nearest_rank(seconds, 50), p90=nearest_rank(seconds, 90))


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def removals(session: Session, since: datetime, until: datetime) -> Iterator[tuple[str, int]]:
    """(list, seconds from the first notice) of each removal in that time that somebody was told to make."""
    removed, told = (sa.extract("epoch", col(at)) for at in (Takedown.removed_at, Takedown.first_notice_at))
    query = sa.select(col(Takedown.list), removed, told).where(
        col(Takedown.removed_at) >= since,
        col(Takedown.removed_at) < until,
        col(Takedown.first_notice_at).is_not(None),
    )
    for name, removed_at, told_at in session.execute(query, execution_options={"yield_per": 5000}):
        yield name, max(0, int(removed_at) - int(told_at))
