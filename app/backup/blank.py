"""A database that is to be filled: by one at a time, and of what that made nothing is left when it fails."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from alembic import command
from app import migrations
from app.backup import rows
from app.platform.database import Database
from app.tables import metadata

_VERSION = "alembic_version"
_FILLING = 0x77617266
"""The advisory lock's key on PostgreSQL."""
_ENDS = ("", "-wal", "-shm", "-journal", "-waiting", "-writing")


class Occupied(ValueError):
    """Something is there that would be overwritten, or somebody else fills the place. The text says what."""


@contextmanager
def alone(database: Database, home: Path | None = None) -> Iterator[None]:
    """Nobody else fills the database or the home until the block ends. Raises Occupied while somebody does.

    Who fails takes its tables away; rows that another is about to commit into them are not to be seen.
    """
    folders = {folder.resolve() for folder in (home, database.file and database.file.parent) if folder}
    with ExitStack() as held:
        for folder in filter(Path.is_dir, folders):
            _lock_folder(held, folder)
        if database.engine.dialect.name == "postgresql":
            _lock_server(held, database)
        yield


def _lock_folder(held: ExitStack, folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    held.callback(os.close, handle)
    # A file system that locks no folders has nobody kept out.
    with suppress(OSError):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Occupied(f"another restore or copy into {folder} is under way") from None


def _lock_server(held: ExitStack, database: Database) -> None:
    """On a connection of its own, whose end lets the lock go."""
    connection = held.enter_context(database.engine.connect())
    connection.execution_options(isolation_level="AUTOCOMMIT").detach()
    if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_FILLING))):
        raise Occupied("another restore or copy into this database is under way")


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """The database of that address until the block ends. Where it raises, files and tables made in it go.

    One that had tables of ours, or that somebody else filled meanwhile, is left alone. Raises Occupied.
    """
    database = Database(address)
    with alone(database):
        yield from _opened(database)


def _opened(database: Database) -> Iterator[Database]:
    before = _files(database.file)
    is_new = make_private(database.file)
    had_tables = True
    try:
        had_tables = not is_new and sa.inspect(database.engine).has_table(_VERSION)
        yield database
    except BaseException:
        is_ours = not had_tables and _is_unused(database, otherwise=is_new)
        if is_ours and not is_new:
            with suppress(SQLAlchemyError):
                drop_tables(database)
        database.close()
        if is_ours:
            for path in _files(database.file) - before:
                path.unlink(missing_ok=True)
        raise
    finally:
        database.close()


def _is_unused(database: Database, otherwise: bool) -> bool:
    """Whether nobody put rows into it; `otherwise` where it does not answer."""
    try:
        with database.engine.connect() as connection:
            return rows.is_unused(connection, metadata)
    except SQLAlchemyError:
        return otherwise


def make_private(file: Path | None) -> bool:
    """Make a file of SQLite that is not there for its owner alone; those that SQLite adds are like it.

    False when it is there already, or its folder is not.
    """
    if file is None or not file.parent.is_dir():
        return False
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def drop_tables(database: Database) -> None:
    """Take all tables of ours out of the database, where it has any."""
    if not sa.inspect(database.engine).has_table(_VERSION):
        return
    address = database.engine.url.render_as_string(hide_password=False)
    command.downgrade(migrations.configuration(address), "base")
    with database.engine.begin() as connection:
        connection.execute(sa.schema.DropTable(sa.Table(_VERSION, sa.MetaData())))


def _files(file: Path | None) -> set[Path]:
    """Which there are of the file and those that SQLite and our turns put beside it."""
    if file is None:
        return set()
    return {path for end in _ENDS if (path := file.with_name(file.name + end)).exists()}
