"""A list's brake: engaged by the publisher, seen by operators with the exact difference, released by two.

While it is engaged the last good version stays served and signed anew; removals that must not wait still go
out, in versions that take up nothing else. Source: app/core/brake.py has the rule.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from app.core import brake
from app.core.brake import Difference
from app.core.policy import Policy
from app.core.terms import BrakeReason
from app.entries import listing as entries
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.lists.models import Brake, BrakeRelease, Snapshot
from app.lists.schemas import BrakeView, ReleaseView
from app.log import service as log
from app.platform.problems import Problem, at_field


def in_force(session: Session, name: str) -> Brake | None:
    """The list's engaged brake, also one that is released but not yet used."""
    return session.exec(select(Brake).where(Brake.list == name, col(Brake.ended_at).is_(None))).first()


def count_engaged(session: Session) -> int:
    """How many lists' brakes are in force and wait for somebody's word."""
    query = select(func.count()).select_from(Brake)
    return session.exec(query.where(col(Brake.ended_at).is_(None), col(Brake.released_at).is_(None))).one()


def every_engaged(session: Session) -> list[Brake]:
    """Every list's brake in force, the longest engaged first."""
    query = select(Brake).where(col(Brake.ended_at).is_(None))
    return list(session.exec(query.order_by(col(Brake.engaged_at), col(Brake.list))))


def needs_a_look(session: Session, found: Brake, now: datetime) -> bool:
    """Whether `judge` would find something new: a release, or another difference."""
    return found.released_at is not None or entries.waiting(session, found.list, now).sha256() != (
        found.difference_sha256
    )


@dataclass(frozen=True)
class Verdict:
    """Whether what waits is held, and whether a release let it out."""

    is_held: bool
    is_released: bool = False


def judge(session: Session, name: str, policy: Policy, now: datetime) -> Verdict:
    """Whether the waiting difference must stay out of the next version. Engages and ends the brake.

    An engaged brake goes by the policy under which it was engaged, and by all that waits, be it for a notice:
    nobody loosens it alone.
    """
    difference = entries.waiting(session, name, now)
    found = in_force(session, name)
    if found and found.released_at and found.difference_sha256 == difference.sha256():
        if _is_released(session, found):
            _end(session, found, True, now)
            return Verdict(False, is_released=True)
        found.released_at = None
        session.add(found)
    if found and _still_holds(session, found, entries.waiting_in_all(session, name), now):
        _renew(session, found, difference, difference.sha256())
        return Verdict(True)
    if found:
        _end(session, found, False, now)
    reason = _reason(session, name, policy, difference, now)
    if reason:
        engage(session, name, reason, difference, now)
    return Verdict(reason is not None)


def _still_holds(session: Session, found: Brake, difference: Difference, now: datetime) -> bool:
    if found.reason in (BrakeReason.CANARY_FAILED, BrakeReason.PROTECTED_HOST):
        return bool(difference.added)
    engaged_under = lists.policy_version(session, found.list, found.policy_version).policy
    return _reason(session, found.list, Policy.recorded(engaged_under), difference, now) is not None


def _reason(
    session: Session, name: str, policy: Policy, difference: Difference, now: datetime
) -> BrakeReason | None:
    added, withdrawn = _recent(session, name, now)
    return brake.reason_to_hold(
        policy,
        added=added + len(difference.added),
        withdrawn=withdrawn + len(difference.removed),
        live=max(0, entries.count_listed(session, name) + len(difference.removed) - added),
        is_protected=entries.is_protected_waiting(session, name, now),
    )


def _recent(session: Session, name: str, now: datetime) -> tuple[int, int]:
    """Additions and withdrawals of the day's versions since the last release; none that was taken back."""
    last_released = select(func.coalesce(func.max(Snapshot.version), 0)).where(
        Snapshot.list == name, col(Snapshot.is_released)
    )
    query = select(
        func.coalesce(func.sum(Snapshot.added), 0), func.coalesce(func.sum(Snapshot.withdrawn), 0)
    ).where(
        Snapshot.list == name,
        Snapshot.version > last_released.scalar_subquery(),
        col(Snapshot.taken_back_at).is_(None),
        Snapshot.published_at > now.replace(microsecond=0) - brake.WINDOW,
    )
    added, withdrawn = session.exec(query).one()
    return int(added), int(withdrawn)


