"""Every row of a database, table by table, out of one and into another of the same schema.

Rows go through the columns' own types, so that SQLite and PostgreSQL give and take the same values. Of each
table a digest is kept, over its rows in the order of the primary key: two databases with the same digests
hold the same. Nothing is held but a chunk of rows.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.platform.database import Database

CHUNK = 2000
"""Rows that are held at once."""
_FILLED_BY_TRIGGERS = ("pending_leaf", "routing_mark", "standing")
Row = dict[str, Any]


class Damaged(ValueError):
    """Rows that are not what they should be. The text names the table, never a value."""


@dataclass
class Digest:
    """How many rows of a table there were, and SHA-256 over their written forms, each ended by a newline."""

    count: int = 0
    _whole: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, lines: Iterable[bytes]) -> None:
        """Take in the next rows."""
        for line in lines:
            self.count += 1
            self._whole.update(line)
            self._whole.update(b"\n")

    def over(self, parts: Iterable[list[Row]], write: Callable[[Row], bytes]) -> Iterator[list[Row]]:
        """The same rows, counted as they pass."""
        for part in parts:
            self.add(map(write, part))
            yield part

    def stated(self) -> dict[str, Any]:
        """`{"rows","sha256"}`."""
        return {"rows": self.count, "sha256": self._whole.hexdigest()}


def tables(metadata: sa.MetaData) -> list[sa.Table]:
    """In the order in which they can be filled: foreign keys first, what triggers fill last."""
    found = [table for table in metadata.sorted_tables if table.name not in _FILLED_BY_TRIGGERS]
    return found + [metadata.tables[name] for name in _FILLED_BY_TRIGGERS]


@contextmanager
def standing_still(database: Database) -> Iterator[Connection]:
    """A connection that sees the database as it was at its first question, whoever writes meanwhile."""
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def chunks(connection: Connection, table: sa.Table) -> Iterator[list[Row]]:
    """A table's rows by primary key, the same order on every database."""
    order = [_ordered(connection, column) for column in table.primary_key]
    query = sa.select(table).order_by(*order).execution_options(yield_per=CHUNK)
    for part in connection.execute(query).mappings().partitions():
        yield [dict(row) for row in part]


def load(connection: Connection, table: sa.Table, parts: Iterable[list[Row]]) -> None:
    """Put rows into a table, in the place of what migrations and triggers left there."""
    clear(connection, table)
    for part in parts:
        add(connection, table, part)


def clear(connection: Connection, table: sa.Table) -> None:
    """Take out what migrations and triggers left in a table. Leaves cannot be deleted, and none is there."""
    if not _is_empty(connection, table):
        connection.execute(sa.delete(table))


def add(connection: Connection, table: sa.Table, part: list[Row]) -> None:
    """Put more rows into a table. Raises Damaged for numbers that no database holds."""
    try:
        if part:
            connection.execute(sa.insert(table), part)
    except OverflowError:
        raise Damaged(f"a row of {table.name} has a number that is too large") from None


def go_on_counting(connection: Connection, metadata: sa.MetaData) -> None:
    """Have PostgreSQL's sequences go on behind the rows that were loaded; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        owned = sa.func.pg_get_serial_sequence(table.name, column.name)
        sequence = connection.execute(sa.select(owned)).scalar()
        newest = connection.execute(sa.select(sa.func.max(column))).scalar()
        if sequence and newest:
            connection.execute(sa.select(sa.func.setval(sequence, newest)))


def digests(connection: Connection, metadata: sa.MetaData) -> dict[str, dict[str, Any]]:
    """Of every table, by its name."""
    found = {}
    for table in tables(metadata):
        digest, write = Digest(), writer(table)
        for _ in digest.over(chunks(connection, table), write):
            pass
        found[table.name] = digest.stated()
    return found


def is_unused(connection: Connection, metadata: sa.MetaData) -> bool:
    """Whether nothing is in a database but what migrations leave there: no leaf, no list, nobody."""
    present = set(sa.inspect(connection).get_table_names())
    seeded = {"log_head", "epoch", "standing", "routing_mark", "publisher_term", "report_progress"}
    wanted = [table for table in metadata.sorted_tables if table.name in present - seeded]
    return all(_is_empty(connection, table) for table in wanted)


def writer(table: sa.Table) -> Callable[[Row], bytes]:
    """A function that writes a row as JSON, columns by name: bytes in base64, times as ISO 8601."""
    ways = {column.name: _out(column) for column in table.columns}

    def write(row: Row) -> bytes:
        stated = {name: None if row[name] is None else way(row[name]) for name, way in ways.items()}
        return orjson.dumps(stated, None, orjson.OPT_SORT_KEYS)

    return write


def reader(table: sa.Table) -> Callable[[bytes], Row]:
    """The way back. The function raises Damaged."""
    ways = {column.name: _in(column) for column in table.columns}

    def read(line: bytes) -> Row:
        try:
            stated = orjson.loads(line)
            if stated.keys() != ways.keys():
                raise ValueError
            return {name: None if stated[name] is None else way(stated[name]) for name, way in ways.items()}
        except (ValueError, TypeError, AttributeError):
            raise Damaged(f"a row of {table.name} is not written as this release writes it") from None

    return read


def _same(value: Any) -> Any:
    return value


def _base64(value: bytes | str) -> str:
    """SQLite gives an empty text where a migration wrote one for no bytes."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def _out(column: sa.Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, sa.LargeBinary):
        return _base64
    if isinstance(column.type, sa.Enum):
        return lambda value: value.value
    if _python(column) is datetime:
        return lambda value: value.astimezone(UTC).isoformat()
    if _python(column) is date:
        return lambda value: value.isoformat()
    return _same


def _in(column: sa.Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, sa.LargeBinary):
        return lambda text: base64.b64decode(text, validate=True)
    if isinstance(column.type, sa.Enum) and column.type.enum_class is not None:
        words: type[Enum] = column.type.enum_class
        return lambda text: words(text)
    if _python(column) is datetime:
        return datetime.fromisoformat
    return date.fromisoformat if _python(column) is date else _same


def _python(column: sa.Column[Any]) -> type:
    """A type of ours stands for the one that it is made from."""
    kind = column.type.impl_instance if isinstance(column.type, sa.TypeDecorator) else column.type
    return object if isinstance(kind, sa.JSON) else kind.python_type


def _ordered(connection: Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """PostgreSQL may sort texts by a language; SQLite goes by their bytes."""
    is_text = _python(column) is str and connection.dialect.name == "postgresql"
    return sa.collate(column, "C") if is_text else column


def _is_empty(connection: Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is None
