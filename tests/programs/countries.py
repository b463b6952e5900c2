"""Two instances in two countries, each other's peers, with the people who work there."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.client.session import Connection
from app.core import age
from app.core.card import Card
from app.core.terms import Kind
from app.identity import service as identity
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.peers import service as peers
from tests.programs.service import LIST, Service, approve, new_entry, replay, running

URL = "https://a.example.test/1"
PROVIDER = "Example Hosting"


@dataclass
class Country:
    """One instance, its hotline and its review body. `peer` is the organisation the other is here."""

    code: str
    service: Service
    hotline: Connection
    reviewer: Connection
    peer: str = ""

    @property
    def card(self) -> bytes:
        """What its operators hand over."""
        keyring = self.service.keyring
        recipient = age.recipient_of(keyring.peer_identity)
        made = Card.made(f"Country {self.code}", self.code, self.service.address, keyring.peer, recipient)
        return made.to_bytes(keyring.peer)

    def join(self, other: "Country") -> None:
        """Take the other one on as a peer."""
        with self.service.database.writing() as session:
            card = Card.read(other.card)
            self.peer = peers.add(session, card, LIST, True, self.service.clock()).organisation_id

    def add_provider(self, address: str = "abuse@provider.example", **changes: Any) -> None:
        """A contact for what the provider hosts."""
        content: dict[str, Any] = {
            "kind": "provider",
            "name": PROVIDER,
            "channel": "mail",
            "address": address,
        }
        with self.service.database.writing() as session:
            contacts.add(session, ContactContent(**content | changes), self.service.clock(), None, True)

    def submit(self, url: str = URL, **changes: Any) -> dict[str, Any]:
        """What the hotline's analysts found."""
        return self.hotline.request("POST", "/v1/entries", json=new_entry(url, **changes)).json()  # type: ignore[no-any-return]

    def sign_off(self) -> dict[str, Any]:
        """The reviewers approve the one entry that waits; its view before that."""
        waiting = self.reviewer.request("GET", "/v1/entries?status=submitted").json()["entries"]
        (entry,) = waiting
        approve(self.reviewer, entry)
        found: dict[str, Any] = entry
        return found

    def say(self, entry: str, event: str) -> None:
        """The hotline says how it stands."""
        self.hotline.request("POST", f"/v1/takedowns/{entry}/events", json={"event": event})

    def entry(self, entry: str) -> dict[str, Any]:
        """As a reviewer sees it."""
        found: dict[str, Any] = self.reviewer.request("GET", f"/v1/entries/{entry}").json()
        return found

    def work(self) -> None:
        """A round of everything that works by itself."""
        self.service.publish()
        for sender in (self.service.courier, self.service.exchanger):
            sender.round()
            sender.wait()


def exchange(*countries: Country, rounds: int = 3) -> None:
    """Let them work until what one says has reached the other and was acted on."""
    for _ in range(rounds):
        for country in countries:
            country.work()


@contextmanager
def two_countries(
    folder: Path, serve: Callable[[Service], Any] = running, **policy: Any
) -> Iterator[tuple[Country, Country]]:
    """NL and DE until the block ends; then the logs of both are replayed."""
    with ExitStack() as stack:
        both = []
        for code in ("NL", "DE"):
            service = stack.enter_context(serve(Service(folder / code, webhook_allow_private=True)))
            service.add_list(jurisdiction=code, **policy)
            with service.database.writing() as session:
                made = identity.add_organisation(session, Kind.HOTLINE, "Hotline", code, service.clock()).id
            hotline = stack.enter_context(service.connect(Kind.HOTLINE, made))
            reviewer = stack.enter_context(service.connect(Kind.REVIEW_BODY))
            both.append(Country(code, service, hotline, reviewer))
        here, there = both
        here.join(there)
        there.join(here)
        yield here, there
        for country in both:
            replay(country.service)
