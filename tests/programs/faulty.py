"""The network between a provider and the service, which misbehaves on demand: an HTTP proxy on a free port.

Everything goes to 127.0.0.1. A fault is a function that makes what the client gets of an honest answer.
"""

import gzip
import http.client
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.programs.witness import free_port

LATER_SECONDS = 1234
"""What a busy service asks for in Retry-After."""
_DRIP_SECONDS = 0.01
_BOMB_BYTES = 80 << 20
_OF_THE_WIRE = {"content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True)
class Answer:
    """Of the service, whole. `client` is the connection it goes to."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: socket.socket

    def head(self, length: int | None) -> bytes:
        """Status line and headers, with that Content-Length or none."""
        lines = [f"HTTP/1.1 {self.status} x", *(f"{name}: {value}" for name, value in self.headers)]
        lines += ["Connection: close", *([] if length is None else [f"Content-Length: {length}"]), "", ""]
        return "\r\n".join(lines).encode()

    def instead(self, status: int, body: bytes, *headers: tuple[str, str]) -> bytes:
        """Another answer, with the Date of this one."""
        kept = tuple(one for one in self.headers if one[0].lower() == "date")
        return replace(self, status=status, headers=(*kept, *headers)).head(len(body)) + body


Fault = Callable[[Answer], Iterator[bytes]]


class _CutOff(Exception):
    """The connection breaks here."""


def honest(answer: Answer) -> Iterator[bytes]:
    """As the service answers."""
    yield answer.head(len(answer.body)) + answer.body


def cut(answer: Answer) -> Iterator[bytes]:
    """The connection is reset in the middle."""
    yield answer.head(len(answer.body)) + answer.body[: len(answer.body) // 2]
    raise _CutOff


def hung_up(answer: Answer) -> Iterator[bytes]:
    """The connection ends without a word."""
    yield from ()


def silent(answer: Answer) -> Iterator[bytes]:
    """Nothing comes for as long as the client waits."""
    answer.client.recv(1)
    yield from ()


def dripping(answer: Answer) -> Iterator[bytes]:
    """A byte comes now and then, for ever."""
    yield answer.head(None)
    while True:
        time.sleep(_DRIP_SECONDS)
        yield b"{"


def too_short(answer: Answer) -> Iterator[bytes]:
    """Half of it, stated to be all."""
    half = answer.body[: len(answer.body) // 2]
    yield answer.head(len(half)) + half


def too_long(answer: Answer) -> Iterator[bytes]:
    """More than there is, as stated."""
    more = answer.body + b"\n" * 70_000
    yield answer.head(len(more)) + more


def less_than_stated(answer: Answer) -> Iterator[bytes]:
    """All of it, stated to be more."""
    yield answer.head(len(answer.body) + 1000) + answer.body


def more_than_stated(answer: Answer) -> Iterator[bytes]:
    """All of it, stated to be less."""
    yield answer.head(len(answer.body) // 2) + answer.body


def endless(answer: Answer) -> Iterator[bytes]:
    """It never ends."""
    yield answer.head(None)
    for _ in itertools.count():
        yield b" " * (1 << 20)


def bomb(answer: Answer) -> Iterator[bytes]:
    """A few bytes that unpack to very many."""
    yield answer.instead(200, _packed(), ("Content-Encoding", "gzip"))


def garbage(answer: Answer) -> Iterator[bytes]:
    """A page of somebody else's."""
    yield answer.instead(
        200, b"<html>Log in to use this network\xff\x00</html>", ("Content-Type", "text/html")
    )


def other_json(answer: Answer) -> Iterator[bytes]:
    """JSON, but not the kind that was asked for."""
    yield answer.instead(200, b'[{"errors": [7]}]', ("Content-Type", "application/json"))


def nested(answer: Answer) -> Iterator[bytes]:
    """JSON that no parser gets to the bottom of."""
    yield answer.instead(200, b"[" * 10_000, ("Content-Type", "application/json"))


def elsewhere(answer: Answer) -> Iterator[bytes]:
    """To be sought at another place."""
    yield answer.instead(302, b"", ("Location", "http://192.0.2.1/"))


def broken(answer: Answer) -> Iterator[bytes]:
    """The service has a fault."""
    yield answer.instead(500, b'{"title": 5, "errors": [7]}', ("Content-Type", "application/problem+json"))


def bad_gateway(answer: Answer) -> Iterator[bytes]:
    """What stands before the service does not reach it."""
    yield answer.instead(502, b"<html>Bad gateway</html>")


def missing(answer: Answer) -> Iterator[bytes]:
    """There is no such thing."""
    yield answer.instead(404, b"")


def busy(answer: Answer) -> Iterator[bytes]:
    """Too many requests; come later."""
    yield answer.instead(429, b"", ("Retry-After", str(LATER_SECONDS)))


def in_repair(answer: Answer) -> Iterator[bytes]:
    """The service is not up; come later."""
    yield answer.instead(503, b"", ("Retry-After", str(LATER_SECONDS)))


class Faulty:
    """Give `address` to a client as its proxy. `faults` are looked up by parts of paths, the first counts."""

    def __init__(self) -> None:
        self.port = free_port()
        self.faults: dict[str, Fault] = {}
        self.asked: list[str] = []
        self._server: _Server | None = None

    @property
    def address(self) -> str:
        """As a client is given it."""
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Take connections."""
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fault(self, path: str) -> Fault:
        """What becomes of an answer for this path."""
        self.asked.append(path)
        return next((fault for part, fault in self.faults.items() if part in path), honest)


@contextmanager
def network() -> Iterator[Faulty]:
    """A network that works, until the block ends."""
    one = Faulty()
    one.up()
    try:
        yield one
    finally:
        one.down()


@cache
def _packed() -> bytes:
    return gzip.compress(bytes(_BOMB_BYTES), compresslevel=1)


class _Server(ThreadingHTTPServer):
    """Answers one request a connection."""

    daemon_threads, block_on_close = True, False

    def __init__(self, faulty: Faulty) -> None:
        super().__init__(("127.0.0.1", faulty.port), _Relay)
        self.faulty = faulty


class _Relay(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._relay()

    def do_POST(self) -> None:
        self._relay()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _relay(self) -> None:
        assert isinstance(self.server, _Server)
        answer = self._asked()
        with suppress(OSError):
            try:
                for piece in self.server.faulty.fault(urlsplit(self.path).path)(answer):
                    self.wfile.write(piece)
            except _CutOff:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

    def _asked(self) -> Answer:
        """What the service says to the same request."""
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = target.path + (f"?{target.query}" if target.query else "")
        given = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_WIRE}
        service = http.client.HTTPConnection(target.hostname or "", target.port, timeout=90)
        try:
            service.request(self.command, path, body or None, given)
            found = service.getresponse()
            kept = tuple(one for one in found.getheaders() if one[0].lower() not in _OF_THE_WIRE)
            return Answer(found.status, kept, found.read(), self.connection)
        finally:
            service.close()
