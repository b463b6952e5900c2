"""The random sequences with takedowns on machines whose clocks differ: each write is some machine's.

What a clock says too early or too late is that machine's; that the log replays is everybody's.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from app.platform.database import Database
from tests.attacks.sequences import SEQUENCES, run
from tests.attacks.takedowns import Post, TakedownWorld, Told
from tests.programs.service import MovableClock

APART_SECONDS = 12.0
STEPS, LEAST = 15, 12


class ToldByManyClocks(Told):
    """Held to its log alone: what was early or late by a machine's clock is not looked at."""

    def check_version(self, served: set[str], now: datetime) -> None:
        pass

    def check_served(self, book: object, now: datetime) -> None:
        pass


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write has its own clock. Which is drawn anew, so that a failure need not come again."""
    honest_time, honest_turn = MovableClock.__call__, Database.writing
    off = [timedelta()]

    @contextmanager
    def writing(self: Database, may_rest: bool = False) -> Iterator[Session]:
        off[0] = timedelta(seconds=random.uniform(-APART_SECONDS, APART_SECONDS))
        with honest_turn(self, may_rest) as session:
            yield session

    monkeypatch.setattr(MovableClock, "__call__", lambda self: honest_time(self) + off[0])
    monkeypatch.setattr(Database, "writing", writing)
    monkeypatch.setattr(Post, "_check", lambda *_: None)


@pytest.mark.usefixtures("machines")
def test_no_sequence_on_machines_whose_clocks_differ_breaks_the_log(tmp_path: Path) -> None:
    world = TakedownWorld(tmp_path, notice_first=True)
    run(ToldByManyClocks, world, max(SEQUENCES // 40, LEAST), STEPS)
