"""What the worker `duties` does for appeals: matching, the deadline, coming back, lapsing, and destroying.

Each step is harmless when repeated. A new appeal is matched with the entries there are then: an appeal filed
ahead of a listing does not shorten the listing's life, though whoever decides the appeal sees it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from app.appeals import concern, secrets
from app.appeals.concern import Sought
from app.appeals.models import Appeal, AppealEntry
from app.core.lifecycle import DelistReason
from app.core.policy import Policy
from app.core.terms import AppealOutcome, AppealState
from app.entries import covered
from app.entries import service as entries
from app.entries.models import Entry
from app.lists import service as lists
from app.log import service as log
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.keyring import Keyring

AT_ONCE = 50
_CHUNK = 500


def each_round(database: Database, keyring: Keyring, clock: Clock) -> None:
    """One short look whether there is work, and the work in one transaction."""
    with database.reading() as session:
        is_due = _is_due(session, clock())
    if is_due:
        with database.writing() as session:
            now = clock()
            match(session, keyring, now)
            expire_overdue(session, now)
            bring_back(session, now)
            lapse(session, now)
            destroy_due(session, now)


def match(session: Session, keyring: Keyring, now: datetime) -> int:
    """Find the entries that new appeals concern, of the oldest ones first; returns how many appeals."""
    new = list(session.exec(_unmatched().limit(AT_ONCE)))
    opened = secrets.of(session, keyring.epochs, [one.id for one in new])
    sought = {one.id: Sought(opened[one.id].canonical_url, one.list) for one in new}
    for appeal, concerned in concern.of(session, keyring, sought).items():
        session.add_all(AppealEntry(appeal_id=appeal, entry_id=entry.id) for entry in concerned.entries)
    for one in new:
        one.matched_at = now
        session.add(one)
    session.flush()
    return len(new)


def expire_overdue(session: Session, now: datetime) -> int:
    """Take entries off their lists whose appeal nobody decided in time; returns how many.

    What replaced such an entry goes too: submitting an address anew is no way around its appeal. An entry of
    several such appeals expires for the oldest, and again for the next should it come back.
    """
    live = covered.live_for(session, _of_overdue(now))
    taken: set[str] = set()
    for appeal, rows in _overdue_rows(session, now, list(live)):
        late = {live[one].id: live[one] for one in rows if live[one].id not in taken}
        taken |= late.keys()
        _expire(session, appeal, rows, late, now)
    return len(taken)


def _overdue_rows(
    session: Session, now: datetime, ids: Sequence[str]
) -> list[tuple[Appeal, dict[str, AppealEntry]]]:
    """Overdue appeals, the oldest first, each with its rows of these entries."""
    appeals: dict[str, Appeal] = {}
    found: dict[str, dict[str, AppealEntry]] = defaultdict(dict)
    query = select(Appeal, AppealEntry).join(Appeal, col(Appeal.id) == col(AppealEntry.appeal_id))
    for start in range(0, len(ids), _CHUNK):
        some = col(AppealEntry.entry_id).in_(ids[start : start + _CHUNK])
        for appeal, row in session.exec(query.where(*_overdue(now), some)):
            appeals[appeal.id] = appeal
            found[appeal.id][row.entry_id] = row
    oldest_first = sorted(appeals.values(), key=lambda one: one.seq or 0)
    return [(appeal, found[appeal.id]) for appeal in oldest_first]


def _expire(
    session: Session,
    appeal: Appeal,
    rows: Mapping[str, AppealEntry],
    late: Mapping[str, Entry],
    now: datetime,
) -> None:
    """In as many leaves as it takes, each before what it allows."""
    for one in late:
        row = rows.get(one) or AppealEntry(appeal_id=appeal.id, entry_id=one)
        row.is_expired = True
        session.add(row)
    ids = sorted(late)
    for start in range(0, len(ids), covered.MOST):
        some = ids[start : start + covered.MOST]
        log.append(session, "appeal.overdue", now, appeal=appeal.log_id, entries=some)
        for one in some:
            entries.end(session, late[one], DelistReason.EXPIRED, now)


def bring_back(session: Session, now: datetime) -> int:
    """Reinstate what expired for appeals that are denied by now; returns how many are done with.

    An entry whose removal is still on its way out waits for that version. Of an entry and what replaced it
    the newer comes back.
    """
    rows = {row.entry_id: row for row in session.exec(_denied())}
    ready = [entry for entry in entries.by_ids(session, list(rows)) if not covered.is_leaving(session, entry)]
    for entry in sorted(ready, key=lambda one: one.seq or 0, reverse=True):
        covered.reinstate(session, entry, now)
        rows[entry.id].is_expired = False
        session.add(rows[entry.id])
    session.flush()
    return len(ready)


def lapse(session: Session, now: datetime) -> int:
    """End every appeal that nobody decided in its list's retention time after its date; returns how many.

    What it hides is destroyed. What had expired for it stays off its list, and was erased meanwhile unless it
    is held. Of no list, the longest retention time counts.
    """
    done = _lapsing(session, now)
    secrets.destroy(session, [one.id for one in done])
    for one in done:
        one.outcome, one.decided_at = AppealState.LAPSED.value, now.replace(microsecond=0)
        one.matched_at = one.matched_at or now
        session.add(one)
        log.append(session, "appeal.lapsed", now, appeal=one.log_id)
    session.flush()
    return len(done)


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
    return bool(_lapsing(session, now) or covered.live_for(session, _of_overdue(now)))


def _lapsing(session: Session, now: datetime) -> list[Appeal]:
    """The oldest ones that lapse. Every list keeps for a day at least, so that hardly ever one is asked."""
    late = select(Appeal).where(*_overdue(now - timedelta(days=1)))
    if session.exec(late.limit(1)).first() is None:
        return []
    kept = {name: timedelta(days=one.retention_days) for name, one in lists.policies(session).items()}
    ends = [sa.and_(col(Appeal.list) == name, *_overdue(now - one)) for name, one in kept.items()]
    longest = max(kept.values(), default=timedelta(days=Policy.model_fields["retention_days"].default))
    of_none = sa.and_(col(Appeal.list).is_(None), *_overdue(now - longest))
    return list(session.exec(late.where(sa.or_(of_none, *ends)).order_by(col(Appeal.seq)).limit(AT_ONCE)))


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
