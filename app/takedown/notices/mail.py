"""Notices by mail, handed to the installation's own mail server over SMTP.

Sources: RFC 5321, RFC 3207 (STARTTLS), RFC 4954 (login), RFC 3463 (enhanced status codes).

Where a notice may arrive twice: SMTP hands a message over with one line, the dot that ends it, and the
server answers "250". Whoever dies, or loses the connection, after the dot was sent and before the answer is
on record cannot know whether the server has the message, and no command asks. There, and only there, the
notice is sent again, under the same Message-ID. All before the dot, the whole content included, leaves the
server without a message: a connection that ends there is no delivery (RFC 5321, section 4.1.1.4). So the
content goes first, then it is put on record that the notice is at risk, then the dot. For its answer the
client waits ten minutes, as section 4.5.3.2.6 asks, to keep that window shut as often as can be.

No text of the server is logged or kept: its enhanced status code, else its reply code, is all.
"""

import io
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from app.core.terms import NoticeOutcome
from app.platform.outgoing import MayCall
from app.platform.settings import Settings
from app.takedown.notices.content import Unwritable
from app.takedown.notices.parcels import Parcel, Sent

ANSWER_SECONDS = 600.0
"""For the answer to the dot. RFC 5321, section 4.5.3.2.6."""
_STEP_SECONDS = 30.0
"""For each other answer."""
_LONGEST_ANSWER = 64 * 1024
"""Bytes, give or take what is read ahead."""
_ENHANCED = re.compile(rb"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LINE_START_DOT = re.compile(rb"(?m)^\.")


class Mail:
    """A `parcels.Channel`. Each notice has a connection of its own, to the server of the settings.

    `content` gives a parcel's mail with CRLF line ends, `envelope_sender` a notice's, to which it comes back;
    `tls` is whom to trust, by default whom this machine does.
    """

    def __init__(
        self,
        settings: Settings,
        content: Callable[[Parcel], bytes],
        envelope_sender: Callable[[str], str],
        may_call: MayCall = lambda _host: True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings, self._content, self._sender = settings, content, envelope_sender
        self._may_call, self._tls = may_call, tls or ssl.create_default_context()

    def __call__(self, parcel: Parcel, at_risk: Callable[[], None]) -> Sent:
        """Hand one notice over."""
        if not self._may_call(self._settings.smtp_host or ""):
            return Sent(None, "refused")
        try:
            content = self._content(parcel)
        except Unwritable:
            return Sent(NoticeOutcome.FAILED, "unwritable")
        if _BARE_LINE_END.search(content):
            return Sent(NoticeOutcome.FAILED, "bare-line-end")
        try:
            with self._signed_in() as server:
                return _transact(server, self._sender(parcel.id), parcel.address, content, at_risk)
        except smtplib.SMTPResponseException as answer:
            return Sent(None, _coded(answer.smtp_code, answer.smtp_error))
        except smtplib.SMTPNotSupportedError:
            return Sent(None, "not-supported")
        except (smtplib.SMTPException, OSError, ValueError) as failure:
            return Sent(None, type(failure).__name__)

    @contextmanager
    def _signed_in(self) -> Iterator[smtplib.SMTP]:
        """A connection that may send. Raises what smtplib does."""
        server = self._connected()
        try:
            if self._settings.smtp_security == "starttls":
                server.starttls(context=self._tls)
            if self._settings.smtp_user and self._settings.smtp_password_file:
                password = self._settings.smtp_password_file.read_text().rstrip("\r\n")
                server.login(self._settings.smtp_user, password)
            server.ehlo_or_helo_if_needed()
            yield server
            # Its answer is not waited for: what it said to the dot is to be put on record first of all.
            with suppress(smtplib.SMTPException, OSError):
                server.putcmd("quit")
        finally:
            server.close()

    def _connected(self) -> smtplib.SMTP:
        host, port = self._settings.smtp_host or "", self._settings.smtp_port
        # Said instead of this machine's name, which would have to be looked up.
        name = (self._settings.mail_from or "").rpartition("@")[2] or "localhost"
        if self._settings.smtp_security == "tls":
            return _OverTls(host, port, name, timeout=_STEP_SECONDS, context=self._tls)
        return _Plain(host, port, name, timeout=_STEP_SECONDS)


class _Plain(smtplib.SMTP):
    """smtplib reads an answer for as long as lines come, and keeps them all: this one does not."""

    def getreply(self) -> tuple[int, bytes]:
        """The next answer, once it is whole. Raises smtplib.SMTPServerDisconnected when it never ends."""
        sock = self.sock
        if sock is None:
            return super().getreply()
        if self.file is None:
            self.file = io.BufferedReader(_Answers(sock))
        seconds = sock.gettimeout() or _STEP_SECONDS
        self.file.raw.begin(seconds)
        try:
            return super().getreply()
        finally:
            with suppress(OSError):
                sock.settimeout(seconds)


class _OverTls(_Plain, smtplib.SMTP_SSL):
    """TLS from the first byte on."""


class _Answers(io.RawIOBase):
    """What a server says: so many bytes an answer, and all of it in the time there is for one step."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._left, self._ends = sock, 0, 0.0

    def begin(self, seconds: float) -> None:
        """The next answer may take so long from here on."""
        self._left, self._ends = _LONGEST_ANSWER, time.monotonic() + seconds

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """What has come. Raises OSError when it is too much, or took too long."""
        seconds = self._ends - time.monotonic()
        if self._left <= 0 or seconds <= 0:
            raise TimeoutError("the answer does not end")
        self._sock.settimeout(seconds)
        got = self._sock.recv_into(buffer)
        self._left -= got
        return got


def _transact(
    server: smtplib.SMTP, sender: str, address: str, content: bytes, at_risk: Callable[[], None]
) -> Sent:
    """One message. Raises what smtplib does, and what `at_risk` does."""
    code, text = server.mail(sender)
    if code != 250:
        return Sent(None, _coded(code, text), is_refused=True)
    code, text = server.rcpt(address)
    if code not in (250, 251):
        return _refused(code, text)
    code, text = server.docmd("data")
    if code != 354:
        return _refused(code, text)
    whole = content if content.endswith(b"\r\n") else content + b"\r\n"
    server.send(_LINE_START_DOT.sub(b"..", whole))
    at_risk()
    if server.sock:
        server.sock.settimeout(ANSWER_SECONDS)
    server.send(b".\r\n")
    code, text = server.getreply()
    return Sent(NoticeOutcome.SENT) if code == 250 else _refused(code, text)


def _refused(code: int, text: bytes) -> Sent:
    """The server said that it does not take it: for good (5yz), or for now. Anything else says nothing."""
    if not 400 <= code < 600:
        return Sent(None, _coded(code, text))
    return Sent(NoticeOutcome.FAILED if code >= 500 else None, _coded(code, text), is_refused=True)


def _coded(code: int, text: bytes | str) -> str:
    """What may be kept of an answer."""
    said = text if isinstance(text, bytes) else text.encode("ascii", "replace")
    found = _ENHANCED.match(said)
    return found[1].decode() if found else f"smtp-{code}"
