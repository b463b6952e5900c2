"""A list's brake: engaged by the publisher, seen by operators with the exact difference, released by two.

While it is engaged the last good version stays served and signed anew; removals that must not wait still go
out, in versions that take up nothing else. Source: app/core/brake.py has the rule.
"""

import uuid
from datetime import datetime

from sqlmodel import Session, col, select

from app.core import brake
from app.core.brake import Difference
from app.core.policy import Policy
from app.core.terms import BrakeReason
from app.entries import listing as entries
from app.identity.service import Caller
from app.lists.models import Brake, BrakeRelease
from app.lists.schemas import BrakeView, ReleaseView
from app.log import service as log
from app.platform.problems import Problem


def in_force(session: Session, name: str) -> Brake | None:
    """The list's engaged brake, also one that is released but not yet used."""
    return session.exec(select(Brake).where(Brake.list == name, col(Brake.ended_at).is_(None))).first()


def needs_a_look(session: Session, found: Brake) -> bool:
    """Whether `is_held` would find something new: a release, or another difference."""
    return found.released_at is not None or entries.waiting(session, found.list).sha256() != (
        found.difference_sha256
    )


def is_held(session: Session, name: str, policy: Policy, now: datetime) -> bool:
    """Whether the waiting difference must stay out of the next version. Engages and ends the brake."""
    difference = entries.waiting(session, name)
    digest, found = difference.sha256(), in_force(session, name)
    if found and found.released_at and found.difference_sha256 == digest:
        _end(session, found, now)
        return False
    reason = brake.reason_to_hold(
        policy,
        added=len(difference.added),
        withdrawn=len(difference.removed),
        live=entries.count_listed(session, name) + len(difference.removed),
        is_protected=entries.is_protected_waiting(session, name),
    )
    if found and found.reason == BrakeReason.CANARY_FAILED and difference.added:
        reason = BrakeReason.CANARY_FAILED
    if reason is None:
        if found:
            _end(session, found, now)
        return False
    if found:
        _renew(session, found, difference, digest)
    else:
        engage(session, name, reason, difference, now)
    return True


def engage(session: Session, name: str, reason: BrakeReason, difference: Difference, now: datetime) -> None:
    """Hold this difference until two people of two organisations release it."""
    held = Brake(
        id=str(uuid.uuid4()),
        list=name,
        engaged_at=now,
        reason=reason.value,
        difference_sha256=difference.sha256(),
        added=len(difference.added),
        removed=len(difference.removed),
    )
    session.add(held)
    session.flush()
    log.append(
        session,
        "brake.engaged",
        now,
        added=held.added,
        difference_sha256=held.difference_sha256,
        list=name,
        reason=held.reason,
        removed=held.removed,
    )


def release(session: Session, caller: Caller, name: str, now: datetime) -> None:
    """One person's word; the second one's, of another organisation, lets the difference out.

    A word counts for the difference as it is now: when that changes, both are asked again. Raises Problem.
    """
    found = in_force(session, name)
    if found is None or found.released_at:
        raise Problem("no-brake", "no version of this list waits for release")
    difference = entries.waiting(session, name)
    _renew(session, found, difference, digest := difference.sha256())
    given = _given(session, found)
    if any(one.organisation_id == caller.organisation_id for one in given):
        raise Problem(
            "second-organisation-needed", "your organisation gave its word; another one's is needed"
        )
    word = BrakeRelease(
        brake_id=found.id,
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        difference_sha256=digest,
        at=now,
    )
    session.add(word)
    session.flush()
    actor = {"client": caller.client_id, "organisation": caller.organisation_id}
    log.append(session, "brake.release_given", now, difference_sha256=digest, list=name, **actor)
    words = [(one.organisation_id, one.client_id, one.difference_sha256) for one in (*given, word)]
    if brake.is_released(words, digest):
        found.released_at = now
        session.add(found)
        log.append(session, "brake.released", now, difference_sha256=digest, list=name)


def view(session: Session, name: str) -> BrakeView:
    """What operators see."""
    found = in_force(session, name)
    if found is None:
        return BrakeView(list=name, engaged=False)
    difference = entries.waiting(session, name)
    given = [one for one in _given(session, found) if one.difference_sha256 == difference.sha256()]
    return BrakeView(
        list=name,
        engaged=found.released_at is None,
        reason=BrakeReason(found.reason),
        engaged_at=found.engaged_at,
        difference_sha256=difference.sha256(),
        added=list(difference.added),
        removed=list(difference.removed),
        releases=[ReleaseView(organisation=one.organisation_id, at=one.at) for one in given],
    )


def _given(session: Session, found: Brake) -> list[BrakeRelease]:
    return list(session.exec(select(BrakeRelease).where(BrakeRelease.brake_id == found.id)))


def _renew(session: Session, found: Brake, difference: Difference, digest: str) -> None:
    """The difference changed: words given on another one are void."""
    if found.difference_sha256 == digest:
        return
    for word in _given(session, found):
        session.delete(word)
    found.difference_sha256, found.released_at = digest, None
    found.added, found.removed = len(difference.added), len(difference.removed)
    session.add(found)
    session.flush()


def _end(session: Session, found: Brake, now: datetime) -> None:
    found.ended_at = now
    session.add(found)
    session.flush()
    log.append(session, "brake.ended", now, list=found.list)
