"""What the publisher does for appeals in its rounds: matching, the deadline, coming back, and destroying.

Each step is harmless when repeated. A new appeal is matched with the entries there are then: an appeal filed
ahead of a listing does not shorten the listing's life, though whoever decides the appeal sees it.
"""

from collections import defaultdict
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.appeals import concern, secrets
from app.appeals.concern import Sought
from app.appeals.models import Appeal, AppealEntry
from app.core.lifecycle import DelistReason
from app.core.terms import AppealOutcome
from app.entries import covered
from app.entries import service as entries
from app.log import service as log
from app.platform.database import Database
from app.platform.keyring import Keyring

AT_ONCE = 50


def each_round(database: Database, keyring: Keyring, now: datetime) -> None:
    """One short look whether there is work, and the work in one transaction."""
    with database.reading() as session:
        is_due = _is_due(session, now)
    if is_due:
        with database.writing() as session:
            match(session, keyring, now)
            expire_overdue(session, now)
            bring_back(session, now)
            destroy_due(session, now)


def match(session: Session, keyring: Keyring, now: datetime) -> int:
    """Find the entries that new appeals concern, of the oldest ones first; returns how many appeals."""
    new = list(session.exec(_unmatched().limit(AT_ONCE)))
    opened = secrets.of(session, keyring.epochs, [one.id for one in new])
    sought = {one.id: Sought(opened[one.id].canonical_url, one.list) for one in new}
    for appeal, concerned in concern.entries_of(session, keyring, sought).items():
        session.add_all(AppealEntry(appeal_id=appeal, entry_id=entry.id) for entry in concerned)
    for one in new:
        one.matched_at = now
        session.add(one)
    session.flush()
    return len(new)


def expire_overdue(session: Session, now: datetime) -> int:
    """Take entries off their lists whose appeal nobody decided in time; returns how many.

    An entry of several such appeals expires for the oldest, and again for the next should it come back.
    """
    late = {entry.id: entry for entry in covered.live_among(session, _of_overdue(now))}
    if not late:
        return 0
    rows = session.exec(
        select(AppealEntry)
        .join(Appeal, col(Appeal.id) == col(AppealEntry.appeal_id))
        .where(*_overdue(now), col(AppealEntry.entry_id).in_(_of_overdue(now)))
        .order_by(col(Appeal.seq))
    )
    expired: dict[str, list[str]] = defaultdict(list)
    taken: set[str] = set()
    for row in rows:
        if row.entry_id in late and row.entry_id not in taken:
            row.is_expired = True
            session.add(row)
            taken.add(row.entry_id)
            expired[row.appeal_id].append(row.entry_id)
    for appeal, ids in expired.items():
        log.append(session, "appeal.overdue", now, appeal=appeal, entries=sorted(ids))
        for one in ids:
            entries.end(session, late[one], DelistReason.EXPIRED, now)
    return len(taken)


def bring_back(session: Session, now: datetime) -> int:
    """Reinstate what expired for appeals that are denied by now; returns how many are done with.

    An entry whose removal is still on its way out waits for that version.
    """
    rows = {row.entry_id: row for row in session.exec(_denied())}
    ready = [entry for entry in entries.by_ids(session, list(rows)) if not covered.is_leaving(session, entry)]
    for entry in ready:
        covered.reinstate(session, entry, now)
        rows[entry.id].is_expired = False
        session.add(rows[entry.id])
    session.flush()
    return len(ready)


def destroy_due(session: Session, now: datetime) -> int:
    """Destroy what long decided appeals hide; returns how many."""
    due = list(session.exec(select(Appeal).where(col(Appeal.destroy_by) <= now)))
    secrets.destroy(session, [one.id for one in due])
    for one in due:
        one.destroy_by = one.reason = None
        session.add(one)
    session.flush()
    return len(due)


def _is_due(session: Session, now: datetime) -> bool:
    looks = (_unmatched(), _denied(), select(Appeal).where(col(Appeal.destroy_by) <= now))
    if any(session.exec(query.limit(1)).first() for query in looks):
        return True
    return bool(covered.live_among(session, _of_overdue(now)))


def _unmatched() -> SelectOfScalar[Appeal]:
    return select(Appeal).where(col(Appeal.matched_at).is_(None)).order_by(col(Appeal.seq))


def _denied() -> SelectOfScalar[AppealEntry]:
    return (
        select(AppealEntry)
        .join(Appeal, col(Appeal.id) == col(AppealEntry.appeal_id))
        .where(col(AppealEntry.is_expired), Appeal.outcome == AppealOutcome.DENIED.value)
    )


def _overdue(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return col(Appeal.decided_at).is_(None), col(Appeal.decide_by) <= now


def _of_overdue(now: datetime) -> SelectOfScalar[str]:
    return (
        select(AppealEntry.entry_id)
        .join(Appeal, col(Appeal.id) == col(AppealEntry.appeal_id))
        .where(*_overdue(now))
    )
