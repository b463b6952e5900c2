"""The clock of a takedown, a pure decision: when somebody is told, how often, and that it never stops."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.lifecycle import Takedown
from app.core.policy import Policy
from app.core.terms import EntryScope
from app.takedown import clock
from app.takedown.clock import Standing, Step

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WAITING = (Takedown.NOTIFIED, Takedown.ACKNOWLEDGED)
MOMENTS = st.integers(-1000, 1000).map(lambda hours: NOW + timedelta(hours=hours))
STANDINGS = st.builds(
    Standing,
    state=st.sampled_from(Takedown),
    reminders=st.integers(0, 7),
    is_sending=st.booleans(),
    held_until=st.none() | MOMENTS,
    acknowledge_due_at=st.none() | MOMENTS,
    removal_due_at=st.none() | MOMENTS,
)
POLICIES = st.integers(0, 5).map(lambda count: policy(reminders=count))


def policy(**knobs: Any) -> Policy:
    return Policy(scopes=[EntryScope.URL], **knobs)


def standing(state: Takedown, **changes: Any) -> Standing:
    nothing: dict[str, Any] = {
        "reminders": 0,
        "is_sending": False,
        "held_until": None,
        "acknowledge_due_at": None,
        "removal_due_at": None,
    }
    return Standing(state=state, **{**nothing, **changes})


@given(STANDINGS, POLICIES)
def test_nobody_is_told_while_it_is_held_removed_or_a_notice_is_on_its_way(
    at: Standing, policy: Policy
) -> None:
    is_held = at.held_until is not None and at.held_until > NOW
    if is_held or at.is_sending or at.state is Takedown.REMOVED:
        assert clock.move(at, policy, NOW).step is Step.WAIT


@given(STANDINGS, POLICIES)
def test_it_always_looks_again_unless_it_is_removed(at: Standing, policy: Policy) -> None:
    move = clock.move(at, policy, NOW)
    assert (move.look_at is None) == (at.state is Takedown.REMOVED)
    assert move.look_at is None or move.look_at > NOW


@given(STANDINGS, POLICIES)
def test_a_hold_ends_by_itself(at: Standing, policy: Policy) -> None:
    if at.state is Takedown.REMOVED or at.held_until is None:
        return
    assert clock.move(at, policy, at.held_until) != clock.Move(Step.WAIT, at.held_until)
    if at.held_until > NOW:
        assert clock.move(at, policy, NOW).look_at == at.held_until


@given(STANDINGS, POLICIES)
def test_only_who_was_told_is_reminded_and_no_more_often_than_the_policy_says(
    at: Standing, policy: Policy
) -> None:
    if clock.move(at, policy, NOW).step is Step.REMIND:
        assert at.state in WAITING
        assert at.reminders < policy.reminders


@given(STANDINGS, POLICIES)
def test_whoever_was_told_has_the_time_to_answer(at: Standing, policy: Policy) -> None:
    due = clock.due_at(at)
    if clock.move(at, policy, NOW).step is not Step.WAIT and at.state in WAITING:
        assert due is None or due <= NOW


@given(st.sampled_from(WAITING), st.integers(0, 5), MOMENTS)
def test_silence_leads_to_the_next_one_after_just_the_reminders(
    state: Takedown, reminders: int, due: datetime
) -> None:
    asked: list[Step] = []
    now = due
    while Step.TELL_NEXT not in asked:
        at = standing(state, reminders=len(asked), acknowledge_due_at=now)
        asked.append(clock.move(at, policy(reminders=reminders), now).step)
        now += timedelta(hours=24)
    assert asked == [Step.REMIND] * reminders + [Step.TELL_NEXT]


def test_a_refusal_and_a_lost_contact_go_on_at_once() -> None:
    later = {"acknowledge_due_at": NOW + timedelta(days=1), "removal_due_at": NOW + timedelta(days=3)}
    for state in (Takedown.REFUSED, Takedown.UNREACHABLE, Takedown.NOT_STARTED):
        assert clock.move(standing(state, **later), policy(), NOW).step is Step.TELL_NEXT


def test_who_acknowledged_has_until_the_removal_date() -> None:
    dates = {"acknowledge_due_at": NOW, "removal_due_at": NOW + timedelta(hours=2)}
    assert clock.move(standing(Takedown.NOTIFIED, **dates), policy(), NOW).step is Step.REMIND
    acknowledged = standing(Takedown.ACKNOWLEDGED, **dates)
    assert clock.move(acknowledged, policy(), NOW) == clock.Move(Step.WAIT, NOW + timedelta(hours=2))
    assert clock.move(acknowledged, policy(), NOW + timedelta(hours=2)).step is Step.REMIND
