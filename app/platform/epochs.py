"""Numbered keys that end: of epochs, and of a list's hashes. One file each, outside database and backups.

An epoch's key wraps the commitment keys of the entries alive in it. When the epoch ends its file is
overwritten and removed, so that whatever DELETE left in free pages, WAL or backups opens nothing.
"""

import secrets
from pathlib import Path

from app.files import create_durably
from app.platform.files import destroy, private_folder
from app.platform.key_files import KeyUnusable, missing, read_private
from app.platform.key_forms import bits


class EpochOver(FileNotFoundError):
    """The epoch ended meanwhile: what was sealed under its key is under another's by now, or gone."""


class Epochs:
    """Key files `<number>.hex` in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return "Epochs(...)"

    def make(self, number: int) -> None:
        """Make an epoch's key; one that exists is kept."""
        private_folder(self._folder)
        if not self._path(number).exists():
            create_durably(self._path(number), secrets.token_hex(32).encode())

    def has(self, number: int) -> bool:
        """Whether the key is there still."""
        return self._path(number).exists()

    def require(self, number: int) -> None:
        """Raises KeyUnusable where the key is not there."""
        if not self.has(number):
            raise missing(self._path(number), "epoch")

    def key(self, number: int) -> bytes:
        """An epoch's key. Raises EpochOver once it was destroyed, and KeyUnusable."""
        key = self._known.get(number)
        if key is None:
            key = bits("epoch", self._text(number))
            known = {other: held for other, held in self._known.items() if other >= number - 1}
            self._known = {**known, number: key}
        return key

    def destroy_before(self, number: int) -> int:
        """Destroy every key of an earlier epoch; returns how many."""
        numbers = (int(path.stem) for path in self._folder.glob("*.hex") if path.stem.isdigit())
        old = [found for found in numbers if found < number]
        for found in old:
            destroy(self._path(found))
            self._known.pop(found, None)
        return len(old)

    def _text(self, number: int) -> str:
        """Of a key that is just being destroyed there may be zeros to read, or nothing."""
        try:
            text = read_private(self._path(number))
        except KeyUnusable:
            if self.has(number):
                raise
            text = ""
        if not text.strip("0\n"):
            raise EpochOver(self._path(number))
        return text

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.hex"
