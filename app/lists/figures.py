"""When versions came out and who subscribes, in plain values, for rooms that count with them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, func, select

from app.core.policy import Policy
from app.lists.models import BlockList, ListPolicy, MatchKey, Snapshot, Subscription


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


def next_published(session: Session, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], datetime]:
    """When the next version that all may have was made, for each (list, version) that is not the last."""
    columns = sa.column("list", sa.String), sa.column("version", sa.Integer)
    known = sa.values(*columns, name="asked").data(list(versions) or [("", -1)]).cte("asked")
    following = (
        sa.select(col(Snapshot.published_at))
        .where(
            col(Snapshot.list) == known.c.list,
            col(Snapshot.is_served).is_(True),
            col(Snapshot.version) > known.c.version,
        )
        .order_by(col(Snapshot.version))
        .limit(1)
        .correlate(known)
        .scalar_subquery()
    )
    rows = session.execute(sa.select(known.c.list, known.c.version, following))
    return {(name, version): published_at for name, version, published_at in rows if published_at}


class Subscribed(NamedTuple):
    """A list as its subscriber sees it: since when, and the newest version that all may have, if any."""

    list: str
    title: str
    since: datetime
    version: int | None
    published_at: datetime | None
    entry_count: int | None


def subscribed(session: Session, organisation: str) -> list[Subscribed]:
    """The lists that an organisation subscribes to, by name."""
    query = (
        sa.select(
            col(BlockList.name),
            col(BlockList.title),
            col(Subscription.created_at),
            col(Snapshot.version),
            col(Snapshot.published_at),
            col(Snapshot.entry_count),
        )
        .join_from(Subscription, BlockList, col(BlockList.name) == col(Subscription.list))
        .join(
            Snapshot,
            and_(col(Snapshot.list) == col(BlockList.name), col(Snapshot.version) == _newest_served()),
            isouter=True,
        )
        .where(col(Subscription.organisation_id) == organisation)
    )
    return [Subscribed(*row) for row in session.execute(query.order_by(col(BlockList.name)))]


def newest_versions(session: Session) -> dict[str, int]:
    """The newest version that all may have, by list; without lists that have none."""
    rows = session.execute(sa.select(col(BlockList.name), _newest_served()))
    return {name: version for name, version in rows if version}


def _newest_served() -> sa.ScalarSelect[int]:
    """Of the list that the query around it is at; one look at the end of an index."""
    found = aliased(Snapshot)
    return (
        sa.select(col(found.version))
        .where(col(found.list) == col(BlockList.name), col(found.is_served).is_(True))
        .order_by(col(found.version).desc())
        .limit(1)
        .correlate(BlockList)
        .scalar_subquery()
    )


class MatchKeyAge(NamedTuple):
    """The newest key of a list's hashes: since when it is used."""

    number: int
    made_at: datetime


def match_keys(session: Session, names: Iterable[str]) -> dict[str, MatchKeyAge]:
    """The newest key of the hashes of each of these lists that has any."""
    query = (
        select(MatchKey.list, MatchKey.number, MatchKey.made_at)
        .where(col(MatchKey.list).in_(list(names)))
        .order_by(col(MatchKey.number))
    )
    return {name: MatchKeyAge(number, made_at) for name, number, made_at in session.exec(query)}


class Made(NamedTuple):
    """A version: when it was made, how many entries it holds, whether all may have it."""

    list: str
    version: int
    published_at: datetime
    entry_count: int
    is_served: bool


def newest(session: Session) -> dict[str, Made]:
    """The newest version that all may have, by list; without lists that have none.

    Joined in one query, SQLite would go through every version there ever was.
    """
    of_each = [
        and_(col(Snapshot.list) == name, col(Snapshot.version) == version)
        for name, version in newest_versions(session).items()
    ]
    query = sa.select(
        col(Snapshot.list),
        col(Snapshot.version),
        col(Snapshot.published_at),
        col(Snapshot.entry_count),
        col(Snapshot.is_served),
    ).where(sa.or_(sa.false(), *of_each))
    return {row[0]: Made(*row) for row in session.execute(query)}


class Published(NamedTuple):
    """A version that all subscribers may have, and the policy that it was made under."""

    list: str
    title: str
    version: int
    published_at: datetime
    policy: Policy


def published(session: Session, name: str, version: int) -> Published | None:
    """That version; None where there is none that all may have. An old one has the newest policy."""
    made_under = func.coalesce(Snapshot.policy_version, BlockList.policy_version)
    query = (
        sa.select(col(BlockList.title), col(Snapshot.published_at), col(ListPolicy.policy))
        .join_from(Snapshot, BlockList, col(BlockList.name) == col(Snapshot.list))
        .join(
            ListPolicy,
            and_(col(ListPolicy.list) == col(Snapshot.list), col(ListPolicy.version) == made_under),
        )
        .where(
            col(Snapshot.list) == name, col(Snapshot.version) == version, col(Snapshot.is_served).is_(True)
        )
    )
    found = session.execute(query).first()
    return Published(name, found[0], version, found[1], Policy.recorded(found[2])) if found else None


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
