"""Turning a log position into a version of a list. The files' bytes depend on nothing else.

Three steps, each repeatable after a crash: `prepare` (one transaction: transitions, their leaves, the
log position), `settle` (to whom it is sealed), and once the files are written `seal` (one transaction:
digests, manifest and the `list.published` leaf). Source: design section 7.
"""

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select

from app.core.manifest import Manifest
from app.core.policy import Policy
from app.entries import listing as entries
from app.identity.service import Caller
from app.lists import brakes, sealing, staging
from app.lists import service as lists
from app.lists.brakes import Verdict
from app.lists.models import BlockList, Snapshot
from app.log import service as log
from app.platform.keyring import Keyring
from app.platform.problems import Problem

AT_MOST_ONE_PER = timedelta(seconds=1)
_RECENT = 1000
"""Versions before the newest: files of older ones are long gone."""


def latest(session: Session, name: str, served: bool = False) -> Snapshot | None:
    """The newest version, or the newest that is served."""
    query = select(Snapshot).where(Snapshot.list == name).order_by(col(Snapshot.version).desc()).limit(1)
    return session.exec(query.where(col(Snapshot.is_served)) if served else query).first()


def newest(session: Session, name: str, caller: Caller | None = None) -> int:
    """The newest version that all may have, or this caller: a canary has it while it is staged. 0: none.

    Every version up to it is there for the same, also one that was taken back: its delta leads to the next.
    """
    last = latest(session, name)
    if last is None or last.is_served:
        return last.version if last else 0
    is_there: sa.ColumnElement[bool] = col(Snapshot.is_served).is_(True)
    if caller and caller.organisation_id in lists.canaries(session, name):
        is_there = or_(is_there, col(Snapshot.staged_at).is_not(None))
    return session.exec(select(func.max(Snapshot.version)).where(Snapshot.list == name, is_there)).one() or 0


def newest_for_canaries(session: Session, name: str) -> Snapshot | None:
    """The newest version that is served or staged: what the list's canaries may have."""
    is_there = or_(col(Snapshot.is_served), col(Snapshot.staged_at).is_not(None))
    query = select(Snapshot).where(Snapshot.list == name, is_there)
    return session.exec(query.order_by(col(Snapshot.version).desc()).limit(1)).first()


def taken_back(session: Session, name: str) -> set[int]:
    """Versions that are never served to all."""
    query = select(Snapshot.version).where(Snapshot.list == name, col(Snapshot.taken_back_at).is_not(None))
    return set(session.exec(query).all())


class Position(NamedTuple):
    """Where a list stands: numbers of versions, 0 for none.

    All may have versions up to `served`, canaries those up to `for_canaries`. `last` may be unfinished.
    `on_trial` are later than `served` and nothing is decided on them; `taken_back` are recent ones.
    """

    last: int
    served: int
    for_canaries: int
    on_trial: frozenset[int]
    taken_back: frozenset[int]


def position(session: Session, name: str) -> Position:
    """Of a list there is; newest() says the same for each caller."""
    last, served, early = (
        latest(session, name),
        latest(session, name, served=True),
        newest_for_canaries(session, name),
    )
    number = served.version if served else 0
    query = select(Snapshot.version, Snapshot.taken_back_at).where(
        Snapshot.list == name,
        col(Snapshot.version) > number - _RECENT,
        col(Snapshot.is_staged),
        col(Snapshot.promoted_at).is_(None),
    )
    staged = list(session.exec(query))
    return Position(
        last.version if last else 0,
        number,
        early.version if early else 0,
        frozenset(version for version, _ in staged if version > number),
        frozenset(version for version, taken_back_at in staged if taken_back_at),
    )


def visible(session: Session, caller: Caller, name: str, version: int | None) -> Snapshot:
    """A version the caller may have, the newest when None. Raises a 404 problem."""
    highest = newest(session, name, caller)
    found = session.get(Snapshot, (name, version or highest)) if (version or 1) <= highest else None
    if found is None:
        raise unknown()
    return found


def unknown() -> Problem:
    """The 404 problem of a version that is not there for the caller."""
    return Problem("not-found", "this list has no such version yet")


def page(session: Session, caller: Caller, name: str, before: int, limit: int) -> list[Snapshot]:
    """Versions below `before` (0: all) that the caller may have, newest first."""
    highest = newest(session, name, caller)
    query = (
        select(Snapshot)
        .where(Snapshot.list == name, col(Snapshot.version) <= highest)
        .order_by(col(Snapshot.version).desc())
        .limit(limit)
    )
    return list(session.exec(query.where(col(Snapshot.version) < before) if before else query))


def is_due(session: Session, name: str, now: datetime) -> bool:
    """Whether `prepare` would have something to do now."""
    last = latest(session, name)
    if last and (last.is_taken_back or not last.is_finished):
        return True
    if entries.is_urgent(session, name) or (last and last.is_on_trial and sealing.is_lost(session, last)):
        return True
    if last and (now - last.published_at < AT_MOST_ONE_PER or not last.is_served):
        return False
    if sealing.is_due(session, last, now):
        return True
    held = brakes.in_force(session, name)
    return brakes.needs_a_look(session, held, now) if held else entries.is_list_changed(session, name, now)


