"""A version's files from the database to the disk, the subscribers' file, and what of both grows old."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from app.core.manifest import Artefact, Manifest
from app.core.terms import Confidentiality
from app.lists import sealing
from app.lists import service as lists
from app.lists.artefacts import Artefacts
from app.lists.canary_entries import CanaryEntries
from app.lists.contents import Contents
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet
from app.lists.models import Snapshot
from app.lists.repository import Repository
from app.platform.clock import instant
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings

_PRUNE_AFTER = timedelta(minutes=10)
_POINTERS = (("", "manifest.json"), ("canary/", "manifest.json"), ("", sealing.FILE))


class Files:
    """Of one publisher, which is the only one that writes."""

    def __init__(
        self, settings: Settings, database: Database, keyring: Keyring, repository: Repository
    ) -> None:
        self._settings, self._database, self._keyring = settings, database, keyring
        self._repository, self._contents = repository, Contents()
        self._canary_entries = CanaryEntries(keyring.canary, settings.canary_names)

    def write(self, session: Session, snapshot: Snapshot) -> Manifest:
        """Every file of a settled version, and its manifest, which is not stored yet. Raises OSError."""
        name, policy = snapshot.list, lists.policy_in_force(session, snapshot.list)
        content = self._contents.of(session, self._keyring.epochs, snapshot)
        key = self._keyring.match_keys(name).key(snapshot.match_key or 0)
        sheet = Sheet(name, snapshot.version, content.lines, key, policy.walled_garden)
        is_sealed = policy.confidentiality is Confidentiality.SEALED
        to = sealing.everyone(sealing.recipients(session, name)) if is_sealed else None
        written = Artefacts(self._repository, sheet, to).write(
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

    def of_subscribers(self, name: str) -> list[Artefact]:
        """The file of the list's subscribers, made anew when anything in it changed; none without any."""
        with self._database.reading() as session:
            found, stored = sealing.recipients(session, name), sealing.remembered(session, name)
            texts = sealing.subscriber_texts(session, self._keyring, self._canary_entries, name)
        if not texts:
            return []
        source, path = sealing.made_from(texts, found), f"lists/{name}/{sealing.FILE}"
        if stored and stored.made_from == source:
            artefact = Artefact(path=path, length=stored.length, sha256=stored.sha256)
            if self._repository.locate(artefact).is_file():
                return [artefact]
        artefact = self._repository.store(path, (sealing.subscriber_file(texts, found),))
        with self._database.writing() as session:
            sealing.remember(session, name, source, artefact.length, artefact.sha256)
        return [artefact]

    def prune(self, name: str, version: int, now: datetime) -> None:
        """Old versions keep their manifest; their entries' files go."""
        with self._database.reading() as session:
            oldest_delta = version - lists.policy_in_force(session, name).delta_versions
        oldest_whole = version - self._settings.keep_artefacts
        before = now.timestamp() - _PRUNE_AFTER.total_seconds()
        home = self._repository.targets_folder / "lists" / name
        for folder in (one for one in home.glob("*") if one.name.isdigit()):
            for path in folder.iterdir():
                kind = path.name.split(".", 1)[1]
                limit = oldest_delta if kind.startswith("delta.") else oldest_whole
                if kind != "manifest.json" and int(folder.name) <= limit and path.stat().st_mtime < before:
                    path.unlink()
        pointers = (home.glob(f"{folder}*.{file}") for folder, file in _POINTERS)
        for path in (path for found in pointers for path in found):
            if path.stat().st_mtime < before and not _is_current(path):
                path.unlink()


def _is_current(path: Path) -> bool:
    same = path.name.split(".", 1)[1]
    return max(path.parent.glob(f"*.{same}"), key=lambda one: one.stat().st_mtime) == path
