"""A version's files from the database to the disk, the subscribers' file, and what of both grows old."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from app.core import age
from app.core.manifest import Artefact, Manifest
from app.core.policy import Policy
from app.core.terms import Confidentiality, Format
from app.lists import compressed, sealing, snapshots
from app.lists import service as lists
from app.lists.artefacts import Artefacts
from app.lists.canary_entries import CanaryEntries
from app.lists.contents import Contents
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet
from app.lists.models import Snapshot
from app.lists.targets import TargetFolder
from app.platform.clock import instant
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings

_PRUNE_AFTER = timedelta(minutes=10)
_POINTERS = (("", "manifest.json"), ("canary/", "manifest.json"), ("", sealing.FILE))


class Files:
    """Of one publisher, which is the only one that writes."""

    def __init__(
        self, settings: Settings, database: Database, keyring: Keyring, targets: TargetFolder
    ) -> None:
        self._settings, self._database, self._keyring = settings, database, keyring
        self._targets, self._contents = targets, Contents()
        self._canary_entries = CanaryEntries(keyring.canary, settings.canary_names)
        self._withdrawn: dict[str, set[int]] = {}

    def write(self, session: Session, snapshot: Snapshot) -> Manifest | None:
        """Every file of a settled version, and its manifest, which is not stored yet. Raises OSError.

        None when it is to be settled again: somebody was subscribed or taken off meanwhile.
        """
        name, found = snapshot.list, sealing.recipients(session, snapshot.list)
        if sealing.digest(found) != snapshot.recipients_sha256:
            return None
        policy = Policy.recorded(lists.policy_version(session, name, snapshot.policy_version).policy)
        content = self._contents.of(session, self._keyring.epochs, snapshot)
        key = self._keyring.match_keys(name).key(snapshot.match_key or 0)
        hashes = content.hashes(key) if Format.HASHES in policy.formats else None
        sheet = Sheet(name, snapshot.version, content.lines, key, policy.walled_garden, hashes)
        is_sealed = policy.confidentiality is Confidentiality.SEALED
        to = sealing.everyone(found) if is_sealed else None
        written = Artefacts(self._targets, sheet, to).write(
            content, [one for one in policy.formats if one in FORMATS]
        )
        return Manifest(
            list=name,
            version=snapshot.version,
            previous_version=snapshot.version - 1 or None,
            published_at=instant(snapshot.published_at),
            expires_at=instant(snapshot.expires_at),
            min_poll_seconds=policy.min_poll_seconds,
            entry_count=snapshot.entry_count,
            content_sha256=written.content_sha256,
            commitments_sha256=content.commitments_sha256,
            log_origin=self._settings.log_origin,
            log_size=snapshot.log_size,
            log_root=snapshot.log_root,
            artefacts=written.artefacts,
            delta=written.delta,
        )

    def require(self, manifest: Manifest) -> None:
        """Raises FileNotFoundError unless every file is here: another machine may have made them."""
        for one in (manifest.delta, *manifest.artefacts.values()):
            if not self._targets.locate(one).is_file():
                raise FileNotFoundError(f"version {manifest.version} of {manifest.list} was made elsewhere")

    def discard_others(self, manifest: Manifest) -> bool:
        """Delete what was written of a version and is not in its manifest, which is final; whether some was.

        A crash left it, or another publisher. It may be for somebody who was taken off since.
        """
        kept = {self._targets.locate(one) for one in (manifest.delta, *manifest.artefacts.values())}
        folder = self._targets.locate(manifest.delta).parent
        found = [path for path in folder.glob("[!.]*") if path.with_suffix("") not in kept]
        others = [path for path in found if path not in kept and not path.name.endswith(".manifest.json")]
        for path in others:
            path.unlink(missing_ok=True)
        return bool(others)

    def of_subscribers(self, name: str) -> list[Artefact]:
        """The file of the list's subscribers, made anew when anything in it changed; none without any."""
        with self._database.reading() as session:
            found, stored = sealing.recipients(session, name), sealing.remembered(session, name)
            texts = sealing.subscriber_texts(session, self._keyring, self._canary_entries, name, found)
        if not texts:
            return []
        source, path = sealing.made_from(texts, found), f"lists/{name}/{sealing.FILE}"
        if stored and stored.made_from == source:
            artefact = Artefact(path=path, length=stored.length, sha256=stored.sha256)
            if self._targets.locate(artefact).is_file():
                return [artefact]
        artefact = self._targets.store(path, (sealing.subscriber_file(texts, found),))
        with self._database.writing() as session:
            sealing.remember(session, name, source, artefact.length, artefact.sha256)
        return [artefact]

    def compress(self, manifest: Manifest) -> None:
        """Compress the larger files that a plain list shows addresses in. Raises OSError."""
        shown = [one for name, one in manifest.artefacts.items() if FORMATS[Format(name)].is_open]
        for one in (manifest.delta, *shown):
            if not one.path.endswith(age.SUFFIX):
                compressed.compress(self._targets.locate(one))

    def withdraw(self, name: str) -> bool:
        """Delete whole lists of versions that were taken back: they are for nobody. True when some went."""
        with self._database.reading() as session:
            versions = snapshots.taken_back(session, name) - self._withdrawn.get(name, set())
        home = self._targets.path / "lists" / name
        for path in (path for version in versions for path in (home / str(version)).glob("*.list.*")):
            path.unlink(missing_ok=True)
        self._withdrawn.setdefault(name, set()).update(versions)
        return bool(versions)

    def prune(self, name: str, version: int, now: datetime) -> None:
        """Old versions keep their manifest; their entries' files go."""
        with self._database.reading() as session:
            oldest_delta = version - lists.policy_in_force(session, name).delta_versions
        oldest_whole = version - self._settings.keep_artefacts
        before = now.timestamp() - _PRUNE_AFTER.total_seconds()
        home = self._targets.path / "lists" / name
        for folder in (one for one in home.glob("*") if one.name.isdigit()):
            for path in folder.iterdir():
                kind = path.name.split(".", 1)[1]
                limit = oldest_delta if kind.startswith("delta.") else oldest_whole
                if kind != "manifest.json" and int(folder.name) <= limit and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)
        pointers = (home.glob(f"{folder}*.{file}") for folder, file in _POINTERS)
        for path in (path for found in pointers for path in found):
            if path.stat().st_mtime < before and not _is_current(path):
                path.unlink(missing_ok=True)


def _is_current(path: Path) -> bool:
    same = path.name.split(".", 1)[1]
    return max(path.parent.glob(f"*.{same}"), key=lambda one: one.stat().st_mtime) == path
