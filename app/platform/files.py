"""Files that appear whole or not at all, and survive a loss of power."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_atomically(
    path: Path, chunks: bytes | Iterable[bytes], mode: int = 0o644, modified_seconds: int | None = None
) -> None:
    """Write beside, fsync, rename, fsync the folder: a reader sees the old file or the new one.

    `modified_seconds` since 1970 becomes its modification time. Raises OSError; then nothing but the old file
    is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if modified_seconds is not None:
                os.utime(file.fileno(), (modified_seconds, modified_seconds))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private_folder(path: Path) -> None:
    """Make a folder that only its owner can open."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
