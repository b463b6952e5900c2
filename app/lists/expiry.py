"""When the TUF metadata that a list's readers depend on runs out, as the repository on the disk says."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from tuf.api.metadata import Metadata

from app.lists.repository import Repository


class Expiry(NamedTuple):
    """A role's newest metadata: its version, and until when it holds."""

    role: str
    version: int
    expires: datetime


def of_roles(repository: Repository, lists: Iterable[str] | None = None) -> list[Expiry]:
    """Of root, targets, snapshot and timestamp, then of each list's role; a list without one is left out.

    Without `lists` of every role that there is, the register's too.
    """
    timestamp = _read(repository, "timestamp.json")
    number = timestamp.signed.snapshot_meta.version
    snapshot = _read(repository, f"{number}.snapshot.json")
    current = {file.removesuffix(".json"): meta.version for file, meta in snapshot.signed.meta.items()}
    found = [
        _expiry("root", repository.roots.signed(repository.roots.version)),
        _expiry("targets", _read(repository, f"{current['targets']}.targets.json")),
        _expiry("snapshot", snapshot),
        _expiry("timestamp", timestamp),
    ]
    every = sorted(current.keys() - {"targets"})
    named = [name for name in (every if lists is None else lists) if name in current]
    return found + [_expiry(name, _read(repository, f"{current[name]}.{name}.json")) for name in named]


def _read(repository: Repository, file: str) -> Metadata[Any]:
    return Metadata.from_file(str(repository.metadata / file))


def _expiry(role: str, read: Metadata[Any]) -> Expiry:
    return Expiry(role, read.signed.version, read.signed.expires)
