"""Entries as a list's versions see them: taking up, leaving, and what version n holds."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select

from app.core import commitment, lifecycle
from app.core.brake import Difference
from app.core.lifecycle import URGENT, DelistReason, Event, Status, Takedown
from app.entries import secrets
from app.entries.models import ENTERING, LISTED, EarlierStay, Entry, EntryKey
from app.lists import service as lists
from app.log import service as log
from app.platform.epochs import Epochs


class Line(NamedTuple):
    """An entry as lists hold it: its id, its canonical line (no newline) and its commitment (32 bytes)."""

    entry: str
    line: bytes
    commitment: bytes


_IS_ENTERING: sa.ColumnElement[bool] = sa.literal_column(f"({ENTERING})")
"""In the words of the index."""


def is_list_changed(session: Session, name: str, now: datetime) -> bool:
    """Whether an entry may enter the list, or waits to leave it."""
    waiting = (
        sa.select(col(Entry.seq)).where(*found).limit(1)
        for found in (_entering(session, name, now), _leaving(name))
    )
    return any(session.execute(query).first() for query in waiting)


def is_urgent(session: Session, name: str) -> bool:
    """Whether an entry must leave the list now, whatever is held."""
    return session.execute(sa.select(col(Entry.seq)).where(*_urgent(name)).limit(1)).first() is not None


def waiting(session: Session, name: str, now: datetime) -> Difference:
    """What may enter, and what was withdrawn and still is served: the changes that a brake holds."""
    return _difference(session, name, _entering(session, name, now))


def waiting_in_all(session: Session, name: str) -> Difference:
    """The same with what waits for a notice first: an engaged brake is not ended by asking for notices."""
    return _difference(session, name, _approved(name))


def _difference(session: Session, name: str, is_entering: tuple[sa.ColumnElement[bool], ...]) -> Difference:
    entering = session.exec(select(Entry.id).where(*is_entering).order_by(col(Entry.seq)))
    withdrawn = session.exec(
        select(Entry.id).where(*_leaving(name), ~_cannot_wait()).order_by(col(Entry.seq))
    )
    return Difference(tuple(entering), tuple(withdrawn))


def is_protected_waiting(session: Session, name: str, now: datetime) -> bool:
    """Whether an entry that covers a protected host may enter."""
    entering = _entering(session, name, now)
    query = sa.select(col(Entry.seq)).where(*entering, col(Entry.is_protected)).limit(1)
    return session.execute(query).first() is not None


def take_up(
    session: Session, name: str, version: int, now: datetime, is_held: bool = False
) -> tuple[int, int]:
    """Make the waiting changes part of a version, of a held one the urgent ones only; how many in and out."""
    if is_held:
        _change(session, _urgent(name), delisted_in=version)
        return 0, _count_removed(session, name, version)
    condition = _entering(session, name, now)
    query = sa.select(col(Entry.seq), col(Entry.id), col(Entry.commitment)).where(*condition)
    entering = session.execute(query.order_by(col(Entry.seq))).all()
    _change(session, _leaving(name), delisted_in=version)
    _change(session, condition, status=lifecycle.after(Status.APPROVED, Event.LIST), listed_in=version)
    _record_listed(session, name, version, now, entering)
    return len(entering), _count_removed(session, name, version)


def take_back(session: Session, name: str, version: int, now: datetime) -> int:
    """Undo what a version took up that was never served to all; returns how many wait for another now.

    The next version is without them, and without what was withdrawn meanwhile: whoever has the version must
    lose that too, and nobody else may get it.
    """
    added = (
        col(Entry.list) == name,
        col(Entry.listed_in) == version,
        col(Entry.delisted_in).is_(None),
    )
    listed = (*added, col(Entry.status) == Status.LISTED)
    gone = (*added, col(Entry.status) != Status.LISTED, ~_cannot_wait())
    ids = session.exec(select(Entry.id).where(*listed).order_by(col(Entry.seq))).all()
    withdrawn = session.exec(select(Entry.id).where(*gone).order_by(col(Entry.seq))).all()
    leaves = [{"entry": one, "list": name, "version": version} for one in ids]
    log.append_many(session, "entry.taken_back", now, leaves)
    reason = DelistReason.WITHDRAWN.value
    leaves = [{"entry": one, "list": name, "reason": reason} for one in withdrawn]
    log.append_many(session, "entry.hastened", now, leaves)
    stays = [{"entry_id": one, "listed_in": version, "delisted_in": version + 1} for one in ids]
    if stays:
        session.execute(sa.insert(EarlierStay), stays)
    _change(session, listed, status=lifecycle.after(Status.LISTED, Event.TAKE_BACK), listed_in=None)
    _change(session, gone, delisted_in=version + 1)
    return len(ids)


def returned_from(session: Session, name: str, version: int) -> set[int]:
    """Earlier versions that had, and lost again, something of what a version added."""
    query = (
        select(EarlierStay.listed_in)
        .join(Entry, col(Entry.id) == col(EarlierStay.entry_id))
        .where(Entry.list == name, Entry.listed_in == version)
        .distinct()
    )
    return set(session.exec(query))


def _change(session: Session, condition: tuple[sa.ColumnElement[bool], ...], **values: Any) -> None:
    statement = sa.update(Entry).where(*condition).values(**values)
    session.execute(statement.execution_options(synchronize_session=False))
    session.expire_all()


def _record_listed(session: Session, name: str, version: int, now: datetime, entering: Sequence[Any]) -> None:
    leaves = [
        {"commitment": stated, "entry": entry, "list": name, "version": version}
        for _, entry, stated in entering
    ]
    log.append_many(session, "entry.listed", now, leaves)


def count_listed(session: Session, name: str) -> int:
    """How many entries stand on the list now."""
    return session.exec(select(func.count()).where(Entry.list == name, Entry.status == Status.LISTED)).one()


def count_listed_at(session: Session, name: str, version: int) -> int:
    """How many entries a version holds."""
    return session.exec(select(func.count()).select_from(Entry).where(*_at(name, version))).one()


def commitments_at(session: Session, name: str, version: int) -> Iterator[str]:
    """The commitments (hex) of what a version holds, in no order."""
    query = sa.select(col(Entry.commitment)).where(*_at(name, version))
    yield from session.execute(query, execution_options={"yield_per": 5000}).scalars()


def listed_at(session: Session, epochs: Epochs, name: str, version: int) -> Iterator[Line]:
    """What a version holds, by entry id."""
    return _lines(session, epochs, _at(name, version))


def added_in(session: Session, epochs: Epochs, name: str, version: int) -> Iterator[Line]:
    """What a version is the first with, by entry id."""
    return _lines(session, epochs, (col(Entry.list) == name, col(Entry.listed_in) == version))


def removed_in(session: Session, name: str, version: int) -> list[tuple[str, bytes]]:
    """(id, commitment) of what a version is the first without, by entry id."""
    query = sa.select(col(Entry.id), col(Entry.commitment)).where(*_gone(name, version))
    found = session.execute(query.order_by(col(Entry.id)))
    return [(entry, bytes.fromhex(stated)) for entry, stated in found]


def openings(session: Session, epochs: Epochs, name: str | None) -> Iterator[bytes]:
    """Canonical lines of every entry that ever was listed, on one list or all, and can be opened.

    An erased one cannot, and neither one that a step forward knows by its leaves alone.
    """
    came_back = col(Entry.id).in_(sa.select(col(EarlierStay.entry_id)))
    has_key = col(Entry.id).in_(sa.select(col(EntryKey.entry_id)))
    ever = [or_(col(Entry.listed_in).is_not(None), came_back), has_key, col(Entry.status) != Status.ERASED]
    if name:
        ever.append(col(Entry.list) == name)
    for found in _lines(session, epochs, tuple(ever)):
        yield found.line


def _lines(session: Session, epochs: Epochs, condition: tuple[sa.ColumnElement[bool], ...]) -> Iterator[Line]:
    """Two streams in one order: of entries, and of what they hide."""
    query = sa.select(col(Entry.id), col(Entry.scope), col(Entry.commitment)).where(*condition)
    rows = session.execute(query.order_by(col(Entry.id)), execution_options={"yield_per": 5000})
    wanted = col(EntryKey.entry_id).in_(sa.select(col(Entry.id)).where(*condition))
    for (entry, scope, stated), (same, opened) in zip(
        rows, secrets.opened(session, epochs, wanted), strict=True
    ):
        if entry != same:
            raise LookupError("an entry has no key")
        key, url = opened.commitment_key, opened.canonical_url
        yield Line(
            entry, commitment.list_line(key, entry=entry, scope=scope.value, url=url), bytes.fromhex(stated)
        )


def _count_removed(session: Session, name: str, version: int) -> int:
    return session.exec(select(func.count()).select_from(Entry).where(*_gone(name, version))).one()


def _gone(name: str, version: int) -> tuple[sa.ColumnElement[bool], ...]:
    """What a version is the first without; some of it may have come back since."""
    earlier = select(EarlierStay.entry_id).where(EarlierStay.delisted_in == version)
    return col(Entry.list) == name, or_(col(Entry.delisted_in) == version, col(Entry.id).in_(earlier))


def _entering(session: Session, name: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Approved for blocking; where the policy asks for it, once somebody was told and had time to act."""
    policy = lists.policy_in_force(session, name)
    if not policy.notice_first:
        return _approved(name)
    told_by = now.replace(microsecond=0) - timedelta(hours=policy.notice_window_hours)
    return (*_approved(name), col(Entry.notice_at) <= told_by, col(Entry.takedown) != Takedown.REMOVED)


def _approved(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return col(Entry.list) == name, _IS_ENTERING


def _leaving(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(Entry.list) == name,
        col(Entry.listed_in).is_not(None),
        col(Entry.delisted_in).is_(None),
        col(Entry.status) != LISTED,
    )


def _cannot_wait() -> sa.ColumnElement[bool]:
    return or_(col(Entry.status) == Status.ERASED, col(Entry.delist_reason).in_(list(URGENT)))


def _urgent(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_leaving(name), _cannot_wait())


def _at(name: str, version: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(Entry.list) == name,
        col(Entry.listed_in) <= version,
        or_(col(Entry.delisted_in).is_(None), col(Entry.delisted_in) > version),
    )
