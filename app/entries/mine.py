"""A hotline's entries as its people read them: the newest first, by filters, and how many wait for it.

A hotline's are what it submitted and what it corroborated, each by an index of its own.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, or_, select

from app.core.lifecycle import LIVE, Status
from app.entries.models import Corroboration, Entry


@dataclass(frozen=True)
class Wanted:
    """Filters of a page. `before` is the place of the last entry of the page before, 0 for the first."""

    status: Status | None = None
    list: str | None = None
    since: datetime | None = None
    before: int = 0
    limit: int = 50


def page(session: Session, organisation: str, wanted: Wanted) -> list[Entry]:
    """The organisation's entries, newest first, at most `limit`."""
    joined = sa.select(col(Corroboration.entry_id)).where(col(Corroboration.organisation_id) == organisation)
    places: set[int] = set()
    # Two looks, for one condition with both would have the whole table read.
    for own in (col(Entry.organisation_id) == organisation, col(Entry.id).in_(joined)):
        query = sa.select(col(Entry.seq)).where(own, *_fits(wanted)).order_by(col(Entry.seq).desc())
        places.update(session.execute(query.limit(wanted.limit)).scalars())
    newest = sorted(places, reverse=True)[: wanted.limit]
    return list(session.exec(select(Entry).where(col(Entry.seq).in_(newest)).order_by(col(Entry.seq).desc())))


def count_submitted(session: Session, organisation: str) -> int:
    """How many of what the organisation submitted wait for a decision."""
    # Few wait, a hotline may have a million: `coalesce` keeps a planner from the index of organisations.
    is_own = sa.func.coalesce(col(Entry.organisation_id), "") == organisation
    query = sa.select(sa.func.count()).select_from(Entry)
    return int(session.execute(query.where(col(Entry.status) == Status.SUBMITTED, is_own)).scalar_one())


def count_due(session: Session, organisation: str, until: datetime) -> int:
    """How many of the organisation's entries leave their list by then unless somebody looks again."""
    joined = sa.select(col(Corroboration.entry_id)).where(col(Corroboration.organisation_id) == organisation)
    query = (
        sa.select(sa.func.count())
        .select_from(Entry)
        .where(
            col(Entry.status).in_(sorted(LIVE)),
            col(Entry.recheck_by) <= until,
            or_(col(Entry.organisation_id) == organisation, col(Entry.id).in_(joined)),
        )
    )
    return int(session.execute(query).scalar_one())


def _fits(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    fits: list[sa.ColumnElement[bool]] = []
    if wanted.before:
        fits.append(col(Entry.seq) < wanted.before)
    if wanted.status:
        fits.append(col(Entry.status) == wanted.status)
    if wanted.list:
        fits.append(col(Entry.list) == wanted.list)
    if wanted.since:
        fits.append(col(Entry.submitted_at) >= wanted.since)
    return fits
