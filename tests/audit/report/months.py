"""A service that begins on 10 March 2026, for stories that go over months."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.appeals import people
from tests.programs import service as programs
from tests.programs.service import LIST, Service, approve, leaves, new_entry, running, signed_review

BEGIN = datetime(2026, 3, 10, 12, tzinfo=UTC)
ADDRESS = "/v1/transparency/report"
Entry = dict[str, Any]


@contextmanager
def begun(home: Path, **settings: Any) -> Iterator[Service]:
    """A running service whose clock stands still at BEGIN."""
    initialise = programs.initialise
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "initialise", lambda settings, _now: initialise(settings, BEGIN))
        made = Service(home, **settings)
    made.clock.still_at = BEGIN
    with running(made) as up:
        up.add_list()
        yield up


def go_to(service: Service, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> None:
    """Let it be that moment of 2026, UTC, and the publisher make a round of it."""
    moment = datetime(BEGIN.year, month, day, hour, minute, second, tzinfo=UTC)
    service.clock.still_at = moment - service.clock.ahead
    service.publisher.round()


def submit(hotline: Connection, count: int, name: str, country: str, **changes: Any) -> list[Entry]:
    batch = [
        new_entry(f"https://{name}{number}.example.test/", hosting_country=country, **changes)
        for number in range(count)
    ]
    answer = hotline.request("POST", "/v1/entries/batch", json={"entries": batch}).json()
    found: list[Entry] = answer["entries"]
    return found


def reject(reviewer: Connection, entry: Entry) -> None:
    issued = {"iat": int(reviewer.clock())}
    body = signed_review(entry, reviewer.credentials.private_jwk, decision="reject", signed=issued)
    reviewer.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)


def withdraw(hotline: Connection, entry: Entry) -> None:
    hotline.request("POST", f"/v1/entries/{entry['id']}/withdrawal")


def two_months(service: Service) -> None:
    """March: 9 submitted, 7 of them listed, one rejected; of the list one is withdrawn, an appeal ends one.

    April: one more on a second list; nothing is decided on it. It ends on 1 May.
    """
    service.add_list("second")
    with (
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
        service.connect(Kind.REVIEW_BODY) as judge,
    ):
        some = submit(hotline, 6, "u", "US") + submit(hotline, 3, "n", "NL", legal_ground="lanzarote-20-1-c")
        go_to(service, 3, 10, 13)
        for entry in some[:7]:
            approve(reviewer, entry)
        reject(reviewer, some[7])
        go_to(service, 3, 10, 13, 5)
        appeal = people.file(service, "https://u0.example.test/", list=LIST)
        people.file(service, "https://elsewhere.example.test/")
        withdraw(hotline, some[1])
        go_to(service, 3, 20)
        assert people.decide(service, judge, appeal).status_code == 201
        go_to(service, 3, 20, 0, 1)
        go_to(service, 4, 1)
        submit(hotline, 1, "s", "DE", list="second")
        go_to(service, 5, 1)


def reported(service: Service) -> list[dict[str, Any]]:
    """The leaves of closed months."""
    with service.database.reading() as session:
        return [leaf for leaf in leaves(session) if leaf["type"] == "report.published"]


def fetched(service: Service, **asked: str) -> dict[str, Any]:
    """The report as anybody gets it."""
    answer = httpx.get(service.address + ADDRESS, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.content)
    return found
