"""Takedowns as they are read: who sees which, in pages, and each with what happened.

A hotline sees those of what it submitted or corroborated, a review body and an operator all, law enforcement
those whose notices wait for it. An entry that asks for takedown stands here from its submission on, before
its clock runs. What a body is asked to give a second opinion on is shown to bodies as submitted meanwhile:
that somebody was told, or that nothing is shown, would tell it that there was a first decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, and_, col, or_, select

from app.core.lifecycle import OPEN
from app.core.lifecycle import Takedown as State
from app.core.terms import Kind, Measure
from app.entries.models import Corroboration, Entry
from app.identity.service import Caller
from app.platform.problems import Problem
from app.takedown.models import Takedown

_IS_BLIND = col(Entry.opinion_open).is_(True)


@dataclass(frozen=True)
class Wanted:
    """Filters of a listing. `after` is the place of the last takedown of the page before.

    `is_overdue`: whoever was told is late to answer, or the material should be gone. `is_to_confirm`:
    somebody says that it is removed, and no hotline looked yet.
    """

    state: State | None = None
    list: str | None = None
    country: str | None = None
    is_overdue: bool = False
    is_to_confirm: bool = False
    after: int = 0
    limit: int = 100


def page(session: Session, caller: Caller, wanted: Wanted, now: datetime) -> list[Entry]:
    """Entries with a takedown that the caller may see, in the order of submission, at most `limit`."""
    query = select(Entry).where(*_fits(caller, wanted, now)).order_by(col(Entry.seq)).limit(wanted.limit)
    return list(session.exec(query))


def count(session: Session, caller: Caller, wanted: Wanted, now: datetime) -> int:
    """How many there are, whatever the limit."""
    query = sa.select(sa.func.count()).select_from(Entry).where(*_fits(caller, wanted, now))
    return int(session.execute(query).scalar_one())


def visible(session: Session, caller: Caller, entry_id: str, now: datetime) -> Entry:
    """The entry of a takedown, if the caller may see that. Raises a 404 problem."""
    found = session.exec(select(Entry).where(Entry.id == entry_id, *_seen_by(caller, now, all_=True))).first()
    if found is None:
        raise Problem("not-found", "there is no takedown of this id for you")
    return found


def clocks(session: Session, found: Sequence[Entry]) -> dict[str, Takedown]:
    """The clocks of entries that have one, by entry id."""
    by_id: dict[str, Takedown] = {}
    for start in range(0, len(found), 500):
        ids = [entry.id for entry in found[start : start + 500]]
        rows = session.exec(select(Takedown).where(col(Takedown.entry_id).in_(ids)))
        by_id |= {row.entry_id: row for row in rows}
    return by_id


def is_blind(caller: Caller, entry: Entry) -> bool:
    """Whether the entry is shown to the caller as submitted, whatever became of it."""
    return caller.kind is Kind.REVIEW_BODY and entry.opinion_open


def is_overdue(entry: Entry, clock: Takedown, now: datetime) -> bool:
    """Whether somebody is late: to answer, or with the removal. In agreement with the filter."""
    if entry.status not in OPEN or clock.ended_at or entry.takedown is State.REMOVED:
        return False
    is_unanswered = entry.takedown is State.NOTIFIED and _is_past(clock.acknowledge_due_at, now)
    return is_unanswered or _is_past(clock.removal_due_at, now)


def is_to_confirm(entry: Entry, clock: Takedown) -> bool:
    """Whether a hotline is to look if it is gone. In agreement with the filter."""
    is_said = entry.takedown is State.REMOVED and entry.status in OPEN
    return is_said and clock.confirmed_at is None and clock.ended_at is None


def _is_past(due: datetime | None, now: datetime) -> bool:
    return due is not None and due <= now


def _fits(caller: Caller, wanted: Wanted, now: datetime) -> list[sa.ColumnElement[bool]]:
    fits = [col(Entry.seq) > wanted.after, *_seen_by(caller, now)]
    if wanted.state:
        fits.append(_shown_as(caller, wanted.state))
    if wanted.list:
        fits.append(col(Entry.list) == wanted.list)
    if wanted.country:
        fits.append(col(Entry.hosting_country) == wanted.country)
    if wanted.is_overdue:
        fits += [*_overdue(now), *_not_blind(caller)]
    if wanted.is_to_confirm:
        fits += [*_to_confirm(), *_not_blind(caller)]
    return fits


def _seen_by(caller: Caller, now: datetime, all_: bool = False) -> list[sa.ColumnElement[bool]]:
    """With `all_` also entries of no takedown yet."""
    seen = [] if all_ else [_is_takedown()]
    match caller.kind:
        case Kind.HOTLINE:
            of = caller.organisation_id
            joined = select(Corroboration.entry_id).where(Corroboration.organisation_id == of)
            return [*seen, or_(col(Entry.organisation_id) == of, col(Entry.id).in_(joined))]
        case Kind.REVIEW_BODY:
            return [] if all_ else [or_(and_(_is_takedown(), ~_IS_BLIND), and_(_asks(), _IS_BLIND))]
        case Kind.LAW_ENFORCEMENT:
            return [_has_clock(col(Takedown.held_until).is_not(None), col(Takedown.held_until) > now)]
        case Kind.OPERATOR:
            return seen
        case _:
            return [sa.false()]


def _is_takedown() -> sa.ColumnElement[bool]:
    """Its clock runs or ran, or it asks for takedown and may still come to it."""
    has_clock = sa.exists().where(col(Takedown.entry_id) == col(Entry.id)).correlate(Entry)
    return or_(and_(_asks(), col(Entry.status).in_(sorted(OPEN))), has_clock)


def _asks() -> sa.ColumnElement[bool]:
    return sa.cast(col(Entry.measures), sa.String).contains(f'"{Measure.TAKEDOWN.value}"')


def _not_blind(caller: Caller) -> list[sa.ColumnElement[bool]]:
    return [~_IS_BLIND] if caller.kind is Kind.REVIEW_BODY else []


def _shown_as(caller: Caller, state: State) -> sa.ColumnElement[bool]:
    is_so = col(Entry.takedown) == state
    if caller.kind is not Kind.REVIEW_BODY:
        return is_so
    return or_(is_so, _IS_BLIND) if state is State.NOT_STARTED else and_(is_so, ~_IS_BLIND)


def _has_clock(*condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Some condition on its clock; these have an index, so that few are looked at."""
    return col(Entry.id).in_(select(Takedown.entry_id).where(*condition))


def _overdue(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    runs = col(Takedown.ended_at).is_(None)
    is_late = _has_clock(runs, col(Takedown.removal_due_at) <= now)
    is_unanswered = and_(
        col(Entry.takedown) == State.NOTIFIED, _has_clock(runs, col(Takedown.acknowledge_due_at) <= now)
    )
    is_open = col(Entry.status).in_(sorted(OPEN))
    return is_open, col(Entry.takedown) != State.REMOVED, or_(is_late, is_unanswered)


def _to_confirm() -> tuple[sa.ColumnElement[bool], ...]:
    unseen = (
        col(Takedown.removed_at).is_not(None),
        col(Takedown.confirmed_at).is_(None),
        col(Takedown.ended_at).is_(None),
    )
    is_open = col(Entry.status).in_(sorted(OPEN))
    return is_open, col(Entry.takedown) == State.REMOVED, _has_clock(*unseen)
