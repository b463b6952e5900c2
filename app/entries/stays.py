"""Stays: each time an entry stood on its list, from the version it came with to the version it left in.

An entry can come back; its stays before the last are in `EarlierStay`. What a version took up that was never
served to all is no stay of a served version: it left, or was taken back, in the version after.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select

from app.core.lifecycle import Status
from app.core.terms import EntryScope, RecheckOutcome
from app.entries.models import EarlierStay, Entry, Recheck

_CHUNK = 500


class Stay(NamedTuple):
    """A stay that has not ended as of a version. `seq` is the entry's."""

    listed_in: int
    seq: int
    entry: str
    recheck_by: datetime | None


class Facts(NamedTuple):
    """What an entry says of itself without its address."""

    scope: EntryScope
    measures: Sequence[str]
    legal_ground: str
    material: str
    hosting_country: str


def begun(session: Session, name: str, after: tuple[int, int], version: int, limit: int) -> list[Stay]:
    """Stays that are there in a version, by (listed_in, seq), of those that come later than `after`."""
    listed_in, seq = after
    is_later = or_(
        col(Entry.listed_in) > listed_in,
        sa.and_(col(Entry.listed_in) == listed_in, col(Entry.seq) > seq),
    )
    query = (
        sa.select(col(Entry.listed_in), col(Entry.seq), col(Entry.id), col(Entry.recheck_by))
        .where(col(Entry.list) == name, col(Entry.listed_in).between(listed_in, version), is_later)
        .where(or_(col(Entry.delisted_in).is_(None), col(Entry.delisted_in) > version))
        .order_by(col(Entry.listed_in), col(Entry.seq))
        .limit(limit)
    )
    return [Stay(*row) for row in session.execute(query)]


def ended(session: Session, name: str, after: int, version: int) -> list[tuple[str, int]]:
    """(entry, listed_in) of stays that ended in a version later than `after` and up to `version`."""
    last = sa.select(col(Entry.id), col(Entry.listed_in)).where(
        col(Entry.list) == name,
        col(Entry.delisted_in) > after,
        col(Entry.delisted_in) <= version,
        col(Entry.listed_in).is_not(None),
    )
    earlier = (
        sa.select(col(EarlierStay.entry_id), col(EarlierStay.listed_in))
        .join(Entry, col(Entry.id) == col(EarlierStay.entry_id))
        .where(col(Entry.list) == name)
        .where(col(EarlierStay.delisted_in) > after, col(EarlierStay.delisted_in) <= version)
    )
    return sorted(
        (entry, listed_in) for query in (last, earlier) for entry, listed_in in session.execute(query)
    )


def last_recheck(session: Session) -> int:
    """The number of the newest recheck of any entry, 0 without one."""
    return session.exec(select(func.max(Recheck.id))).one() or 0


def reaffirmed(session: Session, name: str, after: int) -> list[Stay]:
    """Listed entries that a recheck later than the one of number `after` found there still."""
    seen = (
        sa.select(col(Recheck.entry_id))
        .where(col(Recheck.id) > after, col(Recheck.outcome) == RecheckOutcome.STILL_AVAILABLE.value)
        .distinct()
    )
    query = (
        sa.select(col(Entry.listed_in), col(Entry.seq), col(Entry.id), col(Entry.recheck_by))
        .where(col(Entry.id).in_(seen), col(Entry.list) == name, col(Entry.listed_in).is_not(None))
        .order_by(col(Entry.seq))
    )
    return [Stay(*row) for row in session.execute(query)]


def facts(session: Session, ids: Sequence[str]) -> dict[str, Facts]:
    """What entries say of themselves, by id; erased ones say nothing."""
    columns = (Entry.scope, Entry.measures, Entry.legal_ground, Entry.material, Entry.hosting_country)
    found: dict[str, Facts] = {}
    for start in range(0, len(ids), _CHUNK):
        query = sa.select(col(Entry.id), *map(col, columns)).where(
            col(Entry.id).in_(ids[start : start + _CHUNK]), col(Entry.status) != Status.ERASED
        )
        found |= {entry: Facts(*rest) for entry, *rest in session.execute(query)}
    return found


def erased() -> sa.Select[Any]:
    """Ids of erased entries, for a condition on another table."""
    return sa.select(col(Entry.id)).where(col(Entry.status) == Status.ERASED)
