"""Time: who looks again keeps an entry on its list; silence, removal and change end it."""

from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from app.client.session import Connection
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from app.platform.clock import instant
from tests.programs.service import LIST, Service, approve, leaves, new_entry, replay


@pytest.fixture
def listed(service: Service, hotline: Connection, reviewer: Connection) -> dict[str, Any]:
    """One listed entry, by the hotline."""
    entry = hotline.request("POST", "/v1/entries", json=new_entry()).json()
    approve(reviewer, entry)
    service.publish()
    seen: dict[str, Any] = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    assert seen["status"] == "listed"
    return seen


def recheck(hotline: Connection, entry: dict[str, Any], service: Service, outcome: str, **ago: int) -> Any:
    body = {"outcome": outcome, "checked_at": instant(service.clock() - timedelta(**ago))}
    return hotline.send("POST", f"/v1/entries/{entry['id']}/rechecks", json=body)


def status(hotline: Connection, entry: dict[str, Any]) -> tuple[str, str | None, int | None]:
    seen = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    return seen["status"], seen["delist_reason"], seen["delisted_in"]


def test_still_available_moves_the_date(
    service: Service, hotline: Connection, listed: dict[str, Any]
) -> None:
    service.clock.ahead += timedelta(days=20)
    seen = recheck(hotline, listed, service, "still_available").json()
    assert seen["recheck_by"] > listed["recheck_by"]
    service.clock.ahead += timedelta(days=20)
    service.publish()
    assert status(hotline, listed)[0] == "listed"
    replay(service)


def test_silence_delists(service: Service, hotline: Connection, listed: dict[str, Any]) -> None:
    service.clock.ahead += timedelta(days=31)
    service.publish()
    assert status(hotline, listed) == ("delisted", "not_reaffirmed", 2)
    replay(service)


def test_a_log_in_which_silence_came_before_its_date_does_not_replay(
    service: Service, hotline: Connection, listed: dict[str, Any]
) -> None:
    service.clock.ahead += timedelta(days=31)
    service.publish()
    with service.database.reading() as session:
        found = leaves(session)
    place = next(index for index, leaf in enumerate(found) if leaf["type"] == "entry.delisted")
    early = {**found[place], "at": instant(service.clock() - timedelta(days=2))}
    replayed = Replay()
    for leaf in found[:place]:
        replayed.feed(rfc8785.dumps(leaf))
    with pytest.raises(Deviation, match="a recheck date that has passed"):
        replayed.feed(rfc8785.dumps(early))
    replayed.feed(rfc8785.dumps(found[place]))


def test_unreachable_reaffirms_nothing(service: Service, hotline: Connection, listed: dict[str, Any]) -> None:
    assert recheck(hotline, listed, service, "unreachable").json()["recheck_by"] == listed["recheck_by"]
    service.clock.ahead += timedelta(days=31)
    service.publish()
    assert status(hotline, listed)[1] == "not_reaffirmed"


@pytest.mark.parametrize(
    ("outcome", "reason"), [("removed", "removed_at_source"), ("changed", "not_reaffirmed")]
)
def test_what_is_gone_or_other_leaves_in_the_next_version(
    service: Service, hotline: Connection, listed: dict[str, Any], outcome: str, reason: str
) -> None:
    seen = recheck(hotline, listed, service, outcome).json()
    assert (seen["status"], seen["delist_reason"]) == ("delisted", reason)
    service.publish()
    assert status(hotline, listed) == ("delisted", reason, 2)
    assert recheck(hotline, listed, service, "still_available").status_code == 409
    replay(service)


def test_removal_is_also_the_end_of_the_takedown(
    service: Service, hotline: Connection, listed: dict[str, Any]
) -> None:
    assert recheck(hotline, listed, service, "removed").json()["takedown"] == "removed"


def test_what_is_removed_under_review_is_never_listed(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = hotline.request("POST", "/v1/entries", json=new_entry()).json()
    assert recheck(hotline, entry, service, "removed").json()["status"] == "withdrawn"


def test_an_older_look_never_moves_the_date_back(
    service: Service, hotline: Connection, listed: dict[str, Any]
) -> None:
    seen = recheck(hotline, listed, service, "still_available", days=6).json()
    assert seen["recheck_by"] == listed["recheck_by"]
    replay(service)


@pytest.mark.parametrize("ago", [{"days": 8}, {"minutes": -6}], ids=["too old", "in the future"])
def test_a_look_is_recent_and_not_to_come(
    service: Service, hotline: Connection, listed: dict[str, Any], ago: dict[str, int]
) -> None:
    answer = recheck(hotline, listed, service, "still_available", **ago)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "checked_at")


def test_a_foreign_hotline_cannot_recheck_or_learn(
    service: Service, hotline: Connection, listed: dict[str, Any]
) -> None:
    with service.connect(Kind.HOTLINE) as other:
        assert recheck(other, listed, service, "removed").status_code == 404
        other.request("POST", "/v1/entries", json=new_entry())
        assert recheck(other, listed, service, "still_available").status_code == 201
    replay(service)


def test_the_feed_warns_each_hotline_of_its_own_soonest_first(
    service: Service, hotline: Connection, reviewer: Connection, listed: dict[str, Any]
) -> None:
    service.clock.ahead += timedelta(days=10)
    later = hotline.request("POST", "/v1/entries", json=new_entry("https://b.example.test/")).json()
    approve(reviewer, later)
    service.publish()

    def due(caller: Connection, days: int, **more: Any) -> list[str]:
        page = caller.request("GET", "/v1/entries/due", params={"within_days": days, **more}).json()
        return [entry["id"] for entry in page["entries"]]

    assert due(hotline, 7) == []
    assert due(hotline, 25) == [listed["id"]]
    assert due(hotline, 60) == [listed["id"], later["id"]]
    page = hotline.request("GET", "/v1/entries/due", params={"within_days": 60, "limit": 1}).json()
    assert due(hotline, 60, limit=1, cursor=page["next_cursor"]) == [later["id"]]
    with service.connect(Kind.HOTLINE) as other:
        assert due(other, 365) == []
    assert LIST in replay(service).lists
