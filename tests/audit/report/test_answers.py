"""What anybody gets at /v1/transparency/report: which months, in which form, and nothing that was hidden."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import rfc8785
from sqlalchemy import event

from app.audit.report import service as reports
from app.audit.report.schemas import Answer
from app.core import jose
from tests.audit.report.months import ADDRESS, begun, fetched, go_to, two_months
from tests.programs.service import LIST, Service

HEADER = ["period", "status", "list", "measure", "dimension", "value", "count"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """March to June are closed; it is 20 July."""
    with begun(tmp_path_factory.mktemp("answers") / "home") as service:
        two_months(service)
        go_to(service, 7, 20)
        yield service


def get(world: Service, accept: str = "", known: str = "", **asked: str) -> httpx.Response:
    headers = {"Accept": accept} | ({"If-None-Match": known} if known else {})
    return httpx.get(world.address + ADDRESS, params=asked, headers=headers)


def periods(world: Service, **asked: str) -> list[str]:
    answer = fetched(world, **asked)
    return [one["period"] for one in answer["reports"] + answer["preliminary"]]


def test_without_dates_the_last_twelve_months(world: Service) -> None:
    answer = fetched(world)
    assert (answer["from"], answer["to"]) == ("2025-08", "2026-07")
    assert [one["period"] for one in answer["reports"]] == ["2026-03", "2026-04", "2026-05", "2026-06"]
    assert [one["period"] for one in answer["preliminary"]] == ["2026-07"]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-04", "2026-05", ["2026-04", "2026-05"]),
        ("2026-04-30", "2026-05-01", ["2026-04", "2026-05"]),
        ("2026-04-30T23:30:00-01:00", "2026-05-31T23:59:59Z", ["2026-05"]),
        ("2026-07", "2030-01", ["2026-07"]),
        ("2020-01", "2026-02", []),
        ("2026-08", "2026-09", []),
    ],
)
def test_the_months_that_the_dates_lie_in(
    world: Service, since: str, until: str, expected: list[str]
) -> None:
    assert periods(world, **{"from": since, "to": until}) == expected


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-13"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": "2026-01-01T00:00:00"}, "to"),
        ({"to": "20260101"}, "to"),
        ({"to": "0001-01"}, "to"),
        ({"to": "9999-12-31T23:59:59-10:00"}, "to"),
        ({"from": "2026-05", "to": "2026-04"}, "to"),
        ({"from": "2026-08"}, "from"),
        ({"from": "2016-07", "to": "2026-07"}, "from"),
        ({"format": "xml"}, "format"),
    ],
)
def test_a_wrong_date_is_named(world: Service, asked: dict[str, str], field: str) -> None:
    answer = get(world, **asked)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_hundred_and_twenty_months_are_not_too_many(world: Service) -> None:
    assert get(world, **{"from": "2016-08", "to": "2026-07"}).status_code == 200


def test_the_answer_is_what_its_shape_says_and_the_documents_are_as_signed(world: Service) -> None:
    body = get(world).content
    answer = Answer.model_validate_json(body)
    for one, plain in zip(answer.reports, json.loads(body)["reports"], strict=True):
        assert rfc8785.dumps(one.document.model_dump(mode="json")) == jose.unverified(one.jws)
        assert rfc8785.dumps(plain["document"]) == jose.unverified(one.jws)


def test_it_may_be_kept_and_is_not_sent_twice(world: Service) -> None:
    first = get(world)
    assert first.headers["cache-control"] == "public, max-age=60"
    again = get(world, known=first.headers["etag"])
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert get(world, known='"another"').status_code == 200
    assert get(world, known=first.headers["etag"], format="csv").status_code == 200


@pytest.mark.parametrize(("accept", "asked"), [("text/csv", {}), ("application/json", {"format": "csv"})])
def test_the_same_as_csv(world: Service, accept: str, asked: dict[str, str]) -> None:
    answer = get(world, accept, **asked)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert head == HEADER
    found = {tuple(row[:-1]): row[-1] for row in rows}
    assert len(found) == len(rows)
    assert found["2026-03", "closed", LIST, "submitted", "", ""] == "9"
    assert found["2026-03", "closed", LIST, "delisted", "reason", "withdrawn"] == "1"
    assert found["2026-03", "closed", "", "votes", "decision", "approve"] == "7"
    assert found["2026-03", "closed", "", "submitted", "hosting_country", "NL"] == "<5"
    assert found["2026-03", "closed", "", "submitted", "hosting_country", "US"] == "withheld"
    assert found["2026-03", "closed", "", "rejected", "hosting_country", ""] == "withheld"
    assert found["2026-03", "closed", "", "decision_median_seconds", "", ""] == "3600"
    assert found["2026-03", "closed", "", "removal_median_seconds", "", ""] == ""
    assert found["2026-03", "closed", LIST, "live_entries", "date", "2026-03-31"] == "5"
    assert found["2026-03", "closed", "", "decisions_reversed", "", ""] == "1"
    assert found["2026-07", "preliminary", "", "submitted", "", ""] == "0"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv;q=0, application/json", "application/json"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("application/json; q=0.1, TEXT/CSV", "text/csv; charset=utf-8"),
        ("text/csv;header=present, */*", "text/csv; charset=utf-8"),
        ("text/csv;q=much", "application/json"),
    ],
)
def test_a_caller_s_weights_decide(world: Service, accept: str, media_type: str) -> None:
    assert get(world, accept).headers["content-type"] == media_type


def test_json_is_what_a_caller_without_a_wish_gets(world: Service) -> None:
    assert get(world, "*/*").headers["content-type"] == "application/json"
    assert get(world, "text/csv", format="json").headers["content-type"] == "application/json"


def test_an_open_month_shows_nothing_by_ground_or_country(world: Service) -> None:
    (open_month,) = fetched(world)["preliminary"]
    assert open_month.keys() == {"period", "counted_at", "every", "lists", "appeals", "live_entries"}
    text = json.dumps(open_month)
    assert "lanzarote" not in text
    assert not any(f'"{country}"' in text for country in ("NL", "US", "DE"))
    assert open_month["live_entries"][-1] == {"date": "2026-07-20", "entries": 0}


def test_more_months_take_no_more_queries(world: Service) -> None:
    counts: list[int] = []
    asked: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for since in ("2026-07", "2026-06", "2020-01"):
        asked.clear()
        with world.database.reading() as session:
            months = reports.months(since, "2026-07", world.clock())
            found: list[Any] = reports.closed(session, months)
            found += reports.preliminary(session, months, world.clock())
        counts.append(len([one for one in asked if one.startswith("SELECT")]))
    assert len(found) == 5
    assert len(set(counts)) == 1
    assert counts[0] <= 7
