"""Ways around an appeal, and ways to learn from one what is listed: each is closed."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from app.appeals.schemas import LONGEST_SIGNATURE
from app.client.session import Connection
from app.core import appeal, commitment, jose
from app.core.terms import AppealOutcome, Kind
from app.entries import covered
from tests.appeals.people import decide, entry_now, file, listed, log_id, post, signed, submit, waiting
from tests.programs.service import LIST, Service, approve, leaves, replay

LATE = timedelta(days=16)


@pytest.fixture
def operator(service: Service) -> Iterator[Connection]:
    """A client of an operator."""
    with service.connect(Kind.OPERATOR) as connection:
        yield connection


def withdraw(hotline: Connection, entry: dict[str, Any]) -> None:
    hotline.request("POST", f"/v1/entries/{entry['id']}/withdrawal")


def on_record(service: Service) -> list[dict[str, Any]]:
    with service.database.reading() as session:
        return leaves(session)


@pytest.mark.parametrize("outcome", ["upheld", "denied"])
def test_the_reference_is_in_no_leaf(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, outcome: str
) -> None:
    listed(service, hotline, reviewer)
    filed, late = file(service), file(service)
    service.publish()
    service.clock.ahead += LATE
    service.publish()
    decide(service, judge, filed, outcome)
    service.publish()
    known = {leaf["type"]: leaf["appeal"] for leaf in on_record(service) if "appeal" in leaf}
    assert known.keys() == {"appeal.filed", "appeal.overdue", "appeal.decided"}
    assert known["appeal.decided"] == log_id(service, filed)
    payloads = [jose.unverified(leaf["signature"]) for leaf in on_record(service) if "signature" in leaf]
    whole = str(on_record(service)) + str(payloads)
    assert filed["reference"] not in whole
    assert late["reference"] not in whole
    replay(service)


def test_a_denied_appeal_names_no_entry_and_its_digest_shows_which_they_were(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    entry = listed(service, hotline, reviewer)
    filed = file(service)
    key = bytes.fromhex(waiting(judge)[0]["appeal_key"])
    assert decide(service, judge, filed, "denied").json()["entries"] == [entry["id"]]
    leaf = next(one for one in on_record(service) if one["type"] == "appeal.decided")
    claims = jose.claims(jose.unverified(leaf["signature"]))
    assert leaf.keys() == {"appeal", "at", "client", "organisation", "outcome", "signature", "type"}
    assert claims.keys() == {"appeal", "entries_digest", "iat", "outcome", "reason_digest"}
    assert claims["entries_digest"] == commitment.entries_digest(key, [entry["id"]])
    replay(service)


@pytest.mark.parametrize("outcome", ["upheld", "denied"])
def test_submitting_and_withdrawing_does_not_outdate_a_decision(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, outcome: str
) -> None:
    entry = listed(service, hotline, reviewer)
    filed = file(service)
    service.publish()
    approved = submit(hotline, scope="path")
    approve(reviewer, approved)
    fresh = submit(hotline, "https://shop.example.test/window", scope="path")
    sent = signed(service, waiting(judge)[0], judge.credentials.private_jwk, outcome)
    withdraw(hotline, approved)
    withdraw(hotline, fresh)
    submit(hotline, "https://shop.example.test/", scope="host", scope_reason="The whole host carries it.")
    answer = post(judge, filed, sent)
    assert (answer.status_code, set(answer.json()["entries"])) == (201, {entry["id"], approved["id"]})
    service.publish()
    status = "delisted" if outcome == "upheld" else "listed"
    assert [entry_now(hotline, one)["status"] for one in (entry, approved)] == [status, "withdrawn"]
    replay(service)


def test_a_vote_on_an_entry_under_review_bars_nobody(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    service.add_list("strict", quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    listed(service, hotline, reviewer)
    filed = file(service)
    assert approve(judge, submit(hotline, list="strict"))["status"] == "submitted"
    assert decide(service, judge, filed).status_code == 201
    replay(service)


def test_a_listed_entry_is_named_before_older_ones_that_wait(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    judge: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = submit(hotline, scope="path", measures=["takedown"])
    assert approve(reviewer, older)["status"] == "approved"
    entry = listed(service, hotline, reviewer)
    file(service)
    assert [one["id"] for one in waiting(judge)[0]["entries"]] == [entry["id"], older["id"]]
    monkeypatch.setattr(covered, "MOST", 1)
    assert [one["id"] for one in waiting(judge)[0]["entries"]] == [entry["id"]]


def test_the_most_entries_of_a_decision_fit_one_leaf() -> None:
    ids = [str(uuid.uuid4()) for _ in range(covered.MOST)]
    key = commitment.new_key()
    payload = appeal.statement(
        key, appeal=ids[0], entries=ids, iat=1, outcome=AppealOutcome.UPHELD, reason="Tools."
    )
    signature = jose.sign(payload, jose.generate())
    leaf = {"appeal": ids[0], "at": "2026-01-02T00:00:00Z", "client": "c" * 32, "entries": sorted(ids)}
    leaf |= {"organisation": "o" * 32, "outcome": "upheld", "signature": signature, "type": "appeal.decided"}
    assert len(signature) <= LONGEST_SIGNATURE
    assert len(rfc8785.dumps(leaf)) < 0xFFFF


def test_withdrawing_and_submitting_anew_does_not_outlast_the_deadline(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    entry = listed(service, hotline, reviewer)
    filed = file(service)
    service.publish()
    withdraw(hotline, entry)
    service.publish()
    anew = listed(service, hotline, reviewer)
    wider = listed(service, hotline, reviewer, scope="path")
    service.clock.ahead += LATE
    service.publish()
    assert [entry_now(hotline, one)["status"] for one in (anew, wider)] == ["delisted", "listed"]
    assert entry_now(hotline, anew)["delist_reason"] == "expired"
    overdue = [leaf for leaf in on_record(service) if leaf["type"] == "appeal.overdue"]
    assert [leaf["entries"] for leaf in overdue] == [[anew["id"]]]
    assert decide(service, judge, filed, "denied").status_code == 201
    service.publish()
    assert entry_now(hotline, anew)["status"] == "listed"
    replay(service)


def test_who_approved_what_expired_does_not_deny_its_appeal_though_it_was_ended_since(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, operator: Connection
) -> None:
    entry = listed(service, hotline, reviewer)
    filed = file(service)
    service.publish()
    service.clock.ahead += LATE
    service.publish()
    body = {"entries": [entry["id"]]}
    operator.request("POST", "/v1/entries/emergency-delisting", json=body)
    service.publish()
    assert waiting(reviewer) == []
    shown = waiting(judge)[0]
    assert shown["entries"] == []
    refused = post(reviewer, filed, signed(service, shown, reviewer.credentials.private_jwk, "denied"))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:wardlist:problem:took-part")
    assert decide(service, judge, filed, "denied").status_code == 201
    replay(service)


def test_protection_reaches_an_entry_that_expired_and_comes_back(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, operator: Connection
) -> None:
    url = "https://later.example/"
    entry = submit(hotline, url, scope="host", scope_reason="The whole host carries nothing else.")
    with service.connect(Kind.REVIEW_BODY) as second:
        approve(reviewer, entry)
        approve(second, entry)
    service.publish()
    filed = file(service, url)
    service.publish()
    service.clock.ahead += LATE
    service.publish()
    operator.request("PUT", f"/v1/lists/{LIST}/protected-hosts", json={"hosts": ["later.example"]})
    assert decide(service, judge, filed, "denied").status_code == 201
    service.publish()
    back = entry_now(hotline, entry)
    assert (back["status"], back["quorum"]) == ("submitted", 3)
    replay(service)


def test_an_open_second_opinion_stays_blind_in_an_appeal(service: Service, hotline: Connection) -> None:
    service.add_list("watched", second_opinion_percent=100)
    entry = submit(hotline, list="watched")
    with service.connect(Kind.REVIEW_BODY) as first, service.connect(Kind.REVIEW_BODY) as second:
        approve(first, entry)
        service.publish()
        file(service)
        assert waiting(second)[0]["entries"][0]["status"] == "submitted"
        service.clock.ahead += timedelta(seconds=1)
        assert approve(second, entry)["status"] == "submitted"
        assert waiting(second) == []
    with service.connect(Kind.REVIEW_BODY) as third:
        assert waiting(third)[0]["entries"][0]["status"] == "listed"
        decide(service, third, {"reference": waiting(third)[0]["reference"]})
    service.publish()
    replay(service)
