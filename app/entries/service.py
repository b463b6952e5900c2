"""Entries after they were taken in: every transition, who sees what, and withdrawal."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, func, or_, select

from app.core import lifecycle
from app.core.lifecycle import LIVE, SETTLED, DelistReason, Event, Status, Takedown
from app.core.policy import Policy
from app.core.terms import Kind, Measure
from app.entries import collateral, secrets
from app.entries.models import OPINION_OPEN, Corroboration, Entry
from app.entries.schemas import Collateral, EntryView, RoutedBy
from app.entries.secrets import Opened
from app.identity.service import Caller
from app.lists import service as lists
from app.log import service as log
from app.platform.clock import instant
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


_LEAF = {
    Event.APPROVE: "approved",
    Event.REJECT: "rejected",
    Event.WITHDRAW: "withdrawn",
    Event.LIST: "listed",
    Event.DELIST: "delisted",
    Event.ERASE: "erased",
    Event.REOPEN: "reopened",
    Event.TAKE_BACK: "taken_back",
    Event.REINSTATE: "reinstated",
}


def transition(session: Session, entry: Entry, event: Event, now: datetime, **members: str) -> None:
    """The one way an entry changes state: by the machine, with its leaf, in this transaction.

    `members` go into the leaf. Raises a 409 problem when the state does not allow the event.
    """
    try:
        entry.status = lifecycle.after(entry.status, event)
    except lifecycle.NotAllowed as refused:
        raise Problem("state-conflict", str(refused), entry=entry.id) from None
    if event is Event.APPROVE:
        policy = lists.policy_in_force(session, entry.list)
        entry.recheck_by = now.replace(microsecond=0) + timedelta(days=policy.recheck_days)
        members = {**members, "recheck_by": instant(entry.recheck_by)}
    entry.settled_at = now if entry.status in SETTLED else None
    entry.takedown_due = entry.takedown_due or _is_for_takedown(session, entry)
    session.add(entry)
    session.flush()
    log.append(session, f"entry.{_LEAF[event]}", now, entry=entry.id, list=entry.list, **members)


def _is_for_takedown(session: Session, entry: Entry) -> bool:
    """It asks for removal, or its list asks for a notice first, or somebody was told already."""
    is_told = entry.routed_by is not None or entry.notice_at is not None
    if Measure.TAKEDOWN in entry.measures or is_told:
        return True
    return entry.is_blocking and lists.policy_in_force(session, entry.list).notice_first


def get(session: Session, entry_id: str) -> Entry | None:
    """An entry by id, whoever asks."""
    return session.exec(select(Entry).where(Entry.id == entry_id)).first()


def existing(session: Session, entry_id: str) -> Entry:
    """An entry by id, whoever asks. Raises a 404 problem."""
    entry = get(session, entry_id)
    if entry is None:
        raise Problem("not-found", "there is no entry of this id")
    return entry


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
        query = query.where(_shown_as(caller, wanted.status))
    if wanted.list:
        query = query.where(Entry.list == wanted.list)
    if wanted.since:
        query = query.where(col(Entry.submitted_at) >= wanted.since)
    return list(session.exec(query))


def _shown_as(caller: Caller, status: Status) -> sa.ColumnElement[bool]:
    is_so = col(Entry.status) == status
    if caller.kind is not Kind.REVIEW_BODY:
        return is_so
    is_blind = col(Entry.opinion_open).is_(True)
    return or_(is_so, is_blind) if status is Status.SUBMITTED else and_(is_so, ~is_blind)


def entering(session: Session, name: str) -> list[Entry]:
    """Approved entries for blocking that are on no version yet, in the order of submission."""
    query = select(Entry).where(
        Entry.list == name, Entry.status == Status.APPROVED, col(Entry.is_blocking).is_(True)
    )
    return list(session.exec(query.order_by(col(Entry.seq))))


def blind(session: Session, entry: Entry, is_blind: bool) -> None:
    """Show the entry to review bodies as submitted, or as it is again."""
    entry.opinion_open = is_blind
    session.add(entry)


def undecided(
    session: Session,
    without: Any,
    not_from: Collection[str],
    in_list: str | None,
    after: int,
    limit: int,
    narrowed: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Entries that stand open for decision, oldest first, but none that `without` holds or `not_from` sent.

    `without` is a selection of entry ids, `not_from` ids of organisations, `narrowed` values of columns.
    """
    query = (
        select(Entry)
        .where(*_stands_open(without, not_from), col(Entry.seq) > after)
        .order_by(col(Entry.seq))
        .limit(limit)
    )
    wanted = {**(narrowed or {}), **({"list": in_list} if in_list else {})}
    return list(session.exec(query.filter_by(**wanted)))


def count_undecided(
    session: Session, without: Any, not_from: Collection[str], before: datetime
) -> tuple[int, int]:
    """How many `undecided` would give of all lists, and how many of those were submitted before a moment."""
    is_old = sa.case((col(Entry.submitted_at) < before, 1), else_=0)
    query = sa.select(func.count(), func.coalesce(func.sum(is_old), 0)).select_from(Entry)
    count, old = session.execute(query.where(*_stands_open(without, not_from))).one()
    return int(count), int(old)


