"""What a service manager is told of a process: that it is ready, and from then on that it lives."""

import time

from app.client.notify import Notifier
from app.platform.pulses import PULSES


class Signs:
    """Called again and again by what must not stop: an event loop, or the main thread.

    The first call says ready. Where a watchdog is set, every third of its time says alive, as long as every
    worker of this process is.
    """

    def __init__(self, notifier: Notifier | None = None) -> None:
        self._notifier = notifier or Notifier()
        self._is_ready, self._next_at = False, 0.0

    def __call__(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._notifier.ready()
        every, now = self._notifier.watchdog_seconds, time.monotonic()
        if every is not None and now >= self._next_at and not PULSES.silent():
            self._next_at = now + every / 3
            self._notifier.alive()

    def end(self) -> None:
        """The process stops."""
        self._notifier.stopping()
