"""The journal of erasures: ids of entries whose secrets were destroyed, outside the database and its backups.

A line is on the disk before its secret goes, so that a backup made earlier can be held to it. An id says
nothing of what the entry was. A line may be there twice, or for a secret that is still there: then the
program ended in between.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from app.files import PRIVATE, sync_folder

_ID = re.compile(r"[0-9a-f-]{32,64}")
_LONGEST_LINE = 200


class Unreadable(ValueError):
    """The journal holds something other than ids of entries. The text says in which line."""


def append(path: Path, ids: Sequence[str]) -> None:
    """Add ids, durably. A line cut off by a loss of power goes: its secret is still there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    lines = "".join(json.dumps({"entry": one}) + "\n" for one in ids).encode()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(handle, "r+b") as file:
        file.truncate(_whole_lines(file))
        file.seek(0, os.SEEK_END)
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)


def read(path: Path) -> set[str]:
    """Every id; none where there is no journal. A last line that was cut off is passed over.

    Raises Unreadable and OSError.
    """
    try:
        with path.open("rb") as file:
            return _ids(iter(lambda: file.readline(_LONGEST_LINE), b""))
    except FileNotFoundError:
        return set()


def _ids(lines: Iterable[bytes]) -> set[str]:
    found = set()
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            continue
        try:
            entry = json.loads(line)["entry"] if line.strip() else None
            if entry is not None and not _ID.fullmatch(entry):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise Unreadable(f"line {number} of the journal of erasures is not the id of an entry") from None
        if entry:
            found.add(entry)
    return found


def _whole_lines(file: IO[bytes]) -> int:
    """How many bytes of the file are lines that were ended."""
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - _LONGEST_LINE))
    tail = file.read(_LONGEST_LINE)
    return start + tail.rfind(b"\n") + 1
