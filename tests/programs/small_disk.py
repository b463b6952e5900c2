"""A small disk of its own, which can be filled to the last page or made read-only."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096


class Disk:
    """Mounted at `folder`."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder, self._options, self._ballast = folder, options, folder / "ballast"

    def fill(self, pages_free: int = 0) -> None:
        """Leave so much room."""
        self.clear()
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError:
                file.truncate(file.tell() // PAGE * PAGE - pages_free * PAGE)

    def clear(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)

    def may_be_written(self, yes: bool) -> None:
        """As the administrator, or the kernel after an error, decides."""
        _mount("-o", f"remount,{'rw' if yes else 'ro'},{self._options}", str(self.folder))


@contextmanager
def mounted(folder: Path, size: str = "1m") -> Iterator[Disk]:
    """A disk of that size, or a skip where nothing can be mounted."""
    folder.mkdir()
    options = f"size={size},mode=0700"
    try:
        _mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk can be mounted here: that needs root and CAP_SYS_ADMIN")
    try:
        yield Disk(folder, options)
    finally:
        subprocess.run([shutil.which("umount") or "umount", str(folder)], check=True)


def _mount(*words: str) -> None:
    subprocess.run([shutil.which("mount") or "mount", *words], check=True, capture_output=True)
