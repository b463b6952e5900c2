"""Deciding an appeal: by a body that took no part, with a signature over just that, once."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.appeals import service as appeals
from app.client.session import Connection
from app.core import jose
from app.core.terms import Kind
from tests.appeals.people import (
    URL,
    decide,
    entry_now,
    file,
    listed,
    log_id,
    post,
    read,
    signed,
    submit,
    waiting,
)
from tests.programs.service import LIST, Service, approve, leaves, replay


@pytest.fixture
def operators(service: Service) -> Iterator[list[Connection]]:
    """Two operators' clients, of two organisations."""
    with service.connect(Kind.OPERATOR) as one, service.connect(Kind.OPERATOR) as other:
        yield [one, other]


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:wardlist:problem:")


def test_upheld_takes_the_entry_off_in_the_next_version(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, provider: Connection
) -> None:
    entry, other = listed(service, hotline, reviewer), listed(service, hotline, reviewer, f"{URL}2")
    filed = file(service)
    answer = decide(service, judge, filed)
    assert (answer.status_code, answer.json()["entries"]) == (201, [entry["id"]])
    service.publish()
    gone, kept = entry_now(hotline, entry), entry_now(hotline, other)
    assert (gone["status"], gone["delist_reason"], gone["delisted_in"]) == ("delisted", "appeal_upheld", 3)
    assert kept["status"] == "listed"
    lines = provider.request("GET", f"/v1/lists/{LIST}/snapshots/latest").json()
    assert (lines["version"], lines["entry_count"]) == (3, 1)
    told = read(service, filed).json()
    assert (told["state"], told["outcome"]) == ("decided", "upheld")
    assert told["reasons"] == "The page shows what the appellant says."
    with service.database.reading() as session:
        assert appeals.overturned(session) == {entry["id"]}
        found = [leaf["type"] for leaf in leaves(session)]
    assert found.index("appeal.decided") < found.index("entry.delisted")
    replay(service)


def test_upheld_is_published_though_the_brake_is_engaged(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    judge: Connection,
    operators: list[Connection],
) -> None:
    entry = listed(service, hotline, reviewer)
    asked = operators[0].request("GET", f"/v1/lists/{LIST}/policy").json()
    knobs = asked["policy"] | {"brake_changes": 1, "brake_percent": 1, "brake_free": 0}
    change = {"base_version": asked["version"], **knobs}
    operators[0].request("PUT", f"/v1/lists/{LIST}/policy", json=change)
    for number in range(3):
        approve(reviewer, submit(hotline, f"https://n{number}.example.test/"))
    service.publish()
    assert operators[0].request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"]
    assert decide(service, judge, file(service)).status_code == 201
    service.publish()
    assert entry_now(hotline, entry)["delisted_in"] == 2
    assert operators[0].request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"]
    replay(service)


