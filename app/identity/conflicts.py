"""Conflicts of interest: pairs of organisations that do not judge each other's work, set by operators.

Enforced in the queue, at the vote and at an appeal; on the record, with a coded reason.
"""

from datetime import datetime

from sqlmodel import Session, col, or_, select

from app.core.terms import ConflictReason
from app.identity import service
from app.identity.models import Conflict
from app.log import service as log
from app.platform.problems import Problem, at_field


def declare(session: Session, one: str, other: str, reason: ConflictReason, now: datetime) -> Conflict:
    """Put a pair on the table, or change its reason. Raises Problem."""
    if one == other:
        raise at_field("invalid-input", "other", "name two different organisations")
    for organisation in (one, other):
        service.organisation(session, organisation)
    first, second = sorted((one, other))
    declared = session.merge(Conflict(one=first, other=second, reason=reason.value, declared_at=now))
    session.flush()
    log.append(session, "conflict.declared", now, organisations=[first, second], reason=reason.value)
    return declared


def end(session: Session, one: str, other: str, now: datetime) -> None:
    """Take a pair off the table. Raises a 404 problem."""
    first, second = sorted((one, other))
    found = session.get(Conflict, (first, second))
    if found is None:
        raise Problem("not-found", "no conflict is declared between these two")
    session.delete(found)
    log.append(session, "conflict.ended", now, organisations=[first, second])


def of(session: Session, organisation_id: str) -> set[str]:
    """Organisations in conflict with this one, itself included."""
    query = select(Conflict).where(
        or_(col(Conflict.one) == organisation_id, col(Conflict.other) == organisation_id)
    )
    return {organisation_id} | {name for pair in session.exec(query) for name in (pair.one, pair.other)}


def every(session: Session) -> list[Conflict]:
    """All pairs, in order of declaration."""
    return list(session.exec(select(Conflict).order_by(col(Conflict.declared_at), col(Conflict.one))))
