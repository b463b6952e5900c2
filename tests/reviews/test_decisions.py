"""Sign-off: quorum, independence, and signatures that do not cover what they should."""

import json
import time
from typing import Any

import pytest
from sqlalchemy import text

from app.client.session import Connection
from app.core import jose
from app.core.decision import CRITERIA
from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD
from tests.programs.service import Service, approve, leaves, new_entry, signed_review


def submit(hotline: Connection, url: str = "https://a.example.test/1", **changes: Any) -> dict[str, Any]:
    view: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url, **changes)).json()
    return view


def send(reviewer: Connection, entry: dict[str, Any], **changes: Any) -> Any:
    body = signed_review(entry, reviewer.credentials.private_jwk, **changes)
    return reviewer.send("POST", f"/v1/entries/{entry['id']}/reviews", json=body)


def test_one_approval_by_quorum_one(service: Service, hotline: Connection, reviewer: Connection) -> None:
    entry = submit(hotline)
    view = approve(reviewer, entry)
    assert (view["status"], view["approvals"], view["rejections"], view["quorum"]) == ("approved", 1, 0, 1)
    now = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    assert now["status"] == "approved"
    assert now["recheck_by"] > now["submitted_at"]


def test_the_signed_decision_stands_whole_in_the_log(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline)
    approve(reviewer, entry)
    with service.database.reading() as session:
        found = leaves(session)
    reviewed = next(leaf for leaf in found if leaf["type"] == "entry.reviewed")
    payload = jose.claims(
        jose.verify(reviewed["signature"], jose.public_part(reviewer.credentials.private_jwk))
    )
    assert set(payload) == {"criteria", "decision", "entry", "entry_digest", "iat", "list", "reason_digest"}
    assert payload["entry_digest"] == entry["digest"]
    assert [leaf["type"] for leaf in found][-2:] == ["entry.reviewed", "entry.approved"]
    assert "Every criterion" not in json.dumps(found)


