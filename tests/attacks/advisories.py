"""A service of advisories as OSV is asked, for pip-audit: it knows the weaknesses that a test tells it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def advisories(known: dict[str, str]) -> Iterator[str]:
    """Its address, until the block ends. `known` is package name to the identifier of its weakness."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            answer = json.dumps({"vulns": [_weakness(name, known[name])]} if name in known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()


def _weakness(name: str, identifier: str) -> dict[str, object]:
    """Source: the OSV schema, 1.6."""
    return {
        "id": identifier,
        "modified": "2026-01-01T00:00:00Z",
        "summary": "A weakness.",
        "affected": [{"package": {"ecosystem": "PyPI", "name": name}, "ranges": [], "versions": []}],
    }
