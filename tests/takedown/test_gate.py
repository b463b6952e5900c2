"""Where a list asks for a notice first: nothing enters it, or counts for its brake, before there is one."""

import json
from typing import Any

import pytest

from app.client.session import Connection
from app.core import jose, receipt
from app.core.terms import Kind
from app.platform.clock import instant
from tests.programs.service import LIST, Service, replay
from tests.takedown.stories import LOST, SENT, policy, say
from tests.takedown.told import Post, answer, approved, contact, pass_time, steps_of, token_of


@pytest.fixture
def first(service: Service) -> Service:
    """The list asks for a notice first, and somebody can be told."""
    policy(service, notice_first=True)
    contact(service)
    return service


def served(provider: Connection) -> set[str]:
    """Entries on the newest version."""
    path = f"/v1/lists/{LIST}/snapshots"
    latest = provider.send("GET", f"{path}/latest")
    if latest.status_code != 200:
        return set()
    lines = provider.request("GET", f"{path}/{latest.json()['version']}/jsonl").content
    return {json.loads(line)["entry"] for line in lines.splitlines()}


def brake(service: Service) -> dict[str, Any]:
    with service.connect(Kind.OPERATOR) as operator:
        found: dict[str, Any] = operator.request("GET", f"/v1/lists/{LIST}/brake").json()
        return found


def test_it_enters_once_its_notice_is_sent(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    entry = approved(hotline, reviewer)
    for _ in range(3):
        first.publish()
    assert served(provider) == set()
    post.deliver()
    first.publish()
    assert served(provider) == {entry}
    replay(first)


def test_it_enters_after_the_window_and_not_a_second_before(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    policy(first, notice_window_hours=24)
    first.clock.still_at = first.clock().replace(microsecond=0)
    entry = approved(hotline, reviewer)
    post.deliver()
    pass_time(first, hours=24, seconds=-2)
    first.publish()
    assert served(provider) == set()
    first.publish()
    assert served(provider) == {entry}
    replay(first)


def test_what_cannot_be_told_enters_with_its_excuse(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    policy(service, notice_first=True)
    entry = approved(hotline, reviewer)
    service.publish()
    assert served(provider) == {entry}
    assert steps_of(service, entry) == ["excused"]
    contact(service)
    lost = approved(hotline, reviewer, "https://b.example.test/1")
    post.answer = lambda _parcel: LOST
    post.deliver()
    service.publish()
    assert served(provider) == {entry, lost}
    replay(service)


def test_what_is_said_to_be_removed_does_not_enter_unless_it_is_there_still(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    policy(first, notice_window_hours=1)
    entry = approved(hotline, reviewer)
    (notice,) = post.deliver()
    answer(first, token_of(notice), "removed").raise_for_status()
    pass_time(first, hours=2)
    first.publish()
    assert served(provider) == set()
    say(hotline, entry, "still_available")
    first.publish()
    assert served(provider) == {entry}
    replay(first)


def test_what_a_hotline_saw_removed_leaves_with_the_next_version(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    entry = approved(hotline, reviewer)
    (notice,) = post.deliver()
    first.publish()
    answer(first, token_of(notice), "removed").raise_for_status()
    first.publish()
    assert served(provider) == {entry}, "a provider's word alone takes nothing off"
    say(hotline, entry, "removed")
    first.publish()
    assert served(provider) == set()
    assert hotline.request("GET", f"/v1/entries/{entry}").json()["delist_reason"] == "removed_at_source"
    replay(first)


def test_a_policy_that_asks_later_holds_what_waits_and_leaves_what_is_listed(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    contact(service)
    listed = approved(hotline, reviewer, measures=["blocking"])
    service.publish()
    waits = approved(hotline, reviewer, "https://b.example.test/1", measures=["blocking"])
    policy(service, notice_first=True)
    service.publish()
    assert served(provider) == {listed}
    assert [one.entry_id for one in post.deliver()] == [waits]
    service.publish()
    assert served(provider) == {listed, waits}
    replay(service)


def test_a_policy_that_no_longer_asks_lets_in_what_waits(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    entry = approved(hotline, reviewer)
    first.publish()
    assert served(provider) == set()
    policy(first, notice_first=False)
    first.publish()
    assert served(provider) == {entry}
    replay(first)


def test_what_asks_for_takedown_only_never_enters(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    approved(hotline, reviewer, measures=["takedown"])
    post.deliver()
    first.publish()
    assert served(provider) == set()
    replay(first)


def test_what_waits_for_its_notice_counts_for_no_brake(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    policy(first, brake_changes=1, brake_free=1, brake_percent=100)
    for number in range(3):
        approved(hotline, reviewer, f"https://h{number}.example.test/")
    first.publish()
    assert brake(first)["engaged"] is False
    post.deliver()
    first.publish()
    assert (brake(first)["engaged"], len(brake(first)["added"])) == (True, 3)
    assert served(provider) == set()
    replay(first)


def test_asking_for_notices_ends_no_brake(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    policy(service, brake_changes=1, brake_free=1, brake_percent=100)
    for number in range(3):
        approved(hotline, reviewer, f"https://h{number}.example.test/")
    service.publish()
    assert brake(service)["engaged"] is True
    policy(service, notice_first=True, notice_window_hours=720, brake_changes=1000, brake_free=1000)
    for _ in range(3):
        service.publish()
    policy(service, notice_first=False)
    for _ in range(3):
        service.publish()
    assert brake(service)["engaged"] is True
    assert served(provider) == set()
    replay(service)


def fails(service: Service, canary: Connection) -> None:
    """The canary could not apply the newest version."""
    manifest = canary.request("GET", f"/v1/lists/{LIST}/snapshots/latest").json()
    body = {
        "applied_at": instant(service.clock()),
        "content_sha256": manifest["content_sha256"],
        "outcome": "failed",
        "version": manifest["version"],
    }
    signed = jose.sign(receipt.statement(**body, in_list=LIST), canary.credentials.private_jwk)
    canary.request("POST", f"/v1/lists/{LIST}/receipts", json={**body, "signature": signed})


def test_what_failed_at_a_canary_waits_for_two_though_notices_are_asked_for_meanwhile(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    policy(service, canaries=[organisation])
    approved(hotline, reviewer)
    service.publish()
    policy(service, notice_first=True, notice_window_hours=720)
    with service.connect(Kind.ISP, organisation) as canary:
        fails(service, canary)
    for _ in range(3):
        service.publish()
    policy(service, notice_first=False)
    for _ in range(3):
        pass_time(service, minutes=20)
        service.publish()
    assert brake(service)["reason"] == "canary_failed"
    assert served(provider) == set()
    replay(service)


def test_what_passed_its_canary_is_not_asked_again(
    first: Service, hotline: Connection, reviewer: Connection, provider: Connection, post: Post
) -> None:
    organisation = first.organisation(Kind.ISP)
    first.subscribe(organisation)
    policy(first, canaries=[organisation])
    entry = approved(hotline, reviewer)
    (notice,) = post.deliver()
    first.publish()
    answer(first, token_of(notice), "removed").raise_for_status()
    pass_time(first, minutes=20)
    first.publish()
    assert served(provider) == {entry}
    post.answer = lambda _parcel: SENT
    assert post.deliver() == []
    replay(first)
