"""What a step forward ends by leaves of its own: entries of which nothing but leaves is left.

They were submitted after the backup, so that their addresses and keys are nowhere. What is on a list leaves
it with the next version, at once and past every brake; what was begun and is on none goes back.
"""

from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import col, func, select

from app.backup.forward.state import CannotStep, Forward
from app.core.lifecycle import LIVE, DelistReason, Status
from app.entries import listing
from app.entries import service as entries
from app.entries.models import Entry
from app.lists import service as lists
from app.lists.models import MatchKey, Snapshot
from app.lists.sealing import everyone, recipients
from app.log import service as log
from app.platform.keyring import Keyring


def end_lost(at: Forward) -> int:
    """Take lost entries off their lists; how many were on their way or on one."""
    ended = 0
    for entry in entries.by_ids(at.session, sorted(at.lost)):
        is_wanted = entry.status is Status.SUBMITTED or entry.status in LIVE
        # It would have come back, had its overdue appeal been denied.
        if is_wanted or entry.delist_reason is DelistReason.EXPIRED:
            at.submit_again.setdefault(entry.organisation_id, []).append(entry.id)
        ended += entries.end(at.session, entry, DelistReason.EMERGENCY, at.now)
    at.session.flush()
    return ended


def finish_begun(at: Forward, released: set[str]) -> None:
    """Of each list, number the version that was begun and has no leaf yet, at the log's head of now.

    Raises CannotStep where two people released a difference that is another one now.
    """
    for name in sorted(at.replay.lists):
        newest = max(at.replay.lists[name].versions, default=0)
        if at.session.get(Snapshot, (name, newest + 1)) is None and _is_begun(at, name, newest):
            _number(at, name, newest + 1, name in released)


def _is_begun(at: Forward, name: str, newest: int) -> bool:
    query = select(Entry.seq).where(Entry.list == name, col(Entry.listed_in) > newest)
    return at.session.exec(query.limit(1)).first() is not None


def _number(at: Forward, name: str, version: int, is_released: bool) -> None:
    begun = (col(Entry.list) == name, col(Entry.listed_in) == version)
    gone = (*begun, col(Entry.status) != Status.LISTED)
    if is_released and at.session.exec(select(Entry.seq).where(*gone).limit(1)).first():
        raise CannotStep(
            f"version {version} of {name} was released and begun, and cannot be finished as it was"
        )
    _change(at, gone, listed_in=None)
    leaving = (
        col(Entry.list) == name,
        col(Entry.listed_in) < version,
        col(Entry.delisted_in).is_(None),
        col(Entry.status) != Status.LISTED,
    )
    is_withdrawn = col(Entry.delist_reason) == DelistReason.WITHDRAWN
    withdrawn = at.session.exec(select(func.count()).where(*leaving, is_withdrawn)).one()
    removed = at.session.exec(select(func.count()).where(*leaving)).one()
    _change(at, leaving, delisted_in=version)
    head, policy = log.sequence(at.session), lists.policy_in_force(at.session, name)
    published_at = at.now.replace(microsecond=0)
    at.session.add(
        Snapshot(
            list=name,
            version=version,
            published_at=published_at,
            expires_at=published_at + timedelta(days=policy.recheck_days),
            entry_count=listing.count_listed_at(at.session, name, version),
            added=at.session.exec(select(func.count()).where(*begun)).one(),
            removed=removed,
            log_size=head.size,
            log_root=head.root.hex(),
            withdrawn=withdrawn,
            is_released=is_released,
            is_staged=bool(policy.canaries),
        )
    )
    at.session.flush()


def _change(at: Forward, condition: tuple[sa.ColumnElement[bool], ...], **values: object) -> None:
    statement = sa.update(Entry).where(*condition).values(**values)
    at.session.execute(statement.execution_options(synchronize_session=False))
    at.session.expire_all()


def renew_match_keys(at: Forward, keyring: Keyring, taken_up: dict[str, int]) -> None:
    """Keys of hashes made after the backup are lost: the next has a number that none of those can have."""
    for name, count in sorted(taken_up.items()):
        query = select(MatchKey).where(MatchKey.list == name).order_by(col(MatchKey.number).desc()).limit(1)
        newest = at.session.exec(query).first()
        if not count:
            continue
        number = (newest.number if newest else 0) + count + 1
        keyring.match_keys(name).make(number)
        version = max(at.replay.lists[name].versions, default=0)
        known = everyone(recipients(at.session, name))
        at.session.add(
            MatchKey(list=name, number=number, first_version=version + 1, made_at=at.now, recipients=known)
        )
    at.session.flush()
