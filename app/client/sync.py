"""Bringing an installed list up to date through TUF: what cannot be verified is not installed.

The TUF client's metadata folder is what makes rollback and freeze visible; keep it on a volume. Source: The
Update Framework specification 1.0, section 5.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from tuf.api.exceptions import DownloadError, DownloadHTTPError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import FetcherInterface, TargetFile, Updater

from app.client.follow import NO_WITNESSES, FollowedLog, LogError, Replayed, Witnesses
from app.client.session import Connection, Failed
from app.client.store import Damaged, Store, opened_lines
from app.core import note
from app.core.manifest import Manifest, canary_path, latest_path
from app.core.register import ROOT_FIELD

_CHUNK = 1 << 16


class Refused(Exception):
    """What the service offered was not installed; the list that was there stays. The text says why."""


@dataclass(frozen=True)
class Synced:
    """What a sync did. `version` is 0 when the list has no version yet."""

    list: str
    version: int
    previous_version: int | None
    entry_count: int
    added: int
    removed: int
    content_sha256: str | None

    @property
    def is_changed(self) -> bool:
        """Whether another version was installed."""
        return self.version != (self.previous_version or 0)


class _Fetcher(FetcherInterface):
    """Downloads for the TUF client over the signed-in connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self._connection.stream(url) as answer:
            if answer.status_code != 200:
                raise DownloadHTTPError(f"the service answered {answer.status_code}", answer.status_code)
            yield from answer.iter_bytes(_CHUNK)


def sync(
    connection: Connection,
    name: str,
    store: Store,
    root: bytes | None,
    trust_on_first_use: bool = False,
    log_key: note.Verifier | None = None,
    witnesses: Witnesses = NO_WITNESSES,
    is_canary: bool = False,
) -> Synced:
    """Install the newest version of a list; for a canary of it, the one that canaries get first.

    `root` is the pinned 1.root.json; without one, an earlier sync's is used. With `log_key` a version must
    also be backed by the public log, entry by entry. Raises Refused or Failed; then what was installed stays
    as it was.
    """
    try:
        with _alone(store.folder), tempfile.TemporaryDirectory(dir=store.folder, prefix=".sync-") as scratch:
            updater = _updater(connection, store, root, trust_on_first_use, Path(scratch))
            updater.refresh()
            follow = _followed(connection, log_key, store, witnesses) if log_key else None
            offered = _offered(updater, name, is_canary)
            if offered is None and connection.send("GET", f"/v1/lists/{name}").status_code == 404:
                raise Refused("there is no list of this name for you; ask the operator to subscribe you")
            return _bring_up(updater, offered, name, store, follow)
    except httpx.HTTPError as failure:
        raise Failed(f"the service does not answer ({type(failure).__name__})") from None
    except ExpiredMetadataError as expired:
        raise Refused(f"the service offers out-of-date signatures: {expired}") from None
    except (DownloadError, RepositoryError) as failure:
        raise Refused(f"{type(failure).__name__}: {failure}") from None
    except (Damaged, LogError) as fault:
        raise Refused(str(fault)) from None
    except OSError as failure:
        raise Refused(f"it could not be written: {failure.strerror}") from None


def _updater(
    connection: Connection, store: Store, root: bytes | None, trust_on_first_use: bool, scratch: Path
) -> Updater:
    metadata = store.folder / "tuf"
    metadata.mkdir(exist_ok=True)
    if root is None and not (metadata / "root.json").exists():
        if not trust_on_first_use:
            raise Refused(
                "no trusted root yet: pass --root 1.root.json, got from the operator by another way"
            )
        root = connection.request("GET", "/tuf/metadata/1.root.json").content
    address = connection.credentials.issuer
    return Updater(
        metadata_dir=str(metadata),
        metadata_base_url=f"{address}/tuf/metadata/",
        target_dir=str(scratch),
        target_base_url=f"{address}/tuf/targets/",
        fetcher=_Fetcher(connection),
        bootstrap=root,
    )


def _followed(
    connection: Connection, log_key: note.Verifier, store: Store, witnesses: Witnesses
) -> FollowedLog:
    def fetch(path: str) -> bytes:
        answer = connection.send("GET", path)
        if answer.status_code != 200:
            raise LogError(f"the service answered {answer.status_code} for the log")
        return answer.content

    folder = store.folder / "log"
    return FollowedLog(fetch, log_key, folder / "head.json", witnesses, folder)


