"""A takedown's whole way: nobody is forgotten or told twice, and whoever was told in error hears of it."""

import pytest
from sqlmodel import select

from app.client.session import Connection
from app.core.lifecycle import Status
from app.core.terms import Kind
from app.entries.models import Entry
from app.identity import service as identity
from app.takedown import outbox
from app.takedown.notices.parcels import Parcel, Sent
from tests.appeals import people
from tests.programs.service import Service, replay, signed_review
from tests.takedown.stories import BUSY, PARTNER, SECOND, SENT, emergency, hold, policy, say, sent, withdraw
from tests.takedown.told import (
    POLICE,
    PROVIDER,
    URL,
    Post,
    answer,
    approved,
    clock_of,
    contact,
    pass_time,
    sign_off,
    steps_of,
    submitted,
    token_of,
)


def test_everyone_is_told_in_turn_and_nobody_twice(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service, PARTNER)
    contact(service, SECOND)
    entry = approved(hotline, reviewer)
    out = post.deliver()
    for _ in range(12):
        pass_time(service, hours=25)
        out += post.deliver()
    assert sent(out) == [
        ("notice", "Partner"),
        ("reminder", "Partner"),
        ("notice", "Second"),
        ("reminder", "Second"),
    ]
    assert steps_of(service, entry) == ["notified", "reminded", "escalated", "reminded", "unreachable"]
    contact(service, {**PARTNER, "name": "Third", "rank": 2, "address": "desk@third.test"})
    pass_time(service, hours=25)
    assert sent(post.deliver()) == [("notice", "Third")]
    replay(service)


def test_nobody_is_told_of_an_entry_that_asks_for_blocking_only(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer, measures=["blocking"])
    hold(service, entry)
    pass_time(service, hours=49)
    post.deliver()
    say(hotline, entry, "notified")
    for _ in range(3):
        pass_time(service, hours=60)
        assert post.deliver() == []
    say(hotline, entry, "refused", reason="other")
    assert post.deliver() == []
    withdraw(hotline, entry)
    post.deliver()
    assert clock_of(service, entry).ended_at is not None
    replay(service)


def test_law_enforcement_is_not_reminded_of_what_a_hotline_told(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service, POLICE)
    policy(service, law_enforcement_hours=2)
    entry = approved(hotline, reviewer)
    assert sent(post.deliver()) == [("deconfliction", "Police")]
    pass_time(service, hours=3)
    say(hotline, entry, "notified")
    for _ in range(4):
        pass_time(service, hours=25)
        assert post.deliver() == []
    assert steps_of(service, entry) == ["held", "notified", "unreachable"]
    replay(service)


def test_what_an_appeal_expired_and_an_emergency_ended_is_retracted(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    people.file(service, URL)
    pass_time(service, days=16)
    post.deliver()
    assert hotline.request("GET", f"/v1/entries/{entry}").json()["delist_reason"] == "expired"
    emergency(service, entry)
    assert sent(post.deliver()) == [("retraction", "Example Hosting")]
    assert post.deliver() == []
    replay(service)


def test_what_lost_its_quorum_and_was_rejected_is_retracted(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    policy(service, notice_first=True, notice_window_hours=720)
    entry = approved(hotline, reviewer)
    post.deliver()
    with service.database.writing() as session:
        assert session.exec(select(Entry).where(Entry.id == entry)).one().status is Status.APPROVED
        identity.revoke_client(session, reviewer.credentials.client_id, service.clock())
    policy(service, notice_window_hours=0)
    post.deliver()
    assert post.deliver() == []
    with service.connect(Kind.REVIEW_BODY) as other:
        view = other.request("GET", f"/v1/entries/{entry}").json()
        assert view["status"] == "submitted"
        no = {"decision": "reject", "criteria": {"narrowest_scope": False}}
        review = signed_review(view, other.credentials.private_jwk, signed={"iat": int(other.clock())}, **no)
        other.request("POST", f"/v1/entries/{entry}/reviews", json=review)
    assert sent(post.deliver()) == [("retraction", "Example Hosting")]
    replay(service)


def test_what_was_withdrawn_while_its_notice_went_out_is_retracted(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)

    def withdrawn_meanwhile(_parcel: Parcel) -> Sent:
        withdraw(hotline, entry)
        service.publish()
        return SENT

    post.answer = withdrawn_meanwhile
    assert sent(post.deliver()) == [("notice", "Example Hosting")]
    post.answer = lambda _parcel: SENT
    assert sent(post.deliver()) == [("retraction", "Example Hosting")]
    assert steps_of(service, entry) == ["notified"]
    replay(service)


def test_what_a_provider_removed_in_error_is_retracted_all_the_same(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    (notice,) = post.deliver()
    assert answer(service, token_of(notice), "removed").status_code < 300
    emergency(service, entry)
    assert sent(post.deliver()) == [("retraction", "Example Hosting")]
    replay(service)


@pytest.mark.parametrize("outcome", ["removed", "changed"])
def test_what_a_recheck_ended_is_not_retracted(
    service: Service, hotline: Connection, reviewer: Connection, post: Post, outcome: str
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    body = {"outcome": outcome, "checked_at": service.clock().isoformat()}
    hotline.request("POST", f"/v1/entries/{entry}/rechecks", json=body)
    pass_time(service, days=10)
    assert post.deliver() == []
    assert clock_of(service, entry).ended_at is not None
    replay(service)


def test_an_erasure_tells_nobody_that_the_material_may_stay(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    with service.connect(Kind.OPERATOR) as operator:
        operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "victim_request"})
    pass_time(service, days=3)
    assert post.deliver() == []
    replay(service)


def test_what_is_said_to_be_removed_stops_what_waits_and_goes_on_when_it_is_not(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    contact(service, {**PROVIDER, "name": "Example Hosting", "address": "second@provider.test", "rank": 1})
    entry = approved(hotline, reviewer)
    (notice,) = post.deliver()
    pass_time(service, hours=25)
    service.publish()
    assert answer(service, token_of(notice), "removed").status_code < 300
    assert post.deliver() == []
    say(hotline, entry, "still_available")
    assert sent(post.deliver()) == [("reminder", "Example Hosting")]
    assert [one.address for one in post.kept] == ["abuse@provider.test"] * 2
    replay(service)


def test_a_reminder_that_waits_is_not_sent_to_who_answered(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    approved(hotline, reviewer)
    (notice,) = post.deliver()
    pass_time(service, hours=25)
    service.publish()
    assert answer(service, token_of(notice), "acknowledged").status_code < 300
    assert post.deliver() == []
    replay(service)


def test_a_hold_takes_out_what_waits_and_it_has_all_its_time_afterwards(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    service.publish()
    with service.database.reading() as session:
        (waiting,) = outbox.of_entry(session, entry)
    hold(service, entry, 13 * 24)
    assert post.deliver() == []
    pass_time(service, days=13)
    post.answer = lambda _parcel: BUSY
    assert len(post.deliver()) == 1
    post.answer = lambda _parcel: SENT
    pass_time(service, minutes=2)
    (notice,) = post.deliver()
    assert notice.id == waiting.id
    assert steps_of(service, entry) == ["held", "excused", "notified"]
    replay(service)


def test_a_release_has_everybody_told_at_once(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = submitted(hotline)
    hold(service, entry, is_released=True)
    policy(service, law_enforcement_hours=100)
    sign_off(reviewer, entry)
    assert sent(post.deliver()) == [("notice", "Example Hosting")], "law enforcement was heard already"
    replay(service)
