"""Who decided on an entry, for its statement of reasons: numbers, dates and criteria, never names."""

from sqlmodel import Session, col, select

from app.core import jose
from app.core.decision import CRITERIA
from app.core.terms import Decision
from app.entries import reasons
from app.entries import service as entries
from app.entries.models import Entry
from app.entries.reasons import SignOff
from app.entries.schemas import StatementOfReasons
from app.identity.service import Caller
from app.platform.epochs import Epochs
from app.reviews.models import Review


def statement(session: Session, epochs: Epochs, caller: Caller, entry_id: str) -> StatementOfReasons:
    """The reasons for the decision on an entry, as far as the caller may read them. Raises Problem."""
    entry = entries.visible(session, caller, entry_id)
    view = entries.views(session, epochs, caller, [entry])[0]
    return reasons.document(session, entry, view, _sign_off(session, entry, reasons.verdict(view)))


def _sign_off(session: Session, entry: Entry, verdict: Decision) -> SignOff:
    query = select(Review).where(
        Review.entry_id == entry.id, Review.decision == verdict, col(Review.voided_at).is_(None)
    )
    votes = session.exec(query).all()
    answers = [jose.claims(jose.unverified(vote.signature))["criteria"] for vote in votes]
    return SignOff(
        bodies=len({vote.organisation_id for vote in votes}),
        at=max(vote.at for vote in votes),
        unmet=[name for name in CRITERIA if not all(answered[name] for answered in answers)],
    )
