"""Folders of the client, which only their owner reads."""

from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner opens. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
