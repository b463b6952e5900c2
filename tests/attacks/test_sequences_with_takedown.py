"""The same random sequences where somebody is told first, with and without brakes; replayed at each step."""

from pathlib import Path

from tests.attacks.sequences import SEQUENCES, run
from tests.attacks.takedowns import TakedownWorld, Told
from tests.attacks.test_sequences_with_brake import Braked

STEPS, LEAST = 15, 12
"""`LEAST` sequences are enough for everything of HAPPENED to happen."""
HAPPENED = {"takedown.notified", "takedown.excused", "takedown.held", "contact.ended", "policy.changed"}


class ToldAndBraked(Told, Braked):
    """Both at once."""


def test_no_sequence_with_takedowns_does(tmp_path: Path) -> None:
    world = TakedownWorld(tmp_path, notice_first=True)
    run(Told, world, max(SEQUENCES // 40, LEAST), STEPS)
    assert world.leaves >= HAPPENED


def test_no_sequence_with_takedowns_passes_the_brake(tmp_path: Path) -> None:
    knobs = {"brake_changes": 1, "brake_free": 1, "brake_percent": 100, "notice_first": True}
    run(ToldAndBraked, TakedownWorld(tmp_path, **knobs), SEQUENCES // 80, STEPS)
