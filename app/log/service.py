"""Appending leaves inside the transaction they record, and giving them their order.

A leaf never holds a URL, host, path, a person's name or free text; actors are organisation ids and
pseudonymous client ids. Sources: design section 3; RFC 6962 section 2.1.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from app.core import merkle
from app.log.models import Leaf, LogHead, PendingLeaf, SequencedLeaf
from app.platform.clock import instant


@dataclass(frozen=True)
class Head:
    """The log's size in leaves and its RFC 6962 root."""

    size: int
    root: bytes


def append(session: Session, kind: str, now: datetime, /, **members: Any) -> None:
    """Add one leaf to the open transaction."""
    session.add(Leaf(body=_body(kind, now, members), entry_id=members.get("entry")))
    session.flush()


def append_many(session: Session, kind: str, now: datetime, rows: list[dict[str, Any]]) -> None:
    """Add a leaf for each row to the open transaction, in order."""
    rendered = [{"body": _body(kind, now, row), "entry_id": row.get("entry")} for row in rows]
    if rendered:
        session.execute(sa.insert(Leaf), rendered)


def sequence(session: Session, limit: int | None = None) -> Head:
    """Give pending leaves their indices, all or up to `limit`; returns the head. Runs in a write.

    Raises RuntimeError when another sequencer moved the head meanwhile.
    """
    head = session.get_one(LogHead, 1, populate_existing=True)
    size = head.size
    frontier = merkle.Frontier.from_bytes(size, head.frontier)
    query = (
        sa.select(col(Leaf.id), col(Leaf.body))
        .select_from(PendingLeaf)
        .join(Leaf, col(PendingLeaf.leaf_id) == col(Leaf.id))
        .order_by(col(PendingLeaf.leaf_id))
        .limit(limit)
    )
    rows = [
        {"leaf_index": size + offset, "leaf_id": leaf_id, "leaf_hash": merkle.leaf_hash(body)}
        for offset, (leaf_id, body) in enumerate(session.execute(query))
    ]
    if not rows:
        return Head(size, frontier.root())
    session.execute(sa.insert(SequencedLeaf), rows)
    taken = sa.select(col(SequencedLeaf.leaf_id)).where(col(SequencedLeaf.leaf_index) >= size)
    session.execute(sa.delete(PendingLeaf).where(col(PendingLeaf.leaf_id).in_(taken)))
    frontier = frontier.extend(row["leaf_hash"] for row in rows)
    _move_head(session, size, frontier)
    return Head(frontier.size, frontier.root())


def head(session: Session) -> Head:
    """The log's head as sequenced."""
    stored = session.get_one(LogHead, 1, populate_existing=True)
    return Head(stored.size, merkle.Frontier.from_bytes(stored.size, stored.frontier).root())


def size(session: Session) -> int:
    """How many leaves have a place."""
    return session.exec(select(LogHead.size)).one()


def committed(session: Session) -> int:
    """How many leaves there are, with a place or without."""
    return session.exec(select(func.count()).select_from(Leaf)).one()


def leaves(session: Session, start: int, end: int) -> list[bytes]:
    """The leaves at start..end, in order."""
    query = (
        sa.select(col(Leaf.body))
        .join(SequencedLeaf, col(SequencedLeaf.leaf_id) == col(Leaf.id))
        .where(col(SequencedLeaf.leaf_index) >= start, col(SequencedLeaf.leaf_index) < end)
        .order_by(col(SequencedLeaf.leaf_index))
    )
    return list(session.execute(query).scalars())


def root_at(session: Session, size: int) -> bytes:
    """The root over the first `size` leaves, computed anew."""
    query = (
        sa.select(col(SequencedLeaf.leaf_hash))
        .where(col(SequencedLeaf.leaf_index) < size)
        .order_by(col(SequencedLeaf.leaf_index))
    )
    hashes = session.execute(query, execution_options={"yield_per": 10000}).scalars()
    return merkle.Frontier().extend(hashes).root()


def of_entry(session: Session, entry_id: str) -> list[tuple[int, bytes]]:
    """(index, leaf) of every sequenced leaf about an entry."""
    query = (
        sa.select(col(SequencedLeaf.leaf_index), col(Leaf.body))
        .join(Leaf, col(SequencedLeaf.leaf_id) == col(Leaf.id))
        .where(col(Leaf.entry_id) == entry_id)
        .order_by(col(SequencedLeaf.leaf_index))
    )
    return [(index, body) for index, body in session.execute(query)]


def about(session: Session, entry_id: str) -> list[bytes]:
    """Every leaf about an entry as it was committed, oldest first, also those without an index yet."""
    query = sa.select(col(Leaf.body)).where(col(Leaf.entry_id) == entry_id).order_by(col(Leaf.id))
    return list(session.execute(query).scalars())


def is_within(session: Session, entry_id: str, size: int) -> bool:
    """Whether every leaf about an entry has an index below `size`."""
    query = (
        sa.select(
            func.count(col(Leaf.id)),
            func.count(col(SequencedLeaf.leaf_id)),
            func.max(SequencedLeaf.leaf_index),
        )
        .join_from(Leaf, SequencedLeaf, col(SequencedLeaf.leaf_id) == col(Leaf.id), isouter=True)
        .where(col(Leaf.entry_id) == entry_id)
    )
    total, placed, newest = session.execute(query).one()
    return bool(total == placed and newest is not None and newest < size)


def is_behind(session: Session) -> bool:
    """Whether a committed leaf waits for its index."""
    return session.exec(select(PendingLeaf).limit(1)).first() is not None


def _move_head(session: Session, old_size: int, frontier: merkle.Frontier) -> None:
    moved = session.execute(
        sa.update(LogHead)
        .where(col(LogHead.id) == 1, col(LogHead.size) == old_size)
        .values(size=frontier.size, frontier=frontier.to_bytes())
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise RuntimeError("another sequencer moved the log head")


def _body(kind: str, now: datetime, members: dict[str, Any]) -> bytes:
    return rfc8785.dumps({"at": instant(now), "type": kind} | members)
