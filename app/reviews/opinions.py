"""Blind second opinions: a share of decided entries goes to another body that does not know.

While one is open, every review body sees the entry as submitted. The answer changes nothing: it measures how
far bodies agree. The public log does say what became of the entry, to a reviewer who goes and looks.
"""

import secrets
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.terms import Decision
from app.entries import service as entries
from app.entries.models import Entry
from app.identity.service import Caller
from app.log import service as log
from app.reviews.models import SecondOpinion


def ask(session: Session, entry: Entry, first: Decision, percent: int, now: datetime) -> None:
    """Send a just decided entry to another body, by chance, once in its life."""
    if secrets.randbelow(100) < percent and session.get(SecondOpinion, entry.id) is None:
        session.add(SecondOpinion(entry_id=entry.id, first=first, asked_at=now))
        entries.blind(session, entry, True)


def give(
    session: Session,
    caller: Caller,
    entry: Entry,
    decision: Decision,
    signature: str,
    reason: bytes,
    now: datetime,
) -> SecondOpinion:
    """Record the second body's signed answer; the entry is shown as it is again."""
    opinion = session.get_one(SecondOpinion, entry.id)
    opinion.organisation_id, opinion.client_id = caller.organisation_id, caller.client_id
    opinion.decision, opinion.signature, opinion.reason, opinion.at = decision, signature, reason, now
    session.add(opinion)
    entries.blind(session, entry, False)
    log.append(
        session,
        "opinion.given",
        now,
        agrees=decision is opinion.first,
        client=caller.client_id,
        decision=decision.value,
        entry=entry.id,
        organisation=caller.organisation_id,
        signature=signature,
    )
    return opinion


def given(session: Session) -> list[SecondOpinion]:
    """Every answered one."""
    return list(session.exec(select(SecondOpinion).where(col(SecondOpinion.at).is_not(None))))
