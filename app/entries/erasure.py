"""Erasure and legal holds: an entry's secret goes, its leaves stay.

An erasure has two steps. The first is a transition with its leaf; from then on nobody is shown the secret.
The second destroys key, ciphertext and files, once the leaf is public and no served version holds the entry.
Source: design section 1, promise 4; section 3.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.core.lifecycle import LIVE, SETTLED, DelistReason, Event, Status
from app.core.terms import ErasureReason, HoldReason
from app.entries import covered, secrets, service
from app.entries.models import Entry, EntryKey, LegalHold
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.clock import instant
from app.platform.problems import Problem, at_field

LONGEST_HOLD = timedelta(days=90)


@dataclass(frozen=True)
class Waiting:
    """An erased entry whose secret still is there, and the versions that held it: lately, and earlier."""

    entry: str
    list: str
    listed_in: int | None
    delisted_in: int | None
    earlier: tuple[tuple[int, int], ...] = ()


def request(session: Session, caller: Caller, entry_id: str, reason: ErasureReason, now: datetime) -> Entry:
    """Erase one entry, wherever it stands; a listed one leaves its list first. Raises Problem."""
    entry = service.existing(session, entry_id)
    if reason is ErasureReason.RETENTION and not _is_due(session, entry, now):
        raise Problem("state-conflict", "its retention time has not ended; give the reason that applies")
    if entry.status is Status.SUBMITTED:
        service.transition(session, entry, Event.WITHDRAW, now, client=caller.client_id)
    elif entry.status in LIVE:
        service.delist(session, entry, DelistReason.EMERGENCY, now, client=caller.client_id)
    _erase(session, entry, reason, now, client=caller.client_id)
    return entry


def erase_due(session: Session, now: datetime) -> int:
    """Erase what has been settled for its list's retention time and is on no hold; returns how many."""
    kept = {name: timedelta(days=one.retention_days) for name, one in lists.policies(session).items()}
    settled = select(Entry).where(col(Entry.status).in_(list(SETTLED)), col(Entry.settled_at).is_not(None))
    due = [one for one in session.exec(settled) if one.settled_at and one.settled_at + kept[one.list] <= now]
    free = [entry for entry in due if held_until(session, entry.id, now) is None]
    for entry in free:
        _erase(session, entry, ErasureReason.RETENTION, now)
    return len(free)


def waiting(session: Session) -> list[Waiting]:
    """Erased entries whose secret is still to be destroyed."""
    query = (
        select(Entry)
        .join(EntryKey, col(EntryKey.entry_id) == col(Entry.id))
        .where(Entry.status == Status.ERASED)
    )
    found = list(session.exec(query))
    stays = covered.earlier_stays(session, [one.id for one in found])
    return [
        Waiting(one.id, one.list, one.listed_in, one.delisted_in, tuple(stays.get(one.id, ())))
        for one in found
    ]


def destroy(session: Session, entry_id: str) -> None:
    """The second step."""
    secrets.destroy(session, entry_id)


def hold(
    session: Session, caller: Caller, entry_id: str, reason: HoldReason, until: datetime, now: datetime
) -> LegalHold:
    """Stay an entry's erasure, or renew one's stay. Raises Problem."""
    entry = service.existing(session, entry_id)
    if entry.status is Status.ERASED:
        raise Problem("state-conflict", "the entry is erased; nothing is left to hold")
    if not now < until <= now + LONGEST_HOLD:
        raise at_field("invalid-input", "until", "a hold ends within 90 days; renew it before it does")
    placed = LegalHold(
        entry_id=entry_id,
        organisation_id=caller.organisation_id,
        client_id=caller.client_id,
        reason=reason,
        placed_at=now,
        until=until.replace(microsecond=0),
    )
    session.merge(placed)
    members = {"client": caller.client_id, "organisation": caller.organisation_id}
    log.append(
        session, "hold.placed", now, entry=entry_id, reason=reason.value, until=instant(until), **members
    )
    return placed


def lift(session: Session, caller: Caller, entry_id: str, now: datetime) -> LegalHold:
    """End one's own hold before its date. Raises Problem."""
    found = session.get(LegalHold, (entry_id, caller.organisation_id))
    if found is None or found.until <= now:
        raise Problem("not-found", "your organisation holds no such entry")
    session.delete(found)
    members = {"client": caller.client_id, "organisation": caller.organisation_id}
    log.append(session, "hold.lifted", now, entry=entry_id, **members)
    return found


def held_until(session: Session, entry_id: str, now: datetime) -> datetime | None:
    """When the last hold in force ends; None without one."""
    query = select(LegalHold.until).where(LegalHold.entry_id == entry_id, col(LegalHold.until) > now)
    return max(session.exec(query), default=None)


def _erase(session: Session, entry: Entry, reason: ErasureReason, now: datetime, **members: str) -> None:
    until = held_until(session, entry.id, now)
    if until:
        raise Problem("legal-hold", f"the entry is on hold until {instant(until)}", until=instant(until))
    entry.fingerprint = entry.host_fingerprint = entry.routed_by = None
    service.blind(session, entry, False)
    service.transition(session, entry, Event.ERASE, now, reason=reason.value, **members)


def _is_due(session: Session, entry: Entry, now: datetime) -> bool:
    policy = lists.policy(session, entry.list)
    if policy is None or entry.settled_at is None or entry.status not in SETTLED:
        return False
    return entry.settled_at + timedelta(days=policy.retention_days) <= now
