"""Files that appear whole or not at all, survive a loss of power, are waited for. Of server and client."""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PRIVATE = 0o600
BESIDE = ".writing-"
"""What the name of a file begins with until it is whole."""


def lock(file: int | IO[bytes], until: float, look_again_seconds: float) -> None:
    """Lock an open file for oneself. Raises TimeoutError when it is not had by then (`time.monotonic`)."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError("another holds the lock") from None
            time.sleep(look_again_seconds)
        else:
            return


def write_durably(
    path: Path, chunks: bytes | Iterable[bytes], mode: int = PRIVATE, modified_seconds: int | None = None
) -> None:
    """Write beside, fsync, rename, fsync the folder: a reader sees the old file or the new one.

    `modified_seconds` since 1970 becomes its modification time. Raises OSError, and what `chunks` raises;
    then the old file is there as it was.
    """
    with _beside(path, chunks, mode, modified_seconds) as beside:
        os.replace(beside, path)
    sync_folder(path.parent)


def create_durably(path: Path, chunks: bytes | Iterable[bytes], mode: int = PRIVATE) -> bool:
    """The same, but a name that is taken is left alone: False then. Of two writers at once one succeeds."""
    with _beside(path, chunks, mode, None) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


@contextmanager
def _beside(
    path: Path, chunks: bytes | Iterable[bytes], mode: int, modified_seconds: int | None
) -> Iterator[Path]:
    """A durable file in the same folder under a name of its own; gone when the block fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=BESIDE)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if modified_seconds is not None:
                os.utime(file.fileno(), (modified_seconds, modified_seconds))
            os.fsync(file.fileno())
        yield Path(name)
    except BaseException as failure:
        Path(name).unlink(missing_ok=True)
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
            # The system names no file to who writes to an open one.
            failure.filename = failure.filename or str(path)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
