"""Peers: other instances, or partner hotlines, that referrals, acknowledgements and outcomes go to and fro.

Here a peer is a hotline like any other, whose client has the peer's public key: what it refers is its
submission. While its organisation is suspended nothing is sent to it and nothing taken from it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlmodel import Session, col, func, select

from app.core import exchange
from app.core.card import Card
from app.core.terms import Channel, ContactKind, Kind, NoticeOutcome
from app.identity import service as identity
from app.identity.models import Client, Organisation
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service as lists
from app.platform import outgoing
from app.platform.problems import at_field
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.models import Contact, Peer, PeerMessage
from app.takedown.peers import outbox as peer_outbox

SCOPES = {Scope.ENTRIES_WRITE, Scope.ENTRIES_READ}


@dataclass(frozen=True)
class Signatory:
    """A peer in force, as whom it acts here, and the public JWK it signed with."""

    peer: Peer
    caller: Caller
    jwk: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Overview:
    """A peer as operators see it: `waiting` and `failed` count the answers it was to be given."""

    peer: Peer
    organisation: Organisation
    kids: list[str]
    waiting: int
    failed: int

    @property
    def is_in_force(self) -> bool:
        """Whether anything is exchanged with it."""
        return self.peer.ended_at is None and self.organisation.suspended_at is None


def add(session: Session, card: Card, name: str, allow_private: bool, now: datetime) -> Peer:
    """Exchange with the maker of a card; what it refers is submitted to the list `name`. Raises Problem.

    Organisation, client and the country's contact come with it. A card of a peer there is, ended or not,
    brings it up to date and back into force.
    """
    _check(session, card, name, allow_private)
    found = _known(session, card) or _made(session, card, name, now)
    found.address, found.recipient, found.list, found.ended_at = card.address, card.recipient, name, None
    session.add(found)
    session.flush()
    if identity.organisation(session, found.organisation_id).suspended_at:
        identity.suspend_organisation(session, found.organisation_id, False, now)
    if not _contacts(session, found.organisation_id):
        contacts.add(session, _content(card, found.organisation_id), now)
    return found


def end(session: Session, organisation_id: str, now: datetime) -> Peer:
    """Exchange nothing more with it; its organisation is suspended, its contacts end. Raises Problem."""
    found = session.get(Peer, organisation_id)
    if found is None or found.ended_at:
        raise at_field("invalid-input", "org", "there is no such peer in force")
    found.ended_at = now
    session.add(found)
    if identity.organisation(session, organisation_id).suspended_at is None:
        identity.suspend_organisation(session, organisation_id, True, now)
    contacts.apply(session, contacts.Changes(ended=_contacts(session, organisation_id)), now, None)
    peer_outbox.cancel(session, organisation_id, now)
    return found


def in_force(session: Session, organisation_id: str) -> Peer | None:
    """The peer of this organisation, None when it ended, or is suspended or its client revoked."""
    found = session.get(Peer, organisation_id)
    is_active = found and found.ended_at is None and identity.active(session, found.client_id)
    return found if is_active else None


def signatory(session: Session, kid: str) -> Signatory | None:
    """The peer in force that has this key in force."""
    holder = identity.key_holder(session, kid)
    if holder is None:
        return None
    caller, jwk = holder
    found = in_force(session, caller.organisation_id)
    return Signatory(found, caller, jwk) if found and found.client_id == caller.client_id else None


def every(session: Session) -> list[Overview]:
    """Every peer, ended ones too, by name."""
    kids = identity.key_ids(session)
    waiting = _count(session, col(PeerMessage.done_at).is_(None))
    failed = _count(session, col(PeerMessage.outcome) == NoticeOutcome.FAILED)
    query = select(Peer, Organisation).join(Organisation, col(Organisation.id) == col(Peer.organisation_id))
    return [
        Overview(peer, owner, kids.get(peer.client_id, []), waiting.get(owner.id, 0), failed.get(owner.id, 0))
        for peer, owner in session.exec(query.order_by(col(Organisation.name)))
    ]


def _check(session: Session, card: Card, name: str, allow_private: bool) -> None:
    if lists.policy(session, name) is None:
        raise at_field("list-unknown", "list", "there is no such list")
    try:
        outgoing.parsed(card.address + exchange.PATH, allow_private)
    except outgoing.Refused as refused:
        raise at_field("invalid-input", "address", str(refused)) from None


def _known(session: Session, card: Card) -> Peer | None:
    """The peer whose client has the card's key."""
    kids = identity.key_ids(session)
    return next((one for one in session.exec(select(Peer)) if card.kid in kids.get(one.client_id, ())), None)


def _made(session: Session, card: Card, name: str, now: datetime) -> Peer:
    owner = identity.add_organisation(session, Kind.HOTLINE, card.name, card.country, now).id
    client: Client = identity.add_client(session, owner, SCOPES, card.jwk, now)
    return Peer(
        organisation_id=owner,
        client_id=client.id,
        address=card.address,
        recipient=card.recipient,
        list=name,
        added_at=now,
    )


def _content(card: Card, organisation_id: str) -> ContactContent:
    try:
        return ContactContent(
            kind=ContactKind.PARTNER_HOTLINE,
            name=card.name,
            country=card.country,
            channel=Channel.PEER,
            address=organisation_id,
        )
    except ValidationError as wrong:
        fault = wrong.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "card"
        raise at_field("invalid-input", where, fault["msg"]) from None


def _contacts(session: Session, organisation_id: str) -> list[Contact]:
    query = select(Contact).where(
        Contact.channel == Channel.PEER, Contact.address == organisation_id, col(Contact.ended_at).is_(None)
    )
    return list(session.exec(query))


def _count(session: Session, condition: sa.ColumnElement[bool]) -> dict[str, int]:
    query = select(PeerMessage.peer_id, func.count()).where(condition).group_by(col(PeerMessage.peer_id))
    return dict(session.exec(query).all())
