"""Files and folders of the installation."""

from collections.abc import Iterable
from pathlib import Path

from app.files import write_durably


def write_atomically(
    path: Path, chunks: bytes | Iterable[bytes], mode: int = 0o644, modified_seconds: int | None = None
) -> None:
    """Write a file durably, and make its folder where it is missing. Raises OSError; the old file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, chunks, mode, modified_seconds)


def private_folder(path: Path) -> None:
    """Make a folder that only its owner can open."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
