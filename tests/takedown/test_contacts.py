"""Contacts by the API: each change is a version and a leaf, and what cannot be reached is refused."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.client.session import Connection, Failed
from app.core import age
from app.core.terms import Kind
from app.identity.permissions import Scope
from app.takedown.contacts import service as contacts
from app.takedown.models import Peer
from tests.programs.service import LIST, Service, leaves, replay

PROVIDER = {
    "kind": "provider",
    "name": "Example  Hosting",
    "host_suffix": "Photos.Example",
    "provider_class": "hosting",
    "channel": "mail",
    "address": "Abuse@provider.test",
}
PARTNER = {
    "kind": "partner_hotline",
    "name": "A hotline",
    "country": "DE",
    "language": "de",
    "channel": "mail",
    "address": "desk@hotline.test",
}
NETWORK = {
    "kind": "network",
    "name": "AS 64496",
    "network": "2001:db8:0::/32",
    "channel": "mail",
    "address": "noc@network.test",
    "rank": 3,
}


@pytest.fixture
def operator(service: Service) -> Iterator[Connection]:
    """An operator's client."""
    with service.connect(Kind.OPERATOR) as connection:
        yield connection


def add(operator: Connection, content: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = operator.request("POST", "/v1/contacts", json=content).json()
    return made


def of_contacts(service: Service) -> list[dict[str, Any]]:
    with service.database.reading() as session:
        return [leaf for leaf in leaves(session) if leaf["type"].startswith("contact.")]


def test_a_contact_is_stored_in_canonical_form(operator: Connection) -> None:
    made = add(operator, PROVIDER)
    assert (made["name"], made["host_suffix"]) == ("Example Hosting", "photos.example")
    assert (made["version"], made["language"], made["rank"], made["secret"]) == (1, "en", 0, None)
    assert add(operator, NETWORK)["network"] == "2001:db8::/32"
    answer = operator.request("GET", f"/v1/contacts/{made['id']}")
    assert answer.json() == {key: value for key, value in made.items() if key != "secret"}
    assert answer.headers["cache-control"] == "no-store"


def test_every_change_is_a_version_and_a_leaf_without_an_address(
    service: Service, operator: Connection
) -> None:
    made = add(operator, PARTNER)
    path = f"/v1/contacts/{made['id']}"
    changed = {**PARTNER, "address": "other@hotline.test", "base_version": 1}
    assert operator.request("PUT", path, json=changed).json()["version"] == 2
    same = operator.request("PUT", path, json={**changed, "base_version": 2}).json()
    assert same["version"] == 2
    assert operator.send("DELETE", path).status_code == 204
    told = operator.request("GET", f"{path}/versions").json()
    assert [one["content"]["address"] for one in told["versions"]] == [
        "desk@hotline.test",
        "other@hotline.test",
    ]
    assert {one["client"] for one in told["versions"]} == {operator.credentials.client_id}
    assert told["ended_at"]
    written = of_contacts(service)
    assert [leaf.pop("at") and leaf for leaf in written] == [
        {"type": "contact.added", **common(made, operator), "version": 1, "kind": "partner_hotline"}
        | {"country": "DE"},
        {"type": "contact.changed", **common(made, operator), "version": 2, "kind": "partner_hotline"}
        | {"country": "DE"},
        {"type": "contact.ended", **common(made, operator)},
    ]
    service.publish()
    assert replay(service).contacts == {}


def common(made: dict[str, Any], operator: Connection) -> dict[str, Any]:
    return {"contact": made["id"], "client": operator.credentials.client_id}


def test_a_change_of_what_was_not_read_is_refused(service: Service, operator: Connection) -> None:
    path = f"/v1/contacts/{add(operator, PROVIDER)['id']}"
    operator.request("PUT", path, json={**PROVIDER, "rank": 1, "base_version": 1})
    before = service.state()
    with pytest.raises(Failed) as refused:
        operator.request("PUT", path, json={**PROVIDER, "rank": 2, "base_version": 1})
    assert refused.value.problem
    assert refused.value.problem["type"].endswith(":contact-outdated")
    assert service.state() == before


def test_an_ended_contact_stays_readable_and_cannot_be_changed(operator: Connection) -> None:
    made = add(operator, PROVIDER)
    path = f"/v1/contacts/{made['id']}"
    operator.send("DELETE", path)
    assert operator.request("GET", path).json()["ended_at"]
    assert operator.send("DELETE", path).status_code == 404
    assert operator.send("PUT", path, json={**PROVIDER, "base_version": 1}).status_code == 404
    assert operator.request("GET", "/v1/contacts").json()["contacts"] == []
    (ended,) = operator.request("GET", "/v1/contacts", params={"with_ended": True}).json()["contacts"]
    assert ended["id"] == made["id"]


def test_contacts_come_in_pages_by_kind_and_country(operator: Connection) -> None:
    made = {add(operator, {**PARTNER, "name": f"Hotline {number}"})["id"] for number in range(5)}
    add(operator, PROVIDER)
    add(operator, {**PARTNER, "country": "FR"})
    seen, asked = [], {"kind": "partner_hotline", "country": "DE", "limit": 2}
    while True:
        answer = operator.request("GET", "/v1/contacts", params=asked)
        seen += [one["id"] for one in answer.json()["contacts"]]
        if not answer.json()["next_cursor"]:
            break
        asked["cursor"] = answer.json()["next_cursor"]
        assert f"cursor={asked['cursor']}" in answer.headers["link"]
    assert len(seen) == 5
    assert set(seen) == made
    assert operator.send("GET", "/v1/contacts", params={"cursor": "nonsense"}).status_code == 422


@pytest.mark.parametrize(
    ("base", "changes", "field"),
    [
        (PROVIDER, {"address": "abuse@provider.test, other@provider.test"}, "address"),
        (PROVIDER, {"address": "abuse@provider.test\r\nBcc: other@provider.test"}, "address"),
        (PROVIDER, {"address": "Abuse <abuse@provider.test>"}, "address"),
        (PROVIDER, {"address": '"a b"@provider.test'}, "address"),
        (PROVIDER, {"address": "abuse@prövider.test"}, "address"),
        (PROVIDER, {"address": "abuse@[192.0.2.1]"}, "address"),
        (PROVIDER, {"address": "abuse@192.0.2.1"}, "address"),
        (PROVIDER, {"address": "abuse@provider"}, "address"),
        (PROVIDER, {"address": "abuse@-provider.test"}, "address"),
        (PROVIDER, {"address": ".abuse@provider.test"}, "address"),
        (PROVIDER, {"address": f"{'a' * 65}@provider.test"}, "address"),
        (PROVIDER, {"address": f"a@{'b' * 60}.{'c.' * 95}test"}, "address"),
        (PROVIDER, {"address": "abuse@provider.test "}, "address"),
        (PROVIDER, {"channel": "own"}, "channel"),
        (PROVIDER, {"channel": "peer", "address": "0" * 32}, "channel"),
        (PROVIDER, {"channel": "webhook", "address": "http://hooks.provider.test/"}, "address"),
        (PROVIDER, {"channel": "webhook", "address": "https://127.0.0.1/"}, "address"),
        (PROVIDER, {"channel": "webhook", "address": "https://user:word@hooks.provider.test/"}, "address"),
        (PROVIDER, {"host_suffix": "example"}, "host_suffix"),
        (PROVIDER, {"host_suffix": "co.uk"}, "host_suffix"),
        (PROVIDER, {"host_suffix": "192.0.2.1"}, "host_suffix"),
        (PROVIDER, {"host_suffix": "photos.example/path"}, "host_suffix"),
        (PROVIDER, {"host_suffix": "*.photos.example"}, "host_suffix"),
        (PROVIDER, {"network": "192.0.2.0/24"}, "network"),
        (PROVIDER, {"language": "nl"}, "language"),
        (PROVIDER, {"rank": -1}, "rank"),
        (PROVIDER, {"name": " \u200b "}, "name"),
        (PROVIDER, {"name": "Example\u202eHosting"}, "name"),
        (PROVIDER, {"name": "x" * 201}, "name"),
        (PROVIDER, {"secret": "mine"}, "secret"),
        (PARTNER, {"country": None}, "country"),
        (PARTNER, {"country": "XX"}, "country"),
        (PARTNER, {"host_suffix": "photos.example"}, "host_suffix"),
        (PARTNER, {"channel": "peer", "address": "0" * 32}, "address"),
        (PARTNER, {"kind": "law_enforcement", "country": None}, "country"),
        (NETWORK, {"network": None}, "network"),
        (NETWORK, {"network": "192.0.2.1/24"}, "network"),
        (NETWORK, {"network": "0.0.0.0/0"}, "network"),
        (NETWORK, {"network": "2001:db8::/8"}, "network"),
        (NETWORK, {"network": "fe80::%eth0/64"}, "network"),
        (NETWORK, {"network": "::ffff:192.0.2.0/120"}, "network"),
    ],
)
def test_what_cannot_be_told_or_found_is_refused_by_field(
    service: Service, operator: Connection, base: dict[str, Any], changes: dict[str, Any], field: str
) -> None:
    answer = operator.send("POST", "/v1/contacts", json={**base, **changes})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert str(changes.get("address", "other@provider.test")) not in answer.text
    assert of_contacts(service) == []


def test_a_webhook_has_a_secret_of_its_own_that_is_shown_once(service: Service, operator: Connection) -> None:
    hook = {**PROVIDER, "channel": "webhook", "address": "https://hooks.provider.test/notices"}
    first, second = add(operator, hook), add(operator, {**hook, "name": "Other"})
    assert first["secret"] != second["secret"]
    assert len(base64.b64decode(first["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert first["secret"] == contacts.webhook_secret(service.keyring, first["id"])
    path = f"/v1/contacts/{first['id']}"
    assert first["secret"] not in operator.request("GET", path).text
    kept = operator.request("PUT", path, json={**hook, "rank": 1, "base_version": 1})
    assert kept.json()["secret"] is None
    operator.request("PUT", path, json={**PROVIDER, "base_version": 2})
    again = operator.request("PUT", path, json={**hook, "base_version": 3})
    assert (again.json()["secret"], again.headers["cache-control"]) == (first["secret"], "no-store")


def test_a_peer_is_one_that_is_in_force(service: Service, operator: Connection) -> None:
    organisation = service.organisation(Kind.HOTLINE)
    client = service.credentials(organisation, {Scope.ENTRIES_READ}).client_id
    content = {**PARTNER, "channel": "peer", "address": organisation}
    assert operator.send("POST", "/v1/contacts", json=content).status_code == 422
    with service.database.writing() as session:
        peer = Peer(
            organisation_id=organisation,
            client_id=client,
            address="https://wardlist.hotline.test",
            recipient=age.generate()[1],
            list=LIST,
            added_at=service.clock(),
        )
        session.add(peer)
    assert add(operator, content)["channel"] == "peer"
    with service.database.writing() as session:
        session.get_one(Peer, organisation).ended_at = datetime(2026, 1, 2, tzinfo=UTC)
    assert operator.send("POST", "/v1/contacts", json=content).status_code == 422


def test_there_are_so_many_contacts_and_no_more(
    service: Service, operator: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "AT_MOST", 2)
    first = add(operator, PROVIDER)
    add(operator, PARTNER)
    assert "at most 2" in operator.send("POST", "/v1/contacts", json=NETWORK).json()["detail"]
    operator.send("DELETE", f"/v1/contacts/{first['id']}")
    add(operator, NETWORK)
    service.publish()
    replay(service)
