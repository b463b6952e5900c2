"""Narrowest scope and jurisdiction: what a wide or unlawful submission meets, and which rule says so."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import LIST, Service, approve, new_entry, replay

ENTRIES = "/v1/entries"
PROTECTED = f"/v1/lists/{LIST}/protected-hosts"


@pytest.fixture
def operator(service: Service) -> Iterator[Connection]:
    with service.connect(Kind.OPERATOR) as connection:
        connection.request("PUT", PROTECTED, json={"hosts": ["popular.example", "*.pages.example"]})
        yield connection


def refusal(hotline: Connection, **body: Any) -> tuple[str, str]:
    answer = hotline.send("POST", ENTRIES, json=new_entry(**body))
    assert answer.status_code == 422, answer.text
    return answer.json()["type"].removeprefix("urn:wardlist:problem:"), answer.json()["errors"][0]["field"]


@pytest.mark.parametrize("scope", ["host", "domain"])
def test_a_wide_scope_needs_a_reason(hotline: Connection, scope: str) -> None:
    assert refusal(hotline, scope=scope, scope_reason=None) == ("scope-reason-missing", "scope_reason")


@pytest.mark.parametrize("scope", ["url", "path", "host", "domain"])
@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://github.io/", "url-public-suffix"),
        ("https://co.uk/", "url-public-suffix"),
        ("https://192.0.2.7/", "url-ip-host"),
        ("https://[2001:db8::7]/", "url-ip-host"),
    ],
)
def test_a_suffix_or_an_ip_address_is_refused_outright(
    hotline: Connection, url: str, rule: str, scope: str
) -> None:
    assert refusal(hotline, url=url, scope=scope) == (rule, "url")


@pytest.mark.parametrize("scope", ["host", "domain"])
@pytest.mark.parametrize("host", ["pages.example", "amazonaws.com"])
def test_a_shared_hosts_own_name_is_refused(
    hotline: Connection, operator: Connection, scope: str, host: str
) -> None:
    assert refusal(hotline, url=f"https://{host}/", scope=scope) == ("shared-hosting", "url")


@pytest.mark.parametrize("url", ["https://popular.example/", "https://a.example.test/?q=1"])
def test_a_path_entry_at_the_root_is_a_host_entry_by_another_name(hotline: Connection, url: str) -> None:
    assert refusal(hotline, url=url, scope="path") == ("path-covers-host", "scope")


def test_one_customer_of_a_shared_host_can_be_named(hotline: Connection, operator: Connection) -> None:
    taken = hotline.request("POST", ENTRIES, json=new_entry("https://one.pages.example/", scope="host"))
    assert taken.json()["collateral"]["suffix_class"] == "shared_hosting"


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://popular.example/", "host"),
        ("https://www.popular.example/", "host"),
        ("https://popular.example/", "domain"),
    ],
)
def test_a_protected_host_needs_a_third_body(
    service: Service, hotline: Connection, operator: Connection, url: str, scope: str
) -> None:
    entry = hotline.request("POST", ENTRIES, json=new_entry(url, scope=scope)).json()
    assert (entry["quorum"], entry["collateral"]["is_protected"]) == (3, True)
    for expected in ("submitted", "submitted", "approved"):
        with service.connect(Kind.REVIEW_BODY) as body:
            assert approve(body, entry)["status"] == expected
    service.publish()
    held = operator.request("GET", f"/v1/lists/{LIST}/brake").json()
    assert (held["engaged"], held["reason"], held["added"]) == (True, "protected_host", [entry["id"]])
    replay(service)


def test_a_page_of_a_protected_host_is_listed_as_any_page(
    service: Service, hotline: Connection, reviewer: Connection, operator: Connection
) -> None:
    entry = hotline.request("POST", ENTRIES, json=new_entry("https://popular.example/page")).json()
    assert (entry["quorum"], entry["collateral"]["is_protected"]) == (1, True)
    assert approve(reviewer, entry)["status"] == "approved"
    service.publish()
    assert hotline.request("GET", f"{ENTRIES}/{entry['id']}").json()["status"] == "listed"


def test_protection_reaches_entries_that_were_submitted_before(
    service: Service, hotline: Connection, reviewer: Connection, operator: Connection
) -> None:
    url = "https://later.example/"
    entry = hotline.request("POST", ENTRIES, json=new_entry(url, scope="host")).json()
    with service.connect(Kind.REVIEW_BODY) as second:
        approve(reviewer, entry)
        assert approve(second, entry)["status"] == "approved"
    seen = operator.request("PUT", PROTECTED, json={"hosts": ["later.example"]}).json()
    assert seen == {"hosts": ["later.example"], "listed_entries": []}
    service.publish()
    again = reviewer.request("GET", f"{ENTRIES}/{entry['id']}").json()
    assert (again["status"], again["quorum"]) == ("submitted", 3)
    replay(service)


def test_listed_entries_that_become_covered_are_shown_to_the_operator(
    service: Service, hotline: Connection, reviewer: Connection, operator: Connection
) -> None:
    entry = hotline.request("POST", ENTRIES, json=new_entry("https://b.example/", scope="domain")).json()
    with service.connect(Kind.REVIEW_BODY) as second:
        approve(reviewer, entry)
        approve(second, entry)
    service.publish()
    seen = operator.request("PUT", PROTECTED, json={"hosts": ["www.b.example"]}).json()
    assert seen["listed_entries"] == [entry["id"]]
    replay(service)


def test_an_unusable_line_is_named_and_nothing_is_replaced(operator: Connection) -> None:
    wanted = {"hosts": ["fine.example", "https://no.example/", "192.0.2.1", ""]}
    answer = operator.send("PUT", PROTECTED, json=wanted)
    assert answer.status_code == 422
    kept = operator.request("GET", PROTECTED).json()["hosts"]
    assert kept == ["*.pages.example", "popular.example"]
    wanted["hosts"].pop()
    faults = operator.send("PUT", PROTECTED, json=wanted).json()["errors"]
    assert [fault["index"] for fault in faults] == [1, 2]


def test_the_collateral_assessment_counts_entries_and_organisations(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    first = hotline.request("POST", ENTRIES, json=new_entry("https://h.example.test/1")).json()
    hotline.request("POST", ENTRIES, json=new_entry("https://h.example.test/2"))
    with service.connect(Kind.HOTLINE) as other:
        decoy = other.request("POST", ENTRIES, json=new_entry("https://h.example.test/3")).json()
        assert (decoy["collateral"]["other_entries"], decoy["collateral"]["other_organisations"]) == (0, 0)
        assert other.send("GET", f"{ENTRIES}/{first['id']}").status_code == 404
    seen = reviewer.request("GET", f"{ENTRIES}/{first['id']}").json()["collateral"]
    assert (seen["other_entries"], seen["other_organisations"]) == (2, 1)
    assert (seen["suffix_class"], seen["is_protected"]) == ("registry", False)


AT_HOME: list[tuple[dict[str, Any], dict[str, Any], tuple[str, str] | None]] = [
    ({}, {"measures": ["takedown", "blocking"]}, ("hosted-in-jurisdiction", "measures")),
    ({}, {"measures": ["blocking"]}, ("takedown-required", "measures")),
    ({}, {"measures": ["takedown"]}, None),
    ({"block_in_jurisdiction": True}, {"measures": ["takedown", "blocking"]}, None),
    ({"block_in_jurisdiction": True}, {"measures": ["blocking"]}, ("takedown-required", "measures")),
    ({}, {"measures": ["blocking"], "hosting_country": "DE"}, None),
    (
        {"reserved_grounds": ["lanzarote-20-1-f"]},
        {"legal_ground": "lanzarote-20-1-f", "hosting_country": "DE"},
        ("ground-reserved", "legal_ground"),
    ),
    ({"reserved_grounds": ["lanzarote-20-1-f"]}, {"hosting_country": "DE"}, None),
]


@pytest.mark.parametrize(("policy", "body", "expected"), AT_HOME, ids=range(len(AT_HOME)))
def test_the_lists_jurisdiction_decides(
    service: Service,
    hotline: Connection,
    policy: dict[str, Any],
    body: dict[str, Any],
    expected: tuple[str, str] | None,
) -> None:
    service.add_list("dutch", jurisdiction="NL", **policy)
    if expected:
        assert refusal(hotline, list="dutch", **body) == expected
    else:
        hotline.request("POST", ENTRIES, json=new_entry(list="dutch", **body))
