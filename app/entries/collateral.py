"""An entry's collateral assessment: what else is known on its host, and what kind of host that is.

Only for whoever may open the entry. Source: ECtHR Yildirim v. Turkey and Kharitonov v. Russia.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, and_, col, func, or_, select

from app.core import url
from app.core.collateral import Protection
from app.core.lifecycle import OPEN, DelistReason, Status
from app.core.policy import WIDE
from app.core.terms import EntryScope, Kind
from app.entries import secrets
from app.entries.models import Entry
from app.entries.schemas import Collateral
from app.entries.secrets import Opened
from app.identity.service import Caller
from app.lists import protection
from app.log import service as log
from app.platform.epochs import Epochs


def assess(
    session: Session, caller: Caller, entries: Sequence[Entry], opened: Mapping[str, Opened]
) -> dict[str, Collateral]:
    """The assessment of each entry that `opened` holds, by id; a hotline's counts are of its own entries.

    Otherwise a hotline could ask about any host by submitting something on it.
    """
    shown = [entry for entry in entries if entry.id in opened]
    hosts = {entry.host_fingerprint for entry in shown if entry.host_fingerprint}
    counts = _on_hosts(session, hosts, caller.organisation_id if caller.kind is Kind.HOTLINE else None)
    protections = {name: protection.of(session, name) for name in {entry.list for entry in shown}}
    return {
        entry.id: _one(entry, opened[entry.id], protections[entry.list], counts.get(entry.host_fingerprint))
        for entry in shown
    }


def protect(session: Session, epochs: Epochs, name: str, now: datetime) -> list[str]:
    """Mark wide entries as the list's protected hosts now ask; returns listed ones that are covered.

    All that are open, and those that expired, for a denied appeal brings them back. Each that changes gets
    its leaf: from then on it needs more bodies, or no longer does.
    """
    comes_back = and_(col(Entry.status) == Status.DELISTED, col(Entry.delist_reason) == DelistReason.EXPIRED)
    query = select(Entry).where(
        Entry.list == name,
        col(Entry.scope).in_(list(WIDE)),
        or_(col(Entry.status).in_(list(OPEN)), comes_back),
    )
    entries = list(session.exec(query))
    opened = secrets.of(session, epochs, [entry.id for entry in entries])
    rules = protection.of(session, name)
    for entry in entries:
        host = url.host_of(opened[entry.id].canonical_url)
        is_protected = rules.covers_protected(entry.scope, host)
        if is_protected != entry.is_protected:
            entry.is_protected = is_protected
            session.add(entry)
            log.append(session, "entry.protected", now, entry=entry.id, list=name, protected=is_protected)
    return [entry.id for entry in entries if entry.is_protected and entry.status is Status.LISTED]


def _one(entry: Entry, opened: Opened, rules: Protection, counted: tuple[int, int] | None) -> Collateral:
    entries, organisations = counted or (1, 1)
    return Collateral(
        suffix_class=rules.suffix_class(url.host_of(opened.canonical_url)),
        is_protected=rules.covers_protected(EntryScope.HOST, url.host_of(opened.canonical_url))
        or entry.is_protected,
        other_entries=entries - 1,
        other_organisations=organisations - 1,
    )


def _on_hosts(session: Session, hosts: set[str], only: str | None) -> dict[str | None, tuple[int, int]]:
    found: dict[str | None, tuple[int, int]] = {}
    wanted = sorted(hosts)
    for start in range(0, len(wanted), 500):
        query = (
            select(
                Entry.host_fingerprint, func.count(), func.count(func.distinct(col(Entry.organisation_id)))
            )
            .where(col(Entry.host_fingerprint).in_(wanted[start : start + 500]))
            .group_by(col(Entry.host_fingerprint))
        )
        if only:
            query = query.where(Entry.organisation_id == only)
        found |= {host: (entries, organisations) for host, entries, organisations in session.exec(query)}
    return found
