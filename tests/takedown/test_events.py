"""What a hotline says of a takedown: each event in its state, with its leaf, and nothing twice."""

from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import Service, replay
from tests.takedown.told import (
    POLICE,
    Post,
    answer,
    approved,
    clock_of,
    contact,
    pass_time,
    said_of,
    shown,
    steps_of,
    submitted,
    token_of,
)


def say(caller: Connection, entry: str, event: str, reason: str | None = None) -> Any:
    body = {"event": event} | ({"reason": reason} if reason else {})
    return caller.send("POST", f"/v1/takedowns/{entry}/events", json=body)


@pytest.fixture
def told(service: Service, hotline: Connection, reviewer: Connection, post: Post) -> str:
    """An entry whose provider was told."""
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    return entry


def test_a_hotline_tells_somebody_by_its_own_means(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = approved(hotline, reviewer)
    sent = say(hotline, entry, "notified")
    assert (sent.status_code, sent.headers["cache-control"]) == (201, "no-store")
    view = sent.json()
    assert (view["state"], view["happened"][0]["channel"]) == ("notified", "own")
    assert view["first_notice_at"] < view["acknowledge_due_at"] < view["removal_due_at"]
    again = say(hotline, entry, "notified")
    assert (again.status_code, again.json()["type"]) == (409, "urn:wardlist:problem:state-conflict")
    service.publish()
    assert steps_of(service, entry) == ["notified"]
    assert replay(service)


def test_the_answers_that_a_hotline_heard(service: Service, hotline: Connection, told: str) -> None:
    for event, reason, state in (
        ("acknowledged", None, "acknowledged"),
        ("refused", "not_illegal_here", "refused"),
        ("unreachable", None, "unreachable"),
        ("acknowledged", None, "acknowledged"),
    ):
        assert say(hotline, told, event, reason).json()["state"] == state
        assert say(hotline, told, event, reason).status_code == 409
    last = said_of(service, told)[2]
    assert (last["type"], last["by"], last["reason"]) == ("refused", "hotline", "not_illegal_here")
    assert replay(service)


def test_what_a_hotline_saw_removed_leaves_its_list(service: Service, hotline: Connection, told: str) -> None:
    view = say(hotline, told, "removed").json()
    assert (view["state"], view["status"], view["to_confirm"]) == ("removed", "delisted", False)
    assert view["confirmed_at"] == view["removed_at"]
    service.publish()
    entry = hotline.request("GET", f"/v1/entries/{told}").json()
    assert (entry["delist_reason"], entry["delisted_in"]) == ("removed_at_source", entry["listed_in"] + 1)
    assert say(hotline, told, "removed").status_code == 409
    assert say(hotline, told, "still_available").status_code == 409
    assert replay(service)


def test_a_hotline_confirms_what_a_provider_said(
    service: Service, hotline: Connection, told: str, post: Post
) -> None:
    answer(service, token_of(post.kept[0]), "removed")
    assert shown(hotline, told)["to_confirm"]
    assert say(hotline, told, "removed").json()["status"] == "delisted"
    assert steps_of(service, told) == ["notified", "removed", "confirmed"]
    service.publish()
    assert replay(service)


def test_what_is_there_still_is_said_so_and_the_provider_reminded(
    service: Service, hotline: Connection, told: str, post: Post
) -> None:
    assert say(hotline, told, "still_available").status_code == 409
    answer(service, token_of(post.kept[0]), "removed")
    view = say(hotline, told, "still_available").json()
    assert (view["state"], view["removed_at"], view["status"]) == ("notified", None, "listed")
    (reminder,) = post.deliver()
    assert reminder.kind == "reminder"
    assert steps_of(service, told) == ["notified", "removed", "reopened", "reminded"]
    assert answer(service, token_of(reminder), "removed").status_code == 200
    assert replay(service)


@pytest.mark.parametrize("reason", ["hostile_host", "no_contact", "hidden_service"])
def test_a_hotline_says_why_no_notice_is_possible(
    service: Service, hotline: Connection, reviewer: Connection, reason: str
) -> None:
    service.add_list("strict", notice_first=True)
    entry = submitted(hotline, list="strict")
    view = say(hotline, entry, "no_notice", reason).json()
    assert (view["state"], view["excuse"]) == ("not_started", reason)
    assert say(hotline, entry, "no_notice", reason).status_code == 409
    other = "no_contact" if reason != "no_contact" else "hostile_host"
    assert say(hotline, entry, "no_notice", other).json()["excuse"] == other
    assert hotline.request("GET", f"/v1/entries/{entry}").json()["notice_at"]
    assert replay(service)


def test_no_reason_is_needed_once_somebody_was_told(hotline: Connection, told: str) -> None:
    assert say(hotline, told, "no_notice", "no_contact").status_code == 409


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("refused", None),
        ("refused", "no_contact"),
        ("no_notice", None),
        ("no_notice", "law_enforcement_hold"),
        ("no_notice", "not_found"),
        ("removed", "other"),
        ("notified", "no_contact"),
        ("gone", None),
        ("refused", "because"),
    ],
)
def test_a_reason_is_of_its_event(hotline: Connection, told: str, event: str, reason: str | None) -> None:
    refused = say(hotline, told, event, reason)
    assert refused.status_code == 422
    named = {error["field"].split(".")[0] for error in refused.json()["errors"]}
    assert named == {"event" if event == "gone" else "reason"}


