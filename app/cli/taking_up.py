"""Waiting until the publisher has taken up what was laid ready, where one is at work on this machine."""

import fcntl
import time
from collections.abc import Callable

from app.lists.publisher import LOCK
from app.platform.settings import Settings

_PATIENCE_SECONDS, _AGAIN_SECONDS = 20, 0.2


def until_taken_up(settings: Settings, is_done: Callable[[], bool]) -> bool:
    """Whether it is done; waited for only while a publisher of this installation is at work."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_done() and _is_at_work(settings) and time.monotonic() < end:
        time.sleep(_AGAIN_SECONDS)
    return is_done()


def _is_at_work(settings: Settings) -> bool:
    path = settings.home / LOCK
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
