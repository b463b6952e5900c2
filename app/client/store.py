"""What an internet provider has installed: one folder per version, and a link that names the current one.

`D/lists/<list>/<version>/{manifest.json,list.jsonl}` and `D/lists/<list>/current -> <version>`. The link is
replaced by one rename, so a reader sees the old version or the new one, whole.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core import commitment, url
from app.core.manifest import Manifest

KEPT_VERSIONS = 2


class Damaged(Exception):
    """A list is not what its manifest says, or what is installed is not whole."""


@dataclass(frozen=True)
class Match:
    """An installed entry that covers a URL."""

    list: str
    version: int
    entry: str
    scope: str


class Store:
    """The installed lists under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lists = folder / "lists"

    def names(self) -> list[str]:
        """Lists with an installed version."""
        return sorted(link.parent.name for link in self._lists.glob("*/current"))

    def current(self, name: str) -> Manifest | None:
        """The installed version's manifest, None when nothing is installed. Raises Damaged."""
        link = self._lists / name / "current"
        if not link.is_symlink():
            return None
        try:
            return Manifest.model_validate_json((link / "manifest.json").read_bytes())
        except (OSError, ValueError):
            raise Damaged("the installed manifest cannot be read; delete its folder and sync again") from None

    def is_whole(self, name: str, manifest: Manifest) -> bool:
        """Whether the installed file still is what was installed."""
        try:
            lines = list(_lines(self._lists / name / "current" / "list.jsonl"))
        except OSError:
            return False
        return commitment.content_sha256(lines) == manifest.content_sha256

    def entries(self, name: str) -> set[str]:
        """Ids of the installed entries."""
        path = self._lists / name / "current" / "list.jsonl"
        return {json.loads(line)["entry"] for line in _lines(path)} if path.exists() else set()

    def install(self, manifest: Manifest, downloaded: Path) -> set[str]:
        """Check the downloaded reference form against the manifest and make it current.

        Returns the entries' ids. Raises Damaged or OSError; then the current version stays.
        """
        ids = check(manifest, downloaded)
        home = self._lists / manifest.list
        home.mkdir(parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(dir=home, prefix=".incoming-"))
        try:
            _copy_durably(downloaded, incoming / "list.jsonl")
            _write_durably(incoming / "manifest.json", manifest.to_bytes())
            _sync(incoming)
            final = home / str(manifest.version)
            if final.exists():
                final.rename(incoming / "replaced")
            _place(incoming, final)
            _point(home / "current", str(manifest.version))
        except BaseException:
            shutil.rmtree(incoming, ignore_errors=True)
            raise
        self._forget_old(home, manifest.version)
        return ids

    def matches(self, address: str, only: str | None = None) -> list[Match]:
        """Installed entries that cover a URL. Raises ValueError when it is no web address."""
        canonical = url.canonicalise(address)
        if canonical is None:
            raise ValueError("this is not a web address")
        wanted = set(url.covering(canonical))
        return [
            Match(name, manifest.version, found["entry"], found["scope"])
            for name in ([only] if only else self.names())
            if (manifest := self.current(name))
            for found in map(json.loads, _lines(self._lists / name / "current" / "list.jsonl"))
            if (found["scope"], url.expression(found["url"], found["scope"])) in wanted
        ]

    def _forget_old(self, home: Path, current: int) -> None:
        versions = sorted(int(path.name) for path in home.iterdir() if path.name.isdigit())
        for version in versions[:-KEPT_VERSIONS]:
            if version != current:
                shutil.rmtree(home / str(version))


def check(manifest: Manifest, path: Path) -> set[str]:
    """The entries' ids, once count, order and both digests agree with the manifest. Raises Damaged."""
    lines = list(_lines(path))
    if len(lines) != manifest.entry_count:
        raise Damaged(f"{len(lines)} entries came, the manifest says {manifest.entry_count}")
    if lines != sorted(set(lines)) or commitment.content_sha256(lines) != manifest.content_sha256:
        raise Damaged("the content is not what the manifest says")
    commitments, ids = [], set()
    for line in lines:
        entry, opened, _ = _open(line)
        ids.add(entry)
        commitments.append(opened)
    if len(ids) != len(lines):
        raise Damaged("an entry is there twice")
    if commitment.commitments_sha256(commitments) != manifest.commitments_sha256:
        raise Damaged("the entries are not those the log commits to")
    return ids


def opened_lines(path: Path) -> Iterator[tuple[str, str, str]]:
    """(entry, commitment, scope) of every line. Raises Damaged."""
    return map(_open, _lines(path))


def _open(line: bytes) -> tuple[str, str, str]:
    try:
        value = json.loads(line)
        key, entry, scope, address = (value[name] for name in ("commitment_key", "entry", "scope", "url"))
        raw = bytes.fromhex(key)
        if commitment.list_line(raw, entry=entry, scope=scope, url=address) != line or len(raw) != 32:
            raise Damaged("a line is not in canonical form")
        return entry, commitment.commitment(raw, entry=entry, scope=scope, url=address), scope
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Damaged("a line is not an entry") from None


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line.removesuffix(b"\n")


def _copy_durably(source: Path, target: Path) -> None:
    with source.open("rb") as incoming, target.open("wb") as file:
        shutil.copyfileobj(incoming, file)
        file.flush()
        os.fsync(file.fileno())


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _place(incoming: Path, final: Path) -> None:
    shutil.rmtree(incoming / "replaced", ignore_errors=True)
    incoming.rename(final)
    _sync(final.parent)


def _point(link: Path, target: str) -> None:
    temporary = link.with_name(f".current-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, link)
    _sync(link.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
