"""What takes longer than the database may be left alone: turns are kept, and nobody writes meanwhile."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from app.backup import agreement, copying, unpacking
from app.core.replay import Replay
from app.platform import database as databases
from app.platform.database import Database
from tests.backup.drill import Drill, Rebuilt

IDLE_SECONDS = 0.5


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute is half a second."""
    monkeypatch.setattr(databases, "IDLE_SECONDS", IDLE_SECONDS)


def test_nobody_writes_to_what_is_being_copied_however_long_its_check_takes(
    drill: Drill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill.listed()
    drill.service.publish()
    honest, had_turn = agreement.check, list[bool]()
    address, got_in = drill.service.settings.database, threading.Event()

    def write() -> None:
        with closing(Database(address)) as other, other.writing():
            got_in.set()

    writer = threading.Thread(target=write)

    def slow(session: Session) -> Replay:
        writer.start()
        time.sleep(4 * IDLE_SECONDS)
        had_turn.append(got_in.is_set())
        return honest(session)

    monkeypatch.setattr(agreement, "check", slow)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    with closing(Database(address)) as source:
        said = copying.copy(source, target)
    writer.join(30)
    assert had_turn == [False]
    assert got_in.is_set()
    with closing(Database(target)) as kept, kept.reading() as session:
        assert session.execute(text("SELECT count(*) FROM leaf")).scalar_one() == said["leaves"]


def test_a_restore_whose_files_take_long_goes_through(
    drill: Drill, rebuilt: Rebuilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill.listed()
    drill.service.publish()
    backup = drill.backup()
    honest, slept = unpacking.Unpacking.keep_file, list[bool]()

    def slow(self: unpacking.Unpacking, name: str, parts: Iterator[bytes]) -> None:
        if not slept:
            time.sleep(4 * IDLE_SECONDS)
        slept.append(True)
        honest(self, name, parts)

    monkeypatch.setattr(unpacking.Unpacking, "keep_file", slow)
    drill.restore(backup, rebuilt, "--published", str(drill.service.settings.home))
    assert slept
