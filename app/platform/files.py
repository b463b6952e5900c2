"""Files and folders of the installation.

Two kinds are published. Most files never change: they are created, and a name that is taken keeps its bytes.
A few are replaced, and never by an older one: who replaces one compares under a lock of its folder, so that a
process which slept meanwhile finds that it is late.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.files import create_durably, sync_folder, write_durably

_PUBLIC = 0o644
_LOCK = ".lock"


class Taken(Exception):
    """A name that never changes is there with other bytes."""


def write_atomically(
    path: Path, chunks: bytes | Iterable[bytes], mode: int = _PUBLIC, modified_seconds: int | None = None
) -> None:
    """Write a file durably, and make its folder where it is missing. Raises OSError; the old file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, chunks, mode, modified_seconds)


def write_once(path: Path, body: bytes, mode: int = _PUBLIC) -> None:
    """Create a file that never changes; the same bytes again change nothing. Raises Taken, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if (path.exists() or not create_durably(path, body, mode)) and path.read_bytes() != body:
        raise Taken(f"{path.name} is there with other bytes")


def replace_older(
    path: Path,
    body: bytes,
    is_newer: Callable[[bytes], bool],
    mode: int = _PUBLIC,
    modified_seconds: int | None = None,
) -> bool:
    """Replace a file, unless `is_newer` says so of what is there: False then.

    Raises OSError, and what `is_newer` raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        try:
            found = path.read_bytes()
        except FileNotFoundError:
            found = None
        if found is not None and is_newer(found):
            return False
        if found != body or modified_seconds is not None:
            write_durably(path, body, mode, modified_seconds)
        return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else replaces a file of this folder meanwhile. For moments: others wait."""
    with (folder / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def destroy(path: Path) -> None:
    """Overwrite a file and remove it, durably; one that is gone is gone. Raises OSError."""
    if path.exists():
        with path.open("r+b") as file:
            file.write(b"0" * path.stat().st_size)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(path.parent)


def private_folder(path: Path) -> None:
    """Make a folder that only its owner can open."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
