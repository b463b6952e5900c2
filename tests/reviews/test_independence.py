"""Independence: conflicts of interest, suspended reviewers, and second opinions that nobody knows of."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from jose import jws

from app.client.session import Connection
from app.core import jose
from app.core.terms import Kind
from app.identity import service as identity
from tests.programs.service import LIST, Service, new_entry, replay, signed_review

CONFLICTS = "/v1/conflicts"


@pytest.fixture
def operator(service: Service) -> Iterator[Connection]:
    with service.connect(Kind.OPERATOR) as connection:
        yield connection


class Bodies:
    """A hotline and two review bodies, by organisation id."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.hotline_id = service.organisation(Kind.HOTLINE)
        self.one_id, self.two_id = (service.organisation(Kind.REVIEW_BODY) for _ in range(2))
        self.hotline = service.connect(Kind.HOTLINE, self.hotline_id)
        self.one = service.connect(Kind.REVIEW_BODY, self.one_id)
        self.two = service.connect(Kind.REVIEW_BODY, self.two_id)

    def submit(self, host: str = "a", **body: Any) -> dict[str, Any]:
        sent = new_entry(f"https://{host}.example.test/", **body)
        entry: dict[str, Any] = self.hotline.request("POST", "/v1/entries", json=sent).json()
        return entry

    def suspend(self, organisation: str, is_suspended: bool = True) -> None:
        with self.service.database.writing() as session:
            identity.suspend_organisation(session, organisation, is_suspended, self.service.clock())

    def status(self, entry: dict[str, Any]) -> str:
        status: str = self.hotline.request("GET", f"/v1/entries/{entry['id']}").json()["status"]
        return status


@pytest.fixture
def bodies(service: Service) -> Iterator[Bodies]:
    found = Bodies(service)
    with found.hotline, found.one, found.two:
        yield found


def vote(reviewer: Connection, entry: dict[str, Any], **changes: Any) -> Any:
    body = signed_review(entry, reviewer.credentials.private_jwk, **changes)
    return reviewer.send("POST", f"/v1/entries/{entry['id']}/reviews", json=body)


def queue(reviewer: Connection) -> list[str]:
    return [entry["id"] for entry in reviewer.request("GET", "/v1/reviews/queue").json()["entries"]]


def test_a_body_in_conflict_with_the_submitter_neither_sees_nor_decides(
    bodies: Bodies, operator: Connection
) -> None:
    entry = bodies.submit()
    declared = operator.request(
        "PUT", f"{CONFLICTS}/{bodies.one_id}/{bodies.hotline_id}", json={"reason": "funding"}
    ).json()
    assert operator.request("GET", CONFLICTS).json() == {"conflicts": [declared]}
    assert queue(bodies.one) == []
    assert vote(bodies.one, entry).json()["type"] == "urn:wardlist:problem:conflict-of-interest"
    assert queue(bodies.two) == [entry["id"]]
    operator.request("DELETE", f"{CONFLICTS}/{bodies.hotline_id}/{bodies.one_id}")
    assert queue(bodies.one) == [entry["id"]]
    assert vote(bodies.one, entry).status_code == 201
    replay(bodies.service)


def test_a_conflict_with_who_corroborated_counts_too(bodies: Bodies, operator: Connection) -> None:
    entry = bodies.submit()
    other = bodies.service.organisation(Kind.HOTLINE)
    with bodies.service.connect(Kind.HOTLINE, other) as second:
        second.request("POST", "/v1/entries", json=new_entry("https://a.example.test/"))
    operator.request("PUT", f"{CONFLICTS}/{other}/{bodies.one_id}", json={"reason": "shared_staff"})
    assert queue(bodies.one) == []
    assert vote(bodies.one, entry).status_code == 403


def test_two_bodies_in_conflict_do_not_make_a_quorum_together(bodies: Bodies, operator: Connection) -> None:
    bodies.service.add_list("strict", quorum={"url": 2})
    entry = bodies.submit(list="strict")
    operator.request("PUT", f"{CONFLICTS}/{bodies.one_id}/{bodies.two_id}", json={"reason": "ownership"})
    assert vote(bodies.one, entry).json()["status"] == "submitted"
    assert queue(bodies.two) == []
    assert vote(bodies.two, entry).json()["type"] == "urn:wardlist:problem:conflict-of-interest"
    with bodies.service.connect(Kind.REVIEW_BODY) as third:
        assert vote(third, entry).json()["status"] == "approved"


@pytest.mark.parametrize(
    ("pair", "reason", "status"),
    [
        ("{one}/{one}", "funding", 422),
        ("{one}/nobody", "funding", 422),
        ("{one}/{two}", "dislike", 422),
    ],
)
def test_a_conflict_names_two_organisations_and_a_known_reason(
    bodies: Bodies, operator: Connection, pair: str, reason: str, status: int
) -> None:
    path = f"{CONFLICTS}/{pair.format(one=bodies.one_id, two=bodies.two_id)}"
    assert operator.send("PUT", path, json={"reason": reason}).status_code == status
    assert operator.send("DELETE", path).status_code == 404


def test_no_operator_account_can_approve(bodies: Bodies, operator: Connection) -> None:
    entry = bodies.submit()
    shown = bodies.one.request("GET", f"/v1/entries/{entry['id']}").json()
    assert vote(operator, shown).status_code == 403
    assert operator.send("GET", "/v1/reviews/queue").status_code == 403


