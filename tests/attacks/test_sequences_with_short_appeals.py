"""The same random sequences where an appeal must be decided within two days."""

from pathlib import Path

from tests.attacks.sequences import SEQUENCES, Machine, World, run


def test_no_sequence_with_short_deadlines_does(tmp_path: Path) -> None:
    run(Machine, World(tmp_path, appeal_days=2), SEQUENCES * 11 // 40)
