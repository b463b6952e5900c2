"""Background work in a thread of its own: repeated until stopped, woken when something is due."""

import threading
from collections.abc import Callable

from app.platform import rounds
from app.platform.pulses import PULSES

POLL_SECONDS = 0.5


class Worker:
    """Runs `work` over and over. A failed round is logged by kind, never by content, and tried again."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name, self._work = name, work
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something may be due: do not wait for the next poll."""
        self._wake.set()

    def stop(self, seconds: float = 30) -> None:
        """End after the round at hand, and wait that long for it."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            rounds.run(self._name, self._work)
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
        PULSES.end(self._name)
