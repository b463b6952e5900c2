"""The step forward, from first leaf to last proof. Nothing of it is kept when any of it fails."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session

from app.backup import agreement, seen
from app.backup.forward import adopting, closing, entries, lists, participants, reports, takedowns
from app.backup.forward.state import CannotStep, Forward, Leaf
from app.backup.seen import Sight
from app.core import note
from app.core.replay import Deviation, Replay
from app.log import service as log
from app.log.models import Leaf as LeafRow
from app.platform.keyring import Keyring
from app.platform.settings import Settings

CARRY = {**participants.CARRY, **entries.CARRY, **lists.CARRY, **takedowns.CARRY, **reports.CARRY}
"""Every type of leaf that rows can follow. Others mean that the step is refused."""


@dataclass(frozen=True)
class Asked:
    """When it is, and files with signed reports of months that were closed after the backup."""

    now: datetime
    reports: tuple[Path, ...] = ()


@dataclass
class Stepped:
    """What a step forward did: leaves taken over, versions by list, and what a person must see to.

    `submit_again` has the ids of lost entries by the organisation that submitted them.
    """

    leaves: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    lost_entries: int = 0
    ended_entries: int = 0
    submit_again: dict[str, list[str]] = field(default_factory=dict)
    missing_files: int = 0
    erased: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def step(
    settings: Settings, session: Session, keyring: Keyring, replay: Replay, sight: Sight, asked: Asked
) -> Stepped:
    """Bring rows and files to what a place shows. `replay` has the database's leaves.

    Raises CannotStep, seen.Forked, agreement.Disagreement, places.Unreachable and OSError.
    """
    done = Stepped()
    if sight.published is None:
        raise CannotStep(f"{sight.place} does not show TUF's metadata, which the next must go on from")
    at = Forward(session, replay, asked.now, reports=reports.kept(asked.reports))
    for name in adopting.see_to_keys(settings, sight.published):
        at.note(f"the key of list {name} is not in the backup, so it gets a new one with the next round")
    at.listed = {name: set(found.listed) for name, found in replay.lists.items()}
    versions = lists.Versions(at, sight.place, keyring)
    replay.on_published = versions.meet
    before = {name: len(found.versions) for name, found in replay.lists.items()}
    if sight.checkpoint and sight.checkpoint.size > replay.size:
        done.leaves = _take_over(at, versions, sight, sight.checkpoint)
    replay.on_published = lambda *_: None
    entries.settle(at)
    done.versions = {name: len(found.versions) - before.get(name, 0) for name, found in replay.lists.items()}
    lists.serve(at, adopting.led_to(session, sight.published))
    done.lost_entries, done.ended_entries = len(at.lost), closing.end_lost(at)
    done.submit_again = at.submit_again
    takedowns.close(at)
    closing.finish_begun(at, versions.released)
    closing.renew_match_keys(at, keyring, done.versions)
    done.missing_files = adopting.adopt(settings, session, sight.place, sight.published)
    log.sequence(session)
    agreement.check(session)
    done.erased, done.notes = at.erased, at.notes
    return done


def _take_over(at: Forward, versions: lists.Versions, sight: Sight, checkpoint: note.Checkpoint) -> int:
    """The leaves behind the backup's, once they are seen to lead to the signed root. Raises as `step`."""
    bodies = list(seen.leaves(sight.place, at.replay.size, checkpoint.size))
    own = seen.root_of(seen.first(at.session, at.replay.size), bodies)
    if own != checkpoint.root:
        raise seen.Forked(
            f"the leaves that {sight.place} shows do not lead from the backup to what was signed"
        )
    for body in bodies:
        leaf: Leaf = json.loads(body)
        at.session.execute(sa.insert(LeafRow), [{"body": body, "entry_id": leaf.get("entry")}])
        _follow(at, versions, body, leaf)
    at.session.flush()
    head = log.sequence(at.session)
    if (head.size, head.root) != (checkpoint.size, checkpoint.root):
        raise seen.Forked("the leaves in the database do not lead to what was signed")
    return len(bodies)


def _follow(at: Forward, versions: lists.Versions, body: bytes, leaf: Leaf) -> None:
    try:
        at.replay.feed(body)
    except Deviation as deviation:
        raise seen.Forked(f"the log that was published does not replay: {deviation}") from None
    carry = CARRY.get(leaf["type"])
    if carry is None:
        raise CannotStep(f"a leaf of type {leaf['type']} came after the backup, which rows cannot follow")
    versions.note_release(leaf)
    versions.take_up()
    carry(at, leaf)
    at.session.flush()
