"""Contacts: who can be told, kept by operators, each change a version of its own and a leaf.

A leaf names a contact by its id, never how it is reached. A contact that ends stays, for the notices that
went there; nobody is told there any longer. The secret of a contact's webhook is derived from its id; nothing
that signs is in the database. Sources: docs/takedown.md; Standard Webhooks 1.0.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from app.core import webhook
from app.core.terms import Channel, ContactKind
from app.log import service as log
from app.platform import outgoing
from app.platform.keyring import Keyring
from app.platform.problems import Problem, at_field
from app.takedown.contacts.schemas import ContactContent, name_key
from app.takedown.models import Contact, ContactVersion, Peer

AT_MOST = 100_000
"""Contacts in force."""


@dataclass(frozen=True)
class Wanted:
    """A page of contacts: by kind and country where given, ids after `after`."""

    kind: ContactKind | None = None
    country: str | None = None
    with_ended: bool = False
    after: str = ""
    limit: int | None = None


@dataclass(frozen=True)
class Changes:
    """What becomes of contacts in one transaction."""

    added: Sequence[ContactContent] = ()
    changed: Sequence[tuple[Contact, ContactContent]] = ()
    ended: Sequence[Contact] = ()


def webhook_secret(keyring: Keyring, contact_id: str) -> str:
    """What messages to a contact's webhook are signed with: `whsec_` and 32 bytes in base64."""
    return webhook.secret(keyring.notice, f"wardlist/contact-webhook/v1\n{contact_id}")


def add(
    session: Session,
    content: ContactContent,
    now: datetime,
    client_id: str | None = None,
    allow_private: bool = False,
) -> Contact:
    """A new contact. Raises a 422 problem where it cannot be reached so."""
    check(session, content, allow_private)
    (added,) = apply(session, Changes(added=(content,)), now, client_id)
    return one(session, added)


def change(
    session: Session,
    contact_id: str,
    base_version: int,
    content: ContactContent,
    now: datetime,
    client_id: str | None = None,
    allow_private: bool = False,
) -> Contact:
    """The next version of a contact; none where nothing changes. Raises Problem, 409 when outdated."""
    found = in_force(session, contact_id)
    if found.version != base_version:
        detail = f"version {found.version} is in force; read it and send your change again"
        raise at_field("contact-outdated", "base_version", detail)
    refuse_another_kind(found, content)
    check(session, content, allow_private)
    apply(session, Changes(changed=((found, content),)), now, client_id)
    return found


def end(session: Session, contact_id: str, now: datetime, client_id: str | None = None) -> Contact:
    """Tell nobody there any longer. Raises a 404 problem."""
    found = in_force(session, contact_id)
    apply(session, Changes(ended=(found,)), now, client_id)
    return found


def one(session: Session, contact_id: str) -> Contact:
    """A contact, also one that ended. Raises a 404 problem."""
    found = session.get(Contact, contact_id)
    if found is None:
        raise Problem("not-found", "there is no such contact")
    return found


def in_force(session: Session, contact_id: str) -> Contact:
    """A contact that did not end. Raises a 404 problem."""
    found = one(session, contact_id)
    if found.ended_at:
        raise Problem("not-found", "this contact has ended; add it anew")
    return found


def page(session: Session, wanted: Wanted) -> list[Contact]:
    """Contacts in the order of their ids."""
    query = select(Contact).where(col(Contact.id) > wanted.after).order_by(col(Contact.id))
    if not wanted.with_ended:
        query = query.where(col(Contact.ended_at).is_(None))
    if wanted.kind:
        query = query.where(Contact.kind == wanted.kind)
    if wanted.country:
        query = query.where(Contact.country == wanted.country)
    return list(session.exec(query.limit(wanted.limit)))


def versions(session: Session, contact_id: str) -> list[ContactVersion]:
    """Every version of a contact, oldest first."""
    query = select(ContactVersion).where(ContactVersion.contact_id == contact_id)
    return list(session.exec(query.order_by(col(ContactVersion.version))))


def refuse_another_kind(contact: Contact, content: ContactContent) -> None:
    """Notices that wait go where a contact is by then: what asks for removal is not for law enforcement.

    Raises a 422 problem naming `kind`.
    """
    if content.kind is not contact.kind:
        raise at_field("invalid-input", "kind", "a contact stays of its kind; end it and add another")


def content_of(contact: Contact) -> ContactContent:
    """What a contact says now, without looking at it anew: it was checked when it was taken in."""
    return ContactContent.model_construct(
        **{name: getattr(contact, name) for name in ContactContent.model_fields}
    )


def check(session: Session, content: ContactContent, allow_private: bool) -> None:
    """What only this installation knows of a contact's address. Raises a 422 problem naming `address`."""
    match content.channel:
        case Channel.WEBHOOK:
            try:
                outgoing.parsed(content.address, allow_private)
            except outgoing.Refused as refused:
                raise at_field("invalid-input", "address", str(refused)) from None
        case Channel.PEER:
            peer = session.get(Peer, content.address)
            if peer is None or peer.ended_at:
                raise at_field("invalid-input", "address", "add the organisation as a peer first")


def apply(session: Session, changes: Changes, now: datetime, client_id: str | None) -> list[str]:
    """Make these changes, each with its leaf; returns the ids of what was added.

    Raises a 422 problem when there would be too many.
    """
    _refuse_too_many(session, len(changes.added) - len(changes.ended))
    for contact in changes.ended:
        contact.ended_at = now
    added = [_Version(secrets.token_hex(16), 1, said) for said in changes.added]
    changed = []
    for contact, said in changes.changed:
        if content_of(contact) != said:
            changed.append(_Version(contact.id, contact.version + 1, said))
            _put(contact, changed[-1].columns(now))
    session.add_all([*changes.ended, *(contact for contact, _ in changes.changed)])
    session.flush()
    if added:
        session.execute(sa.insert(Contact), [one.columns(now) for one in added])
    if said_anew := [*changed, *added]:
        rows = [{**one.record(), "changed_at": now, "client_id": client_id} for one in said_anew]
        session.execute(sa.insert(ContactVersion), rows)
    by = {"client": client_id} if client_id else {}
    log.append_many(session, "contact.ended", now, [{"contact": one.id, **by} for one in changes.ended])
    log.append_many(session, "contact.changed", now, [one.leaf() | by for one in changed])
    log.append_many(session, "contact.added", now, [one.leaf() | by for one in added])
    return [one.id for one in added]


@dataclass(frozen=True)
class _Version:
    """What a contact says from now on: in the table of contacts, in that of versions, and in the log."""

    id: str
    version: int
    said: ContactContent

    def columns(self, now: datetime) -> dict[str, Any]:
        said = {name: getattr(self.said, name) for name in ContactContent.model_fields}
        key = name_key(self.said.name)
        return {**said, "id": self.id, "version": self.version, "name_key": key, "changed_at": now}

    def record(self) -> dict[str, Any]:
        return {"contact_id": self.id, "version": self.version, "content": self.said.to_json()}

    def leaf(self) -> dict[str, Any]:
        country = {"country": self.said.country} if self.said.country else {}
        return {"contact": self.id, "version": self.version, "kind": self.said.kind.value, **country}


def _put(contact: Contact, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(contact, name, value)


def _refuse_too_many(session: Session, more: int) -> None:
    if more > 0:
        query = select(func.count()).select_from(Contact).where(col(Contact.ended_at).is_(None))
        if session.exec(query).one() + more > AT_MOST:
            raise Problem("invalid-input", f"there are at most {AT_MOST} contacts; end some first")
