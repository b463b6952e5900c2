"""Quality figures: what they count, when there is no rate, and who sees them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.client.session import Connection
from app.core.lifecycle import DelistReason
from app.core.terms import Kind
from app.entries import service as entries
from tests.programs.service import LIST, Service, approve, new_entry, signed_review

Entry = dict[str, Any]


def submit(hotline: Connection, count: int, in_list: str = LIST, first: int = 0) -> list[Entry]:
    batch = [
        new_entry(f"https://h{first + number}.example.test/", list=in_list, hosting_country="US")
        for number in range(count)
    ]
    found: list[Entry] = hotline.request("POST", "/v1/entries/batch", json={"entries": batch}).json()[
        "entries"
    ]
    return found


def end(service: Service, some: list[Entry], reason: DelistReason) -> None:
    """As an appeal's decision, or silence, ends them."""
    with service.database.writing() as session:
        for entry in entries.by_ids(session, [one["id"] for one in some]):
            entries.end(session, entry, reason, service.clock())


def figures(service: Service, query: str = "") -> dict[str, Any]:
    with service.connect(Kind.AUDITOR) as auditor:
        found: dict[str, Any] = auditor.request("GET", f"/v1/quality{query}").json()
        return found


def made_earlier(service: Service, some: list[Entry], by: timedelta) -> None:
    with service.database.writing() as session:
        for entry in entries.by_ids(session, [one["id"] for one in some]):
            entry.submitted_at -= by
            session.add(entry)


def judged(service: Service, hotline: Connection, reviewer: Connection) -> list[Entry]:
    """Eight: six approved after an hour and listed, one rejected after two, one waiting."""
    made = submit(hotline, 8)
    made_earlier(service, made, timedelta(hours=1))
    made_earlier(service, made[6:7], timedelta(hours=1))
    for entry in made[:6]:
        approve(reviewer, entry)
    body = signed_review(made[6], reviewer.credentials.private_jwk, decision="reject")
    reviewer.request("POST", f"/v1/entries/{made[6]['id']}/reviews", json=body)
    service.publish()
    return made


def test_a_hotline_in_figures(service: Service, hotline: Connection, reviewer: Connection) -> None:
    made = judged(service, hotline, reviewer)
    end(service, made[:1], DelistReason.APPEAL_UPHELD)
    end(service, made[1:3], DelistReason.NOT_REAFFIRMED)
    found = figures(service, f"?list={LIST}")
    assert (found["list"], found["from"], found["to"]) == (LIST, None, None)
    (told,) = found["hotlines"]
    assert told.pop("organisation") == made[0]["submitted_by"]
    assert 3600 <= told.pop("decision_seconds_median") < 3660
    assert 7200 <= told.pop("decision_seconds_p90") < 7260
    assert told == {
        "kind": "hotline",
        "submitted": 8,
        "approved": 6,
        "rejected": 1,
        "listed": 6,
        "overturned": 1,
        "overturn_rate": 0.1667,
        "stale": 2,
        "stale_share": 0.3333,
        "flagged": False,
        "flagged_on": [],
    }


def test_a_review_body_in_figures(service: Service, hotline: Connection, reviewer: Connection) -> None:
    made = judged(service, hotline, reviewer)
    end(service, made[:2], DelistReason.APPEAL_UPHELD)
    (told,) = figures(service)["review_bodies"]
    assert len(told.pop("organisation")) == 32
    assert 3600 <= told.pop("decision_seconds_median") < 3660
    assert 7200 <= told.pop("decision_seconds_p90") < 7260
    assert told == {
        "kind": "review_body",
        "decisions": 7,
        "approvals": 6,
        "overturned": 2,
        "overturn_rate": 0.3333,
        "opinions_given": 0,
        "opinions_asked": 0,
        "opinions_answered": 0,
        "agreement_share": None,
    }


def test_no_rate_below_five_cases(service: Service, hotline: Connection, reviewer: Connection) -> None:
    made = submit(hotline, 5)
    for entry in made[:4]:
        approve(reviewer, entry)
    service.publish()
    end(service, made[:1], DelistReason.APPEAL_UPHELD)
    found = figures(service)
    assert (found["hotlines"][0]["overturned"], found["hotlines"][0]["overturn_rate"]) == (1, None)
    assert found["hotlines"][0]["stale_share"] is None
    assert (found["review_bodies"][0]["overturned"], found["review_bodies"][0]["overturn_rate"]) == (1, None)
    approve(reviewer, made[4])
    service.publish()
    found = figures(service)
    assert (found["hotlines"][0]["overturn_rate"], found["hotlines"][0]["stale_share"]) == (0.2, 0.0)
    assert found["review_bodies"][0]["overturn_rate"] == 0.2


