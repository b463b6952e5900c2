"""Entries in numbers: through the service layer in batches, without HTTP and without signatures."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session

from app.core.terms import Decision, Kind
from app.entries import submission
from app.entries.schemas import NewEntry
from app.identity.service import Caller
from app.reviews.models import Review
from tests.programs.service import Service, new_entry

_BATCH = 1000


def approved(service: Service, count: int, start: int = 0) -> None:
    """Approved entries, each with a vote that the publisher counts; addresses are numbered from `start`."""
    hotline = Caller("bench", service.organisation(Kind.HOTLINE), Kind.HOTLINE, frozenset())
    body = service.organisation(Kind.REVIEW_BODY)
    for at in range(start, start + count, _BATCH):
        some = range(at, min(at + _BATCH, start + count))
        bodies = [NewEntry(**new_entry(f"https://h{n % 5000}.example.test/path/{n}")) for n in some]
        with service.database.writing() as session:
            submission.submit(session, hotline, bodies, service.keyring, service.clock())
    with service.database.writing() as session:
        _vote(session, service, body)
        session.execute(text("UPDATE entry SET status = 'APPROVED' WHERE status = 'SUBMITTED'"))


def _vote(session: Session, service: Service, body: str) -> None:
    common: dict[str, Any] = {"organisation_id": body, "client_id": "bench", "decision": Decision.APPROVE}
    common |= {"reason": b"", "signature": "", "at": service.clock()}
    waiting = session.execute(text("SELECT id, digest FROM entry WHERE status = 'SUBMITTED'"))
    rows = [{"id": str(uuid.uuid4()), "entry_id": one, "digest": digest, **common} for one, digest in waiting]
    session.execute(sa.insert(Review), rows)
