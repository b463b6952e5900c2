"""Migrations both ways, and that they make exactly the tables the code describes."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from alembic import command
from app import migrations
from app.platform.database import Database


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'wardlist.db'}"


def test_up_down_and_up_again(address: str) -> None:
    migrations.upgrade(address)
    first = _tables(address)
    assert "entry_cipher" in first
    command.downgrade(migrations.configuration(address), "base")
    assert _tables(address) == {"alembic_version"}
    migrations.upgrade(address)
    assert _tables(address) == first


def test_downgrade_with_data_in_place(address: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
    with database.writing() as session:
        session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))
    database.close()
    command.downgrade(migrations.configuration(address), "base")
    assert _tables(address) == {"alembic_version"}


def test_models_and_migrations_agree(address: str) -> None:
    migrations.upgrade(address)
    command.check(migrations.configuration(address))


def test_an_old_database_is_noticed(address: str) -> None:
    database = Database(address)
    assert not migrations.is_current(database.engine)
    migrations.upgrade(address)
    assert migrations.is_current(database.engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET body = 'y'",
        "DELETE FROM leaf",
        "UPDATE sequenced_leaf SET leaf_hash = 'y'",
        "DELETE FROM sequenced_leaf",
        "INSERT OR REPLACE INTO leaf (id, body) VALUES (1, 'y')",
    ],
)
def test_leaves_are_final(address: str, statement: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
    with database.writing() as session:
        session.execute(text("INSERT INTO leaf (id, body) VALUES (1, 'x')"))
        session.execute(text("INSERT INTO sequenced_leaf VALUES (0, 1, 'h')"))
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text(statement))
    with database.reading() as session:
        assert session.execute(text("SELECT body FROM leaf")).scalars().all() == ["x"]


def _tables(address: str) -> set[str]:
    return set(inspect(create_engine(address)).get_table_names())
