"""An appeal that nobody decides in time: its entries leave, and come back only when it is denied."""

import json
from datetime import timedelta
from typing import Any

from app.appeals import duties
from app.appeals import service as appeals
from app.client.session import Connection
from app.core.terms import Kind
from tests.appeals.people import URL, decide, entry_now, file, listed, log_id, read, submit
from tests.programs.service import LIST, Service, approve, leaves, replay

OTHER = "https://stays.example.test/"
LATE = timedelta(days=16)


def lines(provider: Connection, path: str) -> list[dict[str, Any]]:
    content = provider.request("GET", f"/v1/lists/{LIST}/{path}").content
    return [json.loads(line) for line in content.splitlines()]


def holds(provider: Connection, version: int) -> set[str]:
    return {line["entry"] for line in lines(provider, f"snapshots/{version}/jsonl")}


def delta(provider: Connection, version: int) -> list[tuple[str, str]]:
    return [(line["op"], line["entry"]) for line in lines(provider, f"deltas/{version}")]


def expired(
    service: Service, hotline: Connection, reviewer: Connection
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(an entry that stays, one that expired, the appeal that waits): versions 1 to 3."""
    other, entry = listed(service, hotline, reviewer, OTHER), listed(service, hotline, reviewer)
    filed = file(service)
    service.publish()
    service.clock.ahead += LATE
    service.publish()
    return other, entry, filed


def test_past_the_deadline_the_entry_leaves_and_after_a_denial_it_is_back(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, provider: Connection
) -> None:
    other, entry, filed = expired(service, hotline, reviewer)
    gone = entry_now(hotline, entry)
    assert (gone["status"], gone["delist_reason"]) == ("delisted", "expired")
    assert read(service, filed).json()["state"] == "filed"
    assert decide(service, judge, filed, "denied").json()["entries"] == [entry["id"]]
    back = entry_now(hotline, entry)
    assert (back["status"], back["delist_reason"], back["listed_in"]) == ("approved", None, None)
    service.publish()
    back = entry_now(hotline, entry)
    assert (back["status"], back["listed_in"], back["delisted_in"]) == ("listed", 4, None)
    both, one = {other["id"], entry["id"]}, {other["id"]}
    assert [holds(provider, version) for version in (1, 2, 3, 4)] == [one, both, one, both]
    assert delta(provider, 3) == [("remove", entry["id"])]
    assert delta(provider, 4) == [("add", entry["id"])]
    with service.database.reading() as session:
        overdue = [leaf for leaf in leaves(session) if leaf["type"] == "appeal.overdue"]
    assert [(leaf["appeal"], leaf["entries"]) for leaf in overdue] == [
        (log_id(service, filed), [entry["id"]])
    ]
    replay(service)


def test_it_comes_back_once_only_and_can_expire_again(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, provider: Connection
) -> None:
    _, entry, filed = expired(service, hotline, reviewer)
    decide(service, judge, filed, "denied")
    hotline.request(
        "POST",
        f"/v1/entries/{entry['id']}/rechecks",
        json={"outcome": "still_available", "checked_at": service.clock().isoformat()},
    )
    service.publish()
    filed_again = file(service)
    service.publish()
    service.clock.ahead += timedelta(days=16)
    service.publish()
    assert entry_now(hotline, entry)["delist_reason"] == "expired"
    decide(service, judge, filed_again, "denied")
    service.publish()
    assert entry_now(hotline, entry)["listed_in"] == 6
    assert [entry["id"] in holds(provider, version) for version in (2, 3, 4, 5, 6)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    replay(service)


def test_upheld_after_the_deadline_it_stays_away_and_is_marked(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    _, entry, filed = expired(service, hotline, reviewer)
    assert decide(service, judge, filed, "upheld").status_code == 201
    service.publish()
    found = entry_now(hotline, entry)
    assert (found["status"], found["delist_reason"]) == ("delisted", "appeal_upheld")
    with service.database.reading() as session:
        assert appeals.overturned(session) == {entry["id"]}
    replay(service)


def test_a_removal_that_is_still_on_its_way_out_is_finished_first(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection, provider: Connection
) -> None:
    entry, filed = listed(service, hotline, reviewer), file(service)
    service.publish()
    service.clock.ahead += LATE
    with service.database.writing() as session:
        assert duties.expire_overdue(session, service.clock()) == 1
    assert decide(service, judge, filed, "denied").status_code == 201
    assert entry_now(hotline, entry)["status"] == "delisted"
    service.publish()
    service.publish()
    assert entry_now(hotline, entry)["listed_in"] == 3
    assert [holds(provider, version) for version in (1, 2, 3)] == [{entry["id"]}, set(), {entry["id"]}]
    replay(service)


def test_a_second_overdue_appeal_takes_it_off_again(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    entry = listed(service, hotline, reviewer)
    first, second = file(service), file(service)
    service.publish()
    service.clock.ahead += LATE
    service.publish()
    decide(service, judge, first, "denied")
    service.publish()
    assert entry_now(hotline, entry)["status"] == "delisted"
    decide(service, judge, second, "denied")
    service.publish()
    assert entry_now(hotline, entry)["status"] == "listed"
    replay(service)


def test_what_was_ended_meanwhile_does_not_come_back(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    _, entry, filed = expired(service, hotline, reviewer)
    with service.connect(Kind.OPERATOR) as operator:
        body = {"entries": [entry["id"]]}
        ended = operator.request("POST", "/v1/entries/emergency-delisting", json=body).json()
    assert ended["delisted"] == [entry["id"]]
    decide(service, judge, filed, "denied")
    service.publish()
    assert entry_now(hotline, entry)["delist_reason"] == "emergency"
    replay(service)


def test_what_was_submitted_anew_meanwhile_takes_its_place(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    _, entry, filed = expired(service, hotline, reviewer)
    anew = submit(hotline)
    approve(reviewer, anew)
    service.publish()
    assert entry_now(hotline, anew)["delist_reason"] == "expired"
    assert set(decide(service, judge, filed, "denied").json()["entries"]) == {entry["id"], anew["id"]}
    service.publish()
    statuses = [entry_now(hotline, one)["status"] for one in (entry, anew)]
    assert statuses == ["delisted", "listed"]
    replay(service)


def test_what_is_past_its_recheck_date_does_not_come_back(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    _, entry, filed = expired(service, hotline, reviewer)
    service.clock.ahead += timedelta(days=20)
    decide(service, judge, filed, "denied")
    service.publish()
    found = entry_now(hotline, entry)
    assert (found["status"], found["delist_reason"]) == ("delisted", "not_reaffirmed")
    replay(service)


def test_an_appeal_filed_ahead_of_a_listing_does_not_shorten_it(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    filed = file(service)
    service.publish()
    service.clock.ahead += timedelta(days=14)
    entry = listed(service, hotline, reviewer)
    service.clock.ahead += timedelta(days=5)
    service.publish()
    assert entry_now(hotline, entry)["status"] == "listed"
    assert decide(service, judge, filed, "upheld").json()["entries"] == [entry["id"]]
    replay(service)


def test_erasing_an_entry_that_came_back_deletes_the_files_of_both_stays(
    service: Service, hotline: Connection, reviewer: Connection, judge: Connection
) -> None:
    _, entry, filed = expired(service, hotline, reviewer)
    decide(service, judge, filed, "denied")
    service.publish()
    targets = service.settings.public / "targets"
    key = entry["commitment_key"].encode()
    assert len([path for path in targets.rglob("*") if path.is_file() and key in path.read_bytes()]) >= 4
    with service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": "court_order"})
    service.publish()
    service.publish()
    kept = [path for path in targets.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if key in path.read_bytes() or URL.encode() in path.read_bytes()]
    replay(service)
