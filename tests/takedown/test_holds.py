"""Law enforcement asks that nobody is told: bounded, logged, its own to end."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind, NoticeOutcome
from app.takedown.notices.parcels import Sent
from tests.programs.service import Service, replay
from tests.takedown.told import (
    POLICE,
    URL,
    Post,
    answer,
    approved,
    contact,
    pass_time,
    said_of,
    shown,
    sign_off,
    steps_of,
    submitted,
    token_of,
)


@pytest.fixture
def police(service: Service) -> Iterator[Connection]:
    """A client of law enforcement."""
    with service.connect(Kind.LAW_ENFORCEMENT) as connection:
        yield connection


def hold(service: Service, caller: Connection, entry: str, **time: float) -> Any:
    until = service.clock() + timedelta(**time)
    body = {"reason": "investigation", "until": until.isoformat()}
    return caller.send("POST", f"/v1/takedowns/{entry}/hold", json=body)


def release(caller: Connection, entry: str) -> Any:
    return caller.send("DELETE", f"/v1/takedowns/{entry}/hold")


def listed(caller: Connection) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.request("GET", "/v1/takedowns").json()["takedowns"]
    return found


def test_nobody_is_told_until_a_hold_ends_by_itself(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    contact(service)
    entry = submitted(hotline)
    placed = hold(service, police, entry, days=14)
    assert (placed.status_code, placed.json()["hold"]["reason"]) == (201, "investigation")
    assert placed.json()["excuse"] == "law_enforcement_hold"
    sign_off(reviewer, entry)
    pass_time(service, days=13)
    assert post.deliver() == []
    assert [one["id"] for one in listed(police)] == [entry]
    pass_time(service, days=1, hours=1)
    assert [parcel.kind for parcel in post.deliver()] == ["notice"]
    assert listed(police) == []
    assert police.send("GET", f"/v1/takedowns/{entry}").status_code == 404
    assert steps_of(service, entry) == ["held", "excused", "notified"]
    assert replay(service)


def test_a_hold_is_bounded(service: Service, hotline: Connection, police: Connection) -> None:
    entry = submitted(hotline)
    for time in ({"days": 14, "minutes": 1}, {"seconds": -1}, {"seconds": 0}):
        refused = hold(service, police, entry, **time)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")
    body = {"reason": "curiosity", "until": "2026-01-02T03:04:05Z"}
    assert police.send("POST", f"/v1/takedowns/{entry}/hold", json=body).status_code == 422
    assert hold(service, police, "nothing", days=1).status_code == 404
    assert steps_of(service, entry) == []


def test_only_whoever_asked_for_a_hold_ends_it(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    assert release(police, entry).status_code == 404
    assert hold(service, police, entry, days=2).status_code == 201
    with service.connect(Kind.LAW_ENFORCEMENT) as other:
        assert [one["id"] for one in listed(other)] == [entry]
        assert release(other, entry).status_code == 403
        assert hold(service, other, entry, days=1).status_code == 409
    assert hold(service, police, entry, days=3).status_code == 201
    ended = release(police, entry)
    assert (ended.status_code, ended.json()["hold"]) == (200, None)
    assert release(police, entry).status_code == 404
    assert [parcel.kind for parcel in post.deliver()] == ["notice"]
    assert replay(service)


def test_any_law_enforcement_ends_the_hold_of_a_list_s_policy(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    service.add_list("slow", law_enforcement_hours=72)
    contact(service)
    contact(service, POLICE)
    entry = approved(hotline, reviewer, list="slow")
    assert [parcel.kind for parcel in post.deliver()] == ["deconfliction"]
    (waits,) = listed(police)
    assert (waits["canonical_url"], waits["hold"]["reason"]) == (URL, "deconfliction")
    assert release(police, entry).json()["canonical_url"] is None
    assert [parcel.kind for parcel in post.deliver()] == ["notice"]
    assert "organisation" in said_of(service, entry)[1]
    assert replay(service)


def test_a_hold_is_no_way_to_read_an_address(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    entry = approved(hotline, reviewer)
    placed = hold(service, police, entry, days=1)
    assert (placed.json()["canonical_url"], URL in placed.text) == (None, False)
    assert listed(police)[0]["canonical_url"] is None
    for caller in (hotline, reviewer):
        assert shown(caller, entry)["canonical_url"] is None


def test_law_enforcement_that_was_asked_may_take_longer(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    service.add_list("slow", law_enforcement_hours=1)
    contact(service)
    entry = approved(hotline, reviewer, list="slow")
    post.deliver()
    assert hold(service, police, entry, days=10).json()["canonical_url"] == URL
    pass_time(service, days=9)
    assert post.deliver() == []
    pass_time(service, days=2)
    assert [parcel.kind for parcel in post.deliver()] == ["notice"]
    assert replay(service)


def test_a_notice_that_waited_for_a_hold_has_a_link_that_works(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.answer = lambda _parcel: Sent(None, "timeout")
    assert len(post.deliver()) == 1
    hold(service, police, entry, days=13, hours=23)
    pass_time(service, days=14, hours=1)
    post.answer = lambda _parcel: Sent(NoticeOutcome.SENT)
    (parcel,) = post.deliver()
    assert answer(service, token_of(parcel), "acknowledged").status_code == 200
    assert replay(service)


@pytest.mark.parametrize("end", ["removed", "withdrawn"])
def test_what_is_over_is_not_held(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post, end: str
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    (parcel,) = post.deliver()
    if end == "removed":
        answer(service, token_of(parcel), "removed")
    else:
        hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    before = service.state()
    assert hold(service, police, entry, days=1).status_code == 409
    assert service.state() == before


def test_an_answer_is_taken_while_law_enforcement_is_heard(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    (parcel,) = post.deliver()
    pass_time(service, seconds=2)
    hold(service, police, entry, days=1)
    assert answer(service, token_of(parcel), "acknowledged").status_code == 200
    assert steps_of(service, entry) == ["notified", "held", "acknowledged"]
    assert replay(service)
