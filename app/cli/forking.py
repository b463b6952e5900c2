"""A process forked from the supervisor, and the channel by which each knows that the other lives.

The supervisor has one thread and no connection to anything, so that it may fork whenever it likes; what it
has imported its children need not. Signs of life go up the channel again and again. When its other end closes
the supervisor is no more, and the child ends too.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import typer

from app.platform.pulses import PULSES

SIGN_SECONDS = 2.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Channel:
    """The child's end."""

    def __init__(self, end: socket.socket) -> None:
        self._socket, self._said_at = end, float("-inf")

    def say_alive(self) -> None:
        """A sign of life, if it is time for one and no worker here hangs; the first says: at work."""
        now = time.monotonic()
        if now - self._said_at >= SIGN_SECONDS and not PULSES.silent():
            self._said_at = now
            with suppress(OSError):
                self._socket.send(b".", socket.MSG_DONTWAIT)

    def end_with_supervisor(self) -> None:
        """Have this process stop as by SIGTERM when the supervisor is gone. Returns at once."""
        threading.Thread(target=self._wait, name="supervisor", daemon=True).start()

    def _wait(self) -> None:
        with suppress(OSError):
            while self._socket.recv(1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)


Act = Callable[[Channel], None]
"""What a child does until it is told to stop. It is handed its end of the channel."""


def fork(act: Act, let_go: Callable[[], None]) -> tuple[int, socket.socket]:
    """Start a child that does `act`; its id, and the supervisor's end of the channel. Raises OSError.

    The child first calls `let_go`, which closes what is open here and none of its business: above all the
    sockets of other children, for nobody would answer who waits there when those are gone. Each is closed by
    the object that has it, and never by its number, which may soon be that of a database's file.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    # What comes for the child waits until it can act on it: else the supervisor's handler has it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        with theirs:
            try:
                child = os.fork()
            except OSError:
                ours.close()
                raise
            if child == 0:
                _be_child(act, theirs, let_go, ours)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child, ours


def _be_child(act: Act, end: socket.socket, let_go: Callable[[], None], other: socket.socket) -> None:
    """Does not return: what the supervisor would do at its end is not the child's to do."""
    code = 1
    try:
        for number in _STOPPING:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        other.close()
        let_go()
        channel = Channel(end)
        channel.end_with_supervisor()
        act(channel)
        code = 0
    except typer.Exit as ending:
        code = ending.exit_code
    except BaseException as failure:
        sys.excepthook(type(failure), failure, failure.__traceback__)
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
