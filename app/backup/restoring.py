"""Restoring a backup into an empty place, never behind what clients were shown.

The backup is read through first, and shown to be whole. Then it is taken in, in one transaction: its rows are
held to its log by replay, its secrets to their commitments, and what was published is looked at wherever it
can be seen. When that is ahead the restore is refused, or steps forward. At last what the journal of erasures
names is seen to be gone. Only what passed all of it is kept.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.audit.models import Export, State
from app.backup import agreement, archive, checks, seen, vacant
from app.backup.checks import Refused
from app.backup.forward import run
from app.backup.forward.run import Stepped
from app.backup.places import Place, Several, places
from app.backup.seen import Own, Sight
from app.backup.unpacking import Examination, Unpacking
from app.core import note
from app.core.replay import Replay
from app.entries import erasure, secrets
from app.entries.erasure import Waiting
from app.entries.models import Epoch
from app.identity.people.models import Ceremony, Invitation, WebSession
from app.lists.housekeeping import forget_files
from app.lists.repository import Repository
from app.log import mark
from app.log import service as log
from app.log.keys import LogKeys
from app.platform import journal
from app.platform.clock import Clock
from app.platform.files import private_folder
from app.platform.key_files import NotInitialised
from app.platform.keyring import Keyring
from app.platform.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """What is to be restored and how. `published` are places; None says that nothing was published since."""

    file: Path
    identities: list[str]
    published: list[str] | None
    is_stepping: bool = False
    erasures: Path | None = None
    reports: tuple[Path, ...] = ()


@dataclass
class Restored:
    """What was done: the backup's header, how much of the log there is, what stepping did."""

    header: dict[str, Any]
    log_size: int = 0
    destroyed: int = 0
    stepped: Stepped | None = None
    notes: list[str] = field(default_factory=list)


def restore(settings: Settings, wanted: Wanted, clock: Clock) -> Restored:
    """Fill the home and database of the settings. Raises Refused, and what its parts raise."""
    stated_origin = settings.log_origin
    with archive.opened(wanted.file, wanted.identities) as members:
        Examination().take(members)
    with vacant.filled(settings) as session:
        unpacking = Unpacking(settings.home, session)
        with archive.opened(wanted.file, wanted.identities) as members:
            unpacking.take(members)
        settings = settings.model_copy(update={"log_origin": unpacking.header["log"]["origin"]})
        work = _Work(settings, session, wanted, clock, unpacking)
        restored = work.done()
    if settings.log_origin != stated_origin:
        restored.notes.append(f"set WARDLIST_LOG_ORIGIN={settings.log_origin}, as it was")
    return restored


