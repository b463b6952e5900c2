"""Waiting for what must come, however slow the machine is."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 120.0
"""Generous: only a test that fails waits so long."""


def until(is_so: Callable[[], bool], seconds: float = LIMIT_SECONDS) -> None:
    """Return once it is so. Raises TimeoutError."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError("what must come did not")
        time.sleep(0.02)
