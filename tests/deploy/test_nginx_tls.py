"""deploy/nginx.conf with its TLS lines in force, as the README puts them, before several API processes."""

import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.deploy.operator_section import section
from tests.programs.nginx import PROGRAM, Nginx, free_port

NAME = "lists.example"


class Counting(ThreadingHTTPServer):
    """An API process: how much reached it; with `is_dying` it hangs up once it has read a request."""

    is_dying = False
    reached = 0


class Answering(BaseHTTPRequestHandler):
    """Answers with the scheme that it is told of, and a policy that browsers keep."""

    protocol_version = "HTTP/1.1"
    server: Counting

    def do_GET(self) -> None:
        self.server.reached += 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.server.is_dying:
            self.close_connection = True
            return
        body = self.headers["x-forwarded-proto"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at answers."""


class Secure(Nginx):
    """nginx with TLS, before API processes at several ports."""

    def __init__(self, folder: Path, services: list[int]) -> None:
        super().__init__(folder, folder / "home", services[0])
        self.address, self.plain = f"https://127.0.0.1:{self.port}", free_port()
        self._services = services

    def configuration(self) -> str:
        """The README's command makes it; then only places are other ones."""
        (command,) = re.findall(
            r"^sed .*#tls#.*nginx\.conf > /etc/nginx/nginx\.conf$", section().install, re.MULTILINE
        )
        options = re.findall(r"-e '([^']*)'", command)
        sed = ["/bin/sed", *(word for one in options for word in ("-e", one))]
        text = subprocess.run(sed, input=self.text(), capture_output=True, text=True, check=True).stdout
        more = "\n".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;" for port in self._services)
        places = {
            **{ours: here for ours, here in self.places.items() if not ours.startswith(("listen", "server"))},
            "server 127.0.0.1:8080;": more,
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.port} ssl http2;",
            "listen [::]:443 ssl http2;": "",
            "listen 80 default_server;": f"listen 127.0.0.1:{self.plain};",
            "listen [::]:80 default_server;": "",
            "/etc/ssl/wardlist": str(self.folder),
        }
        for ours, here in places.items():
            assert ours in text, ours
            text = text.replace(ours, here)
        return text


@contextmanager
def serving() -> Iterator[Counting]:
    server = Counting(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def before(folder: Path, services: list[int]) -> Iterator[tuple[Secure, httpx.Client]]:
    """nginx with a certificate for NAME, and a client that trusts it alone."""
    if PROGRAM is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    key, chain = folder / "key.pem", folder / "fullchain.pem"
    make = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={NAME}"
    names = f"-addext subjectAltName=DNS:{NAME},IP:127.0.0.1 -keyout {key} -out {chain}"
    subprocess.run([*make.split(), *names.split()], check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=str(chain))
    up = Secure(folder, services)
    with up.running(), httpx.Client(verify=trusting, base_url=up.address) as client:
        yield up, client


def test_tls_ends_at_nginx_and_plain_http_leads_there(tmp_path: Path) -> None:
    with serving() as api, before(tmp_path, [api.server_port]) as (nginx, client):
        answer = client.get("/v1/lists")
        assert (answer.text, answer.headers["strict-transport-security"]) == ("https", "max-age=1")
        led = httpx.get(f"http://127.0.0.1:{nginx.plain}/appeal?x=1", headers={"Host": NAME})
        assert (led.status_code, led.headers["location"]) == (308, f"https://{NAME}/appeal?x=1")


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_old_versions_of_tls_are_refused(tmp_path: Path, version: ssl.TLSVersion, is_taken: bool) -> None:
    with serving() as api, before(tmp_path, [api.server_port]) as (nginx, _):
        context = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        if is_taken:
            assert httpx.get(nginx.address, verify=context).status_code == 200
        else:
            with pytest.raises(httpx.ConnectError):
                httpx.get(nginx.address, verify=context)


def test_an_api_process_that_is_down_is_passed_over(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(serving()) for _ in range(2))
        ports = [first.server_port, free_port(), second.server_port]
        _, client = stack.enter_context(before(tmp_path, ports))
        assert {client.get("/v1/lists").status_code for _ in range(30)} == {200}
        assert first.reached + second.reached == 30
        assert min(first.reached, second.reached) > 5


def test_what_may_have_changed_something_is_not_sent_to_a_second_process(tmp_path: Path) -> None:
    with ExitStack() as stack:
        dying, other = (stack.enter_context(serving()) for _ in range(2))
        dying.is_dying = True
        _, client = stack.enter_context(before(tmp_path, [dying.server_port, other.server_port]))
        answers = [client.post("/v1/entries", json={}) for _ in range(6)]
        assert dying.reached + other.reached == 6
        refused = [one for one in answers if one.status_code == 503]
        assert len(refused) == dying.reached > 0
        assert all(one.headers["retry-after"] for one in refused)
