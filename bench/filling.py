"""Entries in numbers: through the service layer in batches, without HTTP and without signatures."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text
from sqlmodel import Session

from app.core import commitment
from app.core.lifecycle import Status
from app.core.terms import Decision, EntryScope, Kind
from app.entries import secrets, submission
from app.entries.models import Entry
from app.entries.schemas import NewEntry
from app.entries.secrets import Opened
from app.identity.service import Caller
from app.lists.models import Snapshot
from app.reviews.models import Review
from tests.programs.service import LIST, STATEMENT, Service, new_entry

_BATCH, _ROWS = 1000, 20_000
_MONTH = timedelta(days=30)


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


def listed(service: Service, count: int, hotline: str | None = None, name: str = LIST) -> None:
    """Entries on the list's version 1, written straight to the tables: no leaf, no vote, no file."""
    hotline, now = hotline or service.organisation(Kind.HOTLINE), service.clock()
    for at in range(0, count, _ROWS):
        rows, hidden = [], []
        for number in range(at, min(at + _ROWS, count)):
            row, opened = _listed(hotline, name, number, now)
            rows.append(row)
            hidden.append((row["id"], opened))
        with service.database.writing() as session:
            session.execute(sa.insert(Entry), rows)
            secrets.insert(session, service.keyring.epochs, hidden)
    with service.database.writing() as session:
        session.add(
            Snapshot(
                list=name,
                version=1,
                published_at=now.replace(microsecond=0),
                expires_at=now.replace(microsecond=0) + _MONTH,
                entry_count=count,
                added=count,
                removed=0,
                log_size=0,
                log_root="",
                manifest=b"{}",
                is_served=True,
            )
        )


def _listed(hotline: str, name: str, number: int, now: datetime) -> tuple[dict[str, Any], Opened]:
    # Ascending, so that the tables grow at their end.
    identity, key = str(uuid.UUID(int=number << 80, version=4)), commitment.new_key()
    address = f"https://l{number % 5000}.example.test/path/{number}"
    row = {
        "id": identity,
        "list": name,
        "organisation_id": hotline,
        "client_id": "bench",
        "status": Status.LISTED,
        "scope": EntryScope.URL,
        "measures": ["blocking"],
        "is_blocking": True,
        "legal_ground": "lanzarote-20-1-b",
        "material": "lanzarote-20-2-conduct-real",
        "hosting_country": "NL",
        "assessed_at": now,
        "submitted_at": now,
        "recheck_by": now + _MONTH,
        "commitment": commitment.commitment(key, entry=identity, scope="url", url=address),
        "digest": key.hex(),
        "fingerprint": f"{number:064x}",
        "host_fingerprint": f"{number % 5000:064x}",
        "listed_in": 1,
        "settled_at": now,
    }
    return row, Opened(key, address, STATEMENT, None)
