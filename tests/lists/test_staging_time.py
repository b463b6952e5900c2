"""How long canaries can have a version to themselves: removals do not begin the time anew, `held` ends."""

from datetime import timedelta

import pytest

from app.core.terms import Kind
from tests.lists.test_staging import Stage, stage
from tests.lists.test_staging_urgency import content, emergency
from tests.programs.service import LIST, replay

__all__ = ["stage"]
MINUTES = timedelta(minutes=10)
A_WHILE = timedelta(minutes=6)


@pytest.fixture
def served(stage: Stage) -> list[str]:
    """Three entries that all have, in version 2; each can be removed urgently."""
    ids = stage.list_them(*(f"https://gone{number}.example.test/" for number in range(3)))
    stage.report(stage.canary, 2, "applied")
    assert stage.seen() == (2, 2)
    return ids


def pass_time(stage: Stage, time: timedelta) -> tuple[int, int]:
    stage.service.clock.ahead += time
    stage.service.publisher.round()
    return stage.seen()


def test_held_stops_the_clock_for_four_times_the_minutes_at_most(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "held")
    assert pass_time(stage, 4 * MINUTES - timedelta(seconds=5)) == (2, 1)
    assert pass_time(stage, timedelta(seconds=5)) == (2, 2)
    assert stage.brake() == (False, None)
    assert replay(stage.service).lists[LIST].trial is None


def test_an_urgent_removal_does_not_begin_the_time_anew(stage: Stage, served: list[str]) -> None:
    added = stage.list_them("https://b.example.test/")
    assert pass_time(stage, A_WHILE) == (3, 2)
    emergency(stage, served[0])
    stage.service.publish()
    assert stage.seen() == (5, 4)
    assert pass_time(stage, MINUTES - A_WHILE) == (5, 5)
    assert set(added) <= content(stage.other)
    assert replay(stage.service).size > 20


def test_additions_that_join_later_share_the_time(stage: Stage, served: list[str]) -> None:
    first = stage.list_them("https://b.example.test/")
    stage.service.clock.ahead += A_WHILE
    joined = stage.submit("https://c.example.test/")
    emergency(stage, served[0])
    stage.service.publish()
    assert stage.seen() == (5, 4)
    assert pass_time(stage, MINUTES - A_WHILE) == (5, 5)
    assert {*first, *joined} <= content(stage.other)


def test_frequent_removals_keep_nothing_out_for_longer_than_the_minutes(
    stage: Stage, served: list[str]
) -> None:
    added = stage.list_them("https://b.example.test/")
    for number, one in enumerate(served):
        assert pass_time(stage, MINUTES / 4) == (3 + 2 * number, 2 + 2 * number)
        emergency(stage, one)
        stage.service.publish()
    assert stage.seen() == (9, 8)
    assert pass_time(stage, MINUTES / 4) == (9, 9)
    assert set(added) <= content(stage.other)
    assert replay(stage.service).size > 20


def test_other_additions_wait_their_own_time(stage: Stage, served: list[str]) -> None:
    (first,) = stage.list_them("https://b.example.test/")
    stage.service.clock.ahead += A_WHILE
    emergency(stage, served[0], first)
    stage.list_them("https://c.example.test/")
    assert stage.seen() == (5, 4)
    assert pass_time(stage, MINUTES - A_WHILE) == (5, 4)
    assert pass_time(stage, A_WHILE) == (5, 5)


def test_what_failed_waits_its_whole_time_when_it_is_let_out_again(stage: Stage) -> None:
    stage.list_them("https://b.example.test/")
    stage.service.clock.ahead += A_WHILE
    stage.report(stage.canary, 2, "failed")
    with stage.service.connect(Kind.OPERATOR) as second:
        for operator in (stage.operator, second):
            operator.request("POST", f"/v1/lists/{LIST}/brake/release")
    stage.service.publish()
    assert stage.seen() == (4, 3)
    assert pass_time(stage, MINUTES - A_WHILE) == (4, 3)
    assert pass_time(stage, A_WHILE) == (4, 4)


@pytest.mark.parametrize("word", ["held", "failed"])
def test_a_canary_s_objection_outlives_the_version_that_was_overtaken(
    stage: Stage, served: list[str], word: str
) -> None:
    stage.list_them("https://b.example.test/")
    if word == "held":
        stage.report(stage.canary, 3, "held")
    stage.service.clock.ahead += A_WHILE
    emergency(stage, served[0])
    if word == "failed":
        stage.report(stage.canary, 3, "failed")
    stage.service.publish()
    assert stage.seen() == (5, 4)
    assert pass_time(stage, MINUTES) == (5, 4)
    stage.report(stage.canary, 5, "applied")
    assert stage.seen() == (5, 5)


def test_an_objection_to_several_versions_ends_as_one(stage: Stage, served: list[str]) -> None:
    stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 3, "held")
    assert pass_time(stage, 3 * MINUTES) == (3, 2)
    emergency(stage, served[0])
    stage.service.publish()
    stage.report(stage.canary, 5, "held")
    assert stage.seen() == (5, 4)
    assert pass_time(stage, MINUTES) == (5, 5)
