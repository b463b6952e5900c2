"""Any actors, any calls, in any order: the promises hold over random sequences."""

from pathlib import Path

from tests.attacks.sequences import SEQUENCES, Machine, World, run


def test_no_sequence_of_calls_breaks_the_promises(tmp_path: Path) -> None:
    run(Machine, World(tmp_path), SEQUENCES * 12 // 40)
