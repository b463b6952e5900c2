"""How far the sign-off of an entry is, as a count, and what a reviewer decided itself. Never who else did."""

from sqlmodel import Session, col, func, select

from app.core.terms import Decision, Kind
from app.entries.models import Entry
from app.identity import service as identity
from app.identity.service import Caller
from app.reviews.models import Review, SecondOpinion


def decided(session: Session, caller: Caller, entry: Entry) -> int:
    """How many bodies decided on the entry as it is now; none for who is asked for an opinion unseen."""
    if caller.kind is Kind.REVIEW_BODY and entry.opinion_open:
        return 0
    query = select(func.count(func.distinct(col(Review.organisation_id)))).where(
        Review.entry_id == entry.id,
        Review.digest == entry.digest,
        col(Review.voided_at).is_(None),
        col(Review.client_id).not_in(identity.inactive_clients(session)),
    )
    return session.exec(query).one()


def mine(session: Session, caller: Caller, entry_id: str) -> Decision | None:
    """What this very client decided last on an entry, as a vote or as a second opinion."""
    opinion = session.get(SecondOpinion, entry_id)
    if opinion and opinion.client_id == caller.client_id:
        return opinion.decision
    query = select(Review).where(Review.entry_id == entry_id, Review.client_id == caller.client_id)
    vote = session.exec(query.order_by(col(Review.at).desc()).limit(1)).first()
    return vote.decision if vote else None
