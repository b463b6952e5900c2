"""Moving an installation's rows to another database, SQLite to PostgreSQL or back.

The source's writer queue is held from the first row to the last check, so nobody writes to it meanwhile. What
arrived is shown to be the same, table by table, and by replaying its log, before it is committed.
"""

from typing import Any

from sqlmodel import Session

from app import migrations
from app.backup import agreement, blank, rows
from app.log import service as log
from app.platform.database import Database
from app.tables import metadata


class Refused(ValueError):
    """The copy would not be what it must be. The text says why; the target is as it was."""


def copy(source: Database, address: str) -> dict[str, Any]:
    """Copy every row into an empty database; `{"tables","rows","leaves","log_size"}`.

    Raises Refused, rows.Damaged, agreement.Disagreement, and what the databases raise; then the target is as
    it was.
    """
    with blank.opened(address) as target:
        if target.engine.url == source.engine.url:
            raise Refused("this is the database that is to be copied")
        prepare(target)
        # The source's turn ends first: had it been lost, nothing would be kept.
        with target.writing(may_rest=True) as session, source.writing(may_rest=True) as held:
            return _copy(held, session)


def prepare(target: Database) -> None:
    """Give an unused database this release's tables. Raises Refused when it is not empty."""
    with target.engine.connect() as connection:
        if not rows.is_unused(connection, metadata):
            raise Refused("the database to write to is not empty")
    migrations.upgrade(target.engine.url.render_as_string(hide_password=False))


def _copy(source: Session, target: Session) -> dict[str, Any]:
    expected, into = {}, target.connection()
    for table in rows.tables(metadata):
        digest, write = rows.Digest(), rows.writer(table)
        rows.load(into, table, digest.over(rows.chunks(source.connection(), table), write))
        expected[table.name] = digest.stated()
    rows.go_on_counting(into, metadata)
    if rows.digests(into, metadata) != expected:
        raise Refused("what arrived is not what was sent")
    replay = agreement.check(target)
    return {
        "tables": len(expected),
        "rows": sum(found["rows"] for found in expected.values()),
        "leaves": replay.size,
        "log_size": log.head(target).size,
    }