def prepare(session: Session, name: str, now: datetime) -> Snapshot | None:
    """The version to finish: the unfinished one, or the next, with its entries taken up.

    None when a brake holds what waits and nothing else does; sealing anew waits for no brake. With canaries,
    what is urgent goes out in a version of its own: it waits for nobody's receipt. A version on trial is
    taken back when something urgent comes, or when somebody leaves whom it is sealed to.
    """
    last = latest(session, name)
    if last and not last.is_finished:
        return last
    policy, is_urgent = lists.policy_in_force(session, name), entries.is_urgent(session, name)
    is_open = last is not None and not (last.is_served or last.is_taken_back)
    if last and is_open:
        is_overtaken = is_urgent or sealing.is_lost(session, last)
        if not (is_overtaken and staging.take_back(session, last, now)):
            return None
    is_recall = last is not None and last.is_taken_back
    is_apart = is_recall or (is_urgent and bool(policy.canaries))
    verdict = Verdict(True) if is_apart else brakes.judge(session, name, policy, now)
    is_wanted = is_urgent if verdict.is_held else entries.is_list_changed(session, name, now)
    if not (is_recall or is_wanted or sealing.is_due(session, last, now)):
        return None
    return _begin(session, name, last.version + 1 if last else 1, policy, now, verdict)


def _begin(
    session: Session, name: str, version: int, policy: Policy, now: datetime, verdict: Verdict
) -> Snapshot:
    withdrawn = 0 if verdict.is_held else len(entries.waiting(session, name, now).removed)
    added, removed = entries.take_up(session, name, version, now, verdict.is_held)
    head = log.sequence(session)
    snapshot = Snapshot(
        list=name,
        version=version,
        published_at=now.replace(microsecond=0),
        expires_at=now.replace(microsecond=0) + timedelta(days=policy.recheck_days),
        entry_count=entries.count_listed_at(session, name, version),
        added=added,
        removed=removed,
        log_size=head.size,
        log_root=head.root.hex(),
        withdrawn=withdrawn,
        is_released=verdict.is_released,
        is_held=verdict.is_held,
        is_staged=bool(policy.canaries) and not verdict.is_held,
    )
    session.add(snapshot)
    session.flush()
    return snapshot


def settle(session: Session, keyring: Keyring, snapshot: Snapshot, now: datetime) -> Snapshot:
    """Say to whom an unfinished version is sealed, as of now."""
    stored = session.get_one(Snapshot, (snapshot.list, snapshot.version), populate_existing=True)
    if stored.manifest is None:
        sealing.fix(session, keyring, stored, now)
    return stored


def seal(session: Session, snapshot: Snapshot, manifest: Manifest, jws: str, now: datetime) -> bool:
    """Fix the manifest and put it on the record; before this nothing of the version is public.

    False when somebody was subscribed or taken off since `settle`: its files must be written again.
    """
    sealed_to = sealing.recipients(session, manifest.list)
    if snapshot.manifest is None and snapshot.recipients_sha256 != sealing.digest(sealed_to):
        return False
    snapshot = session.get_one(Snapshot, (manifest.list, manifest.version))
    if snapshot.manifest is not None:
        return True
    snapshot.manifest, snapshot.manifest_jws = manifest.to_bytes(), jws
    snapshot.content_sha256 = manifest.content_sha256
    snapshot.commitments_sha256 = manifest.commitments_sha256
    session.add(snapshot)
    session.flush()
    log.append(
        session,
        "list.published",
        now,
        commitments_sha256=manifest.commitments_sha256,
        content_sha256=manifest.content_sha256,
        entry_count=manifest.entry_count,
        held=snapshot.is_held,
        list=manifest.list,
        log_size=manifest.log_size,
        manifest_sha256=hashlib.sha256(snapshot.manifest).hexdigest(),
        version=manifest.version,
    )
    return True


def mark_served(session: Session, snapshot: Snapshot) -> None:
    """The files and the TUF metadata are on the disk: clients may be told."""
    stored = session.get_one(Snapshot, (snapshot.list, snapshot.version))
    stored.is_served = True
    session.add(stored)


def get(session: Session, name: str, version: int) -> Snapshot:
    """A version there is. Raises NoResultFound."""
    return session.get_one(Snapshot, (name, version))


def find(session: Session, name: str, version: int) -> Snapshot | None:
    """A version, whether somebody may have it or not."""
    return session.get(Snapshot, (name, version))


def is_served(session: Session, name: str, version: int) -> bool:
    """Whether that version, or a later one, is out for all."""
    return newest(session, name) >= version


def names(session: Session) -> list[str]:
    """Every list's name."""
    return list(session.exec(select(BlockList.name).order_by(col(BlockList.name))))
