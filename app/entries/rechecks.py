"""Time: hotlines look again, silence delists, and what is gone leaves at once.

Source: design section 3 ("Silence delists"); Directive 2011/93/EU art. 25(2): no longer than necessary.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, or_, select

from app.core.lifecycle import LIVE, OPEN, DelistReason, Event, Status
from app.core.terms import Kind, RecheckOutcome
from app.entries import removal, service
from app.entries.models import LISTED, Corroboration, Entry, Recheck
from app.entries.schemas import NewRecheck
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.clock import instant
from app.platform.problems import Problem, at_field

OLDEST = timedelta(days=7)
CLOCK_SKEW = timedelta(minutes=5)


def recheck(session: Session, caller: Caller, entry_id: str, new: NewRecheck, now: datetime) -> Entry:
    """Record what a hotline saw: it reaffirms the entry, or ends it. Raises Problem."""
    entry = service.visible(session, caller, entry_id)
    if entry.status not in OPEN:
        raise Problem("state-conflict", f"the entry is {entry.status.value}; there is nothing to recheck")
    if new.checked_at > now + CLOCK_SKEW:
        raise at_field("invalid-input", "checked_at", "it lies in the future")
    if new.checked_at < now - OLDEST:
        raise at_field("invalid-input", "checked_at", "it lies more than 7 days back; look again")
    seen_at = new.checked_at.replace(microsecond=0)
    session.add(
        Recheck(
            entry_id=entry.id,
            organisation_id=caller.organisation_id,
            client_id=caller.client_id,
            outcome=new.outcome.value,
            checked_at=seen_at,
            at=now,
        )
    )
    actor = {"client": caller.client_id, "organisation": caller.organisation_id}
    members = {"checked_at": instant(seen_at), "entry": entry.id, "outcome": new.outcome.value}
    log.append(session, "entry.rechecked", now, **members, **actor)
    _draw_the_consequence(session, entry, new.outcome, seen_at, now, actor)
    return entry


def end_overdue(session: Session, now: datetime) -> int:
    """Take every entry past its recheck date off its list; returns how many."""
    overdue = [
        entry
        for condition in _overdue(session, now)
        for entry in session.exec(select(Entry).where(*condition).order_by(col(Entry.seq)))
    ]
    for entry in overdue:
        service.end(session, entry, DelistReason.NOT_REAFFIRMED, now)
    return len(overdue)


def is_any_overdue(session: Session, now: datetime) -> bool:
    """Whether `end_overdue` would do something."""
    queries = (select(Entry.seq).where(*condition).limit(1) for condition in _overdue(session, now))
    return any(session.exec(query).first() is not None for query in queries)


def _overdue(session: Session, now: datetime) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Served or about to be, and what was withdrawn while its list's brake holds the withdrawal.

    Two conditions, each in the words of an index: this is asked in every round of the publisher.
    """
    yield col(Entry.recheck_by) <= now, col(Entry.status).in_(sorted(LIVE))
    yield (
        col(Entry.list).in_(sorted(lists.policies(session))),
        col(Entry.listed_in).is_not(None),
        col(Entry.delisted_in).is_(None),
        col(Entry.status) != LISTED,
        col(Entry.status) == Status.DELISTED,
        col(Entry.delist_reason) == DelistReason.WITHDRAWN,
        col(Entry.recheck_by) <= now,
    )


def end_undecided(session: Session, now: datetime) -> int:
    """Withdraw every entry that nobody decided in its list's retention time; returns how many.

    That begins when it was submitted, or with the recheck date it had before its approval stopped to count.
    """
    kept = {name: timedelta(days=one.retention_days) for name, one in lists.policies(session).items()}
    query = select(Entry).where(Entry.status == Status.SUBMITTED).order_by(col(Entry.seq))
    found = [one for one in session.exec(query) if _waits_since(one) + kept[one.list] <= now]
    for entry in found:
        service.transition(session, entry, Event.WITHDRAW, now)
    return len(found)


def _waits_since(entry: Entry) -> datetime:
    return max(entry.submitted_at, entry.recheck_by or entry.submitted_at)


def due(
    session: Session, caller: Caller, within: timedelta, now: datetime, after: int, limit: int
) -> list[Entry]:
    """A hotline's entries (a review body: all) whose recheck date comes within that time, soonest first.

    `after` is how many of them to pass over.
    """
    query = (
        select(Entry)
        .where(col(Entry.status).in_(sorted(LIVE)), col(Entry.recheck_by) <= now + within)
        .order_by(col(Entry.recheck_by), col(Entry.seq))
        .offset(after)
        .limit(limit)
    )
    if caller.kind is Kind.REVIEW_BODY:
        query = query.where(col(Entry.opinion_open).is_(False))
    if caller.kind is Kind.HOTLINE:
        mine = select(Corroboration.entry_id).where(Corroboration.organisation_id == caller.organisation_id)
        query = query.where(
            or_(col(Entry.organisation_id) == caller.organisation_id, col(Entry.id).in_(mine))
        )
    return list(session.exec(query))


def _draw_the_consequence(
    session: Session,
    entry: Entry,
    outcome: RecheckOutcome,
    seen_at: datetime,
    now: datetime,
    actor: dict[str, str],
) -> None:
    if outcome is RecheckOutcome.STILL_AVAILABLE:
        removal.seen_again(session, entry)
        _reaffirm(session, entry, seen_at, now, actor)
    elif outcome is RecheckOutcome.REMOVED:
        removal.seen_gone(session, entry)
        service.end(session, entry, DelistReason.REMOVED_AT_SOURCE, now, client=actor["client"])
    elif outcome is RecheckOutcome.CHANGED:
        service.end(session, entry, DelistReason.NOT_REAFFIRMED, now, client=actor["client"])


def _reaffirm(
    session: Session, entry: Entry, seen_at: datetime, now: datetime, actor: dict[str, str]
) -> None:
    """A later look than the last one moves the date; a look never moves it back."""
    if entry.status is Status.SUBMITTED or entry.recheck_by is None:
        return
    following = seen_at + timedelta(days=lists.policy_in_force(session, entry.list).recheck_days)
    if following <= entry.recheck_by:
        return
    entry.recheck_by = following
    session.add(entry)
    session.flush()
    log.append(session, "entry.reaffirmed", now, entry=entry.id, recheck_by=instant(following), **actor)
