"""What passkeys are asked: each challenge is of use once, for five minutes, to the browser that asked for it.

That of enrolling or signing is a row until it is answered. Anybody can ask to sign in, so nothing is written
for that: what the browser keeps says under our key when it was asked, and a row says that it was answered.
All of it happens in a write's transaction, and writers queue: who finds a row is alone with it.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core import jose
from app.identity.people.models import Ceremony, Purpose
from app.identity.people.service import digest
from app.platform.problems import Problem, at_field

LASTS = timedelta(minutes=5)
MOST_WAITING = 20
"""Challenges of one session that wait for their answer."""


def put(
    session: Session, purpose: Purpose, held_by: str, person_id: str, challenge: bytes, now: datetime
) -> str:
    """Keep a challenge until it is answered; returns its id. Raises a 429 problem when too many wait."""
    session.execute(sa.delete(Ceremony).where(col(Ceremony.expires_at) <= now))
    waiting = session.exec(select(sa.func.count()).where(Ceremony.held_by == held_by)).one()
    if waiting >= MOST_WAITING:
        raise Problem("too-many-requests", "too much waits for your passkey; try again in five minutes")
    made = _row(secrets.token_hex(16), purpose, held_by, person_id, challenge, now.replace(microsecond=0))
    session.add(made)
    return made.id


def pending(session: Session, purpose: Purpose, ceremony: str, held_by: str, now: datetime) -> Ceremony:
    """What was asked and waits for its answer. Raises a 422 problem."""
    found = session.get(Ceremony, ceremony)
    is_ours = found is not None and secrets.compare_digest(found.held_by, held_by)
    if found is None or not is_ours or found.purpose is not purpose or found.expires_at <= now:
        raise refused("this was answered already, or was asked too long ago; begin again")
    return found


def answered(session: Session, purpose: Purpose, ceremony: str, held_by: str, now: datetime) -> bytes:
    """The challenge; once its answer holds and is committed, it is asked no more. Raises a 422 problem."""
    found = pending(session, purpose, ceremony, held_by, now)
    session.delete(found)
    return bytes.fromhex(found.challenge)


def held(secret: bytes, now: datetime) -> str:
    """What a browser keeps from asking to sign in until its answer."""
    issued = f"{int(now.timestamp())}.{secrets.token_urlsafe(32)}"
    return f"{issued}.{_mark(secret, issued)}"


def held_since(secret: bytes, kept: str, now: datetime) -> datetime:
    """When this service gave a browser what it kept, within the last minutes. Raises a 422 problem."""
    issued, _, mark = kept.rpartition(".")
    is_ours = kept.isascii() and hmac.compare_digest(mark, _mark(secret, issued))
    since = datetime.fromtimestamp(int(issued.partition(".")[0]), UTC) if is_ours else None
    if since is None or not since <= now < since + LASTS:
        raise refused("this was asked too long ago, or of another browser; begin again")
    return since


def spend(session: Session, kept: str, person_id: str, challenge: bytes, since: datetime) -> None:
    """Somebody signed in with what a browser kept; nobody does again. Raises a 422 problem."""
    name = digest(kept)
    if session.get(Ceremony, name):
        raise refused("this was answered already; begin again")
    session.add(_row(name, Purpose.SIGN_IN, name, person_id, challenge, since))
    session.flush()


def refused(detail: str) -> Problem:
    """The 422 problem of an answer that does not hold."""
    return at_field("signature-invalid", "passkey", detail)


def _mark(secret: bytes, issued: str) -> str:
    key = hashlib.sha256(b"wardlist/sign-in/v1" + secret).digest()
    return jose.encode(hmac.digest(key, issued.encode(), "sha256"))


def _row(
    name: str, purpose: Purpose, held_by: str, person_id: str, challenge: bytes, issued: datetime
) -> Ceremony:
    return Ceremony(
        id=name,
        purpose=purpose,
        held_by=held_by,
        person_id=person_id,
        challenge=challenge.hex(),
        issued_at=issued,
        expires_at=issued + LASTS,
    )
