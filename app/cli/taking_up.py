"""Waiting until the publisher has taken up what was laid ready, where one is at work on this machine."""

import time
from collections.abc import Callable

from app.lists.publisher_lock import is_at_work
from app.platform.settings import Settings

_PATIENCE_SECONDS, _AGAIN_SECONDS = 20, 0.2


def until_taken_up(settings: Settings, is_done: Callable[[], bool]) -> bool:
    """Whether it is done; waited for only while a publisher of this installation is at work."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_done() and is_at_work(settings.home) and time.monotonic() < end:
        time.sleep(_AGAIN_SECONDS)
    return is_done()
