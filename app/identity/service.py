"""Organisations and clients: who exists, who is suspended, which keys count."""

import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from app.core import age, jose
from app.core.terms import Kind
from app.identity.models import Client, ClientKey, Organisation, SealingRecipient
from app.identity.permissions import MAY_HOLD, Scope
from app.log import service as log
from app.platform.problems import Problem, at_field

MOST_RECIPIENTS = 8
"""Age recipients of one organisation at a time."""

_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and what stands in an argument for bytes that are no UTF-8."""


@dataclass(frozen=True)
class Caller:
    """Who is calling, after every check: ids, kind and the scopes of this token."""

    client_id: str
    organisation_id: str
    kind: Kind
    scopes: frozenset[str]


def add_organisation(session: Session, kind: Kind, name: str, country: str, now: datetime) -> Organisation:
    """Register an organisation. Raises Problem when the name is taken or a field is wrong."""
    name = _free_name(session, name)
    organisation = Organisation(
        id=secrets.token_hex(16), kind=kind, name=name, country=country, created_at=now
    )
    session.add(organisation)
    session.flush()
    log.append(
        session, "organisation.added", now, organisation=organisation.id, kind=kind.value, country=country
    )
    return organisation


def rename_organisation(session: Session, organisation_id: str, name: str) -> Organisation:
    """Give an organisation another name, which no leaf knows. Raises Problem as `add_organisation`."""
    organisation = _organisation(session, organisation_id)
    if name.strip() != organisation.name:
        organisation.name = _free_name(session, name)
        session.add(organisation)
    return organisation


def _free_name(session: Session, name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 200 or _NOT_IN_NAMES.search(name):
        raise at_field("invalid-input", "name", "give a name of 1 to 200 characters")
    if session.exec(select(Organisation).where(Organisation.name == name)).first():
        raise at_field("invalid-input", "name", "an organisation of this name exists")
    return name


def suspend_organisation(session: Session, organisation_id: str, suspended: bool, now: datetime) -> None:
    """Suspend or readmit. Takes effect at the next request, on every process."""
    organisation = _organisation(session, organisation_id)
    organisation.suspended_at = now if suspended else None
    session.add(organisation)
    event = "organisation.suspended" if suspended else "organisation.readmitted"
    log.append(session, event, now, organisation=organisation_id)


def add_client(
    session: Session, organisation_id: str, scopes: set[Scope], jwk: dict[str, Any] | None, now: datetime
) -> Client:
    """Register a client with its first public key, a person's without one. Raises Problem."""
    organisation = _organisation(session, organisation_id)
    refused = sorted(scopes - MAY_HOLD[organisation.kind])
    if refused or not scopes:
        may = " ".join(sorted(MAY_HOLD[organisation.kind]))
        raise at_field("invalid-input", "scope", f"a {organisation.kind.value} may hold: {may}")
    client = Client(
        id=secrets.token_hex(16),
        organisation_id=organisation_id,
        scopes=" ".join(sorted(scopes)),
        created_at=now,
    )
    session.add(client)
    session.flush()
    log.append(
        session, "client.added", now, client=client.id, organisation=organisation_id, scopes=sorted(scopes)
    )
    if jwk is not None:
        add_key(session, client.id, jwk, now)
    return client


def add_key(session: Session, client_id: str, jwk: dict[str, Any], now: datetime) -> ClientKey:
    """Give a client one more key, so that the old one can be retired without a gap."""
    try:
        public = jose.public_part(jwk)
    except jose.Invalid as fault:
        raise at_field("invalid-input", "jwk", str(fault)) from None
    if session.get(Client, client_id) is None:
        raise at_field("invalid-input", "client", "there is no such client")
    if session.get(ClientKey, public["kid"]):
        raise at_field("invalid-input", "jwk", "this key is registered already")
    key = ClientKey(kid=public["kid"], client_id=client_id, jwk=json.dumps(public), created_at=now)
    session.add(key)
    session.flush()
    log.append(session, "client.key_added", now, client=client_id, jwk=public)
    return key


