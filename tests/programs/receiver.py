"""A receiver of webhooks on 127.0.0.1 that keeps what it got and answers as it is told."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answer` is called with each request's handler once it was read, and sends what it likes."""

    port: int
    answer: Callable[[BaseHTTPRequestHandler], None]
    got: list[Got] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """Of the server that a TLS client asked for."""

    def url(self, path: str = "/hook") -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}{path}"


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with a status and no body."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {**headers, "Content-Length": "0"}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return send


@contextmanager
def receiving(
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """Listen until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.got.append(
                Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            )
            receiver.answer(self)

        def log_message(self, *_words: Any) -> None:
            """Nothing is said."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_about: Any) -> None:
            """Clients that hang up are what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port, answer or status(204))
    if tls:
        tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
