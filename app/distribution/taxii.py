"""TAXII 2.1 resources: which collections an authority has, and what a page of one holds.

Rules:
- A collection is a list that the authority may read; its alias is the list's name. Nobody writes to one.
- Its order is that of `added_at`, which no two objects share, so a date is a place: `next` and `added_after`
  lead on from the middle of a page alike. First come the identity of this installation and its marking.
- It keeps one version of each object, the newest: the version before a revocation would hold the address.
- An entry that was erased is left out at once, before the version without it is out.

Source: TAXII 2.1, sections 3.4 (filtering), 3.5 (paging), 4 and 5. Who may call is in taxii_routes.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.distribution import stix
from app.distribution.indicators import NAMESPACE, RESERVED
from app.distribution.models import Indicator
from app.distribution.taxii_filters import Filters
from app.entries import secrets, stays
from app.identity.service import Caller
from app.lists import readers
from app.lists.models import BlockList
from app.platform.epochs import Epochs
from app.platform.problems import Problem

_PREFIX = "indicator--"
_UP_TO_NEXT = timedelta(microseconds=999)
"""A version is a date cut to its millisecond."""


class Item(NamedTuple):
    """An object's place in a collection. `row` is an indicator's, `fixed` any other object."""

    id: str
    added_at: datetime
    version: str
    row: Indicator | None = None
    fixed: stix.Object | None = None


class Page(NamedTuple):
    """Some of a collection, in its order, and whether more follows."""

    items: list[Item]
    is_more: bool


def collection_id(name: str) -> str:
    """The UUID of a list's collection."""
    return str(uuid.uuid5(NAMESPACE, name))


def collections(session: Session, caller: Caller) -> list[BlockList]:
    """The lists that a caller may read, by name."""
    return readers.lists_of(session, caller.organisation_id)


def collection(session: Session, caller: Caller, wanted: str) -> BlockList:
    """The list of a collection's id or alias. Raises a 404 problem when the caller may not read it."""
    for found in collections(session, caller):
        if wanted in (found.name, collection_id(found.name)):
            return found
    raise Problem("not-found", "there is no such collection for you")


def require_object(session: Session, found: BlockList, address: str, wanted: str) -> None:
    """Raises a 404 problem when the collection has no object of this id."""
    if not page(session, found, address, Filters(ids=frozenset({wanted}), limit=1)).items:
        raise Problem("not-found", "the collection has no such object")


def page(session: Session, found: BlockList, address: str, filters: Filters) -> Page:
    """What comes next in a collection: one query, besides that for the installation's first list."""
    items = [
        item
        for item in _fixed(session, found, address)
        if item.added_at > filters.after and filters.admits(item.id, item.version)
    ]
    if filters.admits_type("indicator") and len(items) <= filters.limit:
        items += _indicators(session, found.name, filters, filters.limit + 1 - len(items))
    return Page(items[: filters.limit], len(items) > filters.limit)


def objects(session: Session, epochs: Epochs, address: str, items: Sequence[Item]) -> list[stix.Object]:
    """The objects of a page; what was erased meanwhile is left out."""
    live = [item.row.entry_id for item in items if item.row and not item.row.is_revoked]
    facts = stays.facts(session, live)
    hidden = secrets.of(session, epochs, sorted(facts))
    author = stix.identity(NAMESPACE, address, readers.beginning(session))["id"]
    made = []
    for item in items:
        told = item.fixed
        if item.row:
            stay = _told(item.row, facts.get(item.row.entry_id), hidden.get(item.row.entry_id))
            told = stix.indicator(stay, author) if stay else None
        if told:
            made.append(told)
    return made


def _told(row: Indicator, facts: stays.Facts | None, opened: secrets.Opened | None) -> stix.Stay | None:
    stay = stix.Stay(row.id, row.entry_id, row.list, row.created_at, row.added_at, row.valid_until)
    if row.is_revoked:
        return stay
    if facts is None or opened is None:
        return None
    said = stix.labels(
        facts.scope.value, facts.measures, facts.legal_ground, facts.material, facts.hosting_country
    )
    return replace(stay, labels=said, scope=facts.scope, canonical_url=opened.canonical_url)


def _fixed(session: Session, found: BlockList, address: str) -> list[Item]:
    since = readers.beginning(session)
    author = stix.identity(NAMESPACE, address, since)
    dates = (found.created_at, found.created_at + RESERVED / 2)
    return [
        Item(one["id"], added_at, str(one.get("modified", one["created"])), fixed=one)
        for one, added_at in zip((stix.TLP_AMBER, author), dates, strict=True)
    ]


def _indicators(session: Session, name: str, filters: Filters, limit: int) -> list[Item]:
    query = select(Indicator).where(Indicator.list == name, col(Indicator.added_at) > filters.after)
    if filters.ids is not None:
        wanted = [one.removeprefix(_PREFIX) for one in sorted(filters.ids) if one.startswith(_PREFIX)]
        query = query.where(col(Indicator.id).in_(wanted))
    if filters.versions is not None:
        of_version = [
            col(Indicator.added_at).between(at, at + _UP_TO_NEXT) for at in sorted(filters.versions)
        ]
        query = query.where(sa.or_(sa.false(), *of_version))
    rows = session.exec(query.order_by(col(Indicator.added_at)).limit(limit))
    return [Item(_PREFIX + row.id, row.added_at, stix.timestamp(row.added_at), row) for row in rows]
