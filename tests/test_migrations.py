"""Migrations both ways, and that they make exactly the tables the code describes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from alembic import command
from app import migrations
from app.core.lifecycle import Status
from app.core.terms import EntryScope, Kind
from app.entries.models import Entry
from app.identity.models import Client, Organisation
from app.lists.models import BlockList, Snapshot, Standing, Subscription
from app.platform.database import Database
from tests.programs.postgres import postgres

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """A PostgreSQL server's folder."""
    with postgres() as (_, folder):
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'wardlist.db'}"
    folder = request.getfixturevalue("server")
    name = f"db{abs(hash(request.node.name))}"
    with psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"postgresql+psycopg://postgres@/{name}?host={folder}"


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'wardlist.db'}"


def test_up_down_and_up_again(either: str) -> None:
    migrations.upgrade(either)
    first = _tables(either)
    assert {"entry_cipher", "standing"} <= first
    command.downgrade(migrations.configuration(either), "0010")
    assert not {"contact", "takedown_clock", "notice"} & _tables(either)
    command.downgrade(migrations.configuration(either), "0009")
    assert "standing" not in _tables(either)
    migrations.upgrade(either)
    command.downgrade(migrations.configuration(either), "base")
    assert _tables(either) == {"alembic_version"}
    migrations.upgrade(either)
    assert _tables(either) == first


def test_downgrade_with_data_in_place(address: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
    with database.writing() as session:
        session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))
    database.close()
    command.downgrade(migrations.configuration(address), "base")
    assert _tables(address) == {"alembic_version"}


def test_entries_there_are_come_up_and_go_down_again(either: str) -> None:
    migrations.upgrade(either)
    database = Database(either)
    with database.writing() as session:
        session.add(Organisation(id="o", kind=Kind.HOTLINE, name="A hotline", country="NL", created_at=NOW))
        session.add(BlockList(name="a-list", title="A list", created_at=NOW))
        session.flush()
        session.add(_entry())
    database.close()
    command.downgrade(migrations.configuration(either), "0010")
    migrations.upgrade(either)
    database = Database(either)
    with database.reading() as session:
        found = session.exec(select(Entry)).one()
        assert (found.id, found.takedown_due, found.notice_at, found.routed_by) == ("e", False, None, None)
    database.close()


def _entry() -> Entry:
    return Entry(
        id="e",
        list="a-list",
        organisation_id="o",
        client_id="c",
        status=Status.LISTED,
        scope=EntryScope.URL,
        measures=["blocking"],
        is_blocking=True,
        legal_ground="lanzarote-20-1-b",
        material="lanzarote-20-2-conduct-real",
        hosting_country="NL",
        assessed_at=NOW,
        submitted_at=NOW,
        takedown_due=True,
        notice_at=NOW,
        routed_by=[],
        commitment="00",
        digest="00",
        fingerprint="00",
        listed_in=1,
    )


def test_models_and_migrations_agree(either: str) -> None:
    migrations.upgrade(either)
    command.check(migrations.configuration(either))


def test_every_change_of_who_may_read_counts(either: str) -> None:
    migrations.upgrade(either)
    database = Database(either)
    rows = [
        Organisation(id="o", kind=Kind.ISP, name="A provider", country="NL", created_at=NOW),
        Client(id="c", organisation_id="o", scopes="", created_at=NOW),
        BlockList(name="a-list", title="A list", created_at=NOW),
        Subscription(list="a-list", organisation_id="o", created_at=NOW),
        Snapshot(
            list="a-list",
            version=1,
            published_at=NOW,
            expires_at=NOW,
            entry_count=0,
            added=0,
            removed=0,
            log_size=0,
            log_root="",
        ),
    ]
    seen = [_standing(database)]
    for row in rows:
        with database.writing() as session:
            session.add(row)
        seen.append(_standing(database))
    for row in rows:
        with database.writing() as session:
            session.execute(text(_touch(row)))
        seen.append(_standing(database))
    for row in reversed(rows):
        with database.writing() as session:
            session.delete(row)
        seen.append(_standing(database))
    assert seen == sorted(set(seen))
    with database.writing() as session:
        session.execute(text("INSERT INTO leaf (body) VALUES ('x')"))
    assert _standing(database) == seen[-1]
    with database.reading() as session:
        session.add(BlockList(name="undone", title="A list", created_at=NOW))
        session.flush()
        session.rollback()
    assert _standing(database) == seen[-1]
    database.close()


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
    engine = create_engine(address)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def _touch(row: object) -> str:
    """An UPDATE of its table that leaves the row as it is."""
    table = type(row).__table__  # type: ignore[attr-defined]
    column = next(iter(table.primary_key)).name
    return f'UPDATE {table.name} SET "{column}" = "{column}"'


def _standing(database: Database) -> int:
    with database.reading() as session:
        return session.exec(select(Standing.number)).one()
