"""How the database goes about a statement: whether it reads a table whole, or by which index."""

from typing import Any

from sqlalchemy import Connection

from tests.programs.databases import IS_POSTGRESQL

_AS_IF_LONG = ("enable_seqscan", "enable_sort")
"""PostgreSQL reads and sorts a short table whole; with these off, only where no index serves."""
_READS = ("SEARCH", "SCAN", "Index Scan", "Index Only Scan", "Bitmap Index Scan", "Seq Scan")


def steps(connection: Connection, statement: str, parameters: Any = ()) -> list[str]:
    """Of the statement as the driver gets it, within a transaction."""
    if not IS_POSTGRESQL:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    for setting in _AS_IF_LONG:
        connection.exec_driver_sql(f"SET LOCAL {setting} = off")
    return [
        row[0].strip().removeprefix("->  ")
        for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    ]


def reads(some: list[str]) -> list[str]:
    """The steps that read a table or an index."""
    return [step for step in some if step.startswith(_READS)]


def is_walk(step: str) -> bool:
    """Whether it reads a table whole."""
    return step.startswith(("SCAN", "Seq Scan"))


def is_sort(step: str) -> bool:
    """Whether it puts rows in order that do not come so."""
    return "TEMP B-TREE" in step or step.startswith(("Sort", "Incremental Sort"))
