"""The files below a folder, listed again and again at the price of what changed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

_SETTLED_NANOSECONDS = 2_000_000_000
"""A folder's time is not fine enough to show two changes in one moment: it is believed when this old."""


class Tree:
    """Of one thread. A folder whose modification time stayed is not read again; those below are looked at."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._known: dict[str, tuple[int, list[str], list[str]]] = {}

    def files(self, *roots: str) -> Iterator[str]:
        """Every file below these folders, relative to the top, with slashes. Raises OSError.

        Without those whose names begin with a dot. A folder that is not there has none.
        """
        pending = list(roots)
        while pending:
            folder = pending.pop()
            try:
                changed = os.stat(self._top / folder).st_mtime_ns
            except FileNotFoundError:
                self._known.pop(folder, None)
                continue
            known = self._known.get(folder)
            if known is None or known[0] != changed:
                known = self._known[folder] = self._read(folder, changed)
            pending += known[1]
            yield from known[2]

    def _read(self, folder: str, changed: int) -> tuple[int, list[str], list[str]]:
        is_settled = time.time_ns() - changed > _SETTLED_NANOSECONDS
        folders: list[str] = []
        files: list[str] = []
        with os.scandir(self._top / folder) as found:
            for one in found:
                if not one.name.startswith("."):
                    (folders if one.is_dir() else files).append(f"{folder}/{one.name}")
        return changed if is_settled else 0, folders, files
