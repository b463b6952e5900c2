"""A database that was to be filled: what others put there is left alone when that fails."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app import migrations
from app.backup import blank
from app.platform.database import Database


class Fails(Exception):
    """What was to fill it."""


def _address(file: Path) -> str:
    return f"sqlite:///{file}"


def _fail(file: Path, meanwhile: Callable[[], None]) -> None:
    with blank.opened(_address(file)):
        meanwhile()
        raise Fails


def test_what_another_process_writes_meanwhile_to_one_that_has_tables_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    migrations.upgrade(_address(file))
    with closing(Database(_address(file))) as other:

        def meanwhile() -> None:
            with other.writing() as session:
                session.execute(text("UPDATE standing SET number = 7"))

        with pytest.raises(Fails):
            _fail(file, meanwhile)
        # As another process finds it, while that one is at work still.
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT number FROM standing").fetchall() == [(7,)]


@pytest.mark.parametrize("is_there", [True, False])
def test_what_somebody_else_filled_first_is_kept(tmp_path: Path, is_there: bool) -> None:
    file = tmp_path / "other.db"
    if is_there:
        file.touch()

    def meanwhile() -> None:
        migrations.upgrade(_address(file))
        with closing(Database(_address(file))) as other, other.writing() as session:
            session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))

    with pytest.raises(Fails):
        _fail(file, meanwhile)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM leaf").fetchone() == (1,)


def test_one_that_another_fills_is_not_begun(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(Database(_address(file))) as other, blank.alone(other), pytest.raises(blank.Occupied):
        _fail(file, lambda: None)
    assert not file.exists()
