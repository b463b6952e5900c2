"""The files that TUF's metadata leads to: each under its hash, so that none is ever replaced by another."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from app.core import age
from app.core.manifest import Artefact
from app.files import sync_folder


class _Counted:
    """A file, and the length and SHA-256 of what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.whole, self.length = file, hashlib.sha256(), 0

    def write(self, data: bytes, /) -> int:
        self.whole.update(data)
        self.length += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


class TargetFolder:
    """The repository's `targets` folder at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def store(self, path: str, chunks: Iterable[bytes], recipients: list[str] | None = None) -> Artefact:
        """Write a target file under its hash, sealed to `recipients` unless None.

        Writing the same again changes nothing, unless it is sealed. Raises OSError.
        """
        folder = (self.path / path).parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                counted = _Counted(file)
                if recipients is None:
                    for chunk in chunks:
                        counted.write(chunk)
                else:
                    age.seal(chunks, counted, recipients)
                file.flush()
                os.fchmod(file.fileno(), 0o640)
                os.fsync(file.fileno())
            artefact = Artefact(path=path, length=counted.length, sha256=counted.whole.hexdigest())
            os.replace(temporary, self.locate(artefact))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(folder)
        return artefact

    def locate(self, artefact: Artefact) -> Path:
        """Where a target file lies on disk."""
        path = self.path / artefact.path
        return path.with_name(f"{artefact.sha256}.{path.name}")

    def forget(self, name: str, first: int, end: int) -> None:
        """Delete the entries' files of versions first..end-1, and the delta that brought `first`."""
        for version in range(first, end):
            for path in (self.path / "lists" / name / str(version)).glob("*"):
                kind = path.name.split(".", 1)[1]
                if kind != "manifest.json" and (not kind.startswith("delta.") or version == first):
                    path.unlink(missing_ok=True)

    def forget_unfinished(self) -> None:
        """Delete what a crash left half-written. Another publisher at work here writes it once more."""
        for path in self.path.rglob(".writing-*"):
            path.unlink(missing_ok=True)
