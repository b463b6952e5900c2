"""The database session: short reads, and writes that are one transaction each.

SQLite runs in WAL with synchronous=FULL, so a commit is on the disk before it is answered. A
write begins with BEGIN IMMEDIATE: two writers queue instead of failing halfway.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import DateTime, Engine, create_engine, event, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session

_ONE_WRITER = 0x77617264
"""The advisory lock's key on PostgreSQL."""
_PATIENCE_SECONDS = 30


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


class Database:
    """Opens sessions on one address. `hide_parameters` keeps values out of exceptions."""

    def __init__(self, address: str) -> None:
        arguments = (
            {"check_same_thread": False, "timeout": _PATIENCE_SECONDS} if address.startswith("sqlite") else {}
        )
        self.engine: Engine = create_engine(address, connect_args=arguments, hide_parameters=True)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(writes=True)
        self._queue = threading.Lock()
        self._counting, self.writes = threading.Lock(), 0
        """`writes` counts up with each write of this process, once it is committed or rolled back."""

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose changes are never kept."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Writers queue, on PostgreSQL by an advisory lock: what one has read is still so when it writes, and
        leaves are in the order of their commits. Raises TimeoutError after half a minute in this process'
        own queue.
        """
        try:
            with self._turn(), Session(self._writer, expire_on_commit=False) as session, session.begin():
                if self.engine.dialect.name == "postgresql":
                    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_WRITER})
                yield session
        finally:
            with self._counting:
                self.writes += 1

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Who waits for its turn here holds no connection meanwhile, so readers find one."""
        if not self._queue.acquire(timeout=_PATIENCE_SECONDS):
            raise TimeoutError("other writers took too long")
        try:
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


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
