"""When versions came out and who subscribes, in plain values, for rooms that count with them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.lists.models import BlockList, Snapshot, Subscription


def subscriptions(session: Session) -> set[tuple[str, str]]:
    """(list, organisation id) of every subscription."""
    return set(session.exec(select(Subscription.list, Subscription.organisation_id)).all())


def subscribed_since(session: Session, name: str) -> dict[str, datetime]:
    """Since when each organisation subscribes to the list, by its id."""
    query = select(Subscription.organisation_id, Subscription.created_at).where(Subscription.list == name)
    return dict(session.exec(query).all())


def published_since(session: Session, name: str, since: datetime) -> dict[int, datetime]:
    """When each version from a moment on was made; looks no further back than that."""
    of_list = select(Snapshot.version).where(Snapshot.list == name, col(Snapshot.published_at) < since)
    before = session.exec(of_list.order_by(col(Snapshot.version).desc()).limit(1)).first()
    query = select(Snapshot.version, Snapshot.published_at).where(
        Snapshot.list == name, col(Snapshot.version) > (before or 0)
    )
    return dict(session.exec(query).all())


def next_published(session: Session, name: str, versions: Iterable[int]) -> dict[int, datetime]:
    """For each of the versions, when the next that all may have was made; those without one are left out."""
    asked = sa.values(sa.column("version", sa.Integer), name="asked").data(
        [(version,) for version in versions] or [(-1,)]
    )
    known = asked.cte("asked")
    following = (
        sa.select(col(Snapshot.published_at))
        .where(
            col(Snapshot.list) == name,
            col(Snapshot.is_served).is_(True),
            col(Snapshot.version) > known.c.version,
        )
        .order_by(col(Snapshot.version))
        .limit(1)
        .correlate(known)
        .scalar_subquery()
    )
    rows = session.execute(sa.select(known.c.version, following))
    return {version: published_at for version, published_at in rows if published_at}


class Made(NamedTuple):
    """A version: when it was made, how many entries it holds, whether all may have it."""

    list: str
    version: int
    published_at: datetime
    entry_count: int
    is_served: bool


def created_before(session: Session, until: datetime) -> list[str]:
    """The names of lists that were there by then, in order."""
    query = select(BlockList.name).where(col(BlockList.created_at) < until)
    return list(session.exec(query.order_by(col(BlockList.name))))


def made_between(session: Session, since: datetime, until: datetime) -> list[Made]:
    """Versions of every list made in that time, `until` itself not included, oldest first."""
    columns = (
        Snapshot.list,
        Snapshot.version,
        Snapshot.published_at,
        Snapshot.entry_count,
        Snapshot.is_served,
    )
    query = sa.select(*(col(one) for one in columns)).where(
        col(Snapshot.published_at) >= since, col(Snapshot.published_at) < until
    )
    return [Made(*row) for row in session.execute(query.order_by(col(Snapshot.list), col(Snapshot.version)))]


def sizes_at(session: Session, moment: datetime) -> dict[str, int]:
    """How many entries the newest version made before a moment holds that all may have, by list."""
    newest = (
        sa.select(col(Snapshot.entry_count))
        .where(
            col(Snapshot.list) == col(BlockList.name),
            col(Snapshot.is_served).is_(True),
            col(Snapshot.published_at) < moment,
        )
        .order_by(col(Snapshot.version).desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(sa.select(col(BlockList.name), newest))
    return {name: count for name, count in rows if count is not None}
