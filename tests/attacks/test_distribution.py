"""Attacks on what providers poll: what is not yet theirs, what fills memory, and who is made to wait."""

import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.distribution import standing
from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.database import Database
from tests.distribution.test_polling import Wire
from tests.lists.test_staging import SNAPSHOTS, Stage, stage
from tests.programs.service import LIST, Service, running

__all__ = ["stage"]
WRITERS = 45
"""More than the framework has threads, and the database connections."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with an empty list."""
    with running(Service(tmp_path_factory.mktemp("attacked") / "home")) as service:
        service.add_list()
        yield service


@pytest.fixture
def isp(up: Service) -> Iterator[Connection]:
    organisation = up.organisation(Kind.ISP)
    up.subscribe(organisation)
    with up.connect(Kind.ISP, organisation) as client:
        yield client


def test_a_version_staged_by_another_process_a_moment_ago_is_for_canaries_only(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the service remembers is older than the version, whose files the public metadata names already."""
    service = stage.service
    stage.submit("https://b.example.test/")
    monkeypatch.setattr(standing, "STALE_SECONDS", 600.0)
    assert stage.seen() == (1, 1)
    service.clock.ahead += timedelta(seconds=1)
    with closing(Database(service.settings.database)) as elsewhere:
        Publisher(service.settings, elsewhere, service.keyring, service.clock, DUTIES).round()
    names = [path.name for path in (service.settings.public / "targets" / "lists" / LIST / "2").iterdir()]
    assert len(names) == 4
    for client, status in ((stage.other, 404), (stage.canary, 200)):
        got = {client.send("GET", f"/tuf/targets/lists/{LIST}/2/{name}").status_code for name in names}
        assert got == {status}


@pytest.mark.parametrize(
    "path",
    ["%00", "a%00b", "a" * 270, "%C2%B2/x.list.y", "canary/%00", "1/" + "a" * 64 + "." + "b" * 200, "%F0%9F"],
)
def test_a_name_that_no_file_can_have_is_just_not_there(isp: Connection, path: str) -> None:
    assert isp.send("GET", f"/tuf/targets/lists/{LIST}/{path}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/lists/%00/snapshots"),
        ("GET", "/v1/lists/%00/snapshots/latest"),
        ("GET", f"/v1/lists/{LIST}/snapshots?cursor=%00"),
        ("DELETE", "/v1/webhooks/%00"),
    ],
)
def test_no_database_is_asked_for_names_that_it_cannot_hold(isp: Connection, method: str, path: str) -> None:
    answer = isp.send(method, path)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_long_paths_that_lead_nowhere_are_not_remembered(up: Service) -> None:
    with closing(Wire(up)) as wire:

        def ask(number: int) -> int:
            path = b"/" + b"%03d" % number * 20_000
            return wire.ask(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert ask(0) == 404
        tracemalloc.start()
        try:
            assert {ask(number) for number in range(1, 60)} == {404}
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 1 << 20


def is_cut_off(wire: Wire) -> bool:
    """Whether no more can be sent."""
    try:
        wire.send(b"a" * 50_000)
    except OSError:
        return True
    return False


def test_endless_headers_are_cut_off(up: Service) -> None:
    for begun in (b"GET /", b"GET /healthz HTTP/1.1\r\nX-Note: "):
        with closing(Wire(up)) as wire:
            wire.send(begun)
            assert any(is_cut_off(wire) for _ in range(1000))


def test_headers_of_usual_length_in_many_pieces_are_read(up: Service) -> None:
    with closing(Wire(up)) as wire:
        for _ in range(3):
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: a.example.test\r\nX-Note: ")
            for _ in range(3):
                wire.send(b"a" * 10_000)
            assert wire.ask(b"\r\n\r\n") == 200


@contextmanager
def waiting_writers(stage: Stage) -> Iterator[None]:
    """Somebody writes for long, and more than can be served at once wait to write too."""
    signers = [stage.service.connect(Kind.ISP) for _ in range(WRITERS)]
    begun = threading.Semaphore(0)

    def sign_in(client: Connection) -> None:
        begun.release()
        client.token()

    threads = [threading.Thread(target=sign_in, args=(client,)) for client in signers]
    with stage.service.database.writing():
        for thread in threads:
            thread.start()
        for _ in threads:
            begun.acquire()
        # They are on their way; that some are not there yet makes it easier, never harder.
        time.sleep(1)
        yield
    for thread in threads:
        thread.join()


def test_a_poll_waits_for_no_writer(stage: Stage) -> None:
    token = {"Authorization": f"Bearer {stage.other.token()}"}
    with (
        httpx.Client(base_url=stage.service.address, headers=token, timeout=20) as http,
        waiting_writers(stage),
    ):
        # Answered while the writer still writes: else it would be never.
        assert http.get(f"{SNAPSHOTS}/latest").status_code == 200
        assert http.get(f"{SNAPSHOTS}/1").status_code == 200
        assert http.get(f"{SNAPSHOTS}/1/jsonl").status_code == 200
