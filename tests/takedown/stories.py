"""What happens in the stories of takedowns besides what told.py has: policies, holds, events, ends."""

from datetime import timedelta
from typing import Any

from app.client.session import Connection
from app.core.terms import Kind, NoticeOutcome
from app.lists import service as lists
from app.lists.schemas import PolicyChange
from app.takedown.contacts import service as contacts
from app.takedown.notices.parcels import Parcel, Sent
from tests.programs.service import LIST, Service

PARTNER = {
    "kind": "partner_hotline",
    "name": "Partner",
    "country": "NL",
    "channel": "mail",
    "address": "desk@partner.test",
}
SECOND = {**PARTNER, "name": "Second", "rank": 1, "address": "desk@second.test"}
SENT = Sent(NoticeOutcome.SENT)
LOST = Sent(NoticeOutcome.FAILED, "unknown-recipient", is_refused=True)
BUSY = Sent(None, "busy", is_refused=True)


def policy(service: Service, **knobs: Any) -> None:
    """The same policy but for these knobs."""
    with service.database.writing() as session:
        version = lists.policy_version(session, LIST, None)
        asked = PolicyChange(**{**version.policy, **knobs, "base_version": version.version})
        lists.change_policy(session, None, LIST, asked, service.clock())


def end(service: Service, contact_id: str) -> None:
    """Tell nobody there any longer."""
    with service.database.writing() as session:
        contacts.end(session, contact_id, service.clock())


def say(hotline: Connection, entry: str, event: str, **reason: str) -> None:
    """A hotline's event."""
    hotline.request("POST", f"/v1/takedowns/{entry}/events", json={"event": event, **reason})


def hold(service: Service, entry: str, hours: int = 48, is_released: bool = False) -> None:
    """Law enforcement asks for that time, and perhaps needs no more of it."""
    body = {"reason": "investigation", "until": (service.clock() + timedelta(hours=hours)).isoformat()}
    with service.connect(Kind.LAW_ENFORCEMENT) as police:
        police.request("POST", f"/v1/takedowns/{entry}/hold", json=body)
        if is_released:
            police.request("DELETE", f"/v1/takedowns/{entry}/hold")


def emergency(service: Service, entry: str) -> None:
    """An operator takes it off at once."""
    with service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": [entry]})


def withdraw(hotline: Connection, entry: str) -> None:
    """Its hotline takes it back."""
    hotline.request("POST", f"/v1/entries/{entry}/withdrawal")


def sent(parcels: list[Parcel]) -> list[tuple[str, str]]:
    """What went out: kind, and the contact's name."""
    return [(one.kind.value, one.contact_name) for one in parcels]
