"""Closing months: each once, in order, from the month of the log's first leaf on; what it says stays said.

A month is closed by the first round of the worker `duties` after its end, in one transaction: what is left of
the log is counted, the document made, signed and kept, and its leaf appended. Killed at any line, nothing of
it is there and the next round does it. The document is RFC 8785; its JWS is by the manifest key.
"""

import hashlib
from datetime import datetime

import rfc8785
from sqlmodel import Session

from app.audit.report import counting, document
from app.audit.report.models import Report
from app.core import jose, tally
from app.log import service as log
from app.log import stream
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.keyring import Keyring

TYPE = "wardlist-report+jws"
"""The header's `typ`."""
STEPS = 20
"""Steps of counting in one round."""


def each_round(database: Database, keyring: Keyring, clock: Clock) -> None:
    """Count what is new, and close every month that is over; one short look when there is neither."""
    with database.reading() as session:
        if not counting.is_due(session, clock()):
            return
    if _count(database, clock):
        while _close(database, keyring, clock):
            pass


def _count(database: Database, clock: Clock) -> bool:
    """Whether the log is counted to its end; a long one takes several rounds, so that none waits for it."""
    for _ in range(STEPS):
        with database.writing() as session:
            if counting.count(session, clock()):
                return True
    return False


def _close(database: Database, keyring: Keyring, clock: Clock) -> bool:
    with database.writing() as session:
        return close(session, keyring, clock())


def close(session: Session, keyring: Keyring, now: datetime) -> bool:
    """Close the next month if it is over; whether it was."""
    while not counting.count(session, now):
        pass
    found = counting.progress(session)
    if found is None or now < tally.end(found.period):
        return False
    period = found.period
    totals = counting.counts(session, period, period).get(period, {})
    made = document.make(session, period, totals, now)
    body = rfc8785.dumps(made.model_dump(mode="json"))
    sha256 = hashlib.sha256(body).hexdigest()
    log.append(session, "report.published", now, counts=tally.stated(totals), period=period, sha256=sha256)
    signed = jose.sign(body, keyring.manifest, typ=TYPE)
    row = stream.newest(session)
    session.add(Report(period=period, document=body, jws=signed, sha256=sha256, leaf_id=row, closed_at=now))
    counting.forget(session, period)
    found.period, found.leaf_id = tally.later(period), row
    session.add(found)
    session.flush()
    return True
