"""Entries as a list's versions see them: taking up, leaving, and what version n holds."""

from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter

import rfc8785
import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select

from app.core import commitment, lifecycle
from app.core.lifecycle import Event, Status
from app.core.terms import EntryScope
from app.entries import secrets
from app.entries.models import Entry, EntryKey
from app.log import service as log
from app.platform.epochs import Epochs

Row = tuple[bytes, str, str, str]
"""commitment key, entry id, scope, canonical URL"""


def is_list_changed(session: Session, name: str) -> bool:
    """Whether an entry waits to enter or to leave the list."""
    waiting = (
        sa.select(col(Entry.seq)).where(*found).limit(1) for found in (_entering(name), _leaving(name))
    )
    return any(session.execute(query).first() for query in waiting)


def take_up(session: Session, name: str, version: int, now: datetime) -> tuple[int, int]:
    """Make the waiting changes part of a version; returns how many entered and left."""
    query = sa.select(col(Entry.seq), col(Entry.id), col(Entry.commitment)).where(*_entering(name))
    entering = session.execute(query.order_by(col(Entry.seq))).all()
    leaving = session.execute(
        sa.update(Entry)
        .where(*_leaving(name))
        .values(delisted_in=version)
        .execution_options(synchronize_session=False)
    )
    left: int = leaving.rowcount  # type: ignore[attr-defined]
    session.execute(
        sa.update(Entry)
        .where(*_entering(name))
        .values(status=lifecycle.after(Status.APPROVED, Event.LIST), listed_in=version)
        .execution_options(synchronize_session=False)
    )
    leaves = [
        {"commitment": stated, "entry": entry, "list": name, "version": version}
        for _, entry, stated in entering
    ]
    log.append_many(session, "entry.listed", now, leaves)
    session.expire_all()
    return len(entering), left


def count_listed(session: Session, name: str) -> int:
    """How many entries stand on the list now."""
    return session.exec(select(func.count()).where(Entry.list == name, Entry.status == Status.LISTED)).one()


def listed_at(session: Session, epochs: Epochs, name: str, version: int) -> list[Row]:
    """What a version holds, in order of commitment key."""
    scopes = dict(
        session.execute(sa.select(col(Entry.id), col(Entry.scope)).where(*_at(name, version))).all()
    )
    return sorted(_rows(session, epochs, _at(name, version), scopes))


def _rows(
    session: Session,
    epochs: Epochs,
    condition: tuple[sa.ColumnElement[bool], ...],
    scopes: dict[str, EntryScope],
) -> Iterator[Row]:
    wanted = col(EntryKey.entry_id).in_(sa.select(col(Entry.id)).where(*condition))
    for entry, opened in secrets.opened(session, epochs, wanted):
        yield opened.commitment_key, entry, scopes[entry].value, opened.canonical_url


def openings(session: Session, epochs: Epochs, name: str | None) -> Iterator[bytes]:
    """Canonical lines of every entry that ever was listed, on one list or all, and is not erased."""
    ever = [col(Entry.listed_in).is_not(None), col(Entry.status) != Status.ERASED]
    if name:
        ever.append(col(Entry.list) == name)
    scopes = dict(session.execute(sa.select(col(Entry.id), col(Entry.scope)).where(*ever)).all())
    for key, entry, scope, url in _rows(session, epochs, tuple(ever), scopes):
        yield commitment.list_line(key, entry=entry, scope=scope, url=url)


def commitments_at(session: Session, name: str, version: int) -> Iterator[str]:
    """The commitments of what a version holds."""
    query = sa.select(col(Entry.commitment)).where(*_at(name, version))
    yield from session.execute(query, execution_options={"yield_per": 5000}).scalars()


def changes_in(session: Session, epochs: Epochs, name: str, version: int) -> Iterator[bytes]:
    """Canonical lines of what a version changed: additions whole, removals as tombstones."""
    added = (col(Entry.list) == name, col(Entry.listed_in) == version)
    scopes = dict(session.execute(sa.select(col(Entry.id), col(Entry.scope)).where(*added)).all())
    for key, entry, scope, url in sorted(_rows(session, epochs, added, scopes), key=itemgetter(1)):
        line = {"commitment_key": key.hex(), "entry": entry, "scope": scope}
        yield rfc8785.dumps({**line, "op": "add", "url": url})
    removed = select(Entry.id).where(Entry.list == name, Entry.delisted_in == version).order_by(col(Entry.id))
    for entry in session.exec(removed):
        yield rfc8785.dumps({"entry": entry, "op": "remove"})


def _entering(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return col(Entry.list) == name, col(Entry.status) == Status.APPROVED, col(Entry.is_blocking).is_(True)


def _leaving(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(Entry.list) == name,
        col(Entry.listed_in).is_not(None),
        col(Entry.delisted_in).is_(None),
        col(Entry.status) != Status.LISTED,
    )


def _at(name: str, version: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(Entry.list) == name,
        col(Entry.listed_in) <= version,
        or_(col(Entry.delisted_in).is_(None), col(Entry.delisted_in) > version),
    )
