"""The same random sequences where every decided entry goes to another body unseen."""

from pathlib import Path

from tests.attacks.sequences import SEQUENCES, Machine, World, run


def test_no_sequence_with_second_opinions_does(tmp_path: Path) -> None:
    run(Machine, World(tmp_path, second_opinion_percent=100), SEQUENCES * 11 // 40)
