"""A mail server on 127.0.0.1 that keeps what it took and answers as it is told."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cached_property
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Arrived:
    """One message that the server took, with its envelope."""

    sender: str
    recipients: list[str]
    content: bytes
    over_tls: bool
    user: str | None = None

    @cached_property
    def message(self) -> EmailMessage:
        """As a reader sees it."""
        found = BytesParser(policy=policy.default).parsebytes(self.content)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def id(self) -> str:
        """Its Message-ID."""
        return str(self.message["Message-ID"])


@dataclass
class Mailbox:
    """`answers` says, by command, what is said instead of "250 OK"; `before` is called with each command."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _command: None
    arrived: list[Arrived] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """What clients called themselves."""
    _open: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_until_quiet(self, seconds: float = 10) -> None:
        """Until every connection has ended and what it brought was taken. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._open == 0, seconds):
                raise TimeoutError("a client still speaks")

    def count(self, more: int) -> None:
        """A connection began or ended."""
        with self._changed:
            self._open += more
            self._changed.notify_all()


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def _said(self, command: str) -> str:
        self._mailbox.before(command)
        return self._mailbox.answers.get(command, "250 OK")

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, name: str, lines: list[str]
    ) -> list[str]:
        session.host_name = name
        self._mailbox.names.append(name)
        self._mailbox.before("EHLO")
        return lines

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._said("MAIL")

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        said = self._said("RCPT")
        if said.startswith("2"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        said = self._mailbox.answers.get("DATA", "250 OK")
        if said.startswith("250"):
            known = session.auth_data
            user = known.login.decode() if isinstance(known, LoginPassword) else None
            content = envelope.original_content or b""
            over_tls = session.ssl is not None
            taken = Arrived(envelope.mail_from or "", envelope.rcpt_tos, content, over_tls, user)
            self._mailbox.arrived.append(taken)
        self._mailbox.before("DATA")
        return said


class _Server(SMTP):
    """Counts connections; one that turns to TLS is one still."""

    def __init__(self, mailbox: Mailbox, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._mailbox, self._is_counted = mailbox, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._is_counted:
            self._is_counted = True
            self._mailbox.count(1)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._mailbox.count(-1)


class _Controller(Controller):
    def __init__(self, mailbox: Mailbox, **named: Any) -> None:
        self._mailbox = mailbox
        # Its own name is given, or it would look up this machine's.
        name = "mail.wardlist.example"
        super().__init__(_Handler(mailbox), hostname="127.0.0.1", port=0, server_hostname=name, **named)

    def factory(self) -> SMTP:
        return _Server(self._mailbox, self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        """The port is known only once the server listens."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def collecting(
    tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None, at_once: bool = False
) -> Iterator[Mailbox]:
    """Listen until the block ends: with STARTTLS (or TLS `at_once`) and a login where they are given."""

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        is_known = isinstance(given, LoginPassword) and (given.login, given.password) == tuple(
            word.encode() for word in login or ()
        )
        return AuthResult(success=is_known, handled=False, auth_data=given)

    asked: dict[str, Any] = {}
    if login:
        # What is TLS from the start is none in its eyes.
        over_tls = tls is not None and not at_once
        asked = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": over_tls}
    if tls and not at_once:
        asked |= {"tls_context": tls, "require_starttls": True}
    mailbox = Mailbox()
    server = _Controller(mailbox, ssl_context=tls if at_once else None, **asked)
    server.start()
    mailbox.port = server.port
    mailbox.wait_until_quiet()
    try:
        yield mailbox
    finally:
        server.stop()


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return once it holds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come about")
        time.sleep(0.01)
