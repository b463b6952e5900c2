"""The metadata folder of the TUF repository: files with their version in the name, and the one timestamp.

A change goes out as one claim of all its files (app/lists/fence.py), and only then to the disk: role,
snapshot, timestamp. Without claims, as when an installation is made, the disk alone decides.
"""

from collections.abc import Mapping
from pathlib import Path

from tuf.api.metadata import Metadata, Snapshot, Timestamp

from app.lists.fence import AlreadyClaimed, Claims
from app.platform.files import replace_older, write_once
from app.platform.pointers import TIMESTAMP, is_newer

_TIMESTAMP = "timestamp"
_SUPERSEDED_SECONDS = 3600


class MetadataFolder:
    """Of one publisher; `claims` are those of its term."""

    def __init__(self, folder: Path, claims: Claims | None) -> None:
        self._folder, self._claims = folder, claims
        self._claimed: dict[str, int] = {}
        self._is_finished = claims is None

    @property
    def timestamp(self) -> Timestamp:
        """The one that is served. Raises tuf's StorageError."""
        return Metadata[Timestamp].from_file(str(self._folder / "timestamp.json")).signed

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot role's metadata that the timestamp leads to."""
        path = self._folder / f"{self.timestamp.snapshot_meta.version}.snapshot.json"
        return Metadata[Snapshot].from_file(str(path)).signed

    def next(self, role: str) -> int:
        """The number after all that are on the disk or claimed."""
        if role == _TIMESTAMP:
            path = self._folder / "timestamp.json"
            found = [self.timestamp.version] if path.exists() else []
        else:
            found = [_number(path.name, role) for path in self._folder.glob(f"*.{role}.json")]
        return max([*found, self._claimed.get(role, 0)], default=0) + 1

    def release(self, files: Mapping[str, bytes]) -> None:
        """Publish files by name, the timestamp as `<version>.timestamp.json`. Raises OSError and fence's.

        When it fails on the way, the next change finishes it first.
        """
        self._is_finished = self._claims is None
        if self._claims:
            self._claims.claim(files)
            self._count(files)
        self._write(files)
        self._is_finished = True

    def finish(self) -> None:
        """Write what was claimed and is not here, after a crash or by the publisher before; claim what is.

        What lies here unclaimed was published by a release without claims, or into a restored database.
        """
        if self._is_finished or self._claims is None:
            return
        files = self._claims.files()
        self._claimed = {}
        self._count(files)
        if unclaimed := self._unclaimed(files):
            self._claims.claim(unclaimed)
            self._count(unclaimed)
        self._write(files)
        self._is_finished = True

    def prune(self, now_seconds: float) -> None:
        """Delete metadata that has been superseded for an hour; every root stays."""
        timestamp = self.timestamp
        served = f"{timestamp.snapshot_meta.version}.snapshot.json"
        kept = {f"{meta.version}.{file}" for file, meta in self.snapshot.meta.items()} | {served}
        gone = {f"{number}.timestamp.json" for number in self._old_timestamps(timestamp.version)}
        for path in self._folder.glob("*.*.json"):
            is_old = now_seconds - path.stat().st_mtime > _SUPERSEDED_SECONDS
            if is_old and path.name not in kept and not path.name.endswith(".root.json"):
                path.unlink(missing_ok=True)
                gone.add(path.name)
        if self._claims:
            self._claims.forget(gone)

    def _write(self, files: Mapping[str, bytes]) -> None:
        """Whatever leads to others comes after them."""
        timestamps = {}
        for name, body in sorted(files.items(), key=lambda one: one[0].endswith(".snapshot.json")):
            if name.endswith(".timestamp.json"):
                timestamps[_number(name, _TIMESTAMP)] = body
            else:
                write_once(self._folder / name, body)
        if timestamps:
            body = timestamps[max(timestamps)]
            replace_older(
                self._folder / "timestamp.json", body, lambda found: is_newer(TIMESTAMP, found, body)
            )

    def _count(self, files: Mapping[str, bytes]) -> None:
        for name in files:
            number, _, role = name.removesuffix(".json").partition(".")
            self._claimed[role] = max(self._claimed.get(role, 0), int(number))

    def _unclaimed(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Every root here, and what the timestamp leads to unless a newer one is claimed."""
        names = {path.name for path in self._folder.glob("*.root.json")}
        found = {}
        path = self._folder / "timestamp.json"
        if path.exists() and (version := self.timestamp.version) >= self._claimed.get(_TIMESTAMP, 0):
            snapshot = self.snapshot
            names |= {f"{meta.version}.{file}" for file, meta in snapshot.meta.items()}
            names.add(f"{snapshot.version}.snapshot.json")
            found[f"{version}.timestamp.json"] = path.read_bytes()
        found |= {name: (self._folder / name).read_bytes() for name in names}
        if other := [name for name, body in found.items() if files.get(name, body) != body]:
            raise AlreadyClaimed(f"{other[0]} here is not what was published")
        return {name: body for name, body in found.items() if name not in files}

    def _old_timestamps(self, version: int) -> range:
        return range(max(1, version - _SUPERSEDED_SECONDS), version)


def _number(name: str, role: str) -> int:
    number = name.removesuffix(f".{role}.json")
    return int(number) if number.isdigit() else 0
