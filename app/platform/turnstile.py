"""Whose turn it is among the processes that write to one SQLite file: who wrote queues behind who waits.

SQLite lets who finds the file locked look again after up to a tenth of a second; a process that just wrote
and has more to write takes it meanwhile, again and again. Here who comes next holds one lock while it waits
for the other, which the writer holds; whoever has written and wants to write more queues behind it. Among
those who wait to come next chance decides. SQLite's own lock keeps the data right with this or without it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from app.files import lock

_LOOK_AGAIN_SECONDS = 0.002


class Busy(TimeoutError):
    """Other writers took too long."""


@contextmanager
def turn(database: Path, patience_seconds: float) -> Iterator[None]:
    """Hold the turn to write to that file until the block ends. Raises Busy when it does not come in time.

    The locks are on two empty files beside it; where those cannot be had there are no turns. A process that
    ends, however it does, holds none; one that is stopped keeps what it has.
    """
    until = time.monotonic() + patience_seconds
    with ExitStack() as held:
        files = _files(held, database)
        try:
            for file in files:
                lock(file, until, _LOOK_AGAIN_SECONDS)
        except TimeoutError:
            raise Busy("other processes' writers took too long") from None
        except OSError:
            held.close()
            files = []
        for file in files[:-1]:
            file.close()
        yield


def _files(held: ExitStack, database: Path) -> list[IO[bytes]]:
    """In the order in which they are locked; the first is left once the second is held."""
    try:
        return [held.enter_context(_beside(database, name)) for name in ("waiting", "writing")]
    except OSError:
        return []


def _beside(database: Path, name: str) -> IO[bytes]:
    """To be read by all: an operator's command may be the first that needs it, as another user."""
    path = database.with_name(f"{database.name}-{name}")
    return open(path, "rb", opener=lambda file, _flags: os.open(file, os.O_RDONLY | os.O_CREAT, 0o644))
