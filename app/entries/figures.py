"""What became of entries, in plain rows, for figures about who submitted and decided. They hold no secret."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, func

from app.core.lifecycle import DelistReason, Status
from app.core.terms import EntryScope
from app.entries.models import UPHELD, Entry


@dataclass(frozen=True, slots=True)
class Outcome:
    """An entry as it stands. `was_approved` stays true when its quorum fell and it is open again."""

    entry: str
    list: str
    organisation: str
    status: Status
    scope: EntryScope
    is_protected: bool
    submitted_at: datetime
    was_listed: bool
    was_approved: bool
    delist_reason: DelistReason | None

    @property
    def is_overturned(self) -> bool:
        """Whether an appeal against it was upheld."""
        return self.delist_reason is DelistReason.APPEAL_UPHELD


def outcomes(
    session: Session, in_list: str | None, since: datetime | None, until: datetime | None
) -> Iterator[Outcome]:
    """Entries submitted in that time, `until` itself not included, to one list or all."""
    query = sa.select(
        col(Entry.id),
        col(Entry.list),
        col(Entry.organisation_id),
        col(Entry.status),
        col(Entry.scope),
        col(Entry.is_protected),
        col(Entry.submitted_at),
        col(Entry.listed_in).is_not(None),
        col(Entry.recheck_by).is_not(None),
        col(Entry.delist_reason),
    )
    if in_list:
        query = query.where(col(Entry.list) == in_list)
    if since:
        query = query.where(col(Entry.submitted_at) >= since)
    if until:
        query = query.where(col(Entry.submitted_at) < until)
    for row in session.execute(query, execution_options={"yield_per": 5000}):
        yield Outcome(*row)


def left(session: Session, name: str, first: int) -> Iterator[tuple[int, int, datetime | None]]:
    """Of what left the list in a version from `first` on: (listed in, delisted in, when it was decided).

    The moment is None once the entry is erased.
    """
    query = sa.select(col(Entry.listed_in), col(Entry.delisted_in), col(Entry.settled_at)).where(
        col(Entry.list) == name, col(Entry.delisted_in) >= first, col(Entry.listed_in).is_not(None)
    )
    for row in session.execute(query):
        yield row[0], row[1], row[2]


def overturned(session: Session) -> dict[tuple[str, str], int]:
    """How many listed entries an upheld appeal ended, by (organisation, list). Cheap: they have an index."""
    query = (
        sa.select(col(Entry.organisation_id), col(Entry.list), func.count())
        .where(UPHELD, col(Entry.listed_in).is_not(None))
        .group_by(col(Entry.organisation_id), col(Entry.list))
    )
    return {(organisation, name): count for organisation, name, count in session.execute(query)}


def listings(session: Session, organisation: str, name: str) -> int:
    """How many entries of an organisation ever stood on a list."""
    query = sa.select(func.count()).where(
        col(Entry.organisation_id) == organisation,
        col(Entry.list) == name,
        col(Entry.listed_in).is_not(None),
    )
    return int(session.execute(query).scalar_one())


class Fact(NamedTuple):
    """What figures need of an entry; it outlives the entry's erasure."""

    list: str
    legal_ground: str
    hosting_country: str
    submitted_at: datetime


def facts(session: Session, ids: Sequence[str]) -> dict[str, Fact]:
    """Of these entries, by id; at most some thousands at once."""
    columns = col(Entry.list), col(Entry.legal_ground), col(Entry.hosting_country), col(Entry.submitted_at)
    query = sa.select(col(Entry.id), *columns).where(col(Entry.id).in_(ids))
    return {row[0]: Fact(*row[1:]) for row in session.execute(query)}


def left_in(
    session: Session, versions: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, int, datetime | None]]:
    """What left each list in its versions from the first to the last: (list, delisted in, decided at).

    The moment is None once the entry is erased.
    """
    ranges = [
        sa.and_(col(Entry.list) == name, col(Entry.delisted_in).between(first, last))
        for name, (first, last) in versions.items()
    ]
    query = sa.select(col(Entry.list), col(Entry.delisted_in), col(Entry.settled_at))
    left_once = col(Entry.listed_in).is_not(None), col(Entry.delisted_in).is_not(None)
    for row in session.execute(query.where(*left_once, sa.or_(sa.false(), *ranges))):
        yield row[0], row[1], row[2]


class Submitted(NamedTuple):
    """Entries of a list that wait for a decision: how many, how many since before a moment, since when."""

    number: int
    old: int
    oldest: datetime | None


def submitted(session: Session, names: Sequence[str], before: datetime) -> dict[str, Submitted]:
    """What waits for a decision on each of these lists; costs as much as waits, whatever else there is."""
    is_old = sa.case((col(Entry.submitted_at) < before, 1), else_=0)
    query = (
        sa.select(
            col(Entry.list), func.count(col(Entry.seq)), func.sum(is_old), func.min(col(Entry.submitted_at))
        )
        .where(col(Entry.list).in_(names), col(Entry.status) == Status.SUBMITTED)
        .group_by(col(Entry.list))
    )
    found = {row[0]: Submitted(int(row[1]), int(row[2]), row[3]) for row in session.execute(query)}
    return {name: found.get(name, Submitted(0, 0, None)) for name in names}
