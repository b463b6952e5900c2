"""Sign-off: who may decide, what a signature must cover, and when a quorum is reached."""

import hmac
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from app.core import commitment, decision, jose, sealing, signature
from app.core.lifecycle import Event, Status
from app.core.replay import SIGNATURE_AGE
from app.core.terms import Decision
from app.entries import service as entries
from app.entries.models import Entry
from app.entries.secrets import REASON, Opened
from app.identity import conflicts, register
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.epochs import Epochs
from app.platform.problems import Problem, at_field
from app.reviews import metrics, opinions
from app.reviews.models import Review, SecondOpinion
from app.reviews.schemas import NewReview, ReviewView

_CHUNK = 500


def queue(
    session: Session,
    caller: Caller,
    in_list: str | None,
    after: int,
    limit: int,
    narrowed: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Entries that wait for this organisation's decision, oldest first; it is independent of all of them.

    `narrowed` is what fields of the entries must be. Raises a 404 problem when the caller knows no such list.
    """
    if in_list:
        lists.visible(session, caller, in_list)
    dependent = conflicts.of(session, caller.organisation_id)
    return entries.undecided(session, _decided_by(dependent), dependent, in_list, after, limit, narrowed)


def count_queue(session: Session, caller: Caller, before: datetime) -> tuple[int, int]:
    """How many entries wait for this organisation's decision, and how many of them since before a moment."""
    dependent = conflicts.of(session, caller.organisation_id)
    return entries.count_undecided(session, _decided_by(dependent), dependent, before)


def _decided_by(bodies: Collection[str]) -> SelectOfScalar[str]:
    return select(Review.entry_id).where(
        col(Review.organisation_id).in_(bodies), col(Review.voided_at).is_(None)
    )


def decide(
    session: Session, epochs: Epochs, caller: Caller, entry_id: str, new: NewReview, now: datetime
) -> ReviewView:
    """Take in one signed decision and, at quorum, approve or reject the entry. Raises Problem."""
    entry = entries.visible(session, caller, entry_id)
    refuse_dependent(session, caller, entry)
    opened = entries.secret(session, epochs, entry)
    if opened is None or not is_open(entry):
        raise Problem("state-conflict", f"the entry is {entry.status.value}; nothing is left to decide")
    _refuse_unmet(new)
    _check_signature(session, caller, entry, opened, new, now)
    reason = sealing.seal(opened.commitment_key, REASON, entry.id, new.reason.encode())
    if entry.status is not Status.SUBMITTED:
        opinions.give(session, caller, entry, new.decision, new.signature, reason, now)
        return _view(session, entry, str(uuid.uuid4()), new.decision, {new.decision: 1}, Status.SUBMITTED)
    review = Review(
        id=str(uuid.uuid4()),
        entry_id=entry.id,
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        decision=new.decision,
        digest=entry.digest,
        reason=reason,
        signature=new.signature,
        at=now,
    )
    session.add(review)
    session.flush()
    log.append(
        session,
        "entry.reviewed",
        now,
        client=caller.client_id,
        decision=new.decision.value,
        entry=entry.id,
        organisation=caller.organisation_id,
        signature=new.signature,
    )
    return _settle(session, entry, review, now)


def reopen_unbacked(session: Session, name: str, now: datetime) -> int:
    """Before a version: entries whose quorum fell since they were approved go back to review; how many.

    A vote counts only while its client is not revoked and its organisation not suspended.
    """
    waiting = entries.entering(session, name)
    inactive = identity.inactive_clients(session)
    votes = _approvals(session, [entry.id for entry in waiting], inactive)
    policy = lists.policy_in_force(session, name)
    fallen = [
        entry for entry in waiting if votes.get(entry.id, 0) < policy.needed(entry.scope, entry.is_protected)
    ]
    for entry in fallen:
        _void(session, entry.id, inactive, now)
        entries.transition(session, entry, Event.REOPEN, now)
    return len(fallen)


def bodies_of(session: Session, ids: Sequence[str]) -> dict[str, set[str]]:
    """Organisations that took part in deciding each entry, a void vote or a second opinion included."""
    found: dict[str, set[str]] = {one: set() for one in ids}
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        for table in (Review, SecondOpinion):
            query = sa.select(col(table.entry_id), col(table.organisation_id)).where(
                col(table.entry_id).in_(some), col(table.organisation_id).is_not(None)
            )
            for entry, organisation in session.execute(query):
                found[entry].add(str(organisation))
    return found


def _approvals(session: Session, ids: list[str], inactive: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(ids), _CHUNK):
        query = (
            select(Review.entry_id, func.count(func.distinct(col(Review.organisation_id))))
            .where(
                col(Review.entry_id).in_(ids[start : start + _CHUNK]),
                Review.decision == Decision.APPROVE,
                col(Review.voided_at).is_(None),
                col(Review.client_id).not_in(inactive),
            )
            .group_by(col(Review.entry_id))
        )
        found |= dict(session.exec(query).all())
    return found


def _void(session: Session, entry_id: str, inactive: set[str], now: datetime) -> None:
    """The body may decide again with another reviewer."""
    session.execute(
        sa.update(Review)
        .where(
            col(Review.entry_id) == entry_id,
            col(Review.client_id).in_(inactive),
            col(Review.voided_at).is_(None),
        )
        .values(voided_at=now)
    )


def is_open(entry: Entry) -> bool:
    """Whether a decision on the entry is asked for: its first ones, or a second opinion."""
    return entry.status is Status.SUBMITTED or entry.opinion_open


def refuse_dependent(session: Session, caller: Caller, entry: Entry) -> None:
    """Refuse whoever took part already, or is in conflict with who did. Raises a 403 or 409 problem."""
    dependent = conflicts.of(session, caller.organisation_id)
    if dependent & entries.submitters(session, entry):
        detail = "your organisation submitted or corroborated this entry, or is in conflict with who did"
        raise Problem("conflict-of-interest", detail)
    voted = select(Review).where(
        Review.entry_id == entry.id,
        col(Review.organisation_id).in_(dependent),
        col(Review.voided_at).is_(None),
    )
    earlier = session.exec(voted).first()
    if earlier and earlier.organisation_id == caller.organisation_id:
        raise Problem("already-voted", "one vote per organisation and entry; yours is recorded")
    if earlier:
        raise Problem("conflict-of-interest", "a body in conflict with yours already decided on this entry")


def _refuse_unmet(new: NewReview) -> None:
    answers = new.criteria.model_dump()
    unmet = [name for name, met in answers.items() if not met]
    if new.decision is Decision.APPROVE and unmet:
        detail = "answer true, or reject the entry"
        raise Problem(
            "criteria-unmet", detail, [{"field": f"criteria.{name}", "detail": detail} for name in unmet]
        )


def _check_signature(
    session: Session, caller: Caller, entry: Entry, opened: Opened, new: NewReview, now: datetime
) -> None:
    try:
        kid = signature.kid(new.signature)
        jwk = register.reviewer_key(session, caller.client_id, kid, entry.list, now)
        payload = signature.verify(new.signature, jwk)
        signed = jose.claims(payload)
        issued = signed.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int):
            raise jose.Invalid("iat must be whole seconds since 1970")
        if abs(now.timestamp() - issued) > SIGNATURE_AGE.total_seconds():
            raise jose.Invalid("it was not signed within the last five minutes")
    except jose.Invalid as fault:
        raise at_field("signature-invalid", "signature", str(fault)) from None
    if signed.get("entry") == entry.id and signed.get("entry_digest") != entry.digest:
        raise at_field("digest-outdated", "signature", "read the entry again and sign what it says now")
    expected = decision.statement(
        criteria=new.criteria.model_dump(),
        decision=new.decision.value,
        entry=entry.id,
        entry_digest=entry.digest,
        iat=issued,
        in_list=entry.list,
        reason_digest=commitment.reason_digest(opened.commitment_key, new.reason),
    )
    if not hmac.compare_digest(payload, expected):
        raise at_field("signature-invalid", "signature", "sign the RFC 8785 statement of this very decision")


