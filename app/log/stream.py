"""Leaves in the order of their commits, for rooms that go along with them.

Writers queue, so a leaf's row number grows with its commit, and the log has them in that order.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session, col, func

from app.log.models import Leaf, SequencedLeaf


def newest(session: Session) -> int:
    """The row of the newest leaf, 0 when there is none."""
    return int(session.execute(sa.select(func.max(col(Leaf.id)))).scalar_one() or 0)


def after(session: Session, row: int, limit: int) -> list[tuple[int, bytes]]:
    """The next leaves behind that row, each with its own, also those without an index yet."""
    query = sa.select(col(Leaf.id), col(Leaf.body)).where(col(Leaf.id) > row).order_by(col(Leaf.id))
    return [(found, body) for found, body in session.execute(query.limit(limit))]


def about(session: Session, entry_id: str, row: int) -> list[bytes]:
    """The leaves about an entry behind that row."""
    query = sa.select(col(Leaf.body)).where(col(Leaf.entry_id) == entry_id, col(Leaf.id) > row)
    return list(session.execute(query.order_by(col(Leaf.id))).scalars())


def indices(session: Session, rows: Sequence[int]) -> dict[int, int]:
    """The places in the log of the leaves of these rows; those without one yet are left out."""
    query = sa.select(col(SequencedLeaf.leaf_id), col(SequencedLeaf.leaf_index))
    found = session.execute(query.where(col(SequencedLeaf.leaf_id).in_(rows)))
    return {row[0]: row[1] for row in found}
