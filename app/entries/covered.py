"""Entries by what they cover: which ones an address concerns, who took part in them, and which come back.

The search goes by keyed fingerprints, as the one for duplicates does; no address is compared in clear.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, or_, select

from app.core import url
from app.core.lifecycle import LIVE, OPEN, DelistReason, Event, Status
from app.entries import service
from app.entries.admission import fingerprint_of
from app.entries.models import Corroboration, EarlierStay, Entry
from app.lists import snapshots

MOST = 600
"""Entries that one address is said to concern, at most, for their ids and a signature over them stand in one
leaf of 65,535 bytes. Listed ones come first; each took a sign-off of its own."""
_CHUNK = 500
Address = tuple[str, str | None]
"""Canonical URL, and the list it is about (None: any)."""


def covering(
    session: Session, key: bytes, wanted: Mapping[str, Address], expired: Mapping[str, Collection[str]]
) -> dict[str, list[Entry]]:
    """Entries that cover each address and are approved, listed or still served, the seen ones first.

    Of those that only expired, the ones that `expired` holds, last. Entries under review are left out: anyone
    who may submit could change the answer with them at will. Addresses and answers go by the caller's names.
    """
    prints = _prints(key, wanted)
    found: dict[str, list[Entry]] = {name: [] for name in wanted}
    for entry in _by_fingerprint(session, list(prints), _may_be_seen()):
        for name in prints[str(entry.fingerprint)]:
            is_meant = wanted[name][1] in (None, entry.list)
            if is_meant and (_rank(entry) < _GONE or entry.id in expired.get(name, ())):
                found[name].append(entry)
    return {name: sorted(entries, key=_place)[:MOST] for name, entries in found.items()}


def departed(session: Session, key: bytes, address: Address, since: datetime) -> list[Entry]:
    """Entries that covered the address and, once approved, were withdrawn or delisted since; newest first."""
    has_gone = and_(
        col(Entry.status).in_([Status.WITHDRAWN, Status.DELISTED]),
        col(Entry.recheck_by).is_not(None),
        col(Entry.settled_at) >= since,
    )
    found = _by_fingerprint(session, list(_prints(key, {"": address})), has_gone)
    gone = [entry for entry in found if address[1] in (None, entry.list) and _rank(entry) == _GONE]
    return sorted(gone, key=lambda entry: (entry.settled_at or since, entry.id), reverse=True)[:MOST]


def _prints(key: bytes, wanted: Mapping[str, Address]) -> dict[str, set[str]]:
    """Names of the addresses that an entry of each fingerprint would cover."""
    names: dict[str, set[str]] = defaultdict(set)
    for name, (canonical, _) in wanted.items():
        for scope, covered in url.covering(canonical):
            names[fingerprint_of(key, scope, covered)].add(name)
    return names


def _by_fingerprint(session: Session, prints: Sequence[str], asked: sa.ColumnElement[bool]) -> list[Entry]:
    entries: list[Entry] = []
    for start in range(0, len(prints), _CHUNK):
        some = prints[start : start + _CHUNK]
        entries += session.exec(select(Entry).where(col(Entry.fingerprint).in_(some), asked))
    return entries


def _may_be_seen() -> sa.ColumnElement[bool]:
    is_served = and_(col(Entry.listed_in).is_not(None), col(Entry.delisted_in).is_(None))
    comes_back = col(Entry.delist_reason) == DelistReason.EXPIRED
    return or_(
        col(Entry.status).in_(sorted(LIVE)),
        and_(col(Entry.status) == Status.DELISTED, or_(is_served, comes_back)),
    )


_SERVED, _APPROVED, _GONE = range(3)


def _rank(entry: Entry) -> int:
    is_served = entry.listed_in is not None and entry.delisted_in is None
    if entry.status is Status.LISTED or (entry.status is Status.DELISTED and is_served):
        return _SERVED
    return _APPROVED if entry.status is Status.APPROVED else _GONE


def _place(entry: Entry) -> tuple[int, int]:
    return _rank(entry), entry.seq or 0


def live_for(session: Session, ids: Any) -> dict[str, Entry]:
    """The approved or listed entry that each entry of a selection of ids is, or that replaced it, by its id.

    What replaced it covers the same on the same list; of those only one can be open.
    """
    first = aliased(Entry)
    query = (
        select(first.id, Entry)
        .join(first, and_(col(first.list) == Entry.list, col(first.fingerprint) == Entry.fingerprint))
        .where(col(first.id).in_(ids), col(Entry.status).in_(sorted(LIVE)))
    )
    return dict(session.exec(query).all())


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
