"""/metrics, /healthz and /readyz of a process that serves nothing else, on a port of their own."""

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from app.platform import telemetry
from app.platform.listening import Unavailable
from app.platform.problems import MEDIA_TYPE, Problem
from app.platform.pulses import PULSES
from app.platform.readiness import Readiness

_TEXT = "text/plain; charset=utf-8"
_SLOWEST_SECONDS = 10
Answer = tuple[str, bytes]
"""Content type and body."""


def alive() -> str:
    """The answer of /healthz. Raises a 503 problem that names threads that fell silent."""
    silent = PULSES.silent()
    if silent:
        said = (f"{name} said nothing for {seconds:.0f} s" for name, seconds in silent.items())
        raise Problem("unavailable", "; ".join(said))
    return "ok\n"


def serve_metrics(place: str, figures: CollectorRegistry, readiness: Readiness) -> Callable[[], None]:
    """Answer at `place`, HOST:PORT, in a thread; what is returned ends it. Raises Unavailable."""
    host, port = _parted(place)
    routes: dict[str, Callable[[], Answer]] = {
        "/metrics": lambda: (CONTENT_TYPE_LATEST, telemetry.exposition(figures)),
        "/healthz": lambda: (_TEXT, alive().encode()),
        "/readyz": lambda: (_TEXT, readiness.require().encode()),
    }
    server_class = _ServerV6 if ":" in host else _Server
    try:
        server = make_server(host, port, _application(routes), server_class, _Silent)
    except OSError as failure:
        raise Unavailable(f"cannot listen on {place}: {failure.strerror}") from None
    threading.Thread(target=server.serve_forever, name="monitor", daemon=True).start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close


def _application(routes: dict[str, Callable[[], Answer]]) -> Callable[..., Iterable[bytes]]:
    def answer(environment: dict[str, Any], begin: Callable[..., object]) -> Iterable[bytes]:
        try:
            if environment["REQUEST_METHOD"] not in ("GET", "HEAD"):
                raise Problem("method-not-allowed", "ask with GET")
            if environment["PATH_INFO"] not in routes:
                raise Problem("not-found", "here are /metrics, /healthz and /readyz")
            status, (kind, body) = 200, routes[environment["PATH_INFO"]]()
        except Problem as problem:
            status, kind, body = problem.status, MEDIA_TYPE, orjson.dumps(problem.document())
        length = ("Content-Length", str(len(body)))
        begin(f"{status} {'OK' if status == 200 else 'Refused'}", [("Content-Type", kind), length])
        return [] if environment["REQUEST_METHOD"] == "HEAD" else [body]

    return answer


class _Silent(WSGIRequestHandler):
    """Says nothing of requests, and waits for none for long."""

    timeout = _SLOWEST_SECONDS

    def log_message(self, format: str, *args: object) -> None:
        """The library's would print what was asked."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked went away; the library's would print a traceback."""


class _ServerV6(_Server):
    address_family = socket.AF_INET6


def _parted(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Unavailable(f"{place} is no place to listen; write HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
