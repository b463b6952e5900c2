"""The publisher: takes what was signed off to the next version of each list, and keeps TUF fresh.

Order of writing: artefacts, delta, manifest, then TUF role, snapshot, timestamp; only then is the
version marked as served. Killed at any line, the next run repeats what is missing. A staged version takes
the last steps twice: for the list's canaries, and when it passed there for all (app/lists/staging.py). Two at
work at once contradict each other in nothing: app/lists/fence.py.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlmodel import Session

from app.core import jose
from app.core.manifest import Artefact, Manifest, canary_path, latest_path, target_path
from app.entries import erasure, rechecks
from app.identity import register
from app.lists import key_change, sealing, snapshots, staging
from app.lists.fence import Claims, Fenced
from app.lists.files import Files
from app.lists.housekeeping import begin_epoch, finish_erasures, is_epoch_over
from app.lists.latest import LatestFiles
from app.lists.models import Snapshot
from app.lists.outlet import Outlet
from app.lists.repository import RESIGN_TIMESTAMP, Repository
from app.log import service as log
from app.log.tiles import public_log
from app.log.witnesses import Forked
from app.platform import telemetry
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.epochs import Epochs
from app.platform.failures import Failures
from app.platform.keyring import Keyring
from app.platform.settings import Settings

_AT_ONCE = 256
_logger = structlog.get_logger("publisher")


@dataclass(frozen=True)
class Duties:
    """What other rooms have the publisher do in its transactions; rooms that may not be imported here.

    `before_version` sees to it that what a version takes up still has its quorum; `each_round` ends what has
    waited too long; `rewrap` takes (epoch's number) what else is sealed under epoch keys to the new one;
    `outcomes` knows what became of a version at those that got it. `on_served` is told, in the transaction
    that says so, that a version is out for all.
    """

    before_version: Callable[[Session, str, datetime], object]
    each_round: Callable[[Database, Keyring, Clock], object]
    rewrap: Callable[[Session, Epochs, int], object]
    outcomes: staging.Outcomes = lambda _session, _list, _version: {}
    on_served: Callable[[Session, str, int, datetime], object] = lambda _session, _list, _version, _now: None


class Publisher:
    """Of whoever leads, made anew when that changes. `announce` hears of each list that has news."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        duties: Duties,
        announce: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._duties, self._announce = duties, announce
        self._settings, self._clock, self._keyring = settings, clock, keyring
        self._database = Fenced(database)
        self._outlet = Outlet(settings, database, keyring, self._database.require)
        self._claims = Claims(self._database, self._outlet.send_ahead)
        self._repository = Repository(settings.public, settings.keys, self._claims)
        self._files = Files(settings, self._database, keyring, self._repository.targets)
        self._latest = LatestFiles(settings.public / "latest")
        self._log = public_log(settings, keyring, self._outlet.something_went)
        self._is_tidy, self._erased_up_to, self._pruned_at = False, -1, clock()

    def round(self) -> None:
        """Bring every list up to date once, then the repository's signatures; once a day, the daily work.

        What fails, a step or a list, does not stop what comes after it. Raises the first failure; Superseded
        at once, and from then on.
        """
        self._database.begin()
        if not self._is_tidy:
            self._repository.targets.forget_unfinished()
            self._is_tidy = True
        self._outlet.begin_round()
        failures = Failures("publisher")
        before = {"overdue": self._end_overdue, "duties": self._do_duties, "log": self._publish_log}
        before["keys"] = self._take_up_keys
        after = {"log": self._publish_log, "erasures": self._finish_erasures, "signatures": self._refresh}
        for step, act in {**before, "register": self._offer_register}.items():
            with failures.noted(step):
                act()
        with self._database.reading() as session:
            names = snapshots.names(session)
        for name in names:
            with failures.noted("list", list=name):
                self._bring_up_to_date(name)
        for step, act in {**after, "daily": self._daily_if_due, "store": self._outlet.tidy}.items():
            with failures.noted(step):
                act()
        failures.raise_first()

    def _do_duties(self) -> None:
        self._duties.each_round(self._database, self._keyring, self._clock)

    def _offer_register(self) -> None:
        with self._database.reading() as session:
            newest = register.newest_version(session)
        if newest:
            self._repository.offer_register(newest.proposal, self._clock())

    def _bring_up_to_date(self, name: str) -> None:
        self._repository.add_list(name, self._clock())
        self._write_latest(name)
        if self._files.withdraw(name):
            self._outlet.something_went()
        self._promote_if_due(name)
        self._publish_if_due(name)

    def _take_up_keys(self) -> None:
        key_change.take_up(self._repository, self._clock())

    def _refresh(self) -> None:
        now = self._clock()
        if self._repository.refresh(now) or now - self._pruned_at >= RESIGN_TIMESTAMP:
            self._repository.prune(now)
            self._pruned_at = now

    def _daily_if_due(self) -> None:
        with self._database.reading() as session:
            is_due = is_epoch_over(session, self._clock())
        if is_due:
            self.daily()

    def _end_overdue(self) -> None:
        with self._database.reading() as session:
            is_due = rechecks.is_any_overdue(session, self._clock())
        if is_due:
            with self._database.writing() as session:
                rechecks.end_overdue(session, self._clock())

    def daily(self) -> None:
        """End what nobody decided, erase what has outlived its retention time, and begin the next epoch."""
        with self._database.writing() as session:
            undecided = rechecks.end_undecided(session, self._clock())
            erased = erasure.erase_due(session, self._clock())
        self._publish_log()
        self._finish_erasures()
        epoch = begin_epoch(self._database, self._keyring.epochs, self._clock, self._duties.rewrap)
        with self._database.reading() as session:
            for name in snapshots.names(session):
                sealing.forget_keys(session, self._keyring, name)
        self._database.count()
        _logger.info("daily", undecided=undecided, erased=erased, epoch=epoch)

    def _promote_if_due(self, name: str) -> None:
        outcomes = self._duties.outcomes
        with self._database.reading() as session:
            last = snapshots.latest(session, name)
            if last is None or not staging.is_due(session, last, outcomes, self._clock()):
                return
        with self._database.writing() as session:
            promoted = staging.promote(session, last, outcomes, self._clock())
        if promoted and promoted.manifest:
            self._serve(promoted, Manifest.model_validate_json(promoted.manifest))

    def _publish_if_due(self, name: str) -> None:
        with self._database.reading() as session:
            if not snapshots.is_due(session, name, self._clock()):
                return
        began = time.monotonic()
        with self._database.writing() as session:
            now = self._clock()
            rechecks.end_overdue(session, now)
            self._duties.before_version(session, name, now)
            snapshot = snapshots.prepare(session, name, now)
            self._claims.claim_head(session, log.head(session))
        if snapshot is None:
            self._publish_log()
            return
        snapshot, manifest = self._finished(snapshot)
        self._publish_log()
        if snapshot.is_staged:
            self._stage(snapshot, manifest)
        else:
            self._serve(snapshot, manifest)
        seconds = time.monotonic() - began
        telemetry.PUBLISH_SECONDS.labels(name).observe(seconds)
        _logger.info("made", list=name, version=snapshot.version, milliseconds=round(seconds * 1000, 1))

    def _stage(self, snapshot: Snapshot, manifest: Manifest) -> None:
        """Others' pointer stays where it is; without a version before there is none."""
        with self._database.reading() as session:
            before = snapshots.latest(session, snapshot.list, served=True)
        targets = self._targets(manifest, canary_path(snapshot.list)) + self._files.of_subscribers(
            snapshot.list
        )
        if before and before.manifest:
            served = Manifest.model_validate_json(before.manifest)
            targets += self._targets(served, latest_path(snapshot.list))
        self._repository.publish(snapshot.list, targets, self._clock())
        self._outlet.push()
        with self._database.writing() as session:
            staging.stage(session, snapshot, self._clock())
        self._write_latest(snapshot.list)
        self._announce(snapshot.list)
        _logger.info("staged", list=snapshot.list, version=snapshot.version, entries=snapshot.entry_count)

    def _serve(self, snapshot: Snapshot, manifest: Manifest) -> None:
        targets = self._targets(manifest, latest_path(snapshot.list)) + self._files.of_subscribers(
            snapshot.list
        )
        self._repository.publish(snapshot.list, targets, self._clock())
        self._outlet.push()
        with self._database.writing() as session:
            snapshots.mark_served(session, snapshot)
            self._duties.on_served(session, snapshot.list, snapshot.version, self._clock())
        self._write_latest(snapshot.list)
        self._announce(snapshot.list)
        _logger.info("published", list=snapshot.list, version=snapshot.version, entries=snapshot.entry_count)
        self._files.compress(manifest)
        self._files.prune(snapshot.list, snapshot.version, self._clock())

    def _write_latest(self, name: str) -> None:
        with self._database.reading() as session:
            self._latest.write(session, name)

    def _finished(self, snapshot: Snapshot) -> tuple[Snapshot, Manifest]:
        """Its files are written and its manifest is on the record; sealed to those in force when it was."""
        while snapshot.manifest is None:
            with self._database.writing() as session:
                snapshot = snapshots.settle(session, self._keyring, snapshot, self._clock())
            if snapshot.manifest is not None:
                break
            with self._database.reading() as session:
                manifest = self._files.write(session, snapshot)
            if manifest is None:
                continue
            self._outlet.send_ahead()
            jws = jose.sign(manifest.to_bytes(), self._keyring.manifest, typ="wardlist-manifest")
            with self._database.writing() as session:
                if snapshots.seal(session, snapshot, manifest, jws, snapshot.published_at):
                    snapshot = snapshots.get(session, snapshot.list, snapshot.version)
        manifest = Manifest.model_validate_json(snapshot.manifest)
        self._files.require(manifest)
        if self._files.discard_others(manifest):
            self._outlet.something_went()
        return snapshot, manifest

    def _targets(self, manifest: Manifest, pointer: str) -> list[Artefact]:
        """A version's targets, its manifest also at the pointer that leads to it."""
        body = manifest.to_bytes()
        path = target_path(manifest.list, manifest.version, "manifest.json")
        own, leads = (self._repository.targets.store(one, (body,)) for one in (path, pointer))
        return [own, leads, manifest.delta, *manifest.artefacts.values()]

    def _publish_log(self) -> None:
        while self._is_log_behind():
            with self._database.writing() as session:
                self._claims.claim_head(session, log.sequence(session, limit=_AT_ONCE))
        try:
            with self._database.reading() as session:
                self._log.publish(session, self._clock(), self._claims.require_head)
        except Forked:
            # What looks like a fork to one that is late is what another published since.
            self._database.require()
            raise

    def _finish_erasures(self) -> None:
        """An erasure and a version each bring a leaf: there is work only when more of the log is public."""
        public = self._log.witnessed_size()
        if public != self._erased_up_to:
            journal = self._settings.erasures
            if finish_erasures(self._database, self._repository.targets, public, journal):
                self._outlet.something_went()
            self._erased_up_to = public

    def _is_log_behind(self) -> bool:
        with self._database.reading() as session:
            return log.is_behind(session)
