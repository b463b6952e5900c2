"""How long takedowns take: what is counted, of whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.client.session import Connection
from app.core.terms import Kind, ProviderClass
from app.takedown.models import Takedown
from tests.programs.service import LIST, Service
from tests.takedown.told import Post, answer, approved, contact, pass_time, submitted, token_of

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600


def figures(caller: Connection, **asked: str) -> dict[str, Any]:
    found: dict[str, Any] = caller.request("GET", "/v1/takedowns/figures", params=asked).json()
    return found


def put(service: Service, entries: list[str], organisation: str, **columns: Any) -> None:
    """Write the clocks of entries; `columns` are functions of the place, or values."""
    rows = [
        {
            "entry_id": entry,
            "organisation_id": organisation,
            "list": LIST,
            "turn": 0,
            "reminders": 0,
            "country": "NL",
            "opened_at": START,
            **{name: value(place) if callable(value) else value for name, value in columns.items()},
        }
        for place, entry in enumerate(entries)
    ]
    with service.database.writing() as session:
        session.execute(sa.insert(Takedown), rows)


def organisation_of(hotline: Connection, entry: str) -> str:
    return str(hotline.request("GET", f"/v1/entries/{entry}").json()["submitted_by"])


def test_what_happened_is_what_is_counted(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    acknowledged, removed = (
        approved(hotline, reviewer, f"https://p{number}.example.test/") for number in (1, 2)
    )
    service.publish()
    pass_time(service, hours=2)
    sent = {parcel.entry_id: token_of(parcel) for parcel in post.deliver()}
    pass_time(service, hours=1)
    answer(service, sent[acknowledged], "acknowledged")
    pass_time(service, hours=3)
    answer(service, sent[removed], "removed")
    every = figures(hotline)["every"]
    assert (every["takedowns"], every["with_deadline"], every["overdue_percent"]) == (2, 2, 0.0)
    assert every["to_first_notice"]["count"] == 2
    for name, count, hours in (
        ("to_first_notice", 2, 2),
        ("to_acknowledgement", 1, 1),
        ("to_removal", 1, 4),
    ):
        assert every[name]["count"] == count
        assert abs(every[name]["median"] - hours * HOUR) < 60
    assert set(figures(reviewer)["by_provider_class"]) == {"hosting"}


def test_groups_dates_and_shares(service: Service, hotline: Connection) -> None:
    entries = [submitted(hotline, f"https://p{number}.example.test/") for number in range(10)]
    put(
        service,
        entries,
        organisation_of(hotline, entries[0]),
        country=lambda place: "NL" if place < 4 else "DE",
        provider_class=lambda place: ProviderClass.CDN if place % 2 else None,
        opened_at=lambda place: START + timedelta(days=place),
        first_notice_at=lambda place: START + timedelta(days=place, hours=place),
        removal_due_at=lambda place: START + timedelta(days=place + 3),
        removed_at=lambda place: START + timedelta(days=place + 2 + place % 3) if place < 6 else None,
        ended_at=lambda place: START + timedelta(days=place + 1) if place == 9 else None,
    )
    found = figures(hotline)
    every = found["every"]
    assert (every["takedowns"], every["with_deadline"]) == (10, 10)
    assert every["to_first_notice"] == {"count": 10, "median": 4 * HOUR, "p90": 8 * HOUR}
    assert every["to_acknowledgement"] == {"count": 0, "median": None, "p90": None}
    assert every["to_removal"]["count"] == 6
    # 2 and 5 came a day late, 6 to 8 stand still; 9 ended before its date.
    assert (every["overdue"], every["overdue_percent"]) == (5, 50.0)
    assert {name: group["takedowns"] for name, group in found["by_country"].items()} == {"DE": 6, "NL": 4}
    classes = {name: group["takedowns"] for name, group in found["by_provider_class"].items()}
    assert classes == {"cdn": 5, "unknown": 5}
    some = figures(hotline, since="2026-01-03T00:00:00Z", until="2026-01-06T00:00:00Z")
    assert (some["every"]["takedowns"], some["since"]) == (3, "2026-01-03T00:00:00Z")
    assert figures(hotline, list="other")["every"]["overdue_percent"] is None
    assert hotline.send("GET", "/v1/takedowns/figures?since=yesterday").status_code == 422


def test_a_hotline_s_figures_are_its_own(service: Service, hotline: Connection, reviewer: Connection) -> None:
    entry = submitted(hotline)
    put(service, [entry], organisation_of(hotline, entry))
    assert figures(hotline)["every"]["takedowns"] == 1
    with service.connect(Kind.HOTLINE) as other:
        assert figures(other)["every"]["takedowns"] == 0
    for kind in (Kind.OPERATOR, Kind.AUDITOR, Kind.REVIEW_BODY):
        with service.connect(kind) as caller:
            assert figures(caller)["every"]["takedowns"] == 1
    for kind in (Kind.ISP, Kind.LAW_ENFORCEMENT):
        with service.connect(kind) as caller:
            assert caller.send("GET", "/v1/takedowns/figures").status_code == 403
