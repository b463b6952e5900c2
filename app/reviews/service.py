"""Sign-off: who may decide, what a signature must cover, and when a quorum is reached."""

import hmac
import uuid
from datetime import datetime

from sqlmodel import Session, col, func, select

from app.core import commitment, decision, jose, sealing
from app.core.lifecycle import Event, Status
from app.core.replay import SIGNATURE_AGE
from app.core.terms import Decision
from app.entries import service as entries
from app.entries.models import Entry
from app.entries.secrets import REASON, Opened
from app.identity import register
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.epochs import Epochs
from app.platform.problems import Problem, at_field
from app.reviews.models import Review
from app.reviews.schemas import NewReview, ReviewView


def queue(session: Session, caller: Caller, in_list: str | None, after: int, limit: int) -> list[Entry]:
    """Submitted entries this organisation has not decided and is independent of, oldest first."""
    voted = select(Review.entry_id).where(Review.organisation_id == caller.organisation_id)
    return entries.undecided(session, caller.organisation_id, voted, in_list, after, limit)


def decide(
    session: Session, epochs: Epochs, caller: Caller, entry_id: str, new: NewReview, now: datetime
) -> ReviewView:
    """Take in one signed decision and, at quorum, approve or reject the entry. Raises Problem."""
    entry = entries.visible(session, caller, entry_id)
    _refuse_conflict(session, caller, entry)
    opened = entries.secret(session, epochs, entry)
    if entry.status is not Status.SUBMITTED or opened is None:
        raise Problem("state-conflict", f"the entry is {entry.status.value}; nothing is left to decide")
    _refuse_unmet(new)
    _check_signature(session, caller, entry, opened, new, now)
    review = Review(
        id=str(uuid.uuid4()),
        entry_id=entry.id,
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        decision=new.decision,
        digest=entry.digest,
        reason=sealing.seal(opened.commitment_key, REASON, entry.id, new.reason.encode()),
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


def _refuse_conflict(session: Session, caller: Caller, entry: Entry) -> None:
    if caller.organisation_id in entries.submitters(session, entry):
        raise Problem("conflict-of-interest", "your organisation submitted or corroborated this entry")
    voted = select(Review).where(
        Review.entry_id == entry.id, Review.organisation_id == caller.organisation_id
    )
    if session.exec(voted).first():
        raise Problem("already-voted", "one vote per organisation and entry; yours is recorded")


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
        kid = jose.header(new.signature).get("kid")
        jwk = register.reviewer_key(session, caller.client_id, kid, entry.list, now)
        payload = jose.verify(new.signature, jwk)
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
        .where(Review.entry_id == entry.id, Review.digest == entry.digest)
        .group_by(col(Review.decision))
    )
    votes = dict(counted.all())
    needed = lists.quorum(session, entry.list, entry.scope)
    if votes.get(Decision.APPROVE, 0) >= needed:
        entries.transition(session, entry, Event.APPROVE, now)
    elif votes.get(Decision.REJECT, 0) >= needed:
        entries.transition(session, entry, Event.REJECT, now)
    return ReviewView(
        id=review.id,
        entry=entry.id,
        decision=review.decision,
        status=entry.status,
        approvals=votes.get(Decision.APPROVE, 0),
        rejections=votes.get(Decision.REJECT, 0),
        quorum=needed,
    )
