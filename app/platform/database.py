"""The database session: short reads, and writes that are one transaction each.

SQLite runs in WAL with synchronous=FULL, so a commit is on the disk before it is answered. A
write begins with BEGIN IMMEDIATE: two writers queue instead of failing halfway.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy import DateTime, Engine, create_engine, event, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session

from app.platform import turnstile
from app.platform.turnstile import Busy

_ONE_WRITER = 0x77617264
"""The advisory lock's key on PostgreSQL."""
_PATIENCE_SECONDS = 30
IDLE_SECONDS = 60.0
"""A writer on PostgreSQL that asks for nothing for so long loses its turn: its process hangs, or is gone."""
_TURN = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true),"
    " pg_advisory_xact_lock(:key)"
)
CONNECTIONS, MORE_CONNECTIONS = 10, 5
"""What a process keeps open to PostgreSQL, and what it opens besides when requests come at once."""
_POSTGRESQL: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq: a server that vanished without a word is noticed within half a minute."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; a naive one is a mistake and raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """From the database: SQLite forgets the zone."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def word(words: type[StrEnum], **settings: Any) -> Any:
    """A column that holds one of these words, as text on every database."""
    is_optional = "default" in settings and settings["default"] is None
    column: sa.Column[Any] = sa.Column(
        sa.Enum(
            words, native_enum=False, length=40, values_callable=lambda all_: [one.value for one in all_]
        ),
        nullable=is_optional,
    )
    return Field(sa_column=column, **settings)


def named(address: str) -> str:
    """The kind of database and where it is, for people; never the user or a password."""
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite":
        return f"SQLite {Path(url.database or '').resolve()}"
    stated = url.query.get("host", "")
    host = url.host or (stated if isinstance(stated, str) else ",".join(stated)) or "localhost"
    return f"PostgreSQL {host}/{url.database}"


def is_outage(failure: BaseException) -> bool:
    """Whether the database could not be reached, broke off, is full, or had no time; not what was asked."""
    is_cut_off = isinstance(failure, DBAPIError) and failure.connection_invalidated
    return is_cut_off or isinstance(failure, OperationalError | InterfaceError | NoConnection | Busy)


class Database:
    """Opens sessions on one address. `hide_parameters` keeps values out of exceptions.

    `file` is SQLite's, None of another database.
    """

    def __init__(self, address: str) -> None:
        self.engine: Engine = create_engine(address, hide_parameters=True, **_manner(address))
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(writes=True)
        self._reader = self.engine
        if self.engine.dialect.name == "postgresql":
            # Whatever the server's default is: what a turn before wrote must be seen in the next.
            self._writer = self._writer.execution_options(isolation_level="READ COMMITTED")
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")
        self._queue = threading.Lock()
        self.file = sqlite_file(self.engine)
        self._counting, self._writes = threading.Lock(), 0

    @property
    def writes(self) -> int:
        """Counts up with each write of this process, once it is committed or rolled back, and with each write
        of others that it is told of."""
        return self._writes

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose changes are never kept; all it sees is of one moment, that of its first query."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, may_rest: bool = False) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Writers queue, on PostgreSQL by an advisory lock: what one has read is still so when it writes, and
        leaves are in the order of their commits. A moment that is put on record is taken in the block: one
        from before it may be older than what was written meanwhile. With `may_rest` the turn is kept though
        the database is asked nothing for IDLE_SECONDS. Raises Busy after half a minute in this process' own
        queue, or that of the processes on SQLite's file.
        """
        try:
            with self._turn(), Session(self._writer, expire_on_commit=False) as session, session.begin():
                # SQLite's transaction begins with its connection.
                session.connection()
                if self.engine.dialect.name == "postgresql":
                    longest = 0 if may_rest else round(IDLE_SECONDS * 1000)
                    session.execute(_TURN, {"milliseconds": str(longest), "key": _ONE_WRITER})
                yield session
        finally:
            self.noticed()

    def noticed(self) -> None:
        """Something was written, here or by another process: what is held in memory may be old."""
        with self._counting:
            self._writes += 1

    def apart(self, **arguments: Any) -> "psycopg.Connection[Any]":
        """A connection to PostgreSQL beside the pool, each statement a transaction. Its caller closes it.

        `arguments` are libpq's. Raises psycopg.Error.
        """
        place, given = self.engine.dialect.create_connect_args(self.engine.url)
        opened = self.engine.dialect.connect(*place, **{**_POSTGRESQL, **given, **arguments})
        connection = cast("psycopg.Connection[Any]", opened)
        connection.autocommit = True
        return connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Who waits for its turn here holds no connection meanwhile, so readers find one."""
        if not self._queue.acquire(timeout=_PATIENCE_SECONDS):
            raise Busy("other writers took too long")
        try:
            with turnstile.turn(self.file, _PATIENCE_SECONDS) if self.file else nullcontext():
                yield
        finally:
            self._queue.release()

    def truncate(self) -> None:
        """Empty SQLite's write-ahead log, as far as readers allow; the next call gets the rest."""
        if self.engine.dialect.name == "sqlite":
            with closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def count(self) -> None:
        """Let SQLite look how its tables are filled, a little of each; PostgreSQL does so by itself.

        Without that it takes a list of a million entries for one of ten, and reads it whole. A connection
        learns it when it is opened, so those that wait for use are closed.
        """
        if self.engine.dialect.name == "sqlite":
            with self._turn(), closing(self.engine.raw_connection()) as connection:
                for pragma in ("analysis_limit=1000", "optimize=0x10002"):
                    connection.cursor().execute(f"PRAGMA {pragma}")
            self.engine.dispose()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _manner(address: str) -> dict[str, Any]:
    """How to connect. On PostgreSQL a connection that broke while it was idle is found out before its use."""
    if address.startswith("sqlite"):
        return {"connect_args": {"check_same_thread": False, "timeout": _PATIENCE_SECONDS}}
    pool = {"pool_size": CONNECTIONS, "max_overflow": MORE_CONNECTIONS, "pool_timeout": _PATIENCE_SECONDS}
    return {**pool, "pool_pre_ping": True, "pool_use_lifo": True, "connect_args": _POSTGRESQL}


def sqlite_file(engine: Engine) -> Path | None:
    """Where it lies; None of another database, and of one in memory."""
    place = engine.url.database
    is_kept = engine.dialect.name == "sqlite" and place != ":memory:"
    return Path(place) if place and is_kept else None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
