"""The shelf: everything that is handed out, as representations. Who may have it is decided before."""

import hashlib
import re
import stat
from pathlib import Path

from app.core import age
from app.core.manifest import Artefact
from app.core.terms import Format
from app.distribution.answers import (
    ENCODED,
    ENCODINGS,
    IMMUTABLE,
    PRIVATE,
    Headers,
    Representation,
    StoredFile,
    encodings,
    gone,
)
from app.distribution.published import Published
from app.distribution.standing import ListStanding
from app.lists import snapshots
from app.lists.formats import FORMATS
from app.lists.repository import Repository
from app.platform.aside import aside
from app.platform.database import Database
from app.platform.problems import Problem

SEALED = "application/octet-stream"
"""Media type of what is age-encrypted; none is registered for it."""
MOST = 1024
"""Manifests of older versions held."""
REGISTER = re.compile(r"[0-9a-f]{64}\.register\.json")
_TIMESTAMP = "timestamp.json"


class Shelf:
    """Reads the repository on the disk, and the database only for manifests of older versions."""

    def __init__(self, database: Database, repository: Repository) -> None:
        self._database, self._repository = database, repository
        self._older: dict[tuple[str, int], Published] = {}
        self._timestamp: tuple[tuple[int, int], Representation] | None = None

    async def published(self, place: ListStanding, version: int) -> Published:
        """A finished version of the list."""
        found = place.newest.get(version) or self._older.get((place.name, version))
        if found is None:
            found = await aside(self._read, place.name, version)
            if len(self._older) >= MOST:
                self._older.pop(next(iter(self._older)))
            self._older[place.name, version] = found
        return found

    def _read(self, name: str, version: int) -> Published:
        with self._database.reading() as session:
            return Published.of(snapshots.get(session, name, version))

    def artefact(self, found: Published, form: str, asked: Headers) -> Representation:
        """A version's file in one format. Raises a 404 or 410 problem."""
        artefacts = found.manifest.artefacts
        if form not in artefacts:
            raise Problem("not-found", f"this version comes as {', '.join(sorted(artefacts))}")
        return self._stored(artefacts[form], Format(form), asked)

    def delta(self, found: Published, asked: Headers) -> Representation:
        """The change from the version before. Raises a 410 problem."""
        return self._stored(found.manifest.delta, Format.JSONL, asked)

    def _stored(self, artefact: Artefact, form: Format, asked: Headers) -> Representation:
        path, etag = self._repository.targets.locate(artefact), f'"{artefact.sha256}"'
        if artefact.path.endswith(age.SUFFIX):
            return Representation.of(_on_disk(path), etag, SEALED, IMMUTABLE, PRIVATE)
        media_type, whole = FORMATS[form].media_type, _on_disk(path)
        accept = asked.get(b"accept-encoding")
        for encoding in encodings(accept) if accept else ():
            try:
                file = _on_disk(path.with_name(path.name + ENCODINGS[encoding]))
            except Problem:
                continue
            etag = f'"{artefact.sha256}-{encoding}"'
            return Representation.of(file, etag, media_type, IMMUTABLE, ENCODED, encoding)
        return Representation.of(whole, etag, media_type, IMMUTABLE, ENCODED)

    def target(self, path: str) -> Representation:
        """A TUF target by its consistent name, as it is. Raises a 404 problem."""
        file = path.rsplit("/", 1)[-1]
        is_encoded = file.endswith(tuple(ENCODINGS.values()))
        try:
            if file.startswith(".") or is_encoded:
                raise gone()
            stored = _on_disk(self._repository.targets.path / path)
        except Problem:
            detail = "there is no target of this name; TUF clients find the present ones"
            raise Problem("not-found", detail) from None
        media_type = "application/json" if REGISTER.fullmatch(path) else SEALED
        return Representation.of(stored, f'"{file.split(".", 1)[0]}"', media_type, IMMUTABLE, PRIVATE)

    def metadata(self, file: str) -> Representation:
        """TUF metadata, public. Raises a 404 problem."""
        path = self._repository.metadata / file
        try:
            if file != _TIMESTAMP:
                return _metadata(path, "public, max-age=31536000, immutable")
            # Replaced by a rename: another file is another inode, or the same one written later.
            about = path.stat()
            mark = about.st_ino, about.st_mtime_ns
            if self._timestamp is None or self._timestamp[0] != mark:
                self._timestamp = mark, _metadata(path, "no-cache")
            return self._timestamp[1]
        except OSError:
            raise Problem("not-found", "there is no metadata of this name") from None


def _metadata(path: Path, lasting: str) -> Representation:
    body = path.read_bytes()
    return Representation.of(body, f'"{hashlib.sha256(body).hexdigest()}"', "application/json", lasting, {})


def _on_disk(path: Path) -> StoredFile:
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise gone() from None
    if not stat.S_ISREG(about.st_mode):
        raise gone()
    return StoredFile(path, about.st_size)
