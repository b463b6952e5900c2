"""False totals, a month left out, a report too soon: whoever replays the log sees it, and where."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rfc8785

from app.core import tally
from app.core.replay import Deviation, Replay
from app.core.tally import Tally
from tests.audit.report.months import begun, two_months
from tests.programs.service import LIST, leaf_bodies

Leaves = list[dict[str, Any]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaves]:
    """The leaves of two closed months."""
    with begun(tmp_path_factory.mktemp("replay") / "home") as service:
        two_months(service)
        yield [json.loads(body) for body in leaf_bodies(service)]


def place(leaves: Leaves, nth: int) -> int:
    return [index for index, leaf in enumerate(leaves) if leaf["type"] == "report.published"][nth]


def replayed(leaves: Leaves) -> Replay:
    world = Replay()
    for leaf in leaves:
        world.feed(rfc8785.dumps(leaf))
    return world


def one_less(leaf: dict[str, Any]) -> None:
    leaf["counts"]["lists"][LIST]["rejected"] -= 1


def a_reason_left_out(leaf: dict[str, Any]) -> None:
    del leaf["counts"]["lists"][LIST]["delisted"]["appeal_upheld"]


def moved_to_another_list(leaf: dict[str, Any]) -> None:
    leaf["counts"]["lists"]["second"] = leaf["counts"]["lists"].pop(LIST)


def an_appeal_more(leaf: dict[str, Any]) -> None:
    leaf["counts"]["appeals"]["denied"] = 1


def another_month(leaf: dict[str, Any]) -> None:
    leaf["period"] = "2026-04"


def before_its_end(leaf: dict[str, Any]) -> None:
    leaf["at"] = "2026-03-31T23:59:59Z"


def no_digest(leaf: dict[str, Any]) -> None:
    leaf["sha256"] = "00"


def no_counts(leaf: dict[str, Any]) -> None:
    del leaf["counts"]


@pytest.mark.parametrize(
    "change",
    [
        one_less,
        a_reason_left_out,
        moved_to_another_list,
        an_appeal_more,
        another_month,
        before_its_end,
        no_digest,
        no_counts,
    ],
)
def test_a_false_report_is_refused_at_its_leaf(
    history: Leaves, change: Callable[[dict[str, Any]], None]
) -> None:
    leaves = json.loads(json.dumps(history))
    at = place(leaves, 0)
    change(leaves[at])
    with pytest.raises(Deviation) as refused:
        replayed(leaves)
    assert refused.value.index == at


def test_a_month_left_out_is_noticed_at_the_next(history: Leaves) -> None:
    at = place(history, 0)
    with pytest.raises(Deviation) as refused:
        replayed(history[:at] + history[at + 1 :])
    assert (refused.value.index, "2026-03" in refused.value.expected) == (place(history, 1) - 1, True)


def test_a_month_reported_twice_is_refused(history: Leaves) -> None:
    at = place(history, 0)
    with pytest.raises(Deviation) as refused:
        replayed(history[: at + 1] + history[at:])
    assert refused.value.index == at + 1


def test_an_entry_counts_for_the_list_it_was_submitted_to(history: Leaves) -> None:
    """A leaf that names another list moves no total."""
    leaves = json.loads(json.dumps(history))
    at = next(index for index, leaf in enumerate(leaves) if leaf["type"] == "entry.rejected")
    leaves[at]["list"] = "second"
    assert len(replayed(leaves).reports) == 2


def test_what_is_reported_is_forgotten(history: Leaves) -> None:
    world = replayed(history)
    assert world.tally.open == "2026-05"
    assert set(world.tally._months) <= {"2026-05"}


def test_a_leaf_of_a_closed_month_counts_in_the_next_and_one_of_a_later_month_waits() -> None:
    counted = Tally()
    counted.open = "2026-11"
    for at in ("2026-11-02T00:00:00Z", "2027-01-01T00:00:00Z"):
        counted.count({"type": "entry.submitted", "at": at}, LIST)
    assert counted.close() == {"appeals": {}, "lists": {LIST: {"submitted": 1}}}
    counted.count({"type": "entry.delisted", "at": "2026-11-30T23:59:59Z", "reason": "expired"}, LIST)
    assert counted.close() == {"appeals": {}, "lists": {LIST: {"delisted": {"expired": 1}}}}
    assert counted.close() == {"appeals": {}, "lists": {LIST: {"submitted": 1}}}


def test_months_follow_each_other() -> None:
    assert (tally.later("2026-12"), tally.later("2026-01", -1), tally.later("2026-03", -12)) == (
        "2027-01",
        "2025-12",
        "2025-03",
    )
