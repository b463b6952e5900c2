"""Which database the suite runs on, and a fresh one of it for each installation: the one place that knows.

With WARDLIST_TEST_DATABASE=postgresql every installation has a database of its own on one real server a
process of the suite, copied from one that the migrations made. Otherwise it has SQLite's file in its home.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import make_url, text
from sqlmodel import Session

from app import migrations
from app.platform.database import Database
from tests.programs.postgres import HURRIED, postgres

KIND = os.environ.get("WARDLIST_TEST_DATABASE", "sqlite")
IS_POSTGRESQL = {"sqlite": False, "postgresql": True}[KIND]
_TEMPLATE = "migrated"
_running = ExitStack()
_made: list[str] = []


def fresh(is_migrated: bool = True) -> str | None:
    """The address of a new database, for the setting `database_url`; None stands for SQLite in the home."""
    return _copy(_TEMPLATE if is_migrated else "template0") if IS_POSTGRESQL else None


def address(name: str) -> str:
    """Of that database on the server."""
    return f"postgresql+psycopg://postgres@/{name}?host={_server()}"


def environment(address: str | None) -> dict[str, str]:
    """What a command needs, to find that database."""
    return {} if address is None else {"WARDLIST_DATABASE_URL": address}


@contextmanager
def forgotten() -> Iterator[None]:
    """Drop, when the block ends, what was made in it: they lie in memory."""
    already = len(_made)
    yield
    if len(_made) > already:
        with _server_connection() as connection:
            for name in _made[already:]:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        del _made[already:]


def expose_leaves(session: Session) -> None:
    """Take off the triggers that keep leaves as they are, as somebody with the database's password could."""
    for table in ("sequenced_leaf", "leaf"):
        if IS_POSTGRESQL:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_final"))
            continue
        for change in ("update", "delete"):
            session.execute(text(f"DROP TRIGGER {table}_no_{change}"))


def kept(database: Database) -> Callable[[], None]:
    """Take a backup; the function returned puts it back in the place of what there is then."""
    if not IS_POSTGRESQL:
        return _kept_file(database)
    name = str(database.engine.url.database)
    database.close()
    backup = str(make_url(_copy(name)).database)

    def put_back() -> None:
        database.close()
        with _server_connection() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{backup}"')

    return put_back


def stop() -> None:
    """End the server, when one was started."""
    _running.close()


@cache
def migrated() -> bytes:
    """An empty SQLite database of the newest schema, made once by the migrations themselves."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrations.upgrade(f"sqlite:///{path}")
        database = Database(f"sqlite:///{path}")
        database.truncate()
        database.close()
        return path.read_bytes()


def _kept_file(database: Database) -> Callable[[], None]:
    file = Path(str(database.engine.url.database))
    backup = file.with_suffix(".backup")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))

    def put_back() -> None:
        database.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        backup.replace(file)

    return put_back


def _copy(template: str) -> str:
    name = f"wardlist{len(_made)}"
    with _server_connection() as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    _made.append(name)
    return address(name)


def _server_connection() -> psycopg.Connection:
    return psycopg.connect(f"host={_server()} user=postgres dbname=postgres", autocommit=True)


@cache
def _server() -> Path:
    """Its folder. It has one database, which no installation uses."""
    template, folder = _running.enter_context(postgres(_TEMPLATE, HURRIED))
    migrations.upgrade(template)
    return folder
