"""Entries by what they cover: which ones an address concerns, who took part in them, and which come back.

The search goes by keyed fingerprints, as the one for duplicates does; no address is compared in clear.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, and_, col, or_, select

from app.core import url
from app.core.lifecycle import OPEN, DelistReason, Event, Status
from app.entries import service
from app.entries.models import Corroboration, EarlierStay, Entry
from app.entries.submission import fingerprint_of
from app.lists import snapshots

MOST = 200
"""Entries that one address is said to concern, at most: their ids stand in one leaf."""
_CHUNK = 500
Address = tuple[str, str | None]
"""Canonical URL, and the list it is about (None: any)."""


def covering(session: Session, key: bytes, wanted: Mapping[str, Address]) -> dict[str, list[Entry]]:
    """Entries that cover each address and are open, still served or expired, oldest first.

    Addresses and answers go by the caller's own names.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for name, (canonical, _) in wanted.items():
        for scope, covered in url.covering(canonical):
            names[fingerprint_of(key, scope, covered)].add(name)
    found: dict[str, list[Entry]] = {name: [] for name in wanted}
    for entry in _by_fingerprint(session, list(names)):
        for name in names[str(entry.fingerprint)]:
            if wanted[name][1] in (None, entry.list):
                found[name].append(entry)
    return {name: sorted(entries, key=_seq)[:MOST] for name, entries in found.items()}


def _by_fingerprint(session: Session, prints: Sequence[str]) -> list[Entry]:
    entries: list[Entry] = []
    for start in range(0, len(prints), _CHUNK):
        some = prints[start : start + _CHUNK]
        entries += session.exec(select(Entry).where(col(Entry.fingerprint).in_(some), _may_be_seen()))
    return entries


def _may_be_seen() -> sa.ColumnElement[bool]:
    is_served = and_(col(Entry.listed_in).is_not(None), col(Entry.delisted_in).is_(None))
    comes_back = col(Entry.delist_reason) == DelistReason.EXPIRED
    return or_(
        col(Entry.status).in_(list(OPEN)),
        and_(col(Entry.status) == Status.DELISTED, or_(is_served, comes_back)),
    )


def live_among(session: Session, ids: Any) -> list[Entry]:
    """Entries on a list, or approved for one, that the selection of entry ids holds, oldest first."""
    is_live = col(Entry.status).in_([Status.APPROVED, Status.LISTED])
    return list(session.exec(select(Entry).where(col(Entry.id).in_(ids), is_live).order_by(col(Entry.seq))))


def submitters_of(session: Session, entries: Sequence[Entry]) -> dict[str, set[str]]:
    """Organisations that submitted or corroborated each entry, by its id."""
    found = {entry.id: {entry.organisation_id} for entry in entries}
    ids = list(found)
    for start in range(0, len(ids), _CHUNK):
        query = select(Corroboration.entry_id, Corroboration.organisation_id).where(
            col(Corroboration.entry_id).in_(ids[start : start + _CHUNK])
        )
        for entry, organisation in session.exec(query):
            found[entry].add(organisation)
    return found


def is_leaving(session: Session, entry: Entry) -> bool:
    """Whether the version without the entry is still to come out."""
    if entry.listed_in is None:
        return False
    return entry.delisted_in is None or not snapshots.is_served(session, entry.list, entry.delisted_in)


def reinstate(session: Session, entry: Entry, now: datetime) -> None:
    """Bring back an entry that had only expired and is not leaving; nothing else is touched.

    It stays away when its recheck date passed meanwhile, or another open entry stands in its place.
    """
    if entry.status is not Status.DELISTED or entry.delist_reason is not DelistReason.EXPIRED:
        return
    if entry.recheck_by is not None and entry.recheck_by <= now:
        service.end(session, entry, DelistReason.NOT_REAFFIRMED, now)
        return
    if _is_replaced(session, entry):
        return
    if entry.listed_in and entry.delisted_in:
        stay = EarlierStay(entry_id=entry.id, listed_in=entry.listed_in, delisted_in=entry.delisted_in)
        session.add(stay)
    entry.listed_in = entry.delisted_in = entry.delist_reason = None
    service.transition(session, entry, Event.REINSTATE, now)


def _is_replaced(session: Session, entry: Entry) -> bool:
    query = select(Entry.seq).where(
        Entry.list == entry.list,
        Entry.fingerprint == entry.fingerprint,
        col(Entry.status).in_(list(OPEN)),
    )
    return session.exec(query.limit(1)).first() is not None


def earlier_stays(session: Session, ids: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """(came in, gone in) of each time before the last that an entry stood on its list, by entry id."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start in range(0, len(ids), _CHUNK):
        query = select(EarlierStay).where(col(EarlierStay.entry_id).in_(ids[start : start + _CHUNK]))
        for stay in session.exec(query):
            found[stay.entry_id].append((stay.listed_in, stay.delisted_in))
    return found


def _seq(entry: Entry) -> int:
    return entry.seq or 0