class _Work:
    """The checks after the rows are in."""

    def __init__(
        self, settings: Settings, session: Session, wanted: Wanted, clock: Clock, unpacking: Unpacking
    ) -> None:
        self._settings, self._session, self._wanted, self._clock = settings, session, wanted, clock
        self._unpacking = unpacking
        self._keyring = _keyring(settings)
        self._keys = LogKeys.of(settings, self._keyring)
        self._repository = Repository(settings.public, settings.keys)
        self._signed: list[note.Checkpoint] = []

    def done(self) -> Restored:
        """Raises Refused and what the parts raise."""
        restored = Restored(self._unpacking.header)
        replay = agreement.check(self._session)
        own = self._own(replay)
        checks.secrets_open(self._session, self._keyring)
        _end_sittings(self._session, self._settings, self._clock())
        with self._places() as found:
            restored.stepped = self._compare(found, replay, own)
        self._destroy(restored)
        restored.log_size = self._remember()
        restored.notes = restored.stepped.notes if restored.stepped else []
        return restored

    def _own(self, replay: Replay) -> Own:
        """What the backup itself was: its checkpoint and its TUF metadata are of its own rows and keys."""
        published = checks.tuf_of(self._repository.metadata)
        if self._unpacking.checkpoint is not None:
            try:
                checkpoint = self._keys.read(self._unpacking.checkpoint)
            except note.Malformed as fault:
                raise Refused(f"the backup's checkpoint is not signed by its key: {fault}") from None
            self._signed.append(checkpoint)
        return Own(replay.size, published.versions)

    def _places(self) -> AbstractContextManager[list[Place]]:
        return places(self._settings, self._wanted.published or [])

    def _compare(self, found: list[Place], replay: Replay, own: Own) -> Stepped | None:
        if not found and self._wanted.published is not None:
            raise Refused("say where what was published can be seen (--published), or that nothing was since")
        roots = checks.roots_of(self._repository.metadata)
        sights = [seen.look(one, self._keys, roots, own.size, self._clock()) for one in found]
        if any(one.checkpoint is None and one.published is None for one in sights):
            raise Refused("a place shows neither a log nor TUF metadata: is it the right one?")
        behind = [what for one in sights for what in seen.ahead(self._session, own, one)]
        self._signed += [one.checkpoint for one in sights if one.checkpoint]
        told = self._told(replay.size)
        if not behind and not told:
            return None
        if not self._wanted.is_stepping:
            raise Refused("more was published than this backup has; give --step-forward", behind + told)
        if not behind:
            raise Refused("more was signed than any place shows: give one that shows it", told)
        newest = max(sights, key=_how_far)
        newest = replace(newest, place=Several(newest.place, found))
        asked = run.Asked(self._clock(), self._wanted.reports)
        reached = max(replay.size, newest.checkpoint.size if newest.checkpoint else 0)
        stepped = run.step(self._settings, self._session, self._keyring, replay, newest, asked)
        still = self._told(reached)
        still += self._still_ahead(sights, newest)
        if still:
            raise Refused("more was published than the place shows that was stepped to", still)
        return stepped

    def _told(self, size: int) -> list[str]:
        """By the mark, the witnesses and the backup's own checkpoint, which show no leaves."""
        found = seen.ahead_by_mark(self._session, self._settings, size)
        found += seen.ahead_by_witnesses(self._settings, self._keys, size)
        for own in self._signed[:1] if self._unpacking.checkpoint else ():
            found += seen.ahead_of(self._session, size, own.size, own.root, "the checkpoint in the backup")
        return found

    def _still_ahead(self, sights: list[Sight], newest: Sight) -> list[str]:
        own = Own(log.committed(self._session), newest.published.versions if newest.published else {})
        return [what for one in sights for what in seen.ahead(self._session, own, one)]

    def _destroy(self, restored: Restored) -> None:
        """What leaves or journal say is erased is gone before anything is kept. Raises Refused."""
        named = journal.read(self._wanted.erasures or self._settings.erasures)
        if checks.not_erased(self._session, named):
            raise Refused(
                "the journal names an erasure that neither the backup nor what was shown has: more was "
                "published than was shown, so give a place that shows it, and --step-forward"
            )
        gone = [one for one in erasure.waiting(self._session) if _is_off(one) or one.entry in named]
        if gone:
            journal.append(self._settings.erasures, [one.entry for one in gone])
        for one in gone:
            forget_files(self._repository.targets, one)
            secrets.destroy(self._session, one.entry)
        restored.destroyed = len(gone)

    def _remember(self) -> int:
        """The mark, so that this installation too is never put back behind; the head's size."""
        largest = max(self._signed, key=lambda one: one.size, default=None)
        marked = mark.read(self._settings.mark)
        if largest is not None and (marked.size if marked else 0) < largest.size:
            mark.write(self._settings.mark, log.Head(largest.size, largest.root))
        return log.committed(self._session)


def _how_far(sight: Sight) -> tuple[int, int]:
    size = sight.checkpoint.size if sight.checkpoint else 0
    return size, sight.published.versions["timestamp"] if sight.published else 0


def _keyring(settings: Settings) -> Keyring:
    """The keys of the backup, and those that lie elsewhere by the settings. Raises Refused."""
    try:
        return Keyring.load(settings.keys)
    except NotInitialised as missing:
        raise Refused(f"the backup's keys are not whole: {missing}") from None


def _is_off(one: Waiting) -> bool:
    """Whether every version that held it has one after it without."""
    ends = [end for _, end in one.earlier] + ([one.delisted_in] if one.listed_in else [])
    return all(end is not None for end in ends)


def _end_sittings(session: Session, settings: Settings, now: datetime) -> None:
    """Who was signed in, invited or about to sign must begin anew: it may have ended after the backup.

    Exports' files are not in a backup. The next round begins a new epoch, so that the backup's key opens
    nothing that is written from here on.
    """
    for table in (WebSession, Ceremony):
        session.execute(sa.delete(table))
    session.execute(sa.update(Invitation).where(col(Invitation.used_at).is_(None)).values(expires_at=now))
    session.execute(sa.update(Export).where(col(Export.state) == State.READY).values(state=State.GONE))
    session.execute(sa.update(Epoch).values(opened_at=None))
    private_folder(settings.exports)
