"""A round of the publisher: what fails in it keeps nothing else from being done, and is not passed over."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.client.session import Connection
from app.lists import snapshots
from app.lists.repository import LIFE
from tests.programs.service import LIST, Service, approve, new_entry

LAST = "second"


class Broken(Exception):
    """What the tests make fail; its text must not be logged."""


def versions(hotline: Connection) -> list[int]:
    """The newest version of each list, 0 without one."""
    answers = [hotline.send("GET", f"/v1/lists/{name}/snapshots/latest") for name in (LIST, LAST)]
    return [answer.json()["version"] if answer.status_code == 200 else 0 for answer in answers]


@pytest.fixture(autouse=True)
def waiting(service: Service, hotline: Connection, reviewer: Connection) -> None:
    """An entry on each of two lists waits for a version; the failing list comes first."""
    service.add_list(LAST)
    for name in (LIST, LAST):
        entry = hotline.request("POST", "/v1/entries", json=new_entry(list=name)).json()
        approve(reviewer, entry)


def test_a_list_that_fails_does_not_stop_the_next(
    service: Service, hotline: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = snapshots.prepare

    def fails(session: Any, name: str, now: Any) -> Any:
        if name == LIST:
            raise Broken("https://a.example.test/1")
        return prepare(session, name, now)

    with monkeypatch.context() as broken, capture_logs() as logged:
        broken.setattr(snapshots, "prepare", fails)
        with pytest.raises(Broken):
            service.publish()
    assert versions(hotline) == [0, 1]
    (line,) = [one for one in logged if one["event"] == "step failed"]
    assert (line["failure"], line["list"], line["log_level"]) == ("Broken", LIST, "error")
    assert line["where"].startswith("app/lists/")
    assert "example.test" not in str(logged)
    service.publish()
    assert versions(hotline) == [1, 1]


def test_other_rooms_duties_that_fail_do_not_stop_the_lists(
    service: Service, hotline: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise Broken

    duties = dataclasses.replace(service.publisher._duties, each_round=fails)
    monkeypatch.setattr(service.publisher, "_duties", duties)
    with capture_logs() as logged, pytest.raises(Broken):
        service.publish()
    assert versions(hotline) == [1, 1]
    assert [one["step"] for one in logged if one["event"] == "step failed"] == ["duties"]


def test_the_first_of_several_failures_is_raised_and_all_are_logged(
    service: Service, hotline: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_session: Any, name: str, _now: Any) -> None:
        raise Broken(name)

    monkeypatch.setattr(snapshots, "prepare", fails)
    with capture_logs() as logged, pytest.raises(Broken, match=LIST):
        service.publish()
    assert versions(hotline) == [0, 0]
    assert [one["list"] for one in logged if one["event"] == "step failed"] == [LIST, LAST]


def test_signatures_are_renewed_while_a_list_fails(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.publish()
    timestamp = service.settings.public / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()

    def fails(*_: Any) -> None:
        raise Broken

    monkeypatch.setattr(snapshots, "is_due", fails)
    service.clock.ahead += timedelta(minutes=12)
    with pytest.raises(Broken):
        service.publish()
    assert timestamp.read_bytes() != before


def test_a_clock_that_was_wrong_leaves_nothing_that_lasts(service: Service) -> None:
    """What was signed while it was far ahead would else be good for clients for far too long."""
    service.publish()
    service.clock.ahead += timedelta(days=400)
    service.publish()
    service.clock.ahead -= timedelta(days=400)
    service.publish()
    repository, now = service.publisher._repository, service.clock()
    ends = {
        "timestamp": repository._files.timestamp.expires,
        "snapshot": repository._files.snapshot.expires,
        "targets": repository.role("targets").expires,
        "list": repository.role(LIST).expires,
    }
    assert {name: now < end <= now + LIFE[name] for name, end in ends.items()} == dict.fromkeys(ends, True)
