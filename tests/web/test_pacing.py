"""A reviewer's pace in the console: the reminder, the end of the day, and a lead who sets both."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.core.terms import Kind
from tests.appeals.people import file
from tests.programs.service import Service, running
from tests.programs.webclient import WebClient, signed_in_client
from tests.web.reviewers import World, decision, now, where

PACE = "/console/pace"
MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
USUAL = {"break_after_minutes": "50", "break_minutes": "10", "daily_minutes": "300", "daily_decisions": "120"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    service = Service(tmp_path_factory.mktemp("pacing") / "home")
    with running(service):
        service.add_list()
        with service.connect(Kind.HOTLINE) as hotline:
            yield World(service, hotline, WebClient(service))


@pytest.fixture
def world(up: World) -> Iterator[World]:
    """In the morning, with a fresh lead of a fresh body in the reviewer's place."""
    start = max(up.service.clock(), MORNING) + timedelta(days=1)
    up.service.clock.still_at = start.replace(hour=8, minute=0, second=0, microsecond=0)
    up.service.clock.ahead = timedelta()
    up.reviewer = signed_in_client(up.service, Kind.REVIEW_BODY, is_lead=True)
    yield up
    up.service.clock.still_at = None


def work(world: World, minutes: int, client: WebClient | None = None) -> str:
    """Look at the queue every four minutes; the last page."""
    for _ in range(minutes // 4):
        world.service.clock.ahead += timedelta(minutes=4)
        page = (client or world.reviewer).get("/console/queue")
        assert page.status_code == 200
    return page.text


def test_a_calm_reminder_comes_when_a_break_is_due_and_goes_with_it(world: World) -> None:
    entry = world.entry()
    world.reviewer.get("/console/queue")
    assert "without a break" not in work(world, 48)
    assert "52 minutes without a break. Step away for 10 minutes" in work(world, 4)
    assert "without a break" in world.reviewer.get(where(entry)).text
    assert "without a break" in world.reviewer.get("/console/appeals").text
    world.service.clock.ahead += timedelta(minutes=10)
    assert "without a break" not in world.reviewer.get(where(entry)).text


def test_when_the_days_minutes_are_spent_nothing_more_is_shown_or_taken(world: World) -> None:
    assert world.reviewer.post(PACE, {**USUAL, "daily_minutes": "30"}).status_code == 303
    entry, filed = world.entry(), file(world.service, "https://a.example.test/x")
    world.reviewer.get("/console/queue")
    asked = world.reviewer.options(f"{where(entry)}/decision", decision(entry))
    sent = decision(entry) | world.reviewer.signed_fields(asked)
    assert entry["id"] in work(world, 28)
    assert entry["id"] not in work(world, 4)
    appeal = f"/console/appeals/{filed['reference']}"
    for path in (where(entry), f"{where(entry)}/address", appeal, f"{appeal}/address"):
        answer = world.reviewer.get(path)
        assert (answer.status_code, "Enough for today" in answer.text) == (403, True)
        assert "example" not in answer.text
    for path in (f"{where(entry)}/decision", f"{where(entry)}/decision/options", f"{appeal}/decision"):
        answer = world.reviewer.post(path, sent)
        assert (answer.status_code, "You have done today’s work" in answer.text) == (403, True)
    assert now(world.hotline, entry)["status"] == "submitted"
    assert filed["reference"] not in world.reviewer.get("/console/appeals").text
    world.service.clock.ahead += timedelta(days=1)
    world.reviewer.sign_in()
    assert world.reviewer.get(where(entry)).status_code == 200


def test_when_the_days_decisions_are_spent_the_next_is_not_taken(world: World) -> None:
    assert world.reviewer.post(PACE, {**USUAL, "daily_decisions": "1"}).status_code == 303
    one, other = world.entry(), world.entry()
    asked = world.reviewer.options(f"{where(other)}/decision", decision(other))
    sent = decision(other) | world.reviewer.signed_fields(asked)
    assert world.reviewer.signed_post(f"{where(one)}/decision", decision(one)).status_code == 303
    assert world.reviewer.post(f"{where(other)}/decision", sent).status_code == 403
    assert [now(world.hotline, entry)["status"] for entry in (one, other)] == ["approved", "submitted"]
    assert "1 of 1" in world.reviewer.get(PACE).text


def test_a_refused_decision_is_not_counted(world: World) -> None:
    entry = world.entry()
    assert world.reviewer.post(f"{where(entry)}/decision", decision(entry)).status_code == 422
    assert "0 of 120" in world.reviewer.get(PACE).text


def test_a_lead_sets_the_pace_and_everybody_sees_the_own_day_only(world: World) -> None:
    assert world.reviewer.invited is not None
    mate = signed_in_client(world.service, Kind.REVIEW_BODY, organisation=world.reviewer.invited.organisation)
    assert '<form method="post" action="/console/pace"' not in mate.get(PACE).text
    world.reviewer.get("/console/queue")
    work(world, 8)
    assert world.reviewer.post(PACE, {**USUAL, "daily_minutes": "240"}).status_code == 303
    assert "8 of 240 minutes" in world.reviewer.get(PACE).text
    assert "0 of 240 minutes" in mate.get(PACE).text
    assert mate.post(PACE, USUAL).status_code == 403
    assert "0 of 240 minutes" in mate.get(PACE).text


@pytest.mark.parametrize("wrong", ["", "0", "-5", "1.5", "lots", "٣٠", "9" * 5000])
def test_a_number_out_of_its_bounds_is_said_in_the_form(world: World, wrong: str) -> None:
    answer = world.reviewer.post(PACE, {**USUAL, "daily_decisions": wrong})
    assert (answer.status_code, "Not taken: choose a number from 1 to 1000" in answer.text) == (422, True)
    assert 'name="daily_minutes" inputmode="numeric" autocomplete="off" required value="300"' in answer.text
    assert "0 of 120" in world.reviewer.get(PACE).text


def test_a_hotline_has_no_pace(world: World) -> None:
    entry = world.entry()
    own = signed_in_client(world.service, Kind.HOTLINE, organisation=entry["submitted_by"])
    for _ in range(16):
        world.service.clock.ahead += timedelta(minutes=4)
        page = own.get(where(entry))
    assert (page.status_code, "without a break" in page.text) == (200, False)
    assert own.get(PACE).status_code == 403
