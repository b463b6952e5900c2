"""`wardlist serve` whose courier counts its steps between database and mail server, and dies at one of them.

A step is before or after a commit, a connection, a piece sent to the mail server, or an answer of its. It
dies by SIGKILL: nothing runs any more, nothing is written any more.
"""

import os
import signal
import smtplib
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from tests.programs import forked

PIECES = 16
"""In which a mail's content is sent."""


class Steps:
    """Tells each step's name through the pipe, and ends the process at the one of that number, from 1."""

    def __init__(self, deadly: int | None, telling: Any) -> None:
        self._deadly, self._telling = deadly, telling
        self._taken, self._of = 0, Counter[str]()

    def take(self, when: str, what: str) -> None:
        """The courier is here. Other threads of the process pass by."""
        if not threading.current_thread().name.startswith("notices"):
            return
        self._taken += 1
        self._of[f"{when} {what}"] += 1
        self._telling.send_bytes(f"{when} {what} {self._of[f'{when} {what}']}\n".encode())
        if self._taken == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """The same, with a step before and one after."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.take("before", what)
            done = real(*arguments, **named)
            self.take("after", what)
            return done

        return call

    def in_pieces(self, real: Callable[..., None]) -> Callable[..., None]:
        """What sends to the mail server: a long text piece by piece."""

        def send(server: smtplib.SMTP, text: bytes | str) -> None:
            size = max(1, -(-len(text) // PIECES)) if len(text) > 1000 else max(1, len(text))
            for start in range(0, len(text), size):
                self.take("before", "send")
                real(server, text[start : start + size])
            self.take("after", "send")

        return send


def serve(environment: dict[str, str], deadly: int | None, telling: Any) -> None:
    """For `tests.programs.forked`."""
    steps = Steps(deadly, telling)
    DefaultDialect.do_commit = steps.around("commit", DefaultDialect.do_commit)  # type: ignore[method-assign]
    smtplib.SMTP._get_socket = steps.around("connect", smtplib.SMTP._get_socket)  # type: ignore[attr-defined]
    smtplib.SMTP.send = steps.in_pieces(smtplib.SMTP.send)  # type: ignore[method-assign]
    smtplib.SMTP.getreply = steps.around("answer", smtplib.SMTP.getreply)  # type: ignore[method-assign]
    forked.serve(environment)
