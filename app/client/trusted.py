"""What a list's signed metadata leads to, by The Update Framework; nothing else is trusted.

The TUF client's metadata folder is what makes rollback and freeze visible; keep it on a volume. Source: The
Update Framework specification 1.0, section 5.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tuf.api.exceptions import DownloadHTTPError, DownloadLengthMismatchError
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import FetcherInterface, Updater

from app.client import opened
from app.client.files import private_folder
from app.client.follow import NO_WITNESSES, FollowedLog, LogError, Replayed, Witnesses
from app.client.session import Connection, Patience
from app.core import note
from app.core.manifest import Artefact, Manifest, canary_path, latest_path
from app.core.register import ROOT_FIELD

_NOT_SHOWN = (
    "the service does not show this list to you (404): you are no subscriber of it, or no longer; where "
    "trying again does not help, ask the operator to subscribe you"
)


class Refused(Exception):
    """What the service offered was not installed; the list that was there stays. The text says why."""


@dataclass(frozen=True)
class Trust:
    """What a provider trusts from the start, and what it asks for.

    `root` is the pinned 1.root.json; without one, an earlier sync's is used. With `log_key` a version must
    also be backed by the public log, entry by entry. `identities` are age identities, secret.
    """

    root: bytes | None = None
    trust_on_first_use: bool = False
    log_key: note.Verifier | None = None
    witnesses: Witnesses = NO_WITNESSES
    is_canary: bool = False
    identities: tuple[str, ...] = field(default=(), repr=False)


class _Fetcher(FetcherInterface):
    """Downloads for the TUF client over the signed-in connection, which stays open between them."""

    def __init__(self, connection: Connection, scratch: Path) -> None:
        self._connection, self._scratch = connection, scratch

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self._connection.stream(url) as answer:
            if answer.status_code != 200:
                raise DownloadHTTPError(f"the service answered {answer.status_code}", answer.status_code)
            # As it comes: chunks of a size would be waited for, and nobody looked at the time meanwhile.
            yield from answer.iter_bytes()

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """As the TUF client's own, but beside the lists, not in a folder that others share."""
        patience, taken = Patience(max_length), 0
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            for chunk in self.fetch(url):
                patience.check()
                taken += len(chunk)
                if taken > max_length:
                    raise DownloadLengthMismatchError(f"more than the {max_length} bytes that are signed")
                file.write(chunk)
            file.seek(0)
            yield file


class Trusted:
    """One look at the repository, its metadata refreshed. `scratch` is a private folder for downloads.

    Every method raises Refused, Failed, OSError, or what the TUF client or httpx raises.
    """

    def __init__(self, connection: Connection, folder: Path, trust: Trust, scratch: Path) -> None:
        self._metadata = private_folder(folder / "tuf")
        private_folder(self._metadata / "root_history")
        address, root = connection.credentials.issuer, trust.root or self._kept_root()
        if root is None:
            if not trust.trust_on_first_use:
                raise Refused(
                    "no trusted root yet: pass --root 1.root.json, got from the operator by another way"
                )
            root = connection.request("GET", "/tuf/metadata/1.root.json").content
        self._trust = trust
        self._updater = Updater(
            metadata_dir=str(self._metadata),
            metadata_base_url=f"{address}/tuf/metadata/",
            target_dir=str(scratch),
            target_base_url=f"{address}/tuf/targets/",
            fetcher=_Fetcher(connection, scratch),
            bootstrap=root,
        )
        self._updater.refresh()

    def manifest(self, name: str) -> Manifest | None:
        """Of the newest version: of a staged one, where there is one and we may have it."""
        staged = self._updater.get_targetinfo(canary_path(name)) if self._trust.is_canary else None
        try:
            if staged:
                return self._manifest(staged, name)
        except DownloadHTTPError as refused:
            if refused.status_code != 404:
                raise
        newest = self._updater.get_targetinfo(latest_path(name))
        try:
            return self._manifest(newest, name) if newest else None
        except DownloadHTTPError as refused:
            raise (Refused(_NOT_SHOWN) if refused.status_code == 404 else refused) from None

    def reference(self, manifest: Manifest) -> Artefact:
        """The version's reference form."""
        stated = manifest.artefacts.get("jsonl")
        if stated is None:
            raise Refused("the version has no reference form (jsonl)")
        self._target(stated)
        return stated

    def download(self, stated: Artefact) -> Path:
        """A file of the version, once manifest and signed metadata agree about it."""
        return Path(self._updater.download_target(self._target(stated)))

    def subscribers(self, name: str, known: str | None) -> tuple[str, bytes] | None:
        """The subscribers' file's SHA-256 and what the identities open of it; None when `known` is it."""
        target = self._updater.get_targetinfo(f"lists/{name}/subscribers.json")
        if target is None or not self._trust.identities or target.hashes.get("sha256") == known:
            return None
        if target.length > opened.LARGEST:
            raise Refused("the subscribers' file is too long")
        text = Path(self._updater.download_target(target)).read_bytes()
        return target.hashes["sha256"], opened.own_part(text, name, self._trust.identities)

    def check_authority(self, log: Replayed) -> None:
        """The log's first register keys are those of the pinned root, so no server chose them.

        Each of the keys that followed was named by enough of those before it: replay saw to that.
        """
        root = Metadata[Root].from_file(str(self._metadata / "root.json")).signed
        stated, found = root.unrecognized_fields.get(ROOT_FIELD), log.replay.opened
        if found is None or stated != {"keys": dict(found.keys), "threshold": found.threshold}:
            raise Refused("the log's register of review bodies is not that of the pinned root")

    def _kept_root(self) -> bytes | None:
        """The first root ever trusted here; the TUF client goes on from there by itself."""
        kept = (self._metadata / "root_history").glob("*.root.json")
        first = min(kept, key=lambda path: int(path.name.split(".")[0]), default=None)
        return first.read_bytes() if first else None

    def _manifest(self, newest: TargetFile, name: str) -> Manifest:
        try:
            found = Manifest.model_validate_json(Path(self._updater.download_target(newest)).read_bytes())
        except ValueError:
            raise Refused("the manifest cannot be read by this release") from None
        if found.list != name:
            raise Refused("the manifest is another list's")
        return found

    def _target(self, stated: Artefact) -> TargetFile:
        target = self._updater.get_targetinfo(stated.path)
        if target is None:
            raise Refused("the signed metadata does not know a file of the version")
        if (target.length, target.hashes.get("sha256")) != (stated.length, stated.sha256):
            raise Refused("manifest and signed metadata disagree about the artefact")
        return target


def followed_log(
    connection: Connection, folder: Path, log_key: note.Verifier, witnesses: Witnesses
) -> FollowedLog:
    """The public log, its last head and full bundles kept below the folder."""

    def fetch(path: str) -> bytes:
        answer = connection.send("GET", path)
        if answer.status_code != 200:
            raise LogError(f"the service answered {answer.status_code} for the log")
        return answer.content

    log = private_folder(folder / "log")
    return FollowedLog(fetch, log_key, log / "head.json", witnesses, log)