def test_second_opinions_measure_agreement(service: Service, hotline: Connection) -> None:
    service.add_list("blind", second_opinion_percent=100)
    made = submit(hotline, 6, "blind")
    first, second = service.organisation(Kind.REVIEW_BODY), service.organisation(Kind.REVIEW_BODY)
    with (
        service.connect(Kind.REVIEW_BODY, first) as one,
        service.connect(Kind.REVIEW_BODY, second) as other,
    ):
        for entry in made:
            approve(one, entry)
        for number, entry in enumerate(made[:5]):
            verdict = "approve" if number else "reject"
            body = signed_review(entry, other.credentials.private_jwk, decision=verdict)
            other.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body)
    told = {body["organisation"]: body for body in figures(service, "?list=blind")["review_bodies"]}
    names = ("decisions", "opinions_asked", "opinions_answered", "agreement_share", "opinions_given")
    assert [told[first][name] for name in names] == [6, 6, 5, 0.8, 0]
    assert [told[second][name] for name in names] == [0, 0, 0, None, 5]


def test_only_what_was_submitted_then_and_to_that_list_is_counted(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    service.add_list("other")
    old, new, elsewhere = submit(hotline, 1), submit(hotline, 1, first=1), submit(hotline, 1, "other")
    made_earlier(service, old, timedelta(days=10))
    for entry in (*old, *new, *elsewhere):
        approve(reviewer, entry)
    yesterday = (service.clock() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def counted(query: str) -> tuple[int, int]:
        found = figures(service, query)
        return found["hotlines"][0]["submitted"], found["review_bodies"][0]["decisions"]

    assert counted("") == (3, 3)
    assert counted("?list=other") == (1, 1)
    assert counted(f"?from={yesterday}") == (2, 2)
    assert counted(f"?to={yesterday}") == (1, 1)
    assert counted(f"?list={LIST}&from={yesterday}") == (1, 1)


def test_an_erased_rejection_still_counts(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    made = judged(service, hotline, reviewer)
    with service.connect(Kind.OPERATOR) as operator:
        for entry in made[5:]:
            operator.request("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": "court_order"})
    (told,) = figures(service)["hotlines"]
    assert (told["submitted"], told["approved"], told["rejected"]) == (8, 6, 1)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?list=nothing", "list"),
        ("?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("?from=yesterday", "from"),
    ],
)
def test_what_cannot_be_counted_is_named(service: Service, query: str, field: str) -> None:
    with service.connect(Kind.OPERATOR) as operator:
        answer = operator.send("GET", f"/v1/quality{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.AUDITOR, Kind.OPERATOR}))
def test_figures_are_for_auditors_and_operators_only(service: Service, kind: Kind) -> None:
    with service.connect(kind) as stranger:
        assert stranger.send("GET", "/v1/quality").status_code == 403


def test_figures_hold_no_name_and_no_url(service: Service, reviewer: Connection) -> None:
    with service.connect(Kind.HOTLINE, service.organisation(Kind.HOTLINE, "Meldpunt Example")) as hotline:
        judged(service, hotline, reviewer)
    text = json.dumps(figures(service))
    assert "Meldpunt" not in text
    assert "example.test" not in text


def test_the_number_of_queries_does_not_grow_with_the_entries(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    counts = []
    for first in (0, 10):
        for entry in submit(hotline, 10, first=first):
            approve(reviewer, entry)
        counts.append(queries_of(service, lambda: figures(service)))
    assert counts[0] == counts[1]


def queries_of(service: Service, act: Callable[[], object]) -> int:
    found: list[str] = []

    def seen(*arguments: Any) -> None:
        found.append(arguments[2])

    event.listen(service.database.engine, "before_cursor_execute", seen)
    act()
    event.remove(service.database.engine, "before_cursor_execute", seen)
    return sum("FROM" in one for one in found)