def _offered(updater: Updater, name: str, is_canary: bool) -> Manifest | None:
    """The manifest that the signed metadata leads to: of a staged version, where there is one and we may."""
    staged = updater.get_targetinfo(canary_path(name)) if is_canary else None
    try:
        if staged:
            return _manifest(updater, staged, name)
    except DownloadHTTPError as refused:
        if refused.status_code != 404:
            raise
    newest = updater.get_targetinfo(latest_path(name))
    return _manifest(updater, newest, name) if newest else None


def _bring_up(
    updater: Updater, manifest: Manifest | None, name: str, store: Store, follow: FollowedLog | None
) -> Synced:
    installed = store.current(name)
    if manifest is None:
        if installed:
            raise Refused("the service no longer offers this list")
        return Synced(name, 0, None, 0, 0, 0, None)
    if installed and manifest.version < installed.version:
        raise Refused(f"version {manifest.version} is older than the installed {installed.version}")
    if installed and manifest == installed and store.is_whole(name, installed):
        return _synced(manifest, installed, set(), set())
    if installed and manifest.version == installed.version and manifest != installed:
        raise Refused(f"another version {manifest.version} than the installed one is offered")
    before = store.entries(name) if installed else set()
    path = updater.download_target(_artefact(updater, manifest))
    if follow:
        replayed = follow.replay()
        _check_authority(replayed, store)
        _check_backing(replayed, manifest, Path(path))
    after = store.install(manifest, Path(path))
    return _synced(manifest, installed, after - before, before - after)


def _check_authority(log: Replayed, store: Store) -> None:
    """The log's register keys are those of the pinned root, so no server chose them."""
    root = Metadata[Root].from_file(str(store.folder / "tuf" / "root.json")).signed
    stated, opened = root.unrecognized_fields.get(ROOT_FIELD), log.replay.authority
    if opened is None or stated != {"keys": dict(opened.keys), "threshold": opened.threshold}:
        raise Refused("the log's register of review bodies is not that of the pinned root")


def _check_backing(log: Replayed, manifest: Manifest, path: Path) -> None:
    """Every line's commitment stands in the log behind a quorum, and the log names just this set."""
    size = manifest.log_size
    if size > log.checkpoint.size or log.root_at(size).hex() != manifest.log_root:
        raise Refused("the manifest was not made from a position of this log")
    if manifest.list not in log.replay.lists:
        raise Refused("the log knows no such list")
    backed = log.replay.listed_at(manifest.list, size)
    for entry, opened, scope in opened_lines(path):
        if backed.get(entry) != opened or log.replay.entries[entry].scope != scope:
            raise Refused(f"entry {entry} is not backed by a quorum in the log")
    published = log.replay.lists[manifest.list].versions.get(manifest.version)
    if published != manifest.commitments_sha256:
        raise Refused(f"the log did not record version {manifest.version} with these entries")


def _manifest(updater: Updater, newest: TargetFile, name: str) -> Manifest:
    try:
        found = Manifest.model_validate_json(Path(updater.download_target(newest)).read_bytes())
    except ValueError:
        raise Refused("the manifest cannot be read by this release") from None
    if found.list != name:
        raise Refused("the manifest is another list's")
    return found


def _artefact(updater: Updater, manifest: Manifest) -> TargetFile:
    stated = manifest.artefacts.get("jsonl")
    target = updater.get_targetinfo(stated.path) if stated else None
    if stated is None or target is None:
        raise Refused("the version has no reference form (jsonl)")
    if (target.length, target.hashes.get("sha256")) != (stated.length, stated.sha256):
        raise Refused("manifest and signed metadata disagree about the artefact")
    return target


def _synced(manifest: Manifest, installed: Manifest | None, added: set[str], removed: set[str]) -> Synced:
    return Synced(
        manifest.list,
        manifest.version,
        installed.version if installed else None,
        manifest.entry_count,
        len(added),
        len(removed),
        manifest.content_sha256,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[IO[bytes]]:
    """Two syncs into one folder wait for each other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sync.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
