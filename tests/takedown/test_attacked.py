"""Attacks on the faces of takedown: what none must say or take, whoever asks and in whatever order."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.identity import service as identity
from app.platform.problems import Problem
from app.takedown.contacts import file as contact_file
from app.takedown.notices.parcels import Sent
from tests.programs.service import Service, new_entry, replay
from tests.takedown.stories import policy, say
from tests.takedown.told import (
    POLICE,
    PROVIDER,
    URL,
    Post,
    answer,
    approved,
    contact,
    pass_time,
    shown,
    sign_off,
    steps_of,
    submitted,
    token_of,
)

BEYOND_UTC = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
"""Moments that have no UTC in the calendar."""


@pytest.fixture
def police(service: Service) -> Iterator[Connection]:
    """A client of law enforcement."""
    with service.connect(Kind.LAW_ENFORCEMENT) as connection:
        yield connection


def hold(service: Service, caller: Connection, entry: str, **time: float) -> httpx.Response:
    body = {"reason": "investigation", "until": (service.clock() + timedelta(**time)).isoformat()}
    return caller.send("POST", f"/v1/takedowns/{entry}/hold", json=body)


def listed(caller: Connection) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.request("GET", "/v1/takedowns").json()["takedowns"]
    return found


@pytest.mark.parametrize("is_approved", [False, True])
def test_a_hold_of_its_own_accord_shows_no_address_on_a_list_that_asks_first(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    police: Connection,
    post: Post,
    is_approved: bool,
) -> None:
    """Entry ids stand in the public log: otherwise whoever may hold could read every address of the list."""
    service.add_list("slow", law_enforcement_hours=1)
    entry = submitted(hotline, list="slow")
    if is_approved:
        sign_off(reviewer, entry)
        post.deliver()
        pass_time(service, hours=2)
    placed = hold(service, police, entry, days=2)
    assert (placed.status_code, placed.json()["canonical_url"]) == (201, None)
    if not is_approved:
        sign_off(reviewer, entry)
        post.deliver()
    assert [one["canonical_url"] for one in listed(police)] == [None]
    assert shown(police, entry)["canonical_url"] is None
    assert hold(service, police, entry, days=3).json()["canonical_url"] is None
    assert replay(service)


def test_who_was_asked_and_takes_longer_is_shown_the_address_and_no_other_organisation(
    service: Service, hotline: Connection, reviewer: Connection, police: Connection, post: Post
) -> None:
    service.add_list("slow", law_enforcement_hours=1)
    entry = approved(hotline, reviewer, list="slow")
    post.deliver()
    assert hold(service, police, entry, days=1).json()["canonical_url"] == URL
    assert hold(service, police, entry, days=2).json()["canonical_url"] == URL
    with service.connect(Kind.LAW_ENFORCEMENT) as other:
        assert [one["canonical_url"] for one in listed(other)] == [None]
    police.request("DELETE", f"/v1/takedowns/{entry}/hold")
    pass_time(service, seconds=2)
    assert hold(service, police, entry, days=1).json()["canonical_url"] is None
    assert replay(service)


def test_law_enforcement_of_another_country_was_not_asked(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    service.add_list("slow", law_enforcement_hours=72, jurisdiction="NL")
    contact(service, POLICE)
    entry = approved(hotline, reviewer, list="slow", measures=["takedown"])
    post.deliver()
    with service.database.writing() as session:
        kind = Kind.LAW_ENFORCEMENT
        abroad = identity.add_organisation(session, kind, "Police abroad", "DE", service.clock()).id
    with service.connect(Kind.LAW_ENFORCEMENT, abroad) as other:
        assert [(one["id"], one["canonical_url"]) for one in listed(other)] == [(entry, None)]
        assert hold(service, other, entry, days=1).json()["canonical_url"] is None


def test_a_reminder_that_came_after_a_refusal_takes_no_second_one_and_names_no_entry(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    policy(service, reminders=1, acknowledge_hours=24)
    contact(service)
    entry = approved(hotline, reviewer)
    (notice,) = post.deliver()
    pass_time(service, hours=25)
    post.answer = lambda _parcel: Sent(None, "timeout")
    (reminder,) = post.deliver()
    assert answer(service, token_of(notice), "refused", "other").status_code == 200
    page = f"{service.address}/takedown/{token_of(reminder)}"
    assert 'value="refused"' not in httpx.get(page).text
    again = answer(service, token_of(reminder), "refused", "other")
    assert (again.status_code, entry in again.text) == (409, False)
    filled_in = httpx.post(page, data={"answer": "refused", "reason": "other"})
    assert (filled_in.status_code, "urn:wardlist" in filled_in.text) == (409, False)
    assert filled_in.headers["content-type"].startswith("text/html")
    assert answer(service, token_of(reminder), "removed").status_code == 200
    assert steps_of(service, entry) == ["notified", "refused", "removed"]
    assert replay(service)


def test_only_the_submitter_takes_it_back_that_a_host_is_hostile(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = submitted(hotline)
    say(hotline, entry, "no_notice", reason="hostile_host")
    with service.connect(Kind.HOTLINE) as other:
        assert submitted(other) == entry
        body = {"event": "no_notice", "reason": "no_contact"}
        assert other.send("POST", f"/v1/takedowns/{entry}/events", json=body).status_code == 409
    sign_off(reviewer, entry)
    assert post.deliver() == []
    assert shown(hotline, entry)["excuse"] == "hostile_host"
    assert replay(service)


@pytest.mark.parametrize("moment", BEYOND_UTC)
def test_a_moment_that_no_calendar_in_utc_has_is_refused(
    service: Service, hotline: Connection, police: Connection, moment: str
) -> None:
    entry = submitted(hotline)
    with service.connect(Kind.AUDITOR) as auditor:
        for caller, path in (
            (hotline, "/v1/takedowns/figures?since="),
            (hotline, "/v1/takedowns/figures?until="),
            (hotline, "/v1/entries?since="),
            (auditor, "/v1/quality?from="),
            (auditor, "/v1/quality?to="),
        ):
            assert caller.send("GET", path + quote(moment)).status_code == 422, path
        export = auditor.send("POST", "/v1/audit/exports", json={"from": moment})
        assert export.status_code == 422
    new = new_entry("https://b.example.test/1", assessed_at=moment)
    until = {"reason": "investigation", "until": moment}
    for caller, path, body in (
        (hotline, "/v1/entries", new),
        (hotline, f"/v1/entries/{entry}/rechecks", {"outcome": "unreachable", "checked_at": moment}),
        (police, f"/v1/entries/{entry}/legal-hold", until),
        (police, f"/v1/takedowns/{entry}/hold", until),
    ):
        assert caller.send("POST", path, json=body).status_code == 422, path


@pytest.mark.parametrize(
    "address", ["fe80::1%eth0", "2001:db8::1%a\r\nX-Injected: 1", "2001:db8::1%" + "x" * 9999]
)
def test_an_address_with_a_zone_is_no_place_to_write_what_one_likes(
    hotline: Connection, address: str
) -> None:
    refused = hotline.send("POST", "/v1/entries", json=new_entry(hosting_address=address))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "hosting_address")


def test_a_contact_stays_of_its_kind_for_a_notice_that_waits_would_go_to_law_enforcement(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    found = contact(service)
    entry = approved(hotline, reviewer)
    service.publish()
    police = {**PROVIDER, "kind": "law_enforcement", "country": "NL"}
    with service.connect(Kind.OPERATOR) as operator:
        change = {**police, "base_version": 1}
        refused = operator.send("PUT", f"/v1/contacts/{found}", json=change)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "kind")
    rows = contact_file.read(
        f"id,kind,name,country,channel,address\r\n{found},law_enforcement,Police,NL,mail,a@police.test\r\n".encode()
    )
    with pytest.raises(Problem) as caught, service.database.writing() as session:
        contact_file.take_in(session, rows, service.clock(), allow_private=False)
    assert caught.value.errors[0]["field"] == "line 2, kind"
    assert [parcel.contact_kind for parcel in post.deliver()] == ["provider"]
    assert steps_of(service, entry) == ["notified"]
    assert replay(service)