def test_a_reason_s_own_words_are_not_repeated(hotline: Connection, told: str) -> None:
    body = {"event": "refused", "reason": "https://secret.example.test/"}
    refused = hotline.send("POST", f"/v1/takedowns/{told}/events", json=body)
    assert (refused.status_code, "secret" in refused.text) == (422, False)


def test_another_hotline_sees_and_says_nothing(
    service: Service, hotline: Connection, told: str, reviewer: Connection
) -> None:
    with service.connect(Kind.HOTLINE) as stranger:
        assert say(stranger, told, "removed").status_code == 404
        assert stranger.send("GET", f"/v1/takedowns/{told}").status_code == 404
        assert stranger.request("GET", "/v1/takedowns").json()["takedowns"] == []
        submitted(stranger)
        assert say(stranger, told, "acknowledged").status_code == 201
        assert shown(stranger, told)["notices"][0]["contact_name"] is None
    assert shown(hotline, told)["notices"][0]["contact_name"] == "Example Hosting"
    assert shown(reviewer, told)["notices"][0]["contact_name"] is None
    assert replay(service)


def test_no_own_notice_while_law_enforcement_is_heard(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    service.add_list("slow", law_enforcement_hours=24)
    contact(service, POLICE)
    entry = approved(hotline, reviewer, list="slow")
    (parcel,) = post.deliver()
    assert (parcel.kind, parcel.link) == ("deconfliction", None)
    refused = say(hotline, entry, "notified")
    assert (refused.status_code, "until" in refused.json()) == (409, True)
    assert shown(hotline, entry)["hold"]["organisation"] is None
    pass_time(service, hours=25)
    assert say(hotline, entry, "notified").status_code == 201
    assert shown(hotline, entry)["hold"] is None
    assert replay(service)


def test_an_entry_that_ended_takes_no_event(service: Service, hotline: Connection, told: str) -> None:
    hotline.request("POST", f"/v1/entries/{told}/withdrawal")
    before = service.state()
    for event in ("notified", "removed", "unreachable"):
        assert say(hotline, told, event).status_code == 409
    assert service.state() == before


def test_an_event_before_approval_is_kept(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submitted(hotline)
    assert shown(hotline, entry)["state"] == "not_started"
    assert say(hotline, entry, "acknowledged").status_code == 409
    assert say(hotline, entry, "notified").status_code == 201
    assert clock_of(service, entry).due_at is None
    view = say(hotline, entry, "removed").json()
    assert (view["status"], view["state"]) == ("withdrawn", "removed")
    service.publish()
    assert replay(service)
