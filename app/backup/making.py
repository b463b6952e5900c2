"""Making a backup while everything runs: rows, keys and published files of one moment.

The moment is that of the first question to the database. The two files that are ever replaced, TUF's
timestamp and the log's checkpoint, are read before and after it: where both stayed the same, they are of that
moment too, and what they lead to never changes. Keys are read before and after as well, and must be the same:
a key that is just changed must fit what is said of it in `keys/public`. Tiles of the log are not in a backup:
they are made from the leaves.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rfc8785
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app import migrations
from app.backup import archive, checks, rows, tuf
from app.backup.archive import Member, member
from app.core.manifest import Artefact, Manifest, target_path
from app.entries.models import EntryKey, Epoch
from app.lists.compressed import SUFFIXES
from app.lists.models import Snapshot
from app.lists.repository import Repository
from app.log import service as log
from app.platform.clock import instant
from app.platform.database import Database
from app.platform.pointers import CHECKPOINT
from app.platform.settings import Settings
from app.tables import metadata

FORMAT = "wardlist-backup/v1"
HEADER, CONTENTS = "backup.json", "manifest.json"
_TRIES, _AGAIN_SECONDS = 200, 0.05
_READ = 1 << 20
_KEY_VARIABLE = re.compile(r"WARDLIST_KEY_[A-Z0-9_]+")


class Unnamed(Exception):
    """A file among the keys that a restore would refuse. The text names it."""


class Busy(Exception):
    """The published files never stood still for a moment."""


@dataclass
class Made:
    """What a backup holds: its header, its length in bytes, and how much of what is in it."""

    header: dict[str, Any]
    length: int = 0
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """What lay on the disk at the moment of the rows: `files` by name below the home, and TUF's targets."""

    files: dict[str, bytes]
    published: tuf.Published


def make(settings: Settings, database: Database, path: Path, recipients: list[str], now: datetime) -> Made:
    """Write a backup sealed to age recipients.

    Raises Busy, Unnamed, age.Invalid, tuf.Untrusted and OSError.
    """
    for _ in range(_TRIES):
        pointers, keys = _pointers(settings), _files(settings.keys, settings.home)
        with rows.standing_still(database) as connection, Session(connection) as session:
            head = log.head(session)
            is_still = (_pointers(settings), _files(settings.keys, settings.home)) == (pointers, keys)
            if is_still and _opens(session, keys):
                moment = _moment(settings, keys, *pointers)
                made = Made(_header(settings, database, head, moment, now))
                made.length = archive.write(path, _members(settings, connection, moment, made), recipients)
                return made
        time.sleep(_AGAIN_SECONDS)
    raise Busy("the published files changed all the time; try again")


def _pointers(settings: Settings) -> tuple[bytes | None, bytes | None]:
    return _read(settings.public / "metadata" / tuf.TIMESTAMP), _read(settings.home / CHECKPOINT)


def _opens(session: Session, keys: dict[str, bytes]) -> bool:
    """Whether the keys of every epoch that a row is wrapped under are at hand."""
    numbers = set(session.execute(sa.select(col(EntryKey.epoch)).distinct()).scalars())
    numbers.add(session.get_one(Epoch, 1).number)
    return all(f"keys/epochs/{number}.hex" in keys for number in numbers)


def _moment(
    settings: Settings, keys: dict[str, bytes], timestamp: bytes | None, checkpoint: bytes | None
) -> Moment:
    """The installation's own roots are where trust begins."""
    folder = settings.public / "metadata"
    roots = checks.roots_of(folder)
    found = tuf.published(lambda name: timestamp if name == tuf.TIMESTAMP else _read(folder / name), roots)
    if found is None:
        raise tuf.Untrusted("there is no TUF repository here")
    files = keys | {f"tuf/metadata/{name}": body for name, body in found.files.items()}
    return Moment(files if checkpoint is None else files | {CHECKPOINT: checkpoint}, found)


def _header(
    settings: Settings, database: Database, head: log.Head, moment: Moment, now: datetime
) -> dict[str, Any]:
    return {
        "database": database.engine.dialect.name,
        "format": FORMAT,
        "keys_elsewhere": sorted(name for name in os.environ if _KEY_VARIABLE.fullmatch(name)),
        "log": {"origin": settings.log_origin, "root": head.root.hex(), "size": head.size},
        "made_at": instant(now),
        "release": version("wardlist"),
        "schema": migrations.newest(),
        "tuf": moment.published.versions,
    }


def _members(settings: Settings, connection: Connection, moment: Moment, made: Made) -> Iterator[Member]:
    """In the order in which a restore takes them."""
    yield member(HEADER, rfc8785.dumps(made.header))
    for name, body in sorted(moment.files.items()):
        made.files[name] = {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        yield member(name, body)
    for path in _target_files(settings, connection, moment):
        yield from _streamed(path, path.relative_to(settings.home).as_posix(), made)
    yield from _rows(connection, made)
    yield member(CONTENTS, rfc8785.dumps({"files": made.files, "tables": made.tables}))


def _target_files(settings: Settings, connection: Connection, moment: Moment) -> Iterator[Path]:
    """The targets of the moment, and what is there still of every version that is on the record."""
    repository, seen = Repository(settings.public, settings.keys), set[Path]()
    query = sa.select(col(Snapshot.list), col(Snapshot.version), col(Snapshot.manifest))
    found = connection.execute(query.where(col(Snapshot.manifest).is_not(None)))
    artefacts = [one for name, number, body in found if body for one in of_version(name, number, body)]
    for one in (*moment.published.targets, *artefacts):
        place = repository.targets.locate(one)
        for path in (place, *(place.with_name(place.name + suffix) for suffix in SUFFIXES)):
            if path not in seen and path.is_file():
                seen.add(path)
                yield path


def of_version(name: str, number: int, body: bytes) -> Iterator[Artefact]:
    """The files of a version by its manifest, which comes first."""
    manifest = Manifest.model_validate_json(body)
    path = target_path(name, number, "manifest.json")
    yield Artefact(path=path, length=len(body), sha256=hashlib.sha256(body).hexdigest())
    yield manifest.delta
    yield from manifest.artefacts.values()


def _streamed(path: Path, name: str, made: Made) -> Iterator[Member]:
    """A file that may go at any moment, as an erasure has it; once it is open it is there."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        length, whole = os.fstat(file.fileno()).st_size, hashlib.sha256()

        def parts() -> Iterator[bytes]:
            while part := file.read(_READ):
                whole.update(part)
                yield part

        yield Member(name, length, parts())
        made.files[name] = {"length": length, "sha256": whole.hexdigest()}


def _rows(connection: Connection, made: Made) -> Iterator[Member]:
    for table in rows.tables(metadata):
        digest, write = rows.Digest(), rows.writer(table)
        for number, part in enumerate(rows.chunks(connection, table), 1):
            lines = [write(row) for row in part]
            digest.add(lines)
            yield member(f"rows/{table.name}/{number:06}.jsonl", b"".join(line + b"\n" for line in lines))
        made.tables[table.name] = digest.stated()


def _files(folder: Path, top: Path) -> dict[str, bytes]:
    """Every file below a folder by its name below `top`; one that is being written is left out."""
    found = {}
    for path in _walk(folder):
        name = path.relative_to(top).as_posix()
        if not archive.NAME.fullmatch(name):
            raise Unnamed(f"{path} has a name that no backup takes: move it away")
        with suppress(FileNotFoundError):
            found[name] = path.read_bytes()
    return found


def _walk(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not is_hidden:
            yield path


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
