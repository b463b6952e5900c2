"""Who is signed in: server-side sessions that end when unused, and at their end whatever happens.

The cookie's token is new with each sign-in and is kept here as its SHA-256. Source: OWASP Session Management
Cheat Sheet; W3C Web Authentication Level 3.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.identity.models import Client, Organisation
from app.identity.people.models import Ceremony, Passkey, Person, WebSession
from app.identity.people.service import Member, as_member, digest, in_force, take_back

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
_SEEN_EVERY = timedelta(minutes=1)
"""How often a session in use is written to."""


@dataclass(frozen=True)
class Visitor:
    """Somebody signed in. `csrf` is what a form of this session must carry; `is_due`: `touch` it."""

    member: Member
    session_id: str
    csrf: str
    is_due: bool


def start(session: Session, person_id: str, now: datetime) -> str:
    """Sign somebody in; returns the new cookie's value. Sessions and challenges past their end go."""
    session.execute(sa.delete(WebSession).where(_is_over(now)))
    session.execute(sa.delete(Ceremony).where(col(Ceremony.expires_at) <= now))
    token = secrets.token_urlsafe(32)
    made = WebSession(
        token_sha256=digest(token), person_id=person_id, started_at=now, seen_at=now, ends_at=now + LONGEST
    )
    session.add(made)
    return token


def find(session: Session, token: str, now: datetime) -> Visitor | None:
    """Who holds this cookie; None when nobody is signed in by it, or no longer."""
    query = (
        select(WebSession, Person, Client, Organisation)
        .join(Person, col(Person.id) == col(WebSession.person_id))
        .join(Client, col(Client.id) == col(Person.client_id))
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(WebSession.token_sha256 == digest(token), *in_force(), ~_is_over(now))
    )
    row = session.exec(query).first()
    if row is None:
        return None
    found, person, client, organisation = row
    is_due = now - found.seen_at >= _SEEN_EVERY
    return Visitor(as_member(person, client, organisation), found.token_sha256, csrf(token), is_due)


def still_in_force(session: Session, session_ids: Collection[str], now: datetime) -> set[str]:
    """Those of the sessions in which `find` would find somebody still."""
    query = (
        select(WebSession.token_sha256)
        .join(Person, col(Person.id) == col(WebSession.person_id))
        .join(Client, col(Client.id) == col(Person.client_id))
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(col(WebSession.token_sha256).in_(session_ids), *in_force(), ~_is_over(now))
    )
    return set(session.exec(query))


def touch(session: Session, session_id: str, now: datetime) -> None:
    """It is in use: the idle time begins anew."""
    session.execute(
        sa.update(WebSession).where(col(WebSession.token_sha256) == session_id).values(seen_at=now)
    )


def end(session: Session, session_id: str) -> None:
    """Sign out. The cookie is worth nothing from now on, wherever it is."""
    session.execute(sa.delete(Ceremony).where(col(Ceremony.held_by) == session_id))
    session.execute(sa.delete(WebSession).where(col(WebSession.token_sha256) == session_id))


def end_others(session: Session, person_id: str, session_id: str) -> None:
    """Sign somebody out everywhere but here."""
    session.execute(
        sa.delete(WebSession).where(
            col(WebSession.person_id) == person_id, col(WebSession.token_sha256) != session_id
        )
    )


def end_of_key(session: Session, kid: str) -> None:
    """Sign out whoever has this passkey, and end invitations that it may have begun."""
    owners = list(session.exec(select(Passkey.person_id).where(Passkey.kid == kid)))
    session.execute(sa.delete(WebSession).where(col(WebSession.person_id).in_(owners)))
    take_back(session, owners)


def csrf(token: str) -> str:
    """What forms of the session carry: derived from the cookie, which scripts of no site can read."""
    return hmac.new(token.encode(), b"wardlist/csrf/v1", hashlib.sha256).hexdigest()


def _is_over(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(col(WebSession.ends_at) <= now, col(WebSession.seen_at) <= now - IDLE)