def test_upheld_ends_what_is_approved_and_leaves_what_is_under_review(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    service.add_list("other")
    fresh, approved = submit(hotline), submit(hotline, list="other")
    approve(reviewer, approved)
    filed = file(service)
    assert decide(service, judge, filed).json()["entries"] == [approved["id"]]
    assert [entry_now(hotline, one)["status"] for one in (fresh, approved)] == ["submitted", "delisted"]
    service.publish()
    replay(service)


def test_denied_changes_nothing(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    entry = listed(service, hotline, reviewer)
    filed = file(service)
    assert decide(service, judge, filed, "denied").status_code == 201
    service.publish()
    assert entry_now(hotline, entry)["status"] == "listed"
    assert read(service, filed).json()["outcome"] == "denied"
    with service.database.reading() as session:
        assert appeals.overturned(session) == set()
    replay(service)


def test_where_nothing_is_listed_an_appeal_can_only_be_denied(service: Service, judge: Connection) -> None:
    filed = file(service)
    refused = decide(service, judge, filed, "upheld")
    assert problem(refused) == (422, "appeal-concerns-no-entry")
    assert read(service, filed).json()["state"] == "filed"
    assert decide(service, judge, filed, "denied").json()["entries"] == []
    assert read(service, filed).json()["outcome"] == "denied"
    service.publish()
    replay(service)


def test_a_body_that_took_part_neither_sees_nor_decides(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    listed(service, hotline, reviewer)
    filed = file(service)
    assert waiting(reviewer) == []
    sent = signed(service, waiting(judge)[0], reviewer.credentials.private_jwk)
    before = service.state()
    assert problem(post(reviewer, filed, sent)) == (403, "took-part")
    assert service.state() == before


def test_a_rejection_and_a_void_vote_are_part_too(service: Service, hotline: Connection) -> None:
    service.add_list("strict", quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    entry = submit(hotline, list="strict")
    body = service.organisation(Kind.REVIEW_BODY)
    with service.connect(Kind.REVIEW_BODY, body) as one, service.connect(Kind.REVIEW_BODY) as two:
        for reviewer in (one, two):
            approve(reviewer, entry)
        with service.database.writing() as session:
            void = "UPDATE review SET voided_at = '2026-01-01 00:00:00' WHERE organisation_id = :body"
            session.execute(text(void), {"body": body})
        file(service)
        assert waiting(one) == []


def test_a_body_in_conflict_with_the_hotline_or_a_reviewer_does_not_decide(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    judge: Connection,
    operators: list[Connection],
) -> None:
    entry = listed(service, hotline, reviewer)
    filed = file(service)
    shown = waiting(judge)[0]
    own = _organisation(service, judge)
    for party in (entry["submitted_by"], _organisation(service, reviewer)):
        path = f"/v1/conflicts/{own}/{party}"
        operators[0].request("PUT", path, json={"reason": "funding"})
        assert waiting(judge) == []
        sent = signed(service, shown, judge.credentials.private_jwk)
        assert problem(post(judge, filed, sent)) == (403, "took-part")
        operators[0].request("DELETE", path)
    assert decide(service, judge, filed).status_code == 201
    replay(service)


def _organisation(service: Service, connection: Connection) -> str:
    with service.database.reading() as session:
        query = text("SELECT organisation_id FROM client WHERE id = :client")
        return str(session.execute(query, {"client": connection.credentials.client_id}).scalar_one())


def test_an_appeal_is_decided_once(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    listed(service, hotline, reviewer)
    filed = file(service)
    shown = waiting(judge)[0]
    assert decide(service, judge, filed, "denied").status_code == 201
    with service.connect(Kind.REVIEW_BODY) as late:
        assert waiting(late) == []
        sent = signed(service, shown, late.credentials.private_jwk)
        assert problem(post(late, filed, sent)) == (409, "appeal-decided")
    assert problem(post(judge, {"reference": "unknown"}, sent)) == (404, "not-found")


def test_a_decision_on_entries_that_changed_since_is_refused(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    listed(service, hotline, reviewer)
    filed = file(service)
    seen = waiting(judge)[0]
    approve(reviewer, submit(hotline, scope="path"))
    sent = signed(service, seen, judge.credentials.private_jwk)
    assert problem(post(judge, filed, sent)) == (409, "digest-outdated")
    assert decide(service, judge, filed).status_code == 201


def test_every_wrong_signature_is_refused_and_keeps_nothing(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    entry = listed(service, hotline, reviewer)
    filed, other = file(service), file(service)
    shown, own = waiting(judge)[0], judge.credentials.private_jwk
    good = signed(service, shown, own)
    now = int(service.clock().timestamp())
    wrong = [
        signed(service, shown, own, appeal=filed["reference"]),
        signed(service, shown, own, appeal=log_id(service, other)),
        signed(service, shown, own, "denied") | {"outcome": "upheld"},
        signed(service, shown, own, iat=1),
        signed(service, shown, own, iat=now - 301),
        signed(service, shown, own, iat=now + 303),
        signed(service, shown, own, reason="Another reason than was sent."),
        signed(service, shown, own) | {"outcome": "denied"},
        good | {"reason": "Another reason than was signed."},
        good | {"signature": jose.sign(b"{}", own)},
        good | {"signature": jose.sign(b"[]", own)},
        good | {"signature": "x"},
        signed(service, shown, jose.generate()),
        signed(service, shown, jose.generate() | {"kid": own["kid"]}),
    ]
    before = service.state()
    for sent in wrong:
        answer = post(judge, filed, sent)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "signature")
    assert service.state() == before
    assert entry_now(hotline, entry)["status"] == "listed"
    assert post(judge, filed, good).status_code == 201


def test_a_reviewer_whose_certificate_ended_does_not_decide(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    listed(service, hotline, reviewer)
    filed = file(service)
    body = service.organisation(Kind.REVIEW_BODY)
    with service.connect(Kind.REVIEW_BODY, body) as outsider:
        shown = waiting(outsider)[0]
        sent = signed(service, shown, outsider.credentials.private_jwk)
        with service.database.writing() as session:
            revoke = "UPDATE reviewer_certificate SET revoked_at = admitted_at WHERE organisation_id = :body"
            session.execute(text(revoke), {"body": body})
        assert problem(post(outsider, filed, sent)) == (403, "reviewer-not-certified")


BAD: dict[str, list[Any]] = {
    "outcome": [None, "maybe", 1],
    "reason": [None, "", "x" * 4001, 5],
    "ownership_confirmed": [None, "yes", 1],
    "signature": [None, "", 5, "x" * 41_000],
    "note": ["x"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_fields_are_named(shared: tuple[Service, Connection], name: str, value: Any) -> None:
    service, _ = shared
    filed = file(service)
    with service.connect(Kind.REVIEW_BODY) as body:
        shown = waiting(body)[0]
        sent = signed(service, shown, body.credentials.private_jwk, "denied") | {name: value}
        answer = post(body, filed, sent)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)


def test_the_queue_is_oldest_first_and_pages_pass_over_what_a_body_may_not_decide(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    listed(service, hotline, reviewer)
    urls = [f"https://p{number}.example.test/" for number in range(4)]
    filed = [file(service, url)["reference"] for url in (urls[0], URL, *urls[1:])]
    seen: list[list[str]] = []
    path = "/v1/appeals?limit=2"
    while path:
        answer = reviewer.request("GET", path)
        seen.append([one["reference"] for one in answer.json()["appeals"]])
        path = answer.links.get("next", {}).get("url", "")
    assert seen == [[filed[0]], [filed[2], filed[3]], [filed[4]]]
    assert [one["reference"] for one in waiting(judge)] == filed
    assert reviewer.send("GET", "/v1/appeals?cursor=nonsense!").status_code == 422