def test_quorum_counts_organisations_not_clients(service: Service, hotline: Connection) -> None:
    service.add_list("strict", quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    entry = submit(hotline, list="strict")
    body_one, body_two = service.organisation(Kind.REVIEW_BODY), service.organisation(Kind.REVIEW_BODY)
    with (
        service.connect(Kind.REVIEW_BODY, body_one) as one,
        service.connect(Kind.REVIEW_BODY, body_one) as same,
    ):
        assert approve(one, entry)["status"] == "submitted"
        again = send(same, entry)
        assert (again.status_code, again.json()["type"]) == (409, "urn:wardlist:problem:already-voted")
    with service.connect(Kind.REVIEW_BODY, body_two) as two:
        view = approve(two, entry)
    assert (view["status"], view["approvals"]) == ("approved", 2)


def test_rejections_by_quorum_end_it(service: Service, hotline: Connection) -> None:
    service.add_list("strict", quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    entry = submit(hotline, list="strict")
    statuses = []
    for _ in range(2):
        with service.connect(Kind.REVIEW_BODY) as reviewer:
            answer = send(reviewer, entry, decision="reject", criteria={"depicts_child": False})
            statuses.append(answer.json()["status"])
    assert statuses == ["submitted", "rejected"]
    with service.connect(Kind.REVIEW_BODY) as late:
        assert send(late, entry).json()["type"] == "urn:wardlist:problem:state-conflict"
    service.publish()
    with service.connect(Kind.HOTLINE) as reader:
        assert reader.send("GET", "/v1/lists/strict/snapshots/latest").status_code == 404


def test_a_rejection_before_the_quorum_does_not_stop_it(service: Service, hotline: Connection) -> None:
    service.add_list("strict", quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    entry = submit(hotline, list="strict")
    for verdict in ("reject", "approve", "approve"):
        with service.connect(Kind.REVIEW_BODY) as reviewer:
            status = send(reviewer, entry, decision=verdict).json()["status"]
    assert status == "approved"


@pytest.mark.parametrize("criterion", CRITERIA)
def test_an_approval_needs_every_criterion(
    service: Service, hotline: Connection, reviewer: Connection, criterion: str
) -> None:
    entry = submit(hotline)
    answer = send(reviewer, entry, criteria={criterion: False})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"criteria.{criterion}")


def test_every_wrong_signature_is_refused_and_keeps_nothing(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry, other = submit(hotline), submit(hotline, "https://b.example.test/1")
    service.add_list("second")
    own = reviewer.credentials.private_jwk
    good = signed_review(entry, own)["signature"]
    parts = good.split(".")
    pretty = json.dumps(jose.claims(jose.verify(good, jose.public_part(own))), indent=1).encode()
    extra = json.dumps(jose.claims(jose.verify(good, jose.public_part(own))) | {"note": "x"}).encode()
    wrong: list[dict[str, Any]] = [
        {"signed": {"entry": other["id"]}},
        {"signed": {"in_list": "second"}},
        {"signed": {"decision": "reject"}},
        {"signed": {"criteria": dict.fromkeys(CRITERIA, False)}},
        {"signed": {"reason_digest": "0" * 64}},
        {"signed": {"entry_digest": other["digest"]}},
        {"signed": {"iat": int(time.time()) - 3600}},
        {"signed": {"iat": int(time.time()) + 3600}},
        {"sent": {"reason": "Another reason than was signed."}},
        {"sent": {"signature": signed_review(other, own)["signature"]}},
        {"sent": {"signature": signed_review(entry, jose.generate())["signature"]}},
        {"sent": {"signature": signed_review(entry, jose.generate() | {"kid": own["kid"]})["signature"]}},
        {"sent": {"signature": jose.sign(pretty, own)}},
        {"sent": {"signature": jose.sign(extra, own)}},
        {"sent": {"signature": jose.sign(b"[]", own)}},
        {"sent": {"signature": ".".join([parts[0], parts[1], parts[2][:-2]])}},
        {"sent": {"signature": "eyJhbGciOiJub25lIn0." + parts[1] + "."}},
        {"sent": {"signature": "x"}},
    ]
    with service.connect(Kind.REVIEW_BODY) as colleague:
        stolen = signed_review(entry, colleague.credentials.private_jwk)["signature"]
    wrong.append({"sent": {"signature": stolen}})
    before = service.state()
    for changes in wrong:
        answer = send(reviewer, entry, **changes)
        assert answer.status_code in (409, 422), changes
        assert answer.json()["errors"][0]["field"] == "signature", changes
    assert service.state() == before
    assert send(reviewer, entry).status_code == 201


BAD: dict[str, list[Any]] = {
    "decision": [None, "maybe", 1],
    "criteria": [None, {}, [], {"depicts_child": "yes"}, dict.fromkeys((*CRITERIA, "extra"), True)],
    "reason": [None, "", "\n", "  ...", "x" * 2001, 5],
    "signature": [None, "", 5, "x" * 9000],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=str
)
def test_bad_fields_are_named(shared: tuple[Service, Connection], name: str, value: Any) -> None:
    service, hotline = shared
    found = hotline.request("GET", "/v1/entries?limit=1").json()["entries"]
    entry = found[0] if found else submit(hotline)
    with service.connect(Kind.REVIEW_BODY) as reviewer:
        body = signed_review(entry, reviewer.credentials.private_jwk, sent={name: value})
        before = service.state()
        answer = reviewer.send("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].split(".")[0] == name
    assert service.state() == before


def test_the_queue_is_oldest_first_and_leaves_out_what_is_decided(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("strict", quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    entries = [submit(hotline, f"https://h{n}.example.test/", list="strict") for n in range(4)]
    approve(reviewer, entries[1])
    queue = [one["id"] for one in reviewer.request("GET", "/v1/reviews/queue").json()["entries"]]
    assert queue == [entries[0]["id"], entries[2]["id"], entries[3]["id"]]
    first = reviewer.request("GET", "/v1/reviews/queue?limit=2&list=strict")
    rest = reviewer.request("GET", first.links["next"]["url"]).json()["entries"]
    assert [one["id"] for one in rest] == [entries[3]["id"]]
    with service.connect(Kind.REVIEW_BODY) as colleague:
        assert len(colleague.request("GET", "/v1/reviews/queue").json()["entries"]) == 4


def test_submitters_are_never_reviewers(service: Service, hotline: Connection) -> None:
    """A review body cannot submit; should a row say so all the same, it cannot vote."""
    entry = submit(hotline)
    body = service.organisation(Kind.REVIEW_BODY)
    with service.database.writing() as session:
        party = "INSERT INTO corroboration VALUES (:entry, :body, 'c', '2026-01-01 00:00:00')"
        session.execute(text(party), {"entry": entry["id"], "body": body})
    assert MAY_HOLD[Kind.REVIEW_BODY].isdisjoint(MAY_HOLD[Kind.HOTLINE] - {"entries:read", "lists:read"})
    with service.connect(Kind.REVIEW_BODY, body) as reviewer:
        answer = send(reviewer, entry)
        assert (answer.status_code, answer.json()["type"]) == (
            403,
            "urn:wardlist:problem:conflict-of-interest",
        )
        assert reviewer.request("GET", "/v1/reviews/queue").json()["entries"] == []
