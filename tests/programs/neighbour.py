"""A peer that a test speaks for: its keys, its card, what it says, and what it was told."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlmodel import select

from app.client.session import Connection
from app.core import age, exchange, jose
from app.core.card import Card
from app.core.exchange import Message
from app.takedown.models import Peer
from app.takedown.peers import service as peers
from tests.programs.receiver import Receiver
from tests.programs.service import LIST, STATEMENT, Service, signed_review

REFERRED: dict[str, Any] = {
    "url": "https://a.example.test/1",
    "scope": "url",
    "measures": ["takedown", "blocking"],
    "legal_ground": "lanzarote-20-1-b",
    "material": "lanzarote-20-2-conduct-real",
    "assessed_at": "2026-01-02T03:04:05Z",
    "statement": STATEMENT,
    "hosting_country": "NL",
}


@dataclass
class Neighbour:
    """Its keys; `address` is where it would be spoken to."""

    address: str = "http://127.0.0.1:9"
    key: dict[str, str] = field(default_factory=jose.generate)
    identity: tuple[str, str] = field(default_factory=age.generate)
    name: str = "Neighbour"

    @property
    def card(self) -> Card:
        """As it would hand it over."""
        return Card.made(self.name, "DE", self.address, self.key, self.identity[1])

    def join(self, service: Service, name: str = LIST) -> Peer:
        """Become a peer there."""
        with service.database.writing() as session:
            added = peers.add(session, self.card, name, True, service.clock())
            session.expunge(added)
            return added

    def message(self, service: Service, type: str = "referral", **changes: Any) -> dict[str, Any]:
        """The claims of a message that is taken; `changes` replace some, None leaves one out."""
        named = secrets.token_hex(16)
        claims: dict[str, Any] = {
            "id": named,
            "type": type,
            "from": self.key["kid"],
            "to": service.keyring.peer["kid"],
            "at": now_of(service),
            "referral": named,
            "entry": REFERRED if type == "referral" else None,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def seal(self, service: Service, claims: dict[str, Any]) -> bytes:
        """As it travels."""
        message = Message.model_validate(claims)
        return exchange.seal(message, self.key, age.recipient_of(service.keyring.peer_identity))

    def send(self, service: Service, type: str = "referral", **changes: Any) -> httpx.Response:
        """Make and send a message."""
        return post(service, self.seal(service, self.message(service, type, **changes)))

    def told(self, receiver: Receiver) -> list[Message]:
        """What a receiver got that stands for it, opened and in order; the signature is not looked at."""
        return [self.opened(got.body) for got in receiver.got]

    def opened(self, body: bytes) -> Message:
        """One message."""
        token = exchange.unseal(body, self.identity[0])
        return Message.model_validate_json(jose.unverified(token))


def post(service: Service, body: bytes) -> httpx.Response:
    """Hand something in where peers do."""
    headers = {"content-type": exchange.MEDIA_TYPE}
    return httpx.post(service.address + exchange.PATH, content=body, headers=headers)


def now_of(service: Service, ahead: timedelta = timedelta()) -> str:
    """The service's time, as messages write it."""
    moment: datetime = service.clock() + ahead
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(service: Service, table: Any) -> list[Any]:
    """All of a table."""
    with service.database.reading() as session:
        return list(session.exec(select(table)))


def the_entry(reviewer: Connection) -> dict[str, Any]:
    """The one there is."""
    (found,) = reviewer.request("GET", "/v1/entries").json()["entries"]
    whole: dict[str, Any] = reviewer.request("GET", f"/v1/entries/{found['id']}").json()
    return whole


def reject(reviewer: Connection, entry: dict[str, Any]) -> None:
    """Sign that it is not to be listed."""
    changes: dict[str, Any] = {"decision": "reject", "criteria": {"url_in_scope": False}}
    body = signed_review(entry, reviewer.credentials.private_jwk, **changes)
    reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)


def exchanged(service: Service) -> None:
    """A round of the publisher, and of what it found there is to tell."""
    service.publish()
    service.exchanger.round()
    service.exchanger.wait()


def said(neighbour: Neighbour, abroad: Receiver) -> list[tuple[str, str | None, str | None]]:
    """(type, state, reason) of what the peer was told."""
    return [(one.type.value, one.state, one.reason) for one in neighbour.told(abroad)]
