"""Who writes to one SQLite file takes turns: processes, or as here two databases opened on one file."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from app.platform import turnstile
from app.platform.database import Database
from app.platform.turnstile import Busy


def is_locked(path: Path) -> bool:
    """Whether somebody else holds that lock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def until(path: Path) -> None:
    """Return once somebody holds that lock."""
    for _ in range(5000):
        if path.exists() and is_locked(path):
            return
        time.sleep(0.002)
    raise AssertionError(f"nobody locked {path.name}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty database's."""
    return tmp_path / "some.db"


def test_whoever_wrote_and_wants_to_write_more_comes_after_who_waits(file: Path) -> None:
    """Twenty times: by SQLite's own lock the one that goes on would have it nearly always."""
    address = f"sqlite:///{file}"
    greedy, patient = Database(address), Database(address)
    written: list[str] = []

    def wait() -> None:
        with patient.writing():
            written.append("patient")

    for _ in range(20):
        with greedy.writing() as session:
            session.execute(text("CREATE TABLE IF NOT EXISTS some (number INTEGER)"))
            other = threading.Thread(target=wait)
            other.start()
            until(file.with_name("some.db-waiting"))
            written.append("greedy")
        with greedy.writing():
            written.append("greedy again")
        other.join(30)
    assert written == ["greedy", "patient", "greedy again"] * 20
    for one in (greedy, patient):
        one.close()


def test_who_waits_too_long_is_told_so_and_holds_nobody_up(file: Path) -> None:
    with turnstile.turn(file, 30):
        with pytest.raises(Busy), turnstile.turn(file, 0.01):
            pytest.fail("two had the turn")
        assert not is_locked(file.with_name("some.db-waiting"))
    with turnstile.turn(file, 0.01):
        assert is_locked(file.with_name("some.db-writing"))


def test_a_process_that_is_killed_in_its_turn_leaves_it(file: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from app.platform import turnstile\n"
        "with turnstile.turn(Path(sys.argv[1]), 30): print('in', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"in\n"
        assert is_locked(file.with_name("some.db-writing"))
        other.kill()
    with turnstile.turn(file, 30):
        assert is_locked(file.with_name("some.db-writing"))


@pytest.mark.parametrize("name", ["waiting", "writing"])
def test_without_its_files_writing_goes_on(file: Path, name: str) -> None:
    """Another user's, or a folder that takes no new file: SQLite's own lock is there still."""
    file.with_name(f"some.db-{name}").mkdir()
    database = Database(f"sqlite:///{file}")
    with database.writing() as session:
        session.execute(text("CREATE TABLE some (number INTEGER)"))
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM some")).scalar_one() == 0
    database.close()


def test_where_nothing_can_be_locked_writing_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network's file system without locks."""

    def refused(_file: int, _until: float, _look_again: float) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(turnstile, "lock", refused)
    with Database(f"sqlite:///{file}").writing() as session:
        session.execute(text("CREATE TABLE some (number INTEGER)"))


def test_its_files_are_empty_and_others_may_read_them(file: Path) -> None:
    before = os.umask(0o022)
    try:
        with turnstile.turn(file, 30):
            pass
    finally:
        os.umask(before)
    for name in ("waiting", "writing"):
        found = file.with_name(f"some.db-{name}").stat()
        assert (found.st_size, found.st_mode & 0o444) == (0, 0o444)
