"""Whom an entry's notice goes to, and why, as its hotline sees it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.client.session import Connection
from app.core import age
from app.core.terms import Kind
from app.identity.permissions import Scope
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.contacts.service import Changes
from app.takedown.models import Peer
from tests.programs import plans
from tests.programs.service import LIST, Service, approve, leaves, new_entry, replay

Told = list[tuple[int, str, str]]
"""(turn, rule, contact's name)."""


class Desk:
    """Adds contacts, and says whom an entry goes to."""

    def __init__(self, service: Service, hotline: Connection, reviewer: Connection) -> None:
        self.service, self.hotline, self.reviewer = service, hotline, reviewer
        self.names: dict[str, str] = {}

    def contact(self, kind: str, name: str, **more: Any) -> str:
        """A new contact's id; by mail unless said otherwise."""
        how = {"channel": "mail", "address": f"abuse@{len(self.names)}.contact.test", **more}
        content = ContactContent.model_validate({"kind": kind, "name": name, **how})
        with self.service.database.writing() as session:
            added = contacts.add(session, content, self.service.clock(), allow_private=True)
            self.names[added.id] = name
            return added.id

    def approved(self, url: str = "https://a.example.test/1", **more: Any) -> str:
        """An approved entry's id, after the publisher looked at it."""
        entry = self.hotline.request("POST", "/v1/entries", json=new_entry(url, **more)).json()
        approve(self.reviewer, entry)
        self.service.publish()
        found: str = entry["id"]
        return found

    def view(self, entry: str) -> dict[str, Any]:
        view: dict[str, Any] = self.hotline.request("GET", f"/v1/entries/{entry}").json()
        return view

    def told(self, entry: str) -> Told:
        steps = self.view(entry)["routed_by"]
        return [(step["turn"], step["rule"], self.names[step["contact"]]) for step in steps]


@pytest.fixture
def desk_of(service: Service, hotline: Connection, reviewer: Connection) -> Callable[..., Desk]:
    """A desk at a list with this policy."""

    def made(**policy: Any) -> Desk:
        service.add_list("routed", **policy)
        return Desk(service, hotline, reviewer)

    return made


def abroad(**more: Any) -> dict[str, Any]:
    return {"list": "routed", "hosting_country": "DE", **more}


def test_abroad_the_partner_hotline_is_told(service: Service, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(jurisdiction="NL")
    contact = desk.contact("partner_hotline", "Partner", country="DE", rank=1)
    desk.contact("partner_hotline", "First partner", country="DE")
    desk.contact("partner_hotline", "Elsewhere", country="FR")
    desk.contact("provider", "Example Hosting")
    entry = desk.approved(**abroad(hosting_provider="Example Hosting"))
    assert desk.told(entry) == [
        (1, "partner_of_country", "First partner"),
        (2, "partner_of_country", "Partner"),
    ]
    assert desk.view(entry)["routed_by"][1] == {
        "turn": 2,
        "rule": "partner_of_country",
        "contact": contact,
        "version": 1,
        "kind": "partner_hotline",
        "channel": "mail",
    }
    replay(service)


def test_with_providers_always_both_are_told_at_once(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(jurisdiction="NL", provider_notices="always")
    desk.contact("partner_hotline", "Partner", country="DE")
    desk.contact("provider", "Example Hosting")
    entry = desk.approved(**abroad(hosting_provider="\uff25xample   HOSTING"))
    assert desk.told(entry) == [
        (1, "partner_of_country", "Partner"),
        (1, "provider_by_name", "Example Hosting"),
    ]


def test_at_home_the_provider_by_name_then_by_host_then_the_network(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(jurisdiction="DE", provider_notices="never")
    desk.contact("partner_hotline", "Own hotline", country="DE")
    desk.contact("network", "Wide network", network="192.0.2.0/24")
    desk.contact("network", "Narrow network", network="192.0.2.128/25")
    desk.contact("provider", "Wide host", host_suffix="photos.test")
    desk.contact("provider", "Narrow host", host_suffix="users.photos.test", rank=9)
    desk.contact("provider", "Other labels", host_suffix="ers.photos.test")
    desk.contact("provider", "Example Hosting", host_suffix="photos.test")
    url = "https://someone.users.photos.test/1"
    facts = abroad(hosting_provider="example hosting", hosting_address="192.0.2.200", measures=["takedown"])
    entry = desk.approved(url, **facts)
    assert desk.told(entry) == [
        (1, "provider_by_name", "Example Hosting"),
        (2, "provider_by_host", "Narrow host"),
        (3, "provider_by_host", "Wide host"),
        (4, "network_by_address", "Narrow network"),
        (5, "network_by_address", "Wide network"),
    ]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("2001:db8:5::1", "2001:db8::/32"),
        ("2001:0DB8:0005:0:0:0:0:1", "2001:db8:5::1/128"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("203.0.113.9", "203.0.113.9"),
    ],
)
def test_a_network_is_found_by_an_address_in_it(
    desk_of: Callable[..., Desk], address: str, network: str
) -> None:
    desk = desk_of()
    desk.contact("network", "Network", network=network)
    desk.contact("network", "Other network", network="192.0.2.0/24")
    entry = desk.approved(**abroad(hosting_address=address))
    assert desk.told(entry) == [(1, "network_by_address", "Network")]


def test_a_provider_of_another_country_is_somebody_else(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(jurisdiction="NL")
    desk.contact("provider", "Example Hosting", country="FR")
    desk.contact("network", "Network", country="FR", network="192.0.2.0/24")
    desk.contact("provider", "Example  hosting", country="DE", rank=1)
    desk.contact("provider", "Example hosting")
    entry = desk.approved(**abroad(hosting_provider="Example Hosting", hosting_address="192.0.2.1"))
    assert [name for _, _, name in desk.told(entry)] == ["Example hosting", "Example  hosting"]


def test_law_enforcement_of_the_list_is_heard_first(service: Service, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(jurisdiction="NL", law_enforcement_hours=24)
    desk.contact("law_enforcement", "Police", country="NL")
    desk.contact("law_enforcement", "Police abroad", country="DE")
    desk.contact("partner_hotline", "Partner", country="DE")
    assert desk.told(desk.approved(**abroad())) == [
        (0, "law_enforcement_first", "Police"),
        (1, "partner_of_country", "Partner"),
    ]
    replay(service)


def test_without_a_jurisdiction_law_enforcement_is_where_it_is_hosted(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(law_enforcement_hours=24)
    desk.contact("law_enforcement", "Police", country="NL")
    desk.contact("law_enforcement", "Police abroad", country="DE")
    assert desk.told(desk.approved(**abroad())) == [(0, "law_enforcement_first", "Police abroad")]


def test_a_platform_is_told_by_mail_of_what_lies_on_itself(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of()
    desk.contact("provider", "The platform", host_suffix="photos.test", address="abuse@photos.test")
    told = [(1, "provider_by_host", "The platform")]
    assert desk.told(desk.approved("https://a.photos.test/1", **abroad())) == told


@pytest.mark.parametrize(
    "address", ["https://photos.test/hook", "https://hooks.photos.test./", "https://192.0.2.9/hook"]
)
def test_no_webhook_at_the_entrys_own_host(desk_of: Callable[..., Desk], address: str) -> None:
    desk = desk_of()
    desk.contact("provider", "The host", host_suffix="photos.test", channel="webhook", address=address)
    placed = abroad(hosting_address="192.0.2.9")
    assert desk.told(desk.approved("https://a.photos.test/1", **placed)) == []


def test_a_peer_is_told_while_it_is_one(service: Service, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of()
    organisation = service.organisation(Kind.HOTLINE)
    client = service.credentials(organisation, {Scope.ENTRIES_READ}).client_id
    with service.database.writing() as session:
        peer = Peer(
            organisation_id=organisation,
            client_id=client,
            address="https://wardlist.partner.test",
            recipient=age.generate()[1],
            list=LIST,
            added_at=service.clock(),
        )
        session.add(peer)
    desk.contact("partner_hotline", "Peer", country="DE", channel="peer", address=organisation)
    assert desk.told(desk.approved(**abroad())) == [(1, "partner_of_country", "Peer")]
    assert desk.told(desk.approved("https://x.partner.test/", **abroad())) == []
    with service.database.writing() as session:
        session.get_one(Peer, organisation).ended_at = service.clock()
    assert desk.told(desk.approved("https://a.example.test/2", **abroad())) == []


def test_a_contact_that_ended_is_not_told(service: Service, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of()
    ended = desk.contact("partner_hotline", "Partner", country="DE")
    with service.database.writing() as session:
        contacts.end(session, ended, service.clock())
    assert desk.told(desk.approved(**abroad())) == []


def test_where_nobody_fits_the_next_day_finds_who_was_added_meanwhile(
    service: Service, desk_of: Callable[..., Desk]
) -> None:
    desk = desk_of()
    entry = desk.approved(**abroad())
    with service.database.reading() as session:
        excused = [leaf for leaf in leaves(session) if leaf["type"] == "takedown.excused"]
    assert [leaf["reason"] for leaf in excused] == ["no_contact"]
    assert desk.told(entry) == []
    desk.contact("partner_hotline", "Partner", country="DE")
    service.publish()
    assert desk.told(entry) == []
    service.clock.ahead += timedelta(days=1)
    service.publish()
    assert desk.told(entry) == [(1, "partner_of_country", "Partner")]
    replay(service)


def test_an_erased_entry_does_not_say_whom_it_went_to_by_host(desk_of: Callable[..., Desk]) -> None:
    """The rule and the contact stand with the entry; what they were found by does not."""
    desk = desk_of()
    desk.contact("provider", "Example Hosting", host_suffix="photos.test")
    steps = desk.view(desk.approved("https://a.photos.test/1", **abroad()))["routed_by"]
    assert set(steps[0]) == {"turn", "rule", "contact", "version", "kind", "channel"}


@pytest.mark.parametrize("found_by", ["host_suffix", "network", "country"])
def test_among_many_contacts_each_is_looked_up_by_an_index(
    service: Service, desk_of: Callable[..., Desk], found_by: str
) -> None:
    """Whatever most contacts are found by, no query reads more than those that fit."""
    desk = desk_of()
    with service.database.writing() as session:
        crowd = [_one_of_many(number, found_by) for number in range(3000)]
        contacts.apply(session, Changes(added=crowd), service.clock(), None)
    service.database.count()
    desk.contact("partner_hotline", "Partner", country="DE")
    asked: list[tuple[str, Any]] = []

    def note(*seen: Any) -> None:
        if "FROM contact" in seen[2]:
            asked.append((seen[2], seen[3]))

    event.listen(service.database.engine, "before_cursor_execute", note)
    facts = abroad(hosting_provider="Provider 7", hosting_address="192.0.2.1")
    entry = desk.approved("https://h9.photos.test/", **facts)
    event.remove(service.database.engine, "before_cursor_execute", note)
    assert desk.told(entry) == [(1, "partner_of_country", "Partner")]
    asked = [query for query in asked if "contact.ended_at IS NULL" in query[0]]
    with service.database.engine.connect() as connection:
        found = [plans.reads(plans.steps(connection, *query)) for query in asked]
    assert len(found) == 4
    assert all(" contact_by_" in step for reads in found for step in reads), found
    assert all(found)


def _one_of_many(number: int, found_by: str) -> ContactContent:
    by = {
        "host_suffix": {"kind": "provider", "host_suffix": f"h{number}.photos.test"},
        "network": {"kind": "network", "network": f"2001:db8:{number:x}::/48"},
        "country": {"kind": "provider", "country": "DE"},
    }[found_by]
    how = {"name": f"Provider {number}", "channel": "mail", "address": "abuse@provider.test"}
    return ContactContent.model_validate({**by, **how})
