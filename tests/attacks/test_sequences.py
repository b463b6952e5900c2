"""Any actors, any calls, in any order: the promises hold over random sequences."""

from pathlib import Path

import pytest

from tests.attacks.sequences import SEQUENCES, Machine, World, run

WORLDS = 6


@pytest.mark.parametrize("world", range(WORLDS))
def test_no_sequence_of_calls_breaks_the_promises(tmp_path: Path, world: int) -> None:
    """Each in a service of its own; together, with the braked ones, they are SEQUENCES."""
    run(Machine, World(tmp_path), SEQUENCES * 17 // 20 // WORLDS + 1)
