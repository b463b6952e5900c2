"""Entries after they were taken in: every transition, who sees what, and withdrawal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, or_, select

from app.core import lifecycle
from app.core.lifecycle import SETTLED, DelistReason, Event, Status
from app.core.terms import Kind
from app.entries import secrets
from app.entries.models import Corroboration, Entry
from app.entries.schemas import EntryView
from app.entries.secrets import Opened
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.epochs import Epochs
from app.platform.problems import Problem


@dataclass(frozen=True)
class Wanted:
    """Filters of a listing. `after` is the place of the last entry of the page before."""

    status: Status | None = None
    list: str | None = None
    since: datetime | None = None
    after: int = 0
    limit: int = 100


def transition(session: Session, entry: Entry, event: Event, now: datetime, **members: str) -> None:
    """The one way an entry changes state: by the machine, with its leaf, in this transaction.

    `members` go into the leaf. Raises a 409 problem when the state does not allow the event.
    """
    try:
        entry.status = lifecycle.after(entry.status, event)
    except lifecycle.NotAllowed as refused:
        raise Problem("state-conflict", str(refused), entry=entry.id) from None
    if event is Event.APPROVE:
        policy = lists.policy(session, entry.list)
        entry.recheck_by = now + timedelta(days=policy.recheck_days) if policy else None
    if entry.status in SETTLED:
        entry.settled_at = now
    session.add(entry)
    session.flush()
    log.append(session, f"entry.{entry.status.value}", now, entry=entry.id, list=entry.list, **members)


def get(session: Session, entry_id: str) -> Entry | None:
    """An entry by id, whoever asks."""
    return session.exec(select(Entry).where(Entry.id == entry_id)).first()


def by_ids(session: Session, ids: Sequence[str]) -> list[Entry]:
    """Entries by id, in the order asked."""
    found: dict[str, Entry] = {}
    for start in range(0, len(ids), 500):
        query = select(Entry).where(col(Entry.id).in_(ids[start : start + 500]))
        found |= {entry.id: entry for entry in session.exec(query)}
    return [found[one] for one in ids if one in found]


def secret(session: Session, epochs: Epochs, entry: Entry) -> Opened | None:
    """What the entry hides; None once erased."""
    return None if entry.status is Status.ERASED else secrets.of(session, epochs, [entry.id]).get(entry.id)


def submitters(session: Session, entry: Entry) -> set[str]:
    """Organisations that submitted or corroborated the entry."""
    query = select(Corroboration.organisation_id).where(Corroboration.entry_id == entry.id)
    return {entry.organisation_id, *session.exec(query)}


def visible(session: Session, caller: Caller, entry_id: str) -> Entry:
    """The entry, if the caller may see it: a hotline its own, a review body all. Raises 404."""
    entry = get(session, entry_id)
    if entry is None or not _may_see(session, caller, entry):
        raise Problem("not-found", "there is no entry of this id for you")
    return entry


def page(session: Session, caller: Caller, wanted: Wanted) -> list[Entry]:
    """Entries the caller may see, in the order of submission, at most `limit`."""
    query = select(Entry).where(col(Entry.seq) > wanted.after).order_by(col(Entry.seq)).limit(wanted.limit)
    if caller.kind is Kind.HOTLINE:
        mine = select(Corroboration.entry_id).where(Corroboration.organisation_id == caller.organisation_id)
        query = query.where(
            or_(col(Entry.organisation_id) == caller.organisation_id, col(Entry.id).in_(mine))
        )
    if wanted.status:
        query = query.where(Entry.status == wanted.status)
    if wanted.list:
        query = query.where(Entry.list == wanted.list)
    if wanted.since:
        query = query.where(col(Entry.submitted_at) >= wanted.since)
    return list(session.exec(query))


def undecided(
    session: Session,
    organisation_id: str,
    decided: Any,
    in_list: str | None,
    after: int,
    limit: int,
) -> list[Entry]:
    """Submitted entries, oldest first, but those this organisation submitted or `decided` holds."""
    mine = select(Corroboration.entry_id).where(Corroboration.organisation_id == organisation_id)
    query = (
        select(Entry)
        .where(
            Entry.status == Status.SUBMITTED,
            Entry.organisation_id != organisation_id,
            col(Entry.id).not_in(mine),
            col(Entry.id).not_in(decided),
            col(Entry.seq) > after,
        )
        .order_by(col(Entry.seq))
        .limit(limit)
    )
    if in_list:
        query = query.where(Entry.list == in_list)
    return list(session.exec(query))


def views(session: Session, epochs: Epochs, caller: Caller, entries: Sequence[Entry]) -> list[EntryView]:
    """Entries as this caller sees them: secrets for submitter and reviewers only."""
    ids = [entry.id for entry in entries]
    shown = secrets.of(session, epochs, [entry.id for entry in entries if _opens(caller, entry)])
    corroborations: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        counted = session.exec(
            select(Corroboration.entry_id, func.count())
            .where(col(Corroboration.entry_id).in_(some))
            .group_by(col(Corroboration.entry_id))
        )
        corroborations |= dict(counted.all())
    return [_view(entry, shown.get(entry.id), corroborations.get(entry.id, 0)) for entry in entries]


def withdraw(session: Session, caller: Caller, entry_id: str, now: datetime) -> Entry:
    """The submitter takes its entry back; a listed one leaves the next version. Raises Problem."""
    entry = visible(session, caller, entry_id)
    if entry.organisation_id != caller.organisation_id:
        raise Problem("forbidden", "only the organisation that submitted an entry withdraws it")
    if entry.status is Status.LISTED:
        delist(session, entry, DelistReason.WITHDRAWN, now, client=caller.client_id)
    else:
        transition(session, entry, Event.WITHDRAW, now, client=caller.client_id)
    return entry


def delist(session: Session, entry: Entry, reason: DelistReason, now: datetime, **members: str) -> None:
    """Take an entry off its list; the next version is without it. Raises a 409 problem."""
    entry.delist_reason = reason
    transition(session, entry, Event.DELIST, now, reason=reason.value, **members)


def _may_see(session: Session, caller: Caller, entry: Entry) -> bool:
    if caller.kind is Kind.REVIEW_BODY:
        return True
    return caller.kind is Kind.HOTLINE and caller.organisation_id in submitters(session, entry)


def _opens(caller: Caller, entry: Entry) -> bool:
    if entry.status is Status.ERASED:
        return False
    return caller.kind is Kind.REVIEW_BODY or caller.organisation_id == entry.organisation_id


def _view(entry: Entry, opened: Opened | None, corroborations: int) -> EntryView:
    return EntryView(
        **entry.model_dump(
            exclude={"seq", "organisation_id", "client_id", "fingerprint", "is_blocking", "settled_at"}
        ),
        submitted_by=entry.organisation_id,
        corroborations=corroborations,
        canonical_url=opened.canonical_url if opened else None,
        commitment_key=opened.commitment_key.hex() if opened else None,
        statement=opened.statement if opened else None,
        hotline_reference=opened.hotline_reference if opened else None,
    )
