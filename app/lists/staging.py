"""Staged release: a list's canaries get a version first, and it goes on to all unless it fails there.

A version that fails, or that something urgent overtakes, is never served to the others: its additions are
taken back and wait, and the next version, without them, goes to all at once, so that the canaries recover.
What was overtaken keeps the time it waited, and the canaries' objections: else removals, if there are enough
of them, would keep additions out for ever.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, or_, select

from app.core.terms import BrakeReason, ReceiptOutcome
from app.entries import listing as entries
from app.lists import brakes
from app.lists import service as lists
from app.lists.models import Brake, Snapshot
from app.log import service as log

LONGEST_HOLD = 4
"""How many times `canary_minutes` a canary's `held` can stop a version in all."""
_OBJECTIONS = {ReceiptOutcome.HELD, ReceiptOutcome.FAILED}
Outcomes = Callable[[Session, str, int], Mapping[str, str]]
"""Takes (list, version): what each organisation said last of a version it got."""


def stage(session: Session, snapshot: Snapshot, now: datetime) -> None:
    """The files and the canaries' pointer are on the disk: they may be told."""
    stored = _locked(session, snapshot)
    if stored.staged_at is None:
        stored.staged_at = now
        session.add(stored)
        log.append(session, "list.staged", now, list=stored.list, version=stored.version)


def is_due(session: Session, last: Snapshot, outcomes: Outcomes, now: datetime) -> bool:
    """Whether the newest version is to go on from the canaries to all, or was on its way there."""
    if last.is_served or not last.is_staged:
        return False
    return last.promoted_at is not None or (last.is_on_trial and _has_passed(session, last, outcomes, now))


def promote(session: Session, last: Snapshot, outcomes: Outcomes, now: datetime) -> Snapshot | None:
    """Decide that the version goes on to all; from here on nothing takes it back. None when it may not."""
    stored = _locked(session, last)
    if not is_due(session, stored, outcomes, now):
        return None
    if stored.promoted_at is None:
        stored.promoted_at = now
        session.add(stored)
        session.flush()
        log.append(session, "list.promoted", now, list=stored.list, version=stored.version)
    return stored


def take_back(session: Session, snapshot: Snapshot, now: datetime) -> bool:
    """Take back what a version on trial added, for something that must leave now; False when decided."""
    stored = _locked(session, snapshot)
    if not stored.is_on_trial:
        return False
    stored.taken_back_at = now
    session.add(stored)
    session.flush()
    entries.take_back(session, stored.list, stored.version, now)
    return True


def fail(session: Session, snapshot: Snapshot, now: datetime) -> bool:
    """A canary could not apply the version: its additions wait until two people let them out again.

    Where nothing waits, nothing is held: it had to leave anyway.
    """
    name = snapshot.list
    if not take_back(session, snapshot, now):
        return False
    waiting = entries.waiting_in_all(session, name)
    if waiting.added:
        brakes.engage(session, name, BrakeReason.CANARY_FAILED, waiting, now)
    return True


def _has_passed(session: Session, last: Snapshot, outcomes: Outcomes, now: datetime) -> bool:
    """Every canary applied it, or the time is over: a longer one while a canary holds it."""
    canaries = lists.canaries(session, last.list)
    said = outcomes(session, last.list, last.version)
    if all(said.get(one) == ReceiptOutcome.APPLIED for one in canaries):
        return True
    trials = _overtaken(session, last)
    minutes = timedelta(minutes=lists.policy_in_force(session, last.list).canary_minutes)
    waited = sum((trial.waited(now) for trial in (last, *trials)), timedelta())
    if waited < minutes:
        return False
    for trial in trials:
        said = {**outcomes(session, last.list, trial.version), **said}
    objections = {said[one] for one in canaries if one in said} & _OBJECTIONS
    return not objections or waited >= LONGEST_HOLD * minutes


def _overtaken(session: Session, last: Snapshot) -> list[Snapshot]:
    """The trials before in which something urgent overtook additions of this one, newest first.

    A trial that ended otherwise, in going on to all or in failing, is where they began.
    """
    failures = select(Brake.engaged_at).where(
        Brake.list == last.list, Brake.reason == BrakeReason.CANARY_FAILED.value
    )
    staged = (col(Snapshot.list) == last.list, col(Snapshot.is_staged), col(Snapshot.version) < last.version)
    is_decided = or_(col(Snapshot.promoted_at).is_not(None), col(Snapshot.taken_back_at).in_(failures))
    decided = session.exec(select(func.max(Snapshot.version)).where(*staged, is_decided)).one() or 0
    query = select(Snapshot).where(
        *staged, col(Snapshot.version) > decided, col(Snapshot.taken_back_at).is_not(None)
    )
    found = session.exec(query.order_by(col(Snapshot.version).desc())).all()
    returned = entries.returned_from(session, last.list, last.version) if found else set()
    return [one for one in found if one.version in returned]


def _locked(session: Session, snapshot: Snapshot) -> Snapshot:
    """The row, so that a canary's word and the publisher's decision wait for each other."""
    key = (snapshot.list, snapshot.version)
    return session.get_one(Snapshot, key, populate_existing=True, with_for_update=True)