def _settle(session: Session, entry: Entry, review: Review, now: datetime) -> ReviewView:
    counted = session.exec(
        select(Review.decision, func.count(func.distinct(col(Review.organisation_id))))
        .where(
            Review.entry_id == entry.id,
            Review.digest == entry.digest,
            col(Review.voided_at).is_(None),
            col(Review.client_id).not_in(identity.inactive_clients(session)),
        )
        .group_by(col(Review.decision))
    )
    votes = {Decision(verdict): count for verdict, count in counted}
    policy = lists.policy_in_force(session, entry.list)
    needed = policy.needed(entry.scope, entry.is_protected)
    for verdict, event in ((Decision.APPROVE, Event.APPROVE), (Decision.REJECT, Event.REJECT)):
        if votes.get(verdict, 0) >= needed:
            entries.transition(session, entry, event, now)
            metrics.count_decision(session, entry.list, verdict, now - entry.submitted_at)
            view = _view(session, entry, review.id, review.decision, votes, entry.status)
            opinions.ask(session, entry, verdict, policy.second_opinion_percent, now)
            return view
    return _view(session, entry, review.id, review.decision, votes, entry.status)


def _view(
    session: Session,
    entry: Entry,
    review_id: str,
    decided: Decision,
    votes: Mapping[Decision, int],
    status: Status,
) -> ReviewView:
    policy = lists.policy_in_force(session, entry.list)
    return ReviewView(
        id=review_id,
        entry=entry.id,
        decision=decided,
        status=status,
        approvals=votes.get(Decision.APPROVE, 0),
        rejections=votes.get(Decision.REJECT, 0),
        quorum=policy.needed(entry.scope, entry.is_protected),
    )
