"""Contacts and notices for the tests of this folder: a courier that keeps what it sends."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from app.client.session import Connection
from app.core.terms import Channel, NoticeOutcome
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.models import Takedown
from app.takedown.notices.courier import Courier
from app.takedown.notices.parcels import Parcel, Sent
from tests.programs.service import Service, approve, leaves, new_entry

URL = "https://a.example.test/1"
PROVIDER = {
    "kind": "provider",
    "name": "Example Hosting",
    "provider_class": "hosting",
    "channel": "mail",
    "address": "abuse@provider.test",
}
NETWORK = {
    "kind": "network",
    "name": "AS 64496",
    "network": "192.0.2.0/24",
    "channel": "mail",
    "address": "noc@network.test",
}
POLICE = {
    "kind": "law_enforcement",
    "name": "Police",
    "country": "NL",
    "channel": "mail",
    "address": "desk@police.test",
}


class Post:
    """Sends what is due. `answer` says what comes of it; `kept` is all that was sent."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.kept: list[Parcel] = []
        self.answer: Callable[[Parcel], Sent] = lambda _parcel: Sent(NoticeOutcome.SENT)
        channels = dict.fromkeys(Channel, self._send)
        self.courier = Courier(
            service.database,
            service.keyring,
            service.settings,
            service.clock,
            channels,
            factor=lambda: 1.0,
        )

    def _send(self, parcel: Parcel, at_risk: Callable[[], None]) -> Sent:
        at_risk()
        self.kept.append(parcel)
        return self.answer(parcel)

    def deliver(self) -> list[Parcel]:
        """A round of the publisher, and of the courier; what that sent."""
        before = len(self.kept)
        self.service.publish()
        self.courier.round()
        self.courier.wait()
        return self.kept[before:]


def contact(service: Service, content: dict[str, Any] = PROVIDER, **changes: Any) -> str:
    """A new contact's id."""
    with service.database.writing() as session:
        said = ContactContent.model_validate({**content, **changes})
        may = service.settings.webhook_allow_private
        return contacts.add(session, said, service.clock(), allow_private=may).id


def submitted(hotline: Connection, url: str = URL, **changes: Any) -> str:
    """The id of a submitted entry that is hosted by the provider."""
    new = new_entry(url, **{"hosting_provider": "Example Hosting", **changes})
    return str(hotline.request("POST", "/v1/entries", json=new).json()["id"])


def approved(hotline: Connection, reviewer: Connection, url: str = URL, **changes: Any) -> str:
    """The id of an approved one."""
    entry = submitted(hotline, url, **changes)
    sign_off(reviewer, entry)
    return entry


def sign_off(reviewer: Connection, entry: str) -> None:
    """Approve an entry."""
    approve(reviewer, reviewer.request("GET", f"/v1/entries/{entry}").json())


def token_of(parcel: Parcel) -> str:
    """The last part of the link in a notice."""
    assert parcel.link is not None
    return parcel.link.rpartition("/")[2]


def answer(service: Service, token: str, said: str, reason: str | None = None) -> httpx.Response:
    """Any answer to an answer by program."""
    body = {"answer": said} | ({"reason": reason} if reason else {})
    return httpx.post(f"{service.address}/v1/takedown-answers/{token}", json=body)


def shown(caller: Connection, entry: str) -> dict[str, Any]:
    """A takedown as the caller sees it."""
    found: dict[str, Any] = caller.request("GET", f"/v1/takedowns/{entry}").json()
    return found


def said_of(service: Service, entry: str) -> list[dict[str, Any]]:
    """The leaves of a takedown, oldest first, without what names it."""
    with service.database.reading() as session:
        found = [leaf for leaf in leaves(session) if leaf.get("entry") == entry]
    own = [leaf for leaf in found if leaf["type"].startswith("takedown.")]
    return [{**leaf, "type": leaf["type"].partition(".")[2]} for leaf in own]


def steps_of(service: Service, entry: str) -> list[str]:
    """What happened in a takedown, one word each."""
    return [leaf["type"] for leaf in said_of(service, entry)]


def pass_time(service: Service, **time: float) -> None:
    """Let time pass on the service's clock."""
    service.clock.ahead += timedelta(**time)


def clock_of(service: Service, entry: str) -> Takedown:
    """The clock's row."""
    with service.database.reading() as session:
        return session.get_one(Takedown, entry)
