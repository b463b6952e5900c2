"""The file of an installation that whoever publishes holds locked, and how others ask of it.

The publisher itself takes it by app/platform/leader.py.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "publisher.lock"
_PATIENCE_SECONDS, _AGAIN_SECONDS = 30, 0.1


@contextmanager
def nobody_publishes(home: Path) -> Iterator[bool]:
    """Whether, while the block runs, no publisher of this folder is at work, nor another such block."""
    with (home / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """With no publisher of this installation at work. Raises TimeoutError where one stays at it."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with nobody_publishes(home) as is_so:
            if is_so:
                yield
                return
        if time.monotonic() > ends:
            raise TimeoutError("a publisher is at work here; stop it first")
        time.sleep(_AGAIN_SECONDS)


def is_at_work(home: Path) -> bool:
    """Whether a publisher of this folder is; asking keeps none from its work."""
    path = home / LOCK
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
