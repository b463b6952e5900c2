"""The filter's files: written beside, checked by the filter's own program, then swapped by rename.

A file shows addresses and is its owner's alone, unless it was there before with other rights. What a program
prints may hold addresses: it goes to the terminal of a person who is there, or nowhere.
"""

import hashlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.core.terms import Format
from app.files import PRIVATE, sync_folder
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet

_COMMAND_SECONDS = 60


class CommandFailed(Exception):
    """A program of the filter did not end well. The text says how."""


@dataclass(frozen=True)
class Output:
    """One file: its format, where it goes, and the checker, in which {} stands for the new file."""

    format: Format
    path: Path
    check: str | None = None


@dataclass
class Outputs:
    """All files of one list, and how the filter is told of them. `walled_garden` is a name or None.

    `terminal` is the file descriptor that the filter's programs print to; None: what they print is dropped.
    """

    wanted: Sequence[Output] = ()
    reload: str | None = None
    walled_garden: str | None = None
    mode: int = PRIVATE
    terminal: int | None = None
    _seen: dict[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)

    def made_from(self, content_sha256: str, sheet_version: int, subscriber: str) -> str:
        """A digest that changes with anything that a file would be made from."""
        files = [[one.format.value, str(one.path)] for one in self.wanted]
        parts = [content_sha256, sheet_version, subscriber, self.walled_garden, files]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def are_current(self, rendered: Mapping[str, Sequence[str]], made_from: str) -> bool:
        """Whether every file is there as it was made from this."""
        known = {path: list(stated) for path, stated in rendered.items()}
        return all(known.get(str(one.path)) == [made_from, self._digest(one.path)] for one in self.wanted)

    def write_beside(self, sheet: Sheet) -> None:
        """Write every file next to where it goes, durably. Raises OSError."""
        for one in self.wanted:
            self._write(_beside(one.path), one.path, FORMATS[one.format].render(sheet))

    def check(self) -> None:
        """Run the checkers over the files that were written beside. Raises CommandFailed."""
        for one in self.wanted:
            if one.check:
                run(one.check, f"the check of {one.format.value}", _beside(one.path), self.terminal)

    def swap(self, made_from: str) -> dict[str, list[str]]:
        """Put the files in place; what State.rendered holds then. Raises OSError."""
        for one in self.wanted:
            os.replace(_beside(one.path), one.path)
            sync_folder(one.path.parent)
        return {str(one.path): [made_from, self._digest(one.path)] for one in self.wanted}

    def forget(self) -> None:
        """Delete what was written beside and is not wanted."""
        for one in self.wanted:
            with suppress(OSError):
                _beside(one.path).unlink(missing_ok=True)

    def tell_filter(self) -> None:
        """Run the reload command. Raises CommandFailed."""
        if self.reload:
            run(self.reload, "the reload command", terminal=self.terminal)

    def _write(self, beside: Path, path: Path, chunks: Iterable[bytes]) -> None:
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            self._take_rights(handle, path)
            os.fsync(handle)

    def _take_rights(self, handle: int, path: Path) -> None:
        """Those of the file that was there."""
        if not path.exists():
            os.fchmod(handle, self.mode)
            return
        found = path.stat()
        with suppress(PermissionError):
            os.fchown(handle, found.st_uid, found.st_gid)
        os.fchmod(handle, found.st_mode & 0o777)

    def _digest(self, path: Path) -> str:
        """SHA-256 (hex) of a file, read only when it is another than was seen; empty without one."""
        try:
            found = path.stat()
            state = (found.st_ino, found.st_size, found.st_mtime_ns)
            seen = self._seen.get(str(path))
            if seen is None or seen[0] != state:
                with path.open("rb") as file:
                    seen = (state, hashlib.file_digest(file, "sha256").hexdigest())
                self._seen[str(path)] = seen
        except OSError:
            return ""
        return seen[1]


def run(command: str, what: str, file: Path | None = None, terminal: int | None = None) -> None:
    """Run a program, no shell between, {} replaced by the file. `terminal` is as in Outputs.

    Raises CommandFailed.
    """
    printed = subprocess.DEVNULL if terminal is None else terminal
    words = [word.replace("{}", str(file)) if file else word for word in shlex.split(command)]
    try:
        ended = subprocess.run(  # noqa: S603 - the words are of whoever runs this command
            words,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{what} took longer than {_COMMAND_SECONDS} seconds") from None
    except OSError as failure:
        raise CommandFailed(f"{what} could not be started: {failure.strerror}") from None
    except (ValueError, IndexError):
        raise CommandFailed(f"{what} could not be run") from None
    if ended.returncode:
        shown = "; `wardlist isp watch --once` in a terminal shows what it prints" if terminal is None else ""
        raise CommandFailed(f"{what} ended with {ended.returncode}{shown}")


def _beside(path: Path) -> Path:
    return path.with_name(f".new-{path.name}")
