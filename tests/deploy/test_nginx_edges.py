"""What deploy/nginx.conf makes of requests that are too many, too large or not true, before any service."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.programs.nginx import PROGRAM, Nginx, free_port


class Mirrored(BaseHTTPRequestHandler):
    """Answers with the headers it was sent."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at answers."""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx before a server that says what reached it; it has no published files."""
    if PROGRAM is None:
        pytest.skip("nginx is not installed")
    folder: Path = tmp_path_factory.mktemp("edge")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirrored)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with Nginx(folder, folder / "home", server.server_port).running() as up:
            yield up
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_service_hears_who_asks_from_nginx_alone(edge: Nginx) -> None:
    claims = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Forwarded-Proto": "https"}
    reached = httpx.get(f"{edge.address}/v1/lists", headers=claims).json()
    assert reached["x-forwarded-for"] == "127.0.0.1"
    assert reached["x-forwarded-proto"] == "http"
    assert "forwarded" not in reached


@pytest.mark.parametrize(("path", "burst"), [("/oauth/token", 20), ("/v1/appeals", 10)])
def test_one_address_cannot_flood_what_is_dear(edge: Nginx, path: str, burst: int) -> None:
    with ThreadPoolExecutor(8) as pool, httpx.Client(base_url=edge.address) as client:
        answers = list(pool.map(lambda _: client.post(path), range(10 * burst)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert sum(answer.status_code == 200 for answer in answers) > burst
    assert refused
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert refused[0].headers["retry-after"] == "5"
    assert refused[0].json()["type"] == "urn:wardlist:problem:too-many-requests"


def test_reading_appeals_is_not_counted_as_filing_them(edge: Nginx) -> None:
    with httpx.Client(base_url=edge.address) as client:
        assert {client.get("/v1/appeals").status_code for _ in range(50)} == {200}


def test_the_link_of_a_notice_is_in_no_log(edge: Nginx) -> None:
    link = "0" * 32 + ".0.1."
    for path in (f"/takedown/{link}a", f"/v1/takedown-answers/{link}b", "/marker"):
        assert httpx.get(f"{edge.address}{path}").status_code == 200
    written = edge.written("/marker")
    assert written.count("/takedown/- ") == written.count("/takedown-answers/- ") == 1
    assert link not in written


def test_a_body_above_the_limit_never_reaches_the_service(edge: Nginx) -> None:
    refusal = httpx.post(f"{edge.address}/v1/entries/batch", content=b"x" * (8 * 1024 * 1024 + 1))
    assert refusal.status_code == 413
    assert refusal.json()["type"] == "urn:wardlist:problem:body-too-large"


def test_a_body_is_never_written_to_a_file(edge: Nginx) -> None:
    assert httpx.post(f"{edge.address}/v1/entries/batch", content=b"x" * 4_000_000).status_code == 200
    assert not [path for path in (edge.folder / "run" / "body").rglob("*") if path.is_file()]


def test_a_service_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    if PROGRAM is None:
        pytest.skip("nginx is not installed")
    log = tmp_path / "home" / "log"
    log.mkdir(parents=True)
    (log / "checkpoint").write_bytes(b"a note\n")
    with Nginx(tmp_path, tmp_path / "home", free_port()).running() as alone:
        for path in ("/v1/lists", "/v1/lists/national-url/snapshots/latest"):
            answer = httpx.get(alone.address + path)
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:wardlist:problem:unavailable"
        assert httpx.get(f"{alone.address}/log/checkpoint").content == b"a note\n"
