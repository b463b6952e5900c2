"""People: invited by an operator, gone when an operator or their organisation says so.

A person acts as a client of the organisation, so whatever holds for clients (scopes, suspension, keys, what
the log says) holds for people. A name never leaves this table.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.terms import Kind
from app.identity import service as identity
from app.identity.models import Client, ClientKey, Organisation
from app.identity.people.models import Ceremony, Invitation, Passkey, Person, WebSession, Workday
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform.problems import Problem, at_field

INVITED_FOR = timedelta(days=3)
LONGEST_NAME = 100


@dataclass(frozen=True)
class Member:
    """A person in force, and what the person may do."""

    person: Person
    organisation: Organisation
    caller: Caller


def invite(
    session: Session,
    organisation_id: str,
    name: str,
    scopes: set[Scope],
    is_lead: bool,
    now: datetime,
    by: str | None = None,
) -> tuple[Person, str]:
    """A new person, and the token with which one passkey can be enrolled; `by` is who invites.

    Raises Problem.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise at_field("invalid-input", "name", f"give a name of 1 to {LONGEST_NAME} characters")
    client = identity.add_client(session, organisation_id, scopes, None, now)
    person = Person(id=secrets.token_hex(16), client_id=client.id, name=name, is_lead=is_lead, created_at=now)
    session.add(person)
    session.flush()
    return person, _invitation(session, person, now, by)


def invite_again(session: Session, person_id: str, now: datetime, by: str | None = None) -> str:
    """One more passkey for somebody, who lost the others or wants a second; `by` is who invites.

    Raises Problem.
    """
    person = _staying(session, person_id)
    _end_unused(session, col(Invitation.person_id) == person.id)
    return _invitation(session, person, now, by)


def take_back(session: Session, person_ids: Sequence[str]) -> None:
    """End what nobody used yet of the invitations of these people, and of those that they made for others."""
    theirs = sa.or_(
        col(Invitation.person_id).in_(person_ids),
        col(Invitation.invited_by).in_(person_ids),
    )
    _end_unused(session, theirs)


def _end_unused(session: Session, which: sa.ColumnElement[bool]) -> None:
    session.execute(sa.delete(Invitation).where(which, col(Invitation.used_at).is_(None)))


def invited(session: Session, token: str, now: datetime) -> tuple[Invitation, Member]:
    """Whom a token invites, while who made it is in force too.

    Raises the same 404 problem for one used, expired or never made.
    """
    found = session.get(Invitation, digest(token))
    if found is None or found.used_at or found.expires_at <= now:
        raise Problem("not-found", "the invitation was used, has expired or never was; ask for a new one")
    if found.invited_by:
        member(session, found.invited_by)
    return found, member(session, found.person_id)


def use_up(session: Session, invitation: Invitation, now: datetime) -> None:
    """An invitation served; it does no more."""
    invitation.used_at = now
    session.add(invitation)


def member(session: Session, person_id: str) -> Member:
    """Somebody in force. Raises a 404 problem."""
    query = (
        select(Person, Client, Organisation)
        .join(Client, col(Client.id) == col(Person.client_id))
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(Person.id == person_id, *in_force())
    )
    row = session.exec(query).first()
    if row is None:
        raise Problem("not-found", "nobody in force is known so; ask for a new invitation")
    return as_member(*row)


def in_force() -> tuple[sa.ColumnElement[bool], ...]:
    """Of a person, its client and its organisation: none has ended, is revoked or suspended."""
    return (
        col(Person.ended_at).is_(None),
        col(Client.revoked_at).is_(None),
        col(Organisation.suspended_at).is_(None),
    )


def as_member(person: Person, client: Client, organisation: Organisation) -> Member:
    """The three rows of somebody in force as one."""
    scopes = frozenset(client.scopes.split())
    caller = Caller(client.id, organisation.id, Kind(organisation.kind), scopes)
    return Member(person, organisation, caller)


def every(session: Session, organisation_id: str | None = None) -> list[tuple[Person, Organisation, int]]:
    """Everybody who did not leave, with the number of passkeys in force, by organisation and name."""
    passkeys = (
        sa.select(sa.func.count())
        .select_from(Passkey)
        .join(ClientKey, col(ClientKey.kid) == col(Passkey.kid))
        .where(col(Passkey.person_id) == col(Person.id), col(ClientKey.revoked_at).is_(None))
        .scalar_subquery()
    )
    query = (
        select(Person, Organisation, passkeys)
        .join(Client, col(Client.id) == col(Person.client_id))
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(col(Person.ended_at).is_(None))
        .order_by(col(Organisation.name), col(Person.name))
    )
    if organisation_id:
        query = query.where(Organisation.id == organisation_id)
    return [(person, owner, count) for person, owner, count in session.exec(query)]


def end(session: Session, person_id: str, now: datetime) -> None:
    """Somebody leaves: no session, passkey or name is left; what was signed stands. Raises Problem."""
    person = _staying(session, person_id)
    take_back(session, [person.id])
    for table in (Ceremony, WebSession, Invitation, Passkey, Workday):
        session.execute(sa.delete(table).where(col(table.person_id) == person.id))
    person.ended_at, person.name = now, ""
    session.add(person)
    identity.revoke_client(session, person.client_id, now)


def digest(token: str) -> str:
    """What is kept of a secret that a browser holds."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _staying(session: Session, person_id: str) -> Person:
    found = session.get(Person, person_id)
    if found is None or found.ended_at:
        raise at_field("invalid-input", "person", "there is no such person in force")
    return found


def _invitation(session: Session, person: Person, now: datetime, by: str | None) -> str:
    token = secrets.token_urlsafe(32)
    made = Invitation(
        token_sha256=digest(token),
        person_id=person.id,
        made_at=now,
        expires_at=now + INVITED_FOR,
        invited_by=by,
    )
    session.add(made)
    return token
