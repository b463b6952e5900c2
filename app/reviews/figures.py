"""Votes and second opinions in plain rows, for figures about hotlines and review bodies."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core.terms import Decision
from app.reviews.models import Review, SecondOpinion


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote that counts."""

    entry: str
    organisation: str
    decision: Decision
    at: datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """A second opinion on an entry decided as `first`; the last two are None until it is given."""

    entry: str
    first: Decision
    organisation: str | None
    decision: Decision | None


def votes(session: Session, since: datetime | None) -> Iterator[Vote]:
    """Every vote since then, but void ones."""
    query = sa.select(
        col(Review.entry_id), col(Review.organisation_id), col(Review.decision), col(Review.at)
    ).where(col(Review.voided_at).is_(None))
    if since:
        query = query.where(col(Review.at) >= since)
    for row in session.execute(query, execution_options={"yield_per": 5000}):
        yield Vote(*row)


def opinions(session: Session, since: datetime | None) -> Iterator[Opinion]:
    """Every second opinion asked for since then."""
    query = sa.select(
        col(SecondOpinion.entry_id),
        col(SecondOpinion.first),
        col(SecondOpinion.organisation_id),
        col(SecondOpinion.decision),
    )
    if since:
        query = query.where(col(SecondOpinion.asked_at) >= since)
    for row in session.execute(query, execution_options={"yield_per": 5000}):
        yield Opinion(*row)
