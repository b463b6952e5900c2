"""Which threads of this process work, and when each last said so: what /healthz goes by.

A worker beats when a round begins and at each of its steps. One whose thread died, or that hangs in a step,
falls silent. Times are of the monotonic clock.
"""

import threading
import time

from structlog.contextvars import get_contextvars

SILENT_SECONDS = 60.0
"""A worker that says nothing for this long is taken for dead. No single step takes so long."""


class Pulses:
    """Of one process, for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beats: dict[str, float] = {}

    def beat(self, name: str) -> None:
        """This worker is alive, and from here on is expected to stay so."""
        with self._lock:
            self._beats[name] = time.monotonic()

    def end(self, name: str) -> None:
        """This worker has ended as it should."""
        with self._lock:
            self._beats.pop(name, None)

    def silent(self) -> dict[str, float]:
        """Seconds since the last word of each worker that should have said something by now."""
        now = time.monotonic()
        with self._lock:
            since = {name: now - at for name, at in self._beats.items()}
        return {name: seconds for name, seconds in sorted(since.items()) if seconds > SILENT_SECONDS}


PULSES = Pulses()
"""A process has one, as it has one set of threads."""


def go_on() -> None:
    """The round at hand (app/platform/rounds.py) has come to its next step; outside of one nothing."""
    worker = get_contextvars().get("worker")
    if worker:
        PULSES.beat(worker)
