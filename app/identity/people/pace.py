"""How long and how much a reviewer works in a day, for this work wears people down.

A person is active from one act to the next when less than five minutes lie between. A stretch of work goes
on until nothing was done for as long as a break is; then it begins anew, whatever the day. The day is that of
UTC; of a day before nothing is kept, and nobody else is shown any of it. What is enough is the body's to say.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.identity.people.models import Pace, Workday
from app.identity.people.service import Member
from app.platform.problems import FieldError, Problem

ACTIVE = timedelta(minutes=5)
"""Longer gaps between two acts are no work."""
_NOTED_EVERY = timedelta(seconds=15)


@dataclass(frozen=True)
class Limits:
    """What a body asks of its reviewers: when to break and for how long, and how much at most in a day."""

    break_after_minutes: int = 50
    break_minutes: int = 10
    daily_minutes: int = 300
    daily_decisions: int = 120


BOUNDS: Mapping[str, tuple[int, int]] = {
    "break_after_minutes": (15, 120),
    "break_minutes": (5, 60),
    "daily_minutes": (30, 600),
    "daily_decisions": (1, 1000),
}
"""The least and the most that a body may set."""


@dataclass(frozen=True)
class State:
    """Where somebody stands today. `is_due`: have `seen` note it."""

    limits: Limits
    decisions: int
    active: timedelta
    stretch: timedelta
    is_due: bool

    @property
    def needs_break(self) -> bool:
        """Whether the present stretch of work has been long enough."""
        return self.stretch >= timedelta(minutes=self.limits.break_after_minutes)

    @property
    def is_spent(self) -> bool:
        """Whether today's work is done."""
        is_long = self.active >= timedelta(minutes=self.limits.daily_minutes)
        return is_long or self.decisions >= self.limits.daily_decisions


class Spent(Exception):
    """Somebody wants to decide more than a day has room for."""


def limits(session: Session, organisation_id: str) -> Limits:
    """What a body set, or the defaults."""
    found = session.get(Pace, organisation_id)
    return Limits(**found.model_dump(exclude={"organisation_id"})) if found else Limits()


def set_limits(session: Session, member: Member, wanted: Limits) -> None:
    """Have a lead set the pace of its body's reviewers, from now on. Raises a 403 or 422 problem."""
    faults: list[FieldError] = [
        {"field": name, "detail": f"choose a number from {least} to {most}"}
        for name, (least, most) in BOUNDS.items()
        if not least <= getattr(wanted, name) <= most
    ]
    if faults:
        raise Problem("invalid-input", "a number is out of its bounds", faults)
    if not member.person.is_lead:
        raise Problem("forbidden", "a lead of your review body sets the pace")
    session.merge(Pace(organisation_id=member.organisation.id, **asdict(wanted)))


def state(session: Session, member: Member, now: datetime) -> State:
    """Where somebody stands who does something now."""
    wanted = limits(session, member.organisation.id)
    before = _latest(session, member.person.id)
    day = _advanced(before, member.person.id, wanted, now)
    is_due = before is None or before.day != day.day or now - before.seen_at >= _NOTED_EVERY
    active, stretch = timedelta(seconds=day.active_seconds), now - day.stretch_since
    return State(wanted, day.decisions, active, stretch, is_due)


def seen(session: Session, member: Member, now: datetime) -> Workday:
    """Note that somebody does something now; what was noted of earlier days goes."""
    wanted = limits(session, member.organisation.id)
    day = _advanced(_latest(session, member.person.id), member.person.id, wanted, now)
    longest_break = timedelta(minutes=BOUNDS["break_minutes"][1])
    is_mine, is_over = col(Workday.person_id) == day.person_id, col(Workday.seen_at) <= now - longest_break
    session.execute(
        sa.delete(Workday).where(col(Workday.day) < day.day, sa.or_(is_mine, is_over)),
        execution_options={"synchronize_session": False},
    )
    return session.merge(day)


def decided(session: Session, member: Member, now: datetime) -> None:
    """Count a decision. Raises Spent when the day has no room for it."""
    if state(session, member, now).is_spent:
        raise Spent
    day = seen(session, member, now)
    day.decisions += 1
    session.add(day)
    session.flush()


def _latest(session: Session, person_id: str) -> Workday | None:
    query = select(Workday).where(Workday.person_id == person_id)
    return session.exec(query.order_by(col(Workday.day).desc()).limit(1)).first()


def _advanced(before: Workday | None, person_id: str, wanted: Limits, now: datetime) -> Workday:
    """The day as it is with an act now. A clock that goes back adds nothing."""
    gap = max(now - before.seen_at, timedelta()) if before else timedelta.max
    is_break = gap >= timedelta(minutes=wanted.break_minutes)
    is_today = before is not None and before.day == now.date()
    return Workday(
        person_id=person_id,
        day=now.date(),
        decisions=before.decisions if before and is_today else 0,
        active_seconds=(before.active_seconds if before and is_today else 0)
        + (int(gap.total_seconds()) if gap < ACTIVE else 0),
        stretch_since=now if before is None or is_break else before.stretch_since,
        seen_at=now,
    )
