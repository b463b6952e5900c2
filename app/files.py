"""Writing files that appear whole or not at all, and survive a loss of power. Server and client use it."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

PRIVATE = 0o600


def write_durably(
    path: Path, chunks: bytes | Iterable[bytes], mode: int = PRIVATE, modified_seconds: int | None = None
) -> None:
    """Write beside, fsync, rename, fsync the folder: a reader sees the old file or the new one.

    `modified_seconds` since 1970 becomes its modification time. Raises OSError, and what `chunks` raises;
    then the old file is there as it was.
    """
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if modified_seconds is not None:
                os.utime(file.fileno(), (modified_seconds, modified_seconds))
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
