"""Files and folders that only their owner reads, and that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

PRIVATE = 0o600


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner opens. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def write_durably(path: Path, chunks: bytes | Iterable[bytes], mode: int = PRIVATE) -> None:
    """Write beside, fsync, rename, fsync the folder: after a crash it is the old file or the new one.

    Raises OSError, and what `chunks` raises; then the old file is there as it was.
    """
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), mode)
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