def test_a_reviewer_suspended_before_publication_no_longer_counts(bodies: Bodies) -> None:
    entry = bodies.submit()
    assert vote(bodies.one, entry).json()["status"] == "approved"
    bodies.suspend(bodies.one_id)
    bodies.service.publish()
    assert bodies.status(entry) == "submitted"
    assert vote(bodies.two, entry).json()["status"] == "approved"
    bodies.service.publish()
    assert bodies.status(entry) == "listed"
    replay(bodies.service)


def test_a_revoked_reviewers_body_may_decide_again_with_another(bodies: Bodies) -> None:
    entry = bodies.submit()
    assert vote(bodies.one, entry).json()["status"] == "approved"
    with bodies.service.database.writing() as session:
        identity.revoke_client(session, bodies.one.credentials.client_id, bodies.service.clock())
    bodies.service.publish()
    assert bodies.status(entry) == "submitted"
    with bodies.service.connect(Kind.REVIEW_BODY, bodies.one_id) as colleague:
        assert vote(colleague, entry).json()["status"] == "approved"
        assert vote(colleague, entry).status_code == 409
    bodies.service.publish()
    assert bodies.status(entry) == "listed"
    replay(bodies.service)


def test_a_vote_by_who_was_suspended_meanwhile_completes_no_quorum(bodies: Bodies) -> None:
    bodies.service.add_list("strict", quorum={"url": 2})
    entry = bodies.submit(list="strict")
    vote(bodies.one, entry)
    bodies.suspend(bodies.one_id)
    answer = vote(bodies.two, entry).json()
    assert (answer["status"], answer["approvals"]) == ("submitted", 1)


def test_a_listed_entry_stays_when_its_reviewer_is_suspended_afterwards(bodies: Bodies) -> None:
    entry = bodies.submit()
    vote(bodies.one, entry)
    bodies.service.publish()
    bodies.suspend(bodies.one_id)
    bodies.submit("b")
    bodies.service.publish()
    assert bodies.status(entry) == "listed"
    replay(bodies.service)


@pytest.mark.parametrize(("verdict", "settled"), [("approve", "listed"), ("reject", "rejected")])
def test_a_second_opinion_is_asked_for_unseen_and_changes_nothing(
    bodies: Bodies, verdict: str, settled: str
) -> None:
    bodies.service.add_list("watched", second_opinion_percent=100)
    entry = bodies.submit(list="watched")
    criteria = {} if verdict == "approve" else {"narrowest_scope": False}
    vote(bodies.one, entry, decision=verdict, criteria=criteria)
    bodies.service.publish()
    assert bodies.status(entry) == settled
    assert queue(bodies.one) == []
    assert queue(bodies.two) == [entry["id"]]
    shown = bodies.two.request("GET", f"/v1/entries/{entry['id']}").json()
    assert (shown["status"], shown["listed_in"], shown["recheck_by"]) == ("submitted", None, None)
    assert (shown["takedown"], shown["notice_at"], shown["routed_by"]) == ("not_started", None, [])
    listed = bodies.two.request("GET", "/v1/entries", params={"status": settled}).json()["entries"]
    assert listed == []
    answer = vote(bodies.two, shown).json()
    assert (answer["status"], answer["approvals"]) == ("submitted", 1)
    assert bodies.status(entry) == settled
    assert bodies.two.request("GET", f"/v1/entries/{entry['id']}").json()["status"] == settled
    assert vote(bodies.two, shown).status_code == 409
    replay(bodies.service)


def test_a_second_opinion_is_signed_as_any_decision(bodies: Bodies) -> None:
    bodies.service.add_list("watched", second_opinion_percent=100)
    entry = bodies.submit(list="watched")
    vote(bodies.one, entry)
    forged = vote(bodies.two, entry, signed={"decision": "reject"})
    assert forged.json()["type"] == "urn:wardlist:problem:signature-invalid"
    assert queue(bodies.two) == [entry["id"]]


def test_a_suspension_reaches_a_vote_that_waits_for_another_writer(bodies: Bodies) -> None:
    entry = bodies.submit()
    bodies.one.token()
    with ThreadPoolExecutor(1) as pool:
        with bodies.service.database.writing() as session:
            identity.suspend_organisation(session, bodies.one_id, True, bodies.service.clock())
            voting = pool.submit(vote, bodies.one, entry)
            time.sleep(0.5)
        assert voting.result().status_code == 401
    assert bodies.status(entry) == "submitted"
    replay(bodies.service)


@pytest.mark.parametrize("header", [{"note": "https://a.example.test/"}, {"typ": "a word"}])
def test_a_signature_carries_nothing_else_into_the_log(bodies: Bodies, header: dict[str, str]) -> None:
    entry = bodies.submit()
    body = signed_review(entry, bodies.one.credentials.private_jwk)
    payload = jose.unverified(body["signature"])
    key = bodies.one.credentials.private_jwk
    body["signature"] = jws.sign(payload, key, headers={"kid": key["kid"], **header}, algorithm="ES256")
    answer = bodies.one.send("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "signature")


def test_no_second_opinion_without_a_share(bodies: Bodies) -> None:
    vote(bodies.one, bodies.submit())
    assert queue(bodies.two) == []
    assert LIST in replay(bodies.service).lists
