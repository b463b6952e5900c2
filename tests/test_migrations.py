"""Migrations both ways, and that they make exactly the tables the code describes."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, select

from alembic import command
from app import migrations
from app.core.lifecycle import Status
from app.core.terms import Channel, ContactKind, EntryScope, Kind
from app.entries.models import Entry
from app.identity.models import Client, Organisation
from app.lists.models import BlockList, ListPolicy, Snapshot, Standing, Subscription
from app.platform.database import Database
from app.takedown.models import Contact, Peer, RoutingMark
from tests.programs import databases
from tests.programs.lived_in import lived_in
from tests.programs.service import replay

NOW = datetime(2026, 1, 2, tzinfo=UTC)
COUNTERS = {"routing_mark", "standing"}
"""Tables that tell of what is written to others, also by a migration."""
REFILLED = {"review": {"reason"}}
"""Columns that a step empties: a reason in clear was there before entries were sealed."""
LEFT_EMPTY = {
    "earlier_stay",
    "pace",
    "peer",
    "peer_message",
    "pending_leaf",
    "received_message",
    "referral",
    "report_decision",
    "second_opinion",
    "workday",
}
"""What the little installation has no row in: queues worked off, what needs longer, or another country."""


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Of an empty database, of the kind that the suite runs on."""
    return databases.fresh(is_migrated=False) or f"sqlite:///{tmp_path / 'wardlist.db'}"


def test_a_lived_in_database_goes_down_and_up_through_every_revision(address: str, tmp_path: Path) -> None:
    """What a step does not take away itself is there after it, row by row."""
    with lived_in(tmp_path / "home", address) as service:
        assert replay(service).entries
    revisions = _revisions(address)
    before = there = _rows(address)
    assert {name for name, table in before.items() if not table} <= LEFT_EMPTY
    for below in reversed(revisions[:-1]):
        command.downgrade(migrations.configuration(address), below)
        there = _assert_kept(there, _rows(address), f"down to {below}")
    first = {name: set(table[0]) for name, table in there.items() if table}
    for revision in revisions[1:]:
        command.upgrade(migrations.configuration(address), revision)
        there = _assert_kept(there, _rows(address), f"up to {revision}")
    assert there.keys() == before.keys()
    _assert_kept({name: _only(before[name], first[name]) for name in first}, there, "all the way")
    command.check(migrations.configuration(address))
    command.downgrade(migrations.configuration(address), "base")
    assert _tables(address) == {"alembic_version"}
    migrations.upgrade(address)
    assert _tables(address) == before.keys() | {"alembic_version"}


def test_entries_there_are_come_up_and_go_down_again(address: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
    with database.writing() as session:
        _begin(session)
        session.add(_entry())
    database.close()
    command.downgrade(migrations.configuration(address), "0010")
    migrations.upgrade(address)
    database = Database(address)
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


def test_models_and_migrations_agree(address: str) -> None:
    migrations.upgrade(address)
    command.check(migrations.configuration(address))


def test_every_change_of_who_may_read_counts(address: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
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
        pytest.param("INSERT OR REPLACE INTO leaf (id, body) VALUES (1, 'y')", marks=pytest.mark.sqlite),
        pytest.param("TRUNCATE leaf CASCADE", marks=pytest.mark.postgresql),
    ],
)
def test_leaves_are_final(address: str, statement: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
    with database.writing() as session:
        session.execute(text("INSERT INTO leaf (id, body) VALUES (1, 'x')"))
        session.execute(text("INSERT INTO sequenced_leaf VALUES (0, 1, 'h')"))
    with pytest.raises(DBAPIError), database.writing() as session:
        session.execute(text(statement))
    with database.reading() as session:
        for kept in ("leaf WHERE body = 'x'", "sequenced_leaf WHERE leaf_hash = 'h'"):
            assert session.execute(text(f"SELECT count(*) FROM {kept}")).scalar_one() == 1


Rows = list[dict[str, Any]]
"""Of a table, in any order."""


def _revisions(address: str) -> list[str]:
    """From the first to the newest."""
    script = ScriptDirectory.from_config(migrations.configuration(address))
    return [one.revision for one in script.walk_revisions()][::-1]


def _rows(address: str) -> dict[str, Rows]:
    """Every table of the schema, as the driver gives it."""
    engine = create_engine(address)
    try:
        with engine.connect() as connection:
            return {
                name: [dict(row) for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings()]
                for name in inspect(connection).get_table_names()
                if name != "alembic_version"
            }
    finally:
        engine.dispose()


def _only(rows: Rows, columns: set[str]) -> Rows:
    return [{name: value for name, value in row.items() if name in columns} for row in rows]


def _assert_kept(before: dict[str, Rows], after: dict[str, Rows], step: str) -> dict[str, Rows]:
    """What both have, tables and columns, holds the same; returns what there is now."""
    for name in (before.keys() & after.keys()) - COUNTERS:
        if not before[name]:
            continue
        assert len(after[name]) == len(before[name]), f"{step}: {name}"
        columns = before[name][0].keys() & after[name][0].keys() - REFILLED.get(name, set())
        old, new = (sorted(map(repr, _only(rows, columns))) for rows in (before[name], after[name]))
        assert old == new, f"{step}: {name}"
    return after


def _tables(address: str) -> set[str]:
    engine = create_engine(address)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_whatever_says_whom_to_tell_has_the_mark_drawn_anew(address: str) -> None:
    migrations.upgrade(address)
    database = Database(address)
    with database.writing() as session:
        _begin(session)
        session.add(Client(id="c", organisation_id="o", scopes="", created_at=NOW))
    rows: list[SQLModel] = [
        ListPolicy(list="a-list", version=1, policy={}, changed_at=NOW),
        Peer(organisation_id="o", client_id="c", address="", recipient="", list="a-list", added_at=NOW),
        Contact(
            id="x",
            version=1,
            kind=ContactKind.PROVIDER,
            name="X",
            name_key="x",
            channel=Channel.MAIL,
            address="",
            changed_at=NOW,
        ),
    ]
    seen = [_mark(database)]
    acts: list[Callable[[Session, SQLModel], object]] = [
        lambda session, row: session.add(row),
        lambda session, row: session.execute(text(_touch(row))),
        lambda session, row: session.delete(row),
    ]
    for act, row in itertools.product(acts, rows):
        with database.writing() as session:
            act(session, row)
        seen.append(_mark(database))
    assert len(set(seen)) == len(seen) == 10
    with database.writing() as session:
        session.execute(text("UPDATE block_list SET title = 'Another'"))
    assert _mark(database) == seen[-1]
    database.close()


def _begin(session: Session) -> None:
    """An organisation and a list."""
    session.add(Organisation(id="o", kind=Kind.HOTLINE, name="A hotline", country="NL", created_at=NOW))
    session.add(BlockList(name="a-list", title="A list", created_at=NOW))
    session.flush()


def _mark(database: Database) -> str:
    with database.reading() as session:
        return session.exec(select(RoutingMark.mark)).one()


def _touch(row: object) -> str:
    """An UPDATE of its table that leaves the row as it is."""
    table = type(row).__table__  # type: ignore[attr-defined]
    column = next(iter(table.primary_key)).name
    return f'UPDATE {table.name} SET "{column}" = "{column}"'


def _standing(database: Database) -> int:
    with database.reading() as session:
        return session.exec(select(Standing.number)).one()
