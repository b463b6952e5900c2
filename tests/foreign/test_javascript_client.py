"""deploy/isp/client.mjs, which needs nothing of ours, keeps a list as a provider without Python would."""

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from app.client.session import Connection
from app.core import age
from app.core.terms import Confidentiality
from app.identity.permissions import Scope
from tests.client.subscription import Subscription
from tests.programs.node import NODE
from tests.programs.service import Service

CLIENT = Path(__file__).parents[2] / "deploy" / "isp" / "client.mjs"
Spoil = Callable[[str, bytes], bytes]


class Between:
    """Somebody between the service and the provider, who may change what passes."""

    def __init__(self, behind: str) -> None:
        self.spoil: Spoil = lambda _path, body: body
        between = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = {name: self.headers[name] for name in ("authorization", "if-none-match", "prefer")}
                headers = {name: value for name, value in wanted.items() if value}
                answer = httpx.get(behind + self.path, headers=headers, timeout=90)
                body = between.spoil(self.path, answer.content)
                self.send_response(answer.status_code)
                for name in ("etag", "retry-after"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Not a word."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Client:
    """The program at work, and each line it says."""

    def __init__(self, at: Subscription, folder: Path, issuer: str | None = None) -> None:
        self.at, self.folder, self.out = at, folder, folder / "list.jsonl"
        made = at.service.credentials(at.organisation, {Scope.LISTS_READ})
        (folder / "isp.json").write_text(json.dumps(asdict(made) | ({"issuer": issuer} if issuer else {})))
        (folder / "age.key").write_text("".join(f"{one}\n" for one in at.identities))
        self.said: queue.Queue[str] = queue.Queue()
        self.start()

    def start(self) -> None:
        command = [str(NODE), str(CLIENT), "isp.json", self.at.name, str(self.out), "age.key"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        for line in process.stdout:
            self.said.put(line.rstrip("\n"))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def says(self) -> str:
        """The next line."""
        return self.said.get(timeout=40)

    def entries(self) -> set[str]:
        return {json.loads(line)["entry"] for line in self.out.read_bytes().splitlines()}


Start = Callable[..., Client]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    if NODE is None:
        pytest.skip("node is not installed")
    started: list[Client] = []

    def one(at: Subscription, issuer: str | None = None) -> Client:
        started.append(Client(at, tmp_path, issuer))
        return started[-1]

    yield one
    for each in started:
        each.stop()


def subscribe(shared: tuple[Service, Connection], folder: Path, *, sealed: bool) -> Subscription:
    kind = Confidentiality.SEALED if sealed else Confidentiality.PLAIN
    return Subscription(*shared, folder, confidentiality=kind)


def test_it_installs_each_version_as_it_comes_and_goes_on_where_it_was(
    shared: tuple[Service, Connection], tmp_path: Path, start: Start
) -> None:
    plain = subscribe(shared, tmp_path, sealed=False)
    listed = plain.add(3)
    plain.publish()
    client = start(plain)
    assert client.says() == "installed version 1, 3 entries"
    assert client.entries() == set(listed)
    assert client.out.stat().st_mode & 0o777 == 0o600
    listed += plain.add(1)
    plain.publish()
    assert client.says() == "installed version 2, 4 entries"
    client.stop()
    plain.withdraw(listed.pop())
    plain.publish()
    client.start()
    assert client.says() == "installed version 3, 3 entries"
    assert client.entries() == set(listed)


def test_a_sealed_list_is_opened_with_age_and_by_nobody_else(
    shared: tuple[Service, Connection], tmp_path: Path, start: Start
) -> None:
    if shutil.which("age") is None:
        pytest.skip("age is not installed")
    sealed = subscribe(shared, tmp_path, sealed=True)
    listed = sealed.add(2)
    sealed.publish()
    client = start(sealed)
    assert client.says() == "installed version 1, 2 entries"
    assert client.entries() == set(listed)
    client.stop()
    (tmp_path / "age.key").write_text(age.generate()[0])
    sealed.add(1)
    sealed.publish()
    client.start()
    said = client.says()
    assert said.startswith("keeping version 1: ")
    assert "example.test" not in said
    assert client.entries() == set(listed)


@pytest.fixture
def between(shared: tuple[Service, Connection]) -> Iterator[Between]:
    one = Between(shared[0].address)
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_what_was_changed_on_the_way_is_not_installed_and_what_is_true_afterwards_is(
    shared: tuple[Service, Connection], tmp_path: Path, start: Start, between: Between
) -> None:
    plain = subscribe(shared, tmp_path, sealed=False)
    plain.add(2)
    plain.publish()
    client = start(plain, between.address)
    assert client.says() == "installed version 1, 2 entries"
    installed = client.out.read_bytes()
    between.spoil = _one_line_less
    plain.add(1)
    plain.publish()
    assert client.says() == "keeping version 1: the file is not the one that was signed"
    between.spoil = _another_body
    while (said := client.says()) != "keeping version 1: the manifest's signature does not hold":
        assert said == "keeping version 1: the file is not the one that was signed"
    assert client.out.read_bytes() == installed
    between.spoil = lambda _path, body: body
    while (said := client.says()) != "installed version 2, 3 entries":
        assert said.startswith("keeping version 1: ")


def test_an_older_version_is_never_taken_back(
    shared: tuple[Service, Connection], tmp_path: Path, start: Start, between: Between
) -> None:
    plain = subscribe(shared, tmp_path, sealed=False)
    plain.add(1)
    plain.publish()
    client = start(plain, between.address)
    assert client.says() == "installed version 1, 1 entries"
    state = tmp_path / "list.jsonl.state"
    client.stop()
    state.write_text(json.dumps({"version": 2, "etag": '"other"'}))
    client.start()
    assert client.says() == "keeping version 2: an older version or another list was offered"


def _one_line_less(path: str, body: bytes) -> bytes:
    return b"".join(body.splitlines(keepends=True)[1:]) if path.endswith("/jsonl") else body


def _another_body(path: str, body: bytes) -> bytes:
    """The header and signature are true; the manifest between them is not."""
    if not path.endswith("manifest.jws"):
        return body
    head, said, signature = body.split(b".")
    return b".".join((head, said[:-8] + b"AAAAAAAA", signature))
