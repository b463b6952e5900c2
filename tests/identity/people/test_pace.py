"""A reviewer's pace by a clock in the hand: work, breaks, the day's budget, and what is kept of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.core.terms import Kind
from app.identity.people import pace
from app.identity.people import service as people
from app.identity.people.models import Workday
from app.identity.people.pace import BOUNDS, Limits, Spent, State
from app.platform.problems import Problem
from tests.programs.browser import invite
from tests.programs.service import Service

MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Reviewer:
    """Somebody of a review body, and the moment."""

    def __init__(self, service: Service, organisation: str | None = None, is_lead: bool = False) -> None:
        self.service, self.now = service, MORNING
        invited = invite(service, Kind.REVIEW_BODY, organisation, is_lead=is_lead)
        with service.database.reading() as session:
            self.member = people.member(session, invited.person)

    def acts(self, minutes: float = 0) -> State:
        """Let time pass, then do something; where the reviewer stands then."""
        self.now += minutes * MINUTE
        with self.service.database.writing() as session:
            found = pace.state(session, self.member, self.now)
            pace.seen(session, self.member, self.now)
        return found

    def works(self, minutes: int) -> State:
        """Something is done every four minutes, as far as they go."""
        for _ in range(minutes // 4):
            found = self.acts(4)
        return found

    def decides(self) -> None:
        with self.service.database.writing() as session:
            pace.decided(session, self.member, self.now)

    def sets(self, **wanted: int) -> None:
        with self.service.database.writing() as session:
            pace.set_limits(session, self.member, Limits(**wanted))

    def days(self) -> list[Workday]:
        with self.service.database.reading() as session:
            return list(session.exec(select(Workday).where(Workday.person_id == self.member.person.id)))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(Path(tmp_path_factory.mktemp("pace")) / "home")
    yield made
    made.database.close()


@pytest.fixture
def reviewer(service: Service) -> Reviewer:
    return Reviewer(service)


def test_a_day_begins_with_nothing(reviewer: Reviewer) -> None:
    state = reviewer.acts()
    assert (state.decisions, state.active, state.stretch) == (0, timedelta(), timedelta())
    assert not state.needs_break
    assert not state.is_spent
    assert state.limits == Limits(50, 10, 300, 120)


def test_gaps_under_five_minutes_are_work_and_longer_ones_are_not(reviewer: Reviewer) -> None:
    reviewer.acts()
    assert reviewer.acts(4.9).active == 4.9 * MINUTE
    assert reviewer.acts(5).active == 4.9 * MINUTE
    assert reviewer.acts(1).active == 5.9 * MINUTE


def test_a_break_is_due_after_fifty_minutes_without_one(reviewer: Reviewer) -> None:
    reviewer.acts()
    assert not reviewer.works(48).needs_break
    assert reviewer.acts(2).needs_break
    assert reviewer.acts(9.9).needs_break
    state = reviewer.acts(10)
    assert (state.needs_break, state.stretch) == (False, timedelta())


def test_pauses_shorter_than_a_break_do_not_begin_a_new_stretch(reviewer: Reviewer) -> None:
    reviewer.acts()
    for _ in range(6):
        state = reviewer.acts(9)
    assert (state.needs_break, state.stretch, state.active) == (True, 54 * MINUTE, timedelta())


def test_the_days_minutes_end_it_and_the_next_day_begins_anew(reviewer: Reviewer) -> None:
    reviewer.acts()
    assert not reviewer.works(296).is_spent
    assert reviewer.acts(4).is_spent
    with pytest.raises(Spent):
        reviewer.decides()
    reviewer.now = MORNING + timedelta(days=1)
    state = reviewer.acts()
    assert (state.is_spent, state.active) == (False, timedelta())
    reviewer.decides()


def test_the_days_decisions_end_it(service: Service) -> None:
    lead = Reviewer(service, is_lead=True)
    lead.sets(daily_decisions=2)
    reviewer = Reviewer(service, lead.member.organisation.id)
    reviewer.decides()
    assert not reviewer.acts().is_spent
    reviewer.decides()
    assert reviewer.acts().is_spent
    with pytest.raises(Spent):
        reviewer.decides()
    assert [day.decisions for day in reviewer.days()] == [2]
    assert not lead.acts().is_spent


def test_what_a_lead_sets_holds_for_the_whole_body_at_once_and_for_no_other(service: Service) -> None:
    lead = Reviewer(service, is_lead=True)
    mate, stranger = Reviewer(service, lead.member.organisation.id), Reviewer(service)
    for one in (mate, stranger):
        one.acts()
        one.works(20)
    lead.sets(break_after_minutes=15, break_minutes=20)
    assert mate.acts().needs_break
    assert not stranger.acts().needs_break
    assert mate.acts(15).needs_break
    assert not mate.acts(20).needs_break
    lead.sets()
    assert mate.acts().limits == Limits()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_lead_keeps_to_the_bounds(service: Service, name: str) -> None:
    lead = Reviewer(service, is_lead=True)
    least, most = BOUNDS[name]
    for wrong in (least - 1, most + 1, -1):
        with pytest.raises(Problem) as refused:
            lead.sets(**{name: wrong})
        assert [error["field"] for error in refused.value.errors] == [name]
    for right in (least, most):
        lead.sets(**{name: right})
        assert getattr(lead.acts().limits, name) == right


def test_nobody_but_a_lead_sets_the_pace(reviewer: Reviewer) -> None:
    with pytest.raises(Problem) as refused:
        reviewer.sets(daily_decisions=1000)
    assert refused.value.status == 403
    assert reviewer.acts().limits == Limits()


def test_work_over_midnight_goes_on_without_a_break(reviewer: Reviewer) -> None:
    reviewer.now = MORNING.replace(hour=23, minute=32)
    reviewer.acts()
    reviewer.works(24)
    reviewer.decides()
    state = reviewer.works(28)
    assert reviewer.now.day == MORNING.day + 1
    assert (state.decisions, state.active, state.stretch) == (0, 28 * MINUTE, 52 * MINUTE)
    assert state.needs_break


def test_nothing_is_kept_of_earlier_days(service: Service) -> None:
    reviewer, other = Reviewer(service), Reviewer(service)
    for one in (reviewer, other):
        one.acts()
        one.works(8)
    reviewer.now = MORNING + timedelta(days=1)
    reviewer.acts()
    assert [day.day for day in reviewer.days()] == [reviewer.now.date()]
    assert other.days() == []


def test_a_clock_that_goes_back_takes_nothing_away_and_adds_nothing(reviewer: Reviewer) -> None:
    reviewer.acts()
    reviewer.works(8)
    state = reviewer.acts(-5)
    assert (state.active, state.is_spent) == (8 * MINUTE, False)


def test_acts_that_follow_at_once_are_noted_together(reviewer: Reviewer) -> None:
    assert reviewer.acts().is_due
    reviewer.now += timedelta(seconds=14)
    with reviewer.service.database.reading() as session:
        state = pace.state(session, reviewer.member, reviewer.now)
    assert (state.is_due, state.active) == (False, timedelta(seconds=14))
    assert reviewer.acts(1).active == timedelta(seconds=74)
