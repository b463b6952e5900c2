"""Watching several lists until told to stop: one thread a list, signals and signs of life in the main thread.

SIGTERM and SIGINT end it when the steps under way are done, SIGHUP has every list tried now.
"""

import signal
import threading
import time
from collections.abc import Sequence

import structlog

from app.client.notify import Notifier
from app.client.session import Failed
from app.client.watch import Did, Step, Watcher

_HOLDABLE = (Did.HELD, Did.CHECK_FAILED, Did.RELOAD_FAILED)
"""The service answers, so that a poll can be held meanwhile."""
_LOOK_SECONDS = 2.0
_SHORTEST_POLL_SECONDS, _LAST_STEP_SECONDS, _STUCK_SECONDS, _AFTER_FAULT_SECONDS = 5.0, 60.0, 1800.0, 60.0
_logger = structlog.get_logger("watch")


class Daemon:
    """Runs watchers; `notifier` hears of it."""

    def __init__(self, watchers: Sequence[Watcher], notifier: Notifier | None = None) -> None:
        self._loops = [_Loop(one) for one in watchers]
        self._notifier = notifier or Notifier()
        self._end = threading.Event()

    def run(self) -> None:
        """Until SIGTERM or SIGINT; only in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._end.set())
        signal.signal(signal.SIGHUP, lambda *_: self._try_now())
        for one in self._loops:
            one.thread.start()
        self._give_signs_of_life()
        self._notifier.stopping()
        for one in self._loops:
            one.stop()
        ends = time.monotonic() + _LAST_STEP_SECONDS
        for one in self._loops:
            one.thread.join(max(0.0, ends - time.monotonic()))

    def _try_now(self) -> None:
        for one in self._loops:
            one.try_now()

    def _give_signs_of_life(self) -> None:
        is_ready, said = False, ""
        pause = min(_LOOK_SECONDS, (self._notifier.watchdog_seconds or _LOOK_SECONDS * 3) / 3)
        while not self._end.wait(pause):
            if not is_ready and all(one.last for one in self._loops):
                is_ready = True
                self._notifier.ready()
            if all(one.is_alive for one in self._loops):
                self._notifier.alive()
            words = "; ".join(one.words for one in self._loops)
            if words != said:
                self._notifier.status(words)
                said = words


class _Loop:
    """One list's steps and waits."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher, self._wake = watcher, threading.Event()
        self._is_asked = self._is_stopped = False
        self._poll: _Poll | None = None
        self._moved_at = time.monotonic()
        self.last: Step | None = None
        """The last step made."""
        self.thread = threading.Thread(target=self._run, name=f"watch {watcher.name}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it moved lately: no step and no wait is as long as this."""
        return self.thread.is_alive() and time.monotonic() - self._moved_at < _STUCK_SECONDS

    @property
    def words(self) -> str:
        """How the list fares, in a few words."""
        if self.last is None:
            return f"{self._watcher.name}: starting"
        version = f"version {self.last.version}" if self.last.version else "nothing in force"
        return f"{self._watcher.name}: {version}, {self.last.words or self.last.did.value}"

    def try_now(self) -> None:
        """Make the next step at once."""
        self._is_asked = True
        self._wake.set()

    def stop(self) -> None:
        """End after the step under way."""
        self._is_stopped = True
        self._wake.set()

    def _run(self) -> None:
        while not self._is_stopped:
            try:
                self._once()
            except Exception as fault:
                # A fault of ours must not end the watch; its text is not ours to print.
                _logger.error("fault", list=self._watcher.name, kind=type(fault).__name__)
                self._sleep(_AFTER_FAULT_SECONDS)

    def _once(self) -> None:
        if self._is_asked:
            self._is_asked = False
            self._watcher.try_again()
        self.last = step = self._watcher.step()
        if step.is_fine or step.did in _HOLDABLE:
            self._listen(step.wait_seconds)
        else:
            self._sleep(step.wait_seconds)

    def _listen(self, seconds: float) -> None:
        """Hold polls until there is news, or so much time went by."""
        due = time.monotonic() + seconds
        while not self._is_interrupted and (left := due - time.monotonic()) > 0:
            self._poll = self._poll or _Poll(self._watcher, self._wake)
            self._pause(min(left, _LOOK_SECONDS))
            if not self._poll.is_over:
                continue
            poll, self._poll = self._poll, None
            if poll.failure:
                self.last = self._watcher.not_heard(poll.failure)
                self._sleep(self.last.wait_seconds)
                return
            if poll.is_news:
                return
            if poll.seconds < _SHORTEST_POLL_SECONDS:
                self._sleep(min(left, self._watcher.least_wait_seconds))

    def _sleep(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        while not self._is_interrupted and (left := due - time.monotonic()) > 0:
            self._pause(min(left, _LOOK_SECONDS))

    def _pause(self, seconds: float) -> None:
        self._moved_at = time.monotonic()
        self._wake.wait(seconds)
        self._wake.clear()

    @property
    def _is_interrupted(self) -> bool:
        return self._is_stopped or self._is_asked or self._watcher.is_released


class _Poll:
    """A held poll in a thread of its own, which the end of the program does not wait for."""

    def __init__(self, watcher: Watcher, wake: threading.Event) -> None:
        self.is_news, self.seconds, self.is_over = False, 0.0, False
        self.failure: Failed | None = None
        self._watcher, self._wake = watcher, wake
        threading.Thread(target=self._hold, daemon=True).start()

    def _hold(self) -> None:
        started = time.monotonic()
        try:
            self.is_news = self._watcher.hear()
        except Failed as failure:
            self.failure = failure
        except Exception as fault:
            self.failure = Failed(f"the poll failed ({type(fault).__name__})")
        self.seconds = time.monotonic() - started
        self.is_over = True
        self._wake.set()
