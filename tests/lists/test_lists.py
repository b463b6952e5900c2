"""Creating lists: what a policy may say, and that a wrong one keeps nothing."""

from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import Service, leaves

LISTS = "/v1/lists"
GOOD: dict[str, Any] = {
    "name": "national-host",
    "title": "Hosts",
    "scopes": ["host", "domain"],
    "quorum": {"host": 2},
    "confidentiality": "plain",
    "recheck_days": 14,
    "retention_days": 90,
    "min_poll_seconds": 30,
}


def test_a_list_is_created_with_its_policy_on_the_record(service: Service) -> None:
    with service.connect(Kind.OPERATOR) as operator:
        answer = operator.send("POST", LISTS, json=GOOD)
        assert (answer.status_code, answer.headers["location"]) == (201, "/v1/lists/national-host")
        view = operator.request("GET", f"{LISTS}/national-host").json()
        again = operator.send("POST", LISTS, json=GOOD)
    assert view == answer.json()
    assert view["quorum"] == {"host": 2, "domain": 3}
    assert view["latest_version"] is None
    assert (again.status_code, again.json()["errors"][0]["field"]) == (409, "name")
    with service.database.reading() as session:
        leaf = [leaf for leaf in leaves(session) if leaf["type"] == "list.created"][-1]
    assert (leaf["list"], leaf["quorum"], leaf["recheck_days"]) == (
        "national-host",
        {"host": 2, "domain": 3},
        14,
    )
    assert "Hosts" not in str(leaf)


BAD: dict[str, list[Any]] = {
    "name": [None, "", "Upper", "-x", "a" * 64, "a/b", "a b", "a\n", "root", "timestamp", "register", 5],
    "title": [None, "", "x" * 201, "line\nbreak", 5],
    "scopes": [None, [], ["page"], ["url", "url"], "url"],
    "quorum": [{"url": 0}, {"url": 10}, {"url": "1"}, {"page": 1}, {"url": True}, []],
    "confidentiality": [None, "secret"],
    "formats": [None, [], ["csv"], ["jsonl", "jsonl"], ["jsonl", "pdf"]],
    "delta_versions": [0, "1", 10_001],
    "match_key_days": [0, None, 366],
    "walled_garden": ["", "one", "a b.example", "-.", "x" * 201],
    "recheck_days": [0, 366, "1", 1.5, True],
    "retention_days": [0, 3651, None],
    "min_poll_seconds": [0, 86401, None],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_a_wrong_policy_names_the_field_and_keeps_nothing(
    shared: tuple[Service, Connection], name: str, value: Any
) -> None:
    service, _ = shared
    with service.connect(Kind.OPERATOR) as operator:
        before = service.state()
        answer = operator.send("POST", LISTS, json={**GOOD, name: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].split(".")[0] == name
    assert service.state() == before


def test_unknown_members_are_refused(shared: tuple[Service, Connection]) -> None:
    with shared[0].connect(Kind.OPERATOR) as operator:
        answer = operator.send("POST", LISTS, json={**GOOD, "secret": True})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "secret")


def test_a_new_list_is_delegated_before_its_first_version(service: Service) -> None:
    with service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", LISTS, json=GOOD)
    service.publish()
    names = {path.name for path in (service.settings.public / "metadata").iterdir()}
    assert "1.national-host.json" in names