def engage(session: Session, name: str, reason: BrakeReason, difference: Difference, now: datetime) -> None:
    """Hold this difference until two people of two organisations release it."""
    held = Brake(
        id=str(uuid.uuid4()),
        list=name,
        engaged_at=now,
        reason=reason.value,
        policy_version=lists.policy_version(session, name, None).version,
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


def release(session: Session, caller: Caller, name: str, seen: str | None, now: datetime) -> None:
    """One person's word; the second one's, of another organisation, lets the difference out.

    A word counts for the difference as it is now, which must be the one `seen` (its digest) where that is
    given: when it changes, both are asked again. It counts only while its client is not revoked and its
    organisation not suspended; where two count again, one of them says so once more. Raises Problem.
    """
    found = in_force(session, name)
    if found is None or found.released_at:
        raise Problem("no-brake", "no version of this list waits for release")
    difference = entries.waiting(session, name, now)
    if not (difference.added or difference.removed):
        # No version would follow, and the log shows a release by the version that uses it.
        raise Problem("no-brake", "nothing waits any longer; the brake ends by itself, or holds what comes")
    _renew(session, found, difference, digest := difference.sha256())
    if seen is not None and seen != digest:
        detail = "the difference changed since you saw it; look again, and release what you see"
        raise at_field("difference-outdated", "difference_sha256", detail)
    if not any(one.organisation_id == caller.organisation_id for one in _given(session, found)):
        _give(session, found, caller, now)
    elif not _is_released(session, found):
        raise Problem(
            "second-organisation-needed", "your organisation gave its word; another one's is needed"
        )
    if _is_released(session, found):
        found.released_at = now
        session.add(found)
        log.append(session, "brake.released", now, difference_sha256=digest, list=name)


def _give(session: Session, found: Brake, caller: Caller, now: datetime) -> None:
    if void := session.get(BrakeRelease, (found.id, caller.organisation_id)):
        session.delete(void)
        session.flush()
    actor = {"client": caller.client_id, "organisation": caller.organisation_id}
    difference = found.difference_sha256
    word = BrakeRelease(
        brake_id=found.id,
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        difference_sha256=difference,
        at=now,
    )
    session.add(word)
    session.flush()
    log.append(session, "brake.release_given", now, difference_sha256=difference, list=found.list, **actor)


def view(session: Session, name: str, now: datetime) -> BrakeView:
    """What operators see."""
    found = in_force(session, name)
    if found is None:
        return BrakeView(list=name, engaged=False)
    difference = entries.waiting(session, name, now)
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
    """The words that count."""
    inactive = identity.inactive_clients(session)
    words = session.exec(select(BrakeRelease).where(BrakeRelease.brake_id == found.id))
    return [one for one in words if one.client_id not in inactive]


def _is_released(session: Session, found: Brake) -> bool:
    given = _given(session, found)
    words = [(one.organisation_id, one.client_id, one.difference_sha256) for one in given]
    return brake.is_released(words, found.difference_sha256)


def _renew(session: Session, found: Brake, difference: Difference, digest: str) -> None:
    """The difference changed: words given on another one are void."""
    if found.difference_sha256 == digest:
        return
    session.execute(sa.delete(BrakeRelease).where(col(BrakeRelease.brake_id) == found.id))
    found.difference_sha256, found.released_at = digest, None
    found.added, found.removed = len(difference.added), len(difference.removed)
    session.add(found)
    session.flush()


def _end(session: Session, found: Brake, is_used: bool, now: datetime) -> None:
    found.ended_at = now
    session.add(found)
    session.flush()
    log.append(session, "brake.ended", now, list=found.list, used=is_used)
