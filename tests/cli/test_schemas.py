"""A database of another release is named for what it is, and what to do about it said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from alembic import command
from app import migrations
from app.platform.database import Database
from tests.cli.terminal import Terminal
from tests.programs import databases
from tests.programs.service import Service

WORDS = (["org", "list", "--json"], ["backup", "--out", "b", "--recipient", "age1x"], ["publisher"])


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Terminal]:
    """Commands on an installation that nobody serves."""
    service = Service(tmp_path / "home")
    yield Terminal(service, tmp_path)
    service.database.close()


def test_a_newer_one_is_left_to_its_release(still: Terminal) -> None:
    with still.service.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    for words in (*WORDS, ["init"], ["init", "--json"]):
        said = still.run(*words, code=1)[1]
        expected = "wardlist: the database is of a newer release (schema 0099); install that release"
        assert said == expected
    assert "newer release" in still.json("init", code=1)["error"]
    assert migrations.schema(still.service.database.engine) == "0099"


def test_an_older_one_is_brought_up(still: Terminal) -> None:
    command.downgrade(migrations.configuration(still.service.settings.database), "-1")
    for words in WORDS:
        said = still.run(*words, code=1)[1]
        assert said == "wardlist: the database is of an older release; run `wardlist init` to bring it up"
    still.run("init")
    still.run(*WORDS[0])


def test_an_empty_one_may_be_the_wrong_one(still: Terminal, tmp_path: Path) -> None:
    address = databases.fresh(is_migrated=False) or f"sqlite:///{tmp_path / 'empty.db'}"
    for words in WORDS:
        said = still.run(*words, code=1, environment={"WARDLIST_DATABASE_URL": address})[1]
        assert "the database is empty" in said
        assert "`wardlist init` makes its tables" in said
    migrations.upgrade(address)
    command.downgrade(migrations.configuration(address), "base")
    database = Database(address)
    assert migrations.schema(database.engine) is None
    database.close()
    assert "is empty" in still.run(*WORDS[0], code=1, environment={"WARDLIST_DATABASE_URL": address})[1]