def revoke_key(session: Session, kid: str, now: datetime) -> None:
    """Retire one key. Tokens it already obtained live out their ten minutes."""
    key = session.get(ClientKey, kid)
    if key is None or key.revoked_at:
        raise at_field("invalid-input", "kid", "there is no such key in force")
    key.revoked_at = now
    session.add(key)
    log.append(session, "client.key_revoked", now, client=key.client_id, kid=kid)


def revoke_client(session: Session, client_id: str, now: datetime) -> None:
    """End a client for good. Takes effect at the next request, on every process."""
    client = session.get(Client, client_id)
    if client is None or client.revoked_at:
        raise at_field("invalid-input", "client", "there is no such client in force")
    client.revoked_at = now
    session.add(client)
    log.append(session, "client.revoked", now, client=client_id)


def active(session: Session, client_id: str) -> tuple[Client, Organisation] | None:
    """The client and its organisation, or None when unknown, revoked or suspended."""
    row = session.exec(
        select(Client, Organisation)
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(
            Client.id == client_id, col(Client.revoked_at).is_(None), col(Organisation.suspended_at).is_(None)
        )
    ).first()
    return (row[0], row[1]) if row else None


def callers(session: Session) -> dict[str, Caller]:
    """Every client in force with all scopes it holds, by id."""
    query = (
        select(Client.id, Client.scopes, Organisation.id, Organisation.kind)
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(col(Client.revoked_at).is_(None), col(Organisation.suspended_at).is_(None))
    )
    return {
        client: Caller(client, organisation, Kind(kind), frozenset(scopes.split()))
        for client, scopes, organisation, kind in session.exec(query)
    }


def caller(session: Session, client_id: str, scopes: frozenset[str]) -> Caller | None:
    """The client with those of the scopes that it holds; None when it is not in force."""
    found = active(session, client_id)
    if found is None:
        return None
    client, organisation = found
    return Caller(client.id, organisation.id, organisation.kind, scopes & frozenset(client.scopes.split()))


def inactive_clients(session: Session) -> set[str]:
    """Clients that are revoked or whose organisation is suspended."""
    query = (
        select(Client.id)
        .join(Organisation, col(Organisation.id) == col(Client.organisation_id))
        .where(or_(col(Client.revoked_at).is_not(None), col(Organisation.suspended_at).is_not(None)))
    )
    return set(session.exec(query))


def providers_in_force(session: Session) -> set[str]:
    """Ids of the internet providers that are not suspended."""
    query = select(Organisation.id).where(
        Organisation.kind == Kind.ISP, col(Organisation.suspended_at).is_(None)
    )
    return set(session.exec(query))


def keys(session: Session, client_id: str) -> dict[str, dict[str, Any]]:
    """The client's keys in force, oldest first: kid -> public JWK."""
    query = select(ClientKey).where(ClientKey.client_id == client_id, col(ClientKey.revoked_at).is_(None))
    rows = session.exec(query.order_by(col(ClientKey.created_at), col(ClientKey.kid)))
    return {row.kid: json.loads(row.jwk) for row in rows}


def key_holder(session: Session, kid: str) -> tuple[Caller, dict[str, Any]] | None:
    """Whose key in force this is, with all scopes, and the public JWK; None when its holder has ended."""
    key = session.get(ClientKey, kid)
    found = active(session, key.client_id) if key and key.revoked_at is None else None
    if key is None or found is None:
        return None
    client, owner = found
    scopes = frozenset(client.scopes.split())
    return Caller(client.id, owner.id, owner.kind, scopes), json.loads(key.jwk)


def key_ids(session: Session) -> dict[str, list[str]]:
    """Thumbprints of the keys in force of every client that has any, oldest key first."""
    query = select(ClientKey.client_id, ClientKey.kid).where(col(ClientKey.revoked_at).is_(None))
    found: dict[str, list[str]] = {}
    for client, kid in session.exec(query.order_by(col(ClientKey.created_at), col(ClientKey.kid))):
        found.setdefault(client, []).append(kid)
    return found


