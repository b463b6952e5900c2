"""Several processes of one service: started, started anew when one dies, and stopped together.

Those that answer requests have each a socket of its own on the port (SO_REUSEPORT, socket(7)), which is open
here too: while one is started anew its connections wait and are not refused.
"""

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from app.cli.forking import Act, fork
from app.platform import telemetry

SILENT_SECONDS, START_SECONDS = 60.0, 300.0
"""A process that gives no sign of life for so long is killed, at its start for so long."""
STOP_SECONDS = 30.0
"""So long a process may take to end what it has begun when it is to stop."""
_LOOK_SECONDS, _REAP_SECONDS = 0.5, 0.02
_BACK_OFF_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Before a process is started anew, by how many died young one after the other."""
_GROWN_UP_SECONDS = 30.0
_logger = structlog.get_logger("supervisor")


class Failed(Exception):
    """A process could not begin its work, and said why; another one in its place could not either."""


class Place:
    """Where one process does `act` at a time. `sockets` are those it alone listens on."""

    def __init__(self, name: str, act: Act, sockets: Sequence[socket.socket] = ()) -> None:
        self.name, self._act, self._sockets = name, act, sockets
        self._process = 0
        self._channel: socket.socket | None = None
        self._died_young, self._started_at, self._alive_at = 0, 0.0, 0.0
        self._has_worked = False
        self.starts_at, self.is_up = 0.0, False

    @property
    def is_empty(self) -> bool:
        """Whether no process is here."""
        return self._channel is None

    @property
    def is_silent(self) -> bool:
        """Whether the process here hangs."""
        most = SILENT_SECONDS if self.is_up else START_SECONDS
        return not self.is_empty and time.monotonic() - self._alive_at > most

    def start(self, let_go: Callable[[], None]) -> socket.socket:
        """Start a process; returns what it is heard by. `let_go`: see `fork`. Raises OSError."""
        self._process, self._channel = fork(self._act, let_go)
        self._started_at = self._alive_at = time.monotonic()
        _logger.info("process started", role=self.name, process=self._process)
        return self._channel

    def close(self) -> None:
        """In another place's process: nothing of this one is kept there."""
        for one in (self._channel, *self._sockets):
            if one:
                one.close()

    def hear(self) -> bool:
        """Take in its signs of life. False once it has closed its end."""
        try:
            said = self._channel.recv(4096) if self._channel else b""
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._alive_at, self.is_up = time.monotonic(), self.is_up or bool(said)
        self._has_worked = self._has_worked or self.is_up
        return bool(said)

    def send(self, number: signal.Signals) -> None:
        """A signal to the process, if there is one."""
        if not self.is_empty:
            with suppress(ProcessLookupError):
                os.kill(self._process, number)

    def bury(self) -> None:
        """It has closed its end: note when another takes its place. Raises Failed."""
        self.send(signal.SIGKILL)
        _, status = os.waitpid(self._process, 0)
        code, lived = os.waitstatus_to_exitcode(status), time.monotonic() - self._started_at
        self._died_young = self._died_young + 1 if lived < _GROWN_UP_SECONDS else 0
        pause = _BACK_OFF_SECONDS[min(self._died_young, len(_BACK_OFF_SECONDS) - 1)]
        self.starts_at = time.monotonic() + pause
        about = {"role": self.name, "process": self._process, "code": code}
        _logger.warning("process died", **about, starts_in_seconds=pause)
        self._forget()
        if code > 0 and not self._has_worked:
            raise Failed

    def wait(self, ends: float) -> None:
        """Until the process has ended; at that time of the monotonic clock it is killed."""
        while not self.is_empty:
            if time.monotonic() > ends:
                self.send(signal.SIGKILL)
            if os.waitpid(self._process, os.WNOHANG)[0]:
                self._forget()
            else:
                time.sleep(_REAP_SECONDS)

    def _forget(self) -> None:
        telemetry.bury(self._process)
        if self._channel:
            self._channel.close()
        self._process, self._channel, self.is_up = 0, None, False


class Supervisor:
    """For the main thread of a process that has no other one: it takes SIGTERM and SIGINT."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._is_over = False

    def run(self, on_life: Callable[[], None]) -> None:
        """Until a signal. `on_life` is called twice a second or more often, once every process is at work.

        Raises Failed when one of them cannot begin; then all have ended.
        """
        # What there is by now stays, and children that never touch it share it.
        gc.collect()
        gc.freeze()
        handlers = {one: signal.signal(one, self._end) for one in (signal.SIGTERM, signal.SIGINT)}
        before = signal.set_wakeup_fd(self._waker.fileno())
        self._selector.register(self._woken, selectors.EVENT_READ)
        try:
            while not self._is_over:
                self._look()
                if all(one.is_up for one in self._places):
                    on_life()
        finally:
            self._stop()
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._close()

    def _look(self) -> None:
        """One turn: start what is due, and take in what the processes say."""
        for one in self._places:
            if one.is_empty and time.monotonic() >= one.starts_at:
                self._start(one)
        for key, _ in self._selector.select(_LOOK_SECONDS):
            if isinstance(key.data, Place) and not key.data.hear():
                self._selector.unregister(key.fileobj)
                key.data.bury()
        for one in self._places:
            if one.is_silent:
                _logger.error("process hangs", role=one.name)
                one.send(signal.SIGKILL)

    def _start(self, one: Place) -> None:
        """A machine that has no room for it now may have later."""
        try:
            heard_by = one.start(lambda: self._let_go(one))
            self._selector.register(heard_by, selectors.EVENT_READ, one)
        except OSError as failure:
            _logger.error("process not started", role=one.name, failure=type(failure).__name__)
            one.starts_at = time.monotonic() + _BACK_OFF_SECONDS[-1]

    def _let_go(self, own: Place) -> None:
        """In the process of a place."""
        for other in self._places:
            if other is not own:
                other.close()
        self._close()

    def _close(self) -> None:
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _end(self, _signal: int, _frame: object) -> None:
        self._is_over = True

    def _stop(self) -> None:
        ends = time.monotonic() + STOP_SECONDS
        for one in self._places:
            one.send(signal.SIGTERM)
        for one in self._places:
            one.wait(ends)
