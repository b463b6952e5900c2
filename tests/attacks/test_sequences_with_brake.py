"""The same random sequences on a list that brakes at the second addition, with operators who release."""

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.attacks.sequences import SEQUENCES, Machine, World, run
from tests.programs.service import LIST


class Braked(Machine):
    """More than one addition at a time needs two operators' word."""

    ends_published: ClassVar[bool] = True

    @rule(operator=st.integers(0, 1))
    def release(self, operator: int) -> None:
        """An operator gives its word on what is held."""
        answer = self.world.operators[operator].send("POST", f"/v1/lists/{LIST}/brake/release")
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200:
            self.words.setdefault(answer.json()["difference_sha256"], set()).add(operator)

    @rule(places=st.lists(st.integers(1, 3), min_size=2, max_size=3, unique=True), hotline=st.integers(0, 2))
    def rush(self, places: list[int], hotline: int) -> None:
        """Several entries are approved at once."""
        for number in places:
            self.submit(hotline, ("url", number))
        for which in range(len(self.books)):
            for body in range(4):
                self.review(body, which, True)

    def check_version(self, served: set[str], now: datetime) -> None:
        """Two additions or more were released by both operators."""
        super().check_version(served, now)
        added = [name for name, book in self.books.items() if name in served and not book.is_served]
        if len(added) > 1:
            assert any(len(given) == 2 for given in self.words.values()), "over the brake without release"


def test_no_sequence_passes_the_brake(tmp_path: Path) -> None:
    knobs: dict[str, Any] = {"brake_changes": 1, "brake_free": 1, "brake_percent": 100}
    run(Braked, World(tmp_path, **knobs), SEQUENCES * 6 // 40)