def organisations(session: Session, kind: Kind | None = None) -> list[Organisation]:
    """Every organisation, or those of a kind, suspended ones too, by name."""
    query = select(Organisation).order_by(col(Organisation.name))
    return list(session.exec(query.where(Organisation.kind == kind) if kind else query))


def clients(session: Session, organisation_id: str | None = None) -> list[tuple[Client, Organisation]]:
    """Every client, or those of an organisation, revoked ones too, oldest first. Raises Problem."""
    query = select(Client, Organisation).join(
        Organisation, col(Organisation.id) == col(Client.organisation_id)
    )
    if organisation_id:
        query = query.where(Client.organisation_id == _organisation(session, organisation_id).id)
    ordered = query.order_by(col(Client.created_at), col(Client.id))
    return [(client, owner) for client, owner in session.exec(ordered)]


def recipients(session: Session, organisations: set[str]) -> dict[str, list[str]]:
    """Age recipients in force of those of the organisations that are not suspended and have any, by id."""
    query = (
        select(SealingRecipient.organisation_id, SealingRecipient.recipient)
        .join(Organisation, col(Organisation.id) == col(SealingRecipient.organisation_id))
        .where(col(SealingRecipient.ended_at).is_(None), col(Organisation.suspended_at).is_(None))
        .order_by(col(SealingRecipient.recipient))
    )
    found: dict[str, list[str]] = {}
    for owner, recipient in session.exec(query):
        if owner in organisations:
            found.setdefault(owner, []).append(recipient)
    return found


def add_recipient(session: Session, organisation_id: str, recipient: str, now: datetime) -> SealingRecipient:
    """Seal what follows to one more age recipient of an internet provider. Raises Problem."""
    if _organisation(session, organisation_id).kind is not Kind.ISP:
        raise at_field("invalid-input", "org", "lists are sealed to internet providers only")
    try:
        checked = age.check_recipient(recipient)
    except age.Invalid as fault:
        raise at_field("invalid-input", "recipient", str(fault)) from None
    if session.get(SealingRecipient, checked):
        raise at_field("invalid-input", "recipient", "this recipient is, or was, registered; make a new one")
    if len(recipients(session, {organisation_id}).get(organisation_id, ())) >= MOST_RECIPIENTS:
        detail = f"{MOST_RECIPIENTS} are registered; end one first"
        raise at_field("invalid-input", "recipient", detail)
    added = SealingRecipient(recipient=checked, organisation_id=organisation_id, added_at=now)
    session.add(added)
    session.flush()
    log.append(session, "recipient.added", now, organisation=organisation_id, recipient=checked)
    return added


def end_recipient(session: Session, recipient: str, now: datetime) -> SealingRecipient:
    """Seal nothing more to it; takes effect with the next version of each list. Raises Problem."""
    found = session.get(SealingRecipient, recipient)
    if found is None or found.ended_at:
        raise at_field("invalid-input", "recipient", "there is no such recipient in force")
    found.ended_at = now
    session.add(found)
    log.append(session, "recipient.ended", now, organisation=found.organisation_id, recipient=recipient)
    return found


def with_recipients(session: Session, organisations: set[str]) -> set[str]:
    """Those of the organisations that something can be sealed to, suspended ones too."""
    query = select(SealingRecipient.organisation_id).where(col(SealingRecipient.ended_at).is_(None))
    found: set[str] = set(session.exec(query))
    return organisations & found


def providers(session: Session) -> dict[str, str]:
    """Name of every internet provider, suspended ones too, by id."""
    query = select(Organisation.id, Organisation.name).where(Organisation.kind == Kind.ISP)
    return {found: name for found, name in session.exec(query)}  # noqa: C416 - a result has keys of its own


def organisation(session: Session, organisation_id: str) -> Organisation:
    """An organisation by id. Raises Problem when unknown."""
    return _organisation(session, organisation_id)


def _organisation(session: Session, organisation_id: str) -> Organisation:
    found = session.get(Organisation, organisation_id)
    if found is None:
        raise Problem(
            "invalid-input",
            "register the organisation first",
            [{"field": "org", "detail": "there is no such organisation"}],
        )
    return found
