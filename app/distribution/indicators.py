"""What authorities have of a list, in the order it was added: one indicator for each stay of an entry.

Rules:
- An indicator follows the newest version served to all: it is added with the first that holds the entry,
  revoked with the first that does not. What only canaries had never shows.
- It is added anew when the entry is reaffirmed: else who asks for news only would see it end at the old date.
- No two of a list are added at the same time, and later is later: a date is a place in the order. The date is
  that of serving, not of preparing; in between somebody may have asked up to now.
- Of an erased entry the revocation stays until the indicator would have ended by itself, or a day longer.

Source: TAXII 2.1, section 3.4 (`added_after`), 3.5 (paging). Only lists that somebody may read are followed.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.distribution.models import Indicator, IndicatorProgress
from app.entries import stays
from app.entries.stays import Stay
from app.lists import readers, snapshots
from app.lists.models import BlockList
from app.platform.clock import Clock
from app.platform.database import Database, UtcDateTime

NAMESPACE = uuid.UUID("6c3a8a52-41de-4b0c-9a3e-5d2f1c7b9e04")
"""Of UUIDs (version 5) made from ids and names of this service."""
RESERVED = timedelta(milliseconds=1)
"""After a list's creation, for the dates of what is no indicator."""
MOST = 20_000
"""Indicators added in one transaction."""
_ALL = 2**31 - 1
"""After every entry of a version: `seq` is an integer of four bytes in PostgreSQL."""
_TIDY = timedelta(days=1)
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)


def indicator_id(entry: str, listed_in: int) -> str:
    """The UUID of an entry's stay: the same in every installation of the same data."""
    return str(uuid.uuid5(NAMESPACE, f"{entry}/{listed_in}"))


def on_served(session: Session, name: str, _version: int, now: datetime) -> None:
    """Follow a version, in the transaction that says that it is out for all."""
    if readers.is_read(session, name):
        follow(session, name, now)


def each_round(database: Database, clock: Clock) -> None:
    """Follow what no version told of: a first reader, reaffirmations, what did not go into one step."""
    with database.reading() as session:
        due = [name for name in readers.names_read(session) if _is_behind(session, name)]
        to_tidy = _to_tidy(session, clock())
    for name in due:
        while True:
            with database.writing() as session:
                if follow(session, name, clock()):
                    break
    for name in to_tidy:
        with database.writing() as session:
            _tidy(session, name, clock())


def follow(session: Session, name: str, now: datetime) -> bool:
    """One step: revoke, renew and add what is due, MOST additions at most; whether nothing is left."""
    version = snapshots.newest(session, name)
    progress = session.get(IndicatorProgress, name) or _begin(session, name, version, now)
    ended = stays.ended(session, name, progress.version, version)
    again = stays.reaffirmed(session, name, progress.recheck)
    begun = stays.begun(session, name, (progress.listed_in, progress.seq), version, MOST)
    dates = _Dates(progress.added_at, now)
    _revoke(session, ended, dates)
    _renew(session, again, dates)
    _add(session, name, begun, dates)
    is_done = len(begun) < MOST
    last = (version, _ALL) if is_done else (begun[-1].listed_in, begun[-1].seq)
    progress.version, progress.recheck = version, stays.last_recheck(session)
    progress.listed_in, progress.seq = last
    progress.added_at = dates.last
    session.add(progress)
    return is_done


class _Dates:
    """Dates for one transaction's indicators, all later than any before: microseconds tell them apart.

    The first is in a millisecond of its own, so that an object's `modified`, which has no more digits, moves.
    """

    def __init__(self, last: datetime, now: datetime) -> None:
        self.last = max(_whole(now), _whole(last) + _MILLISECOND) - _MICROSECOND

    def next(self) -> datetime:
        """The next one."""
        self.last += _MICROSECOND
        return self.last


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _is_behind(session: Session, name: str) -> bool:
    progress = session.get(IndicatorProgress, name)
    if progress is None:
        return True
    version = snapshots.newest(session, name)
    is_short = (progress.listed_in, progress.seq) < (version, _ALL) or progress.version < version
    return is_short or progress.recheck < stays.last_recheck(session)


def _begin(session: Session, name: str, version: int, now: datetime) -> IndicatorProgress:
    """Of what left before, nobody has anything to be revoked."""
    made_at = session.get_one(BlockList, name).created_at
    recheck = stays.last_recheck(session)
    return IndicatorProgress(
        list=name, version=version, recheck=recheck, added_at=made_at + RESERVED, tidied_at=now
    )


def _revoke(session: Session, ended: Sequence[tuple[str, int]], dates: _Dates) -> None:
    rows = [{"b_id": indicator_id(*stay), "b_at": dates.next()} for stay in ended]
    _change(session, rows, is_revoked=True)


def _renew(session: Session, again: Sequence[Stay], dates: _Dates) -> None:
    rows = [
        {"b_id": indicator_id(one.entry, one.listed_in), "b_at": dates.next(), "b_until": one.recheck_by}
        for one in again
    ]
    until = sa.bindparam("b_until", type_=UtcDateTime)
    _change(session, rows, col(Indicator.valid_until).is_distinct_from(until), valid_until=until)


def _change(
    session: Session, rows: list[dict[str, Any]], *conditions: sa.ColumnElement[bool], **values: Any
) -> None:
    """The next version of indicators there are and that are not revoked."""
    there = (col(Indicator.id) == sa.bindparam("b_id"), col(Indicator.is_revoked).is_(False))
    statement = sa.update(Indicator).where(*there, *conditions)
    if rows:
        session.connection().execute(statement.values(added_at=sa.bindparam("b_at"), **values), rows)


def _add(session: Session, name: str, begun: Sequence[Stay], dates: _Dates) -> None:
    rows = []
    for one in begun:
        at = dates.next()
        row: dict[str, Any] = {
            "id": indicator_id(one.entry, one.listed_in),
            "list": name,
            "entry_id": one.entry,
            "listed_in": one.listed_in,
            "created_at": at,
            "added_at": at,
            "valid_until": one.recheck_by,
            "is_revoked": False,
        }
        rows.append(row)
    if rows:
        session.execute(sa.insert(Indicator), rows)


def _to_tidy(session: Session, now: datetime) -> list[str]:
    query = sa.select(col(IndicatorProgress.list)).where(col(IndicatorProgress.tidied_at) <= now - _TIDY)
    return list(session.execute(query).scalars())


def _tidy(session: Session, name: str, now: datetime) -> None:
    """Nothing is left of an erased entry once nobody can take its indicator for valid."""
    has_ended = sa.or_(col(Indicator.valid_until).is_(None), col(Indicator.valid_until) <= now)
    of_erased = col(Indicator.entry_id).in_(stays.erased())
    session.execute(sa.delete(Indicator).where(col(Indicator.list) == name, of_erased, has_ended))
    session.get_one(IndicatorProgress, name).tidied_at = now