def _stands_open(without: Any, not_from: Collection[str]) -> tuple[sa.ColumnElement[bool], ...]:
    corroborated = select(Corroboration.entry_id).where(col(Corroboration.organisation_id).in_(not_from))
    # Each half by an index of its own; of an OR of both a planner would rather read every entry in order.
    some = aliased(Entry)
    submitted = sa.select(col(some.seq)).where(col(some.status) == Status.SUBMITTED)
    return (
        col(Entry.seq).in_(submitted.union_all(sa.select(col(some.seq)).where(OPINION_OPEN))),
        col(Entry.organisation_id).not_in(not_from),
        col(Entry.id).not_in(corroborated),
        col(Entry.id).not_in(without),
    )


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
    assessed = collateral.assess(session, caller, entries, shown)
    policies = {name: lists.policy_in_force(session, name) for name in {entry.list for entry in entries}}
    return [
        _view(
            entry,
            shown.get(entry.id),
            assessed.get(entry.id),
            corroborations.get(entry.id, 0),
            policies[entry.list],
            is_blind=caller.kind is Kind.REVIEW_BODY and entry.opinion_open,
        )
        for entry in entries
    ]


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


def end(session: Session, entry: Entry, reason: DelistReason, now: datetime, **members: str) -> bool:
    """Whatever its state, keep the entry off its list or get it off at once. False when it is off already."""
    if entry.status is Status.SUBMITTED:
        transition(session, entry, Event.WITHDRAW, now, **members)
    elif entry.status in LIVE:
        delist(session, entry, reason, now, **members)
    elif entry.status is Status.DELISTED and _may_be_seen_again(entry):
        hasten(session, entry, reason, now)
    else:
        return False
    return True


def _may_be_seen_again(entry: Entry) -> bool:
    """A held version still serves it, or it only expired and would come back once its appeal is denied."""
    is_served = bool(entry.listed_in) and entry.delisted_in is None
    return is_served or entry.delist_reason is DelistReason.EXPIRED


def hasten(session: Session, entry: Entry, reason: DelistReason, now: datetime) -> None:
    """A delisted entry that a held version still serves need not wait; one that expired stays away."""
    entry.delist_reason = reason
    entry.takedown_due = entry.takedown_due or _is_for_takedown(session, entry)
    session.add(entry)
    session.flush()
    log.append(session, "entry.hastened", now, entry=entry.id, list=entry.list, reason=reason.value)


def emergency(
    session: Session, caller: Caller, ids: Sequence[str], batch: str | None, now: datetime
) -> list[str]:
    """Take entries, or all of one batch, off their lists at once; returns the ids that were on their way.

    Bypasses every queue and brake. Raises a 404 problem when an entry or the batch does not exist.
    """
    if batch:
        found = list(session.exec(select(Entry).where(Entry.batch_id == batch).order_by(col(Entry.seq))))
    else:
        found = by_ids(session, ids)
    if not found or len(found) < len(set(ids)):
        raise Problem("not-found", "there is no such batch, or not every entry exists; nothing was delisted")
    reason, client = DelistReason.EMERGENCY, caller.client_id
    return [entry.id for entry in found if end(session, entry, reason, now, client=client)]


def _may_see(session: Session, caller: Caller, entry: Entry) -> bool:
    if caller.kind is Kind.REVIEW_BODY:
        return True
    return caller.kind is Kind.HOTLINE and caller.organisation_id in submitters(session, entry)


def _opens(caller: Caller, entry: Entry) -> bool:
    if entry.status is Status.ERASED:
        return False
    return caller.kind is Kind.REVIEW_BODY or caller.organisation_id == entry.organisation_id


_BLIND = {"status": Status.SUBMITTED, "takedown": Takedown.NOT_STARTED} | dict.fromkeys(
    ("recheck_by", "listed_in", "delisted_in", "delist_reason", "notice_at")
)
"""What a body that is asked for a second opinion sees in the place of what became of the entry."""


def _view(
    entry: Entry,
    opened: Opened | None,
    assessed: Collateral | None,
    corroborations: int,
    policy: Policy,
    is_blind: bool,
) -> EntryView:
    return EntryView(
        **entry.model_dump(include=set(EntryView.model_fields) - {"routed_by"})
        | (_BLIND if is_blind else {}),
        routed_by=[] if is_blind else [RoutedBy.model_validate(step) for step in entry.routed_by or ()],
        submitted_by=entry.organisation_id,
        corroborations=corroborations,
        quorum=policy.needed(entry.scope, entry.is_protected),
        collateral=assessed,
        canonical_url=opened.canonical_url if opened else None,
        commitment_key=opened.commitment_key.hex() if opened else None,
        statement=opened.statement if opened else None,
        scope_reason=opened.scope_reason if opened else None,
        hotline_reference=opened.hotline_reference if opened else None,
        hosting_provider=opened.hosting_provider if opened else None,
        hosting_address=opened.hosting_address if opened else None,
    )
