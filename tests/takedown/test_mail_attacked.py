"""A mail server whose answers never end costs no more than any other that fails."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.platform.settings import Settings
from app.takedown.notices import mail
from app.takedown.notices.mail import Mail
from app.takedown.notices.parcels import Sent
from tests.takedown.notified import FROM
from tests.takedown.sample import parcel

MOST = 64 * 1024 * 1024
"""Bytes that the server would say in all; a socket's buffers hold less than half of it."""


class Talker:
    """Takes one connection, and greets for as long as somebody listens. `said` counts its bytes."""

    def __init__(self, listener: socket.socket, said: bytes, most: int, pause: float) -> None:
        self.said, self._listener, self._text, self._most = 0, listener, said, most
        self._pause = pause
        self.thread = threading.Thread(target=self._talk, daemon=True)
        self.thread.start()

    def _talk(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            try:
                while self.said < self._most:
                    self.said += connection.send(self._text)
                    time.sleep(self._pause)
            except OSError:
                return


@contextmanager
def talking(said: bytes, most: int = MOST, pause: float = 0) -> Iterator[tuple[Talker, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        talker = Talker(listener, said, most, pause)
        yield talker, listener.getsockname()[1]
        talker.thread.join(timeout=30)


def told_by(folder: Path, port: int) -> Sent:
    """What comes of a notice that is handed to the server there."""
    settings = Settings(
        home=folder, smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", mail_from=FROM
    )
    return Mail(settings, lambda _parcel: b"Subject: x\r\n\r\nx\r\n", lambda _notice: FROM)(
        parcel(), lambda: None
    )


@pytest.mark.parametrize("line", [b"220-" + b"x" * 1000 + b"\r\n", b"220-\r\n" * 100], ids=["long", "short"])
def test_an_answer_without_end_is_hung_up_on(tmp_path: Path, line: bytes) -> None:
    with talking(line) as (talker, port):
        sent = told_by(tmp_path, port)
    assert (sent.outcome, sent.failure, sent.is_refused) == (None, "SMTPServerDisconnected", False)
    assert talker.said < MOST // 2


def test_an_answer_that_comes_by_the_byte_has_the_time_of_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of it is late; the whole is."""
    monkeypatch.setattr(mail, "_STEP_SECONDS", 0.2)
    with talking(b"2", most=2000, pause=0.02) as (talker, port):
        sent = told_by(tmp_path, port)
    assert (sent.outcome, sent.failure) == (None, "SMTPServerDisconnected")
    assert talker.said < 1000
