"""Reading a backup through, and taking it apart: files into an empty home, rows into an empty database.

Nothing is believed before the end: what is written stays unfinished until the last member, which says how
much of everything there must be, agrees with all that came.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from pydantic import Field as Member
from sqlmodel import Session

from app import migrations
from app.backup import rows
from app.backup.archive import NAME, Unreadable
from app.backup.making import CONTENTS, FORMAT, HEADER
from app.files import write_durably
from app.platform.files import private_folder
from app.platform.pointers import CHECKPOINT
from app.tables import metadata

_ROWS = re.compile(r"rows/([a-z_]+)/[0-9]{6}\.jsonl")
_READ = 1 << 20
_LARGEST_MEMBER = 1 << 30
_MODES = {"keys": 0o600, "tuf/targets": 0o640, "tuf/latest": 0o640}


class _Log(BaseModel):
    origin: str


class _Header(BaseModel):
    """What is relied on of a header."""

    keys_elsewhere: list[str]
    log: _Log
    made_at: str
    release: str
    schema_: str = Member(alias="schema")


class Examination:
    """Reads a backup through and keeps nothing. Afterwards `header` is its header.

    `checkpoint` is the one that was published when the backup was made.
    """

    def __init__(self) -> None:
        self.header: dict[str, Any] = {}
        self.checkpoint: bytes | None = None
        self._files: dict[str, dict[str, Any]] = {}
        self._digests = {table.name: rows.Digest() for table in rows.tables(metadata)}

    def take(self, members: Iterator[tuple[str, IO[bytes]]]) -> None:
        """Raises Unreadable, and of what is kept rows.Damaged, OSError and what the database raises."""
        name, content = next(members, ("", None))
        if name != HEADER or content is None:
            raise Unreadable("this is no backup, or it is damaged")
        self._read_header(_stated(_whole(content)))
        contents = None
        for name, content in members:
            table = _ROWS.fullmatch(name)
            if name == CONTENTS:
                contents = _whole(content)
            elif table:
                self._read_rows(table[1], _whole(content).splitlines())
            elif NAME.fullmatch(name):
                self._read_file(name, content)
            else:
                raise Unreadable("this is no backup: it holds something that no backup holds")
        if contents is None:
            raise Unreadable("the backup is cut short")
        self._compare(_stated(contents))

    def keep_file(self, _name: str, parts: Iterator[bytes]) -> None:
        """What to do with a file: pass over it."""
        for _ in parts:
            pass

    def keep_rows(self, table: sa.Table, lines: list[bytes]) -> None:
        """What to do with some rows: nothing."""

    def _read_header(self, stated: dict[str, Any]) -> None:
        self.header = stated
        if stated.get("format") != FORMAT:
            raise Unreadable(f"this is a backup of another format than {FORMAT}")
        try:
            _Header.model_validate(stated)
        except ValidationError:
            raise Unreadable("the backup's header does not say what it must") from None
        if self.header["schema"] != migrations.newest():
            raise Unreadable(
                f"the backup has schema {self.header['schema']}, this release {migrations.newest()} "
                f"({version('wardlist')}): restore it with release {self.header['release']}, then upgrade"
            )

    def _read_file(self, name: str, content: IO[bytes]) -> None:
        whole, length = hashlib.sha256(), 0

        def parts() -> Iterator[bytes]:
            nonlocal length
            while part := content.read(_READ):
                whole.update(part)
                length += len(part)
                yield part

        if name == CHECKPOINT:
            self.checkpoint = b"".join(parts())
        else:
            self.keep_file(name, parts())
        self._files[name] = {"length": length, "sha256": whole.hexdigest()}

    def _read_rows(self, name: str, lines: list[bytes]) -> None:
        table = metadata.tables.get(name)
        if table is None:
            raise Unreadable("the backup holds rows of a table that this release has not")
        self.keep_rows(table, lines)
        self._digests[name].add(lines)

    def _compare(self, stated: dict[str, Any]) -> None:
        if stated.get("files") != self._files:
            raise Unreadable("the backup's files are not those that it says")
        if stated.get("tables") != {name: digest.stated() for name, digest in self._digests.items()}:
            raise Unreadable("the backup's rows are not those that it says")


class Unpacking(Examination):
    """Takes a backup apart into a home and a session's database."""

    def __init__(self, home: Path, session: Session) -> None:
        super().__init__()
        self._home, self._session = home, session
        self._begun: set[str] = set()

    def keep_file(self, _name: str, parts: Iterator[bytes]) -> None:
        """Into the home, with the mode of its kind."""
        path = self._home / _name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = next((mode for top, mode in _MODES.items() if _name.startswith(f"{top}/")), 0o644)
        write_durably(path, parts, mode)

    def keep_rows(self, table: sa.Table, lines: list[bytes]) -> None:
        """Into their table."""
        connection, read = self._session.connection(), rows.reader(table)
        if table.name not in self._begun:
            self._begun.add(table.name)
            rows.clear(connection, table)
        rows.add(connection, table, [read(line) for line in lines])

    def _compare(self, stated: dict[str, Any]) -> None:
        """What was loaded is counted anew in the database; what triggers wrote is not in the backup."""
        super()._compare(stated)
        connection = self._session.connection()
        for table in rows.tables(metadata):
            if table.name not in self._begun:
                rows.clear(connection, table)
        rows.go_on_counting(connection, metadata)
        if rows.digests(connection, metadata) != stated["tables"]:
            raise rows.Damaged("what is in the database is not what was in the backup")
        for folder in [self._home / "keys", *(self._home / "keys").rglob("*")]:
            if folder.is_dir():
                private_folder(folder)


def _stated(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise Unreadable("the backup does not say what it holds as it must") from None
    return found


def _whole(content: IO[bytes]) -> bytes:
    body = content.read(_LARGEST_MEMBER + 1)
    if len(body) > _LARGEST_MEMBER:
        raise Unreadable("the backup holds a part that is too large")
    return body
