"""What an internet provider has installed: one folder per version, and a link that names the current one.

`D/lists/<list>/<version>/{manifest.json,list.jsonl,subscriber.json}`, the latter where an identity opens
something, and `D/lists/<list>/current -> <version>`. The link is replaced by one rename, so a reader sees the
old version or the new one, whole. Beside a file `dropped` nothing is in force. Only the owner reads it.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.client import opened
from app.client.content import Content, Damaged, whole
from app.client.files import private_folder
from app.client.opened import MatchKey, Opened
from app.core import commitment
from app.core.commitment import LINE_ENTRY
from app.core.manifest import Manifest
from app.files import sync_folder, write_durably

__all__ = ["Damaged", "Store"]
KEPT_VERSIONS = 2
DROPPED = "dropped"
_LIST, _MANIFEST, _SUBSCRIBER, _SOURCE = "list.jsonl", "manifest.json", "subscriber.json", "subscriber.sha256"
_LINES = 1000


class Store:
    """The installed lists under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lists = folder / "lists"

    def home(self, name: str) -> Path:
        """The folder of a list, made when it is missing. Raises OSError."""
        private_folder(self.folder)
        private_folder(self._lists)
        return private_folder(self._lists / name)

    def names(self) -> list[str]:
        """Lists with an installed version."""
        return sorted(link.parent.name for link in self._lists.glob("*/current"))

    def current(self, name: str) -> Manifest | None:
        """The installed version's manifest, None when nothing is installed. Raises Damaged."""
        link = self._current(name)
        if not link.is_symlink():
            return None
        try:
            return Manifest.model_validate_json((link / _MANIFEST).read_bytes())
        except (OSError, ValueError):
            raise Damaged("the installed manifest cannot be read; delete its folder and sync again") from None

    def lines(self, name: str) -> list[bytes]:
        """The installed version's canonical lines, sorted, without newlines; canary entries are not in.

        Empty when nothing is installed. Raises Damaged.
        """
        if not self._current(name).is_symlink():
            return []
        try:
            return (self._current(name) / _LIST).read_bytes().splitlines()
        except OSError:
            raise Damaged("the installed list cannot be read; sync again") from None

    def canary_lines(self, name: str) -> list[bytes]:
        """Canonical lines, sorted, of entries that are made up for this provider. Raises Damaged."""
        found = self.subscriber(name)
        return found.canary_lines if found else []

    def match_keys(self, name: str) -> list[MatchKey]:
        """Keys of the list's hashes, newest first; none without an identity. Raises Damaged."""
        found = self.subscriber(name)
        return found.match_keys if found else []

    def subscriber(self, name: str) -> Opened | None:
        """What this provider alone was told of a list. Raises Damaged."""
        try:
            return opened.read((self._current(name) / _SUBSCRIBER).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, opened.Unreadable):
            raise Damaged("subscriber.json cannot be read; delete it and sync again") from None

    def subscriber_source(self, name: str) -> str | None:
        """SHA-256 (hex) of the subscribers' file that the installed part is from; None: fetch it again."""
        try:
            return (self._current(name) / _SOURCE).read_text() if self.subscriber(name) else None
        except (OSError, ValueError, Damaged):
            return None

    def is_whole(self, name: str, manifest: Manifest) -> bool:
        """Whether the installed file still is what was installed."""
        try:
            return commitment.content_sha256(self.lines(name)) == manifest.content_sha256
        except Damaged:
            return False

    def installed(self, name: str, manifest: Manifest) -> Content | None:
        """What the current version holds, None when it is not whole any more."""
        try:
            return whole(self.lines(name), manifest)
        except Damaged:
            return None

    def stamp(self, name: str) -> tuple[int, ...] | None:
        """Changes when another file is installed, or somebody wrote to it."""
        try:
            found = (self._current(name) / _LIST).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def entries(self, name: str) -> set[str]:
        """Ids of the installed entries. Raises Damaged."""
        return {line[LINE_ENTRY].decode() for line in self.lines(name)}

    def put(self, manifest: Manifest, content: Content, subscriber: tuple[str, bytes] | None) -> None:
        """Write a version durably; it is not current yet. `subscriber`: the source's SHA-256 and the text.

        Without `subscriber` the one of the current version goes along. Raises OSError.
        """
        folder = self.home(manifest.list) / str(manifest.version)
        if subscriber is None:
            subscriber = self._kept_subscriber(manifest.list)
        private_folder(folder)
        write_durably(folder / _LIST, _chunks(content.lines))
        if subscriber:
            _put_subscriber(folder, *subscriber)
        write_durably(folder / _MANIFEST, manifest.to_bytes())
        sync_folder(folder.parent)

    def is_dropped(self, name: str) -> bool:
        """Whether what is installed is out of force (app/client/silence.py)."""
        return (self._lists / name / DROPPED).exists()

    def drop(self, name: str) -> None:
        """Put what is installed out of force. Raises OSError."""
        write_durably(self.home(name) / DROPPED, b"")

    def take_back(self, name: str) -> None:
        """It is in force again, if it was dropped. Raises OSError."""
        if self.is_dropped(name):
            (self.home(name) / DROPPED).unlink()
            sync_folder(self.home(name))

    def put_subscriber(self, name: str, source: str, text: bytes) -> None:
        """Replace what is known beside the current version. Raises OSError."""
        _put_subscriber(self._current(name).resolve(), source, text)

    def point(self, name: str, version: int) -> None:
        """Make a written version current, and forget older ones but one. Raises OSError."""
        home = self.home(name)
        _point(home / "current", str(version))
        kept = {version, *sorted(one for one in _versions(home) if one < version)[1 - KEPT_VERSIONS :]}
        for old in _versions(home) - kept:
            shutil.rmtree(home / str(old), ignore_errors=True)

    def tidy(self) -> None:
        """Delete what a crash left half-written; only while nobody else writes here. Raises OSError."""
        for pattern in (".sync-*", "lists/*/.incoming-*"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path)
        for path in (*self.folder.glob("lists/*/.writing-*"), *self.folder.glob("lists/*/*/.writing-*")):
            path.unlink()

    def _current(self, name: str) -> Path:
        return self._lists / name / "current"

    def _kept_subscriber(self, name: str) -> tuple[str, bytes] | None:
        source = self.subscriber_source(name)
        return (source, (self._current(name) / _SUBSCRIBER).read_bytes()) if source else None


def _versions(home: Path) -> set[int]:
    return {int(path.name) for path in home.iterdir() if path.name.isdigit()}


def _put_subscriber(folder: Path, source: str, text: bytes) -> None:
    """The source's digest is written last: without it the part is fetched again."""
    (folder / _SOURCE).unlink(missing_ok=True)
    write_durably(folder / _SUBSCRIBER, text)
    write_durably(folder / _SOURCE, source.encode())


def _chunks(lines: list[bytes]) -> Iterator[bytes]:
    for start in range(0, len(lines), _LINES):
        yield b"\n".join(lines[start : start + _LINES]) + b"\n"


def _point(link: Path, target: str) -> None:
    temporary = link.with_name(f".current-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, link)
    sync_folder(link.parent)
