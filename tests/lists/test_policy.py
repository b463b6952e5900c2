"""A list's policy: every knob in it, each change a version on the record."""

from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import LIST, Service, approve, leaves, new_entry, replay

POLICY = f"/v1/lists/{LIST}/policy"


def knobs(operator: Connection, **changes: Any) -> dict[str, Any]:
    """The policy in force with some knobs turned, as a change."""
    seen = operator.request("GET", POLICY).json()
    return {**seen["policy"], **changes, "base_version": seen["version"]}


@pytest.fixture
def operator(service: Service) -> Any:
    with service.connect(Kind.OPERATOR) as connection:
        yield connection


def test_a_change_is_a_version_and_a_leaf_with_every_knob(service: Service, operator: Connection) -> None:
    changed = operator.request("PUT", POLICY, json=knobs(operator, recheck_days=7)).json()
    assert (changed["version"], changed["policy"]["recheck_days"]) == (2, 7)
    assert operator.request("GET", POLICY, params={"version": 1}).json()["policy"]["recheck_days"] == 30
    assert operator.request("GET", f"/v1/lists/{LIST}").json()["policy_version"] == 2
    with service.database.reading() as session:
        leaf = next(one for one in leaves(session) if one["type"] == "policy.changed")
    assert {name: leaf[name] for name in changed["policy"]} == changed["policy"]


def test_a_change_to_an_older_version_is_refused(operator: Connection) -> None:
    stale = knobs(operator, recheck_days=7)
    operator.request("PUT", POLICY, json=knobs(operator, appeal_days=5))
    answer = operator.send("PUT", POLICY, json=stale)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wardlist:problem:policy-outdated")


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("quorum", {"url": 2, "path": 2, "host": 2, "domain": 3}),
        ("quorum", {"url": 0}),
        ("jurisdiction", "XX"),
        ("jurisdiction", "nl"),
        ("reserved_grounds", ["lanzarote-20-1-z"]),
        ("canaries", ["0" * 32]),
        ("brake_percent", 0),
        ("second_opinion_percent", 101),
        ("appeal_days", 0),
        ("protected_quorum", 0),
    ],
    ids=str,
)
def test_a_wrong_knob_is_named_and_nothing_changes(operator: Connection, knob: str, value: Any) -> None:
    answer = operator.send("PUT", POLICY, json=knobs(operator, **{knob: value}))
    assert answer.status_code == 422
    assert any(knob in error["field"] for error in answer.json()["errors"]), answer.json()
    assert operator.request("GET", POLICY).json()["version"] == 1


def test_a_version_that_never_was_is_not_there(operator: Connection) -> None:
    assert operator.send("GET", POLICY, params={"version": 9}).status_code == 404


def test_a_raised_quorum_holds_for_what_is_not_listed_yet(
    service: Service, operator: Connection, hotline: Connection, reviewer: Connection
) -> None:
    entry = hotline.request("POST", "/v1/entries", json=new_entry()).json()
    assert approve(reviewer, entry)["status"] == "approved"
    wanted = {"url": 2, "path": 2, "host": 3, "domain": 3}
    operator.request("PUT", POLICY, json=knobs(operator, quorum=wanted))
    service.publish()
    again = reviewer.request("GET", f"/v1/entries/{entry['id']}").json()
    assert (again["status"], again["quorum"], again["listed_in"]) == ("submitted", 2, None)
    with service.connect(Kind.REVIEW_BODY) as second:
        assert approve(second, again)["status"] == "approved"
    service.publish()
    assert reviewer.request("GET", f"/v1/entries/{entry['id']}").json()["status"] == "listed"
    assert replay(service).lists[LIST].versions.keys() == {1}
