"""/readyz and /healthz tell the truth: what is broken is named, and nothing else is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app import monitoring
from app.platform import pulses
from app.platform.clock import system_clock
from app.platform.pulses import PULSES
from app.platform.readiness import NotReady, Readiness
from app.platform.worker import Worker
from tests.programs.conditions import until
from tests.programs.service import Service


def readiness(service: Service) -> httpx.Response:
    return httpx.get(f"{service.address}/readyz", timeout=30)


def unready(service: Service) -> dict[str, Any]:
    """The problem, once what was found before is no longer kept."""
    until(lambda: readiness(service).status_code == 503)
    answer = readiness(service)
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == "urn:wardlist:problem:not-ready"
    return document


def fields(document: dict[str, Any]) -> list[str]:
    return [error["field"] for error in document["errors"]]


def test_a_service_that_is_in_order_says_how_each_check_stands(service: Service) -> None:
    service.publish()
    until(lambda: "log: its checkpoint has 0 leaves" not in readiness(service).text)
    lines = readiness(service).text.splitlines()
    assert lines[0] == "ready"
    assert [line.partition(": ")[0] for line in lines[1:]] == ["database", "repository", "log"]


def test_an_expired_timestamp_is_named_with_its_age(service: Service) -> None:
    service.clock.ahead += timedelta(hours=1, seconds=30)
    document = unready(service)
    assert fields(document) == ["repository"]
    assert "its timestamp expired 3" in document["detail"]
    service.publish()
    until(lambda: readiness(service).status_code == 200)


@pytest.mark.parametrize("damage", [None, b"", b"{}", b"\xff"])
def test_a_timestamp_that_is_missing_or_damaged_is_named(service: Service, damage: bytes | None) -> None:
    file = service.settings.public / "metadata" / "timestamp.json"
    file.unlink() if damage is None else file.write_bytes(damage)
    assert fields(unready(service)) == ["repository"]


def test_a_checkpoint_ahead_of_the_database_is_named(service: Service) -> None:
    service.publish()
    with service.database.writing() as session:
        session.execute(text("UPDATE log_head SET size = size - 2"))
    document = unready(service)
    assert fields(document) == ["log"]
    assert "2 leaves ahead of the database" in document["detail"]


@pytest.mark.parametrize("damage", [None, b"", b"wardlist.example/log\nmany\n\n"])
def test_a_checkpoint_that_is_missing_or_damaged_is_named(service: Service, damage: bytes | None) -> None:
    service.publish()
    file = service.settings.log / "checkpoint"
    file.unlink() if damage is None else file.write_bytes(damage)
    assert fields(unready(service)) == ["log"]


def test_a_schema_of_another_release_is_named(service: Service) -> None:
    with service.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    document = unready(service)
    assert fields(document) == ["database"]
    assert "run `wardlist init`" in document["detail"]


@pytest.mark.postgresql
@pytest.mark.parametrize(("seconds", "words"), [(60, "60 s ahead of"), (-60, "60 s behind")])
def test_a_clock_that_is_not_the_server_s_is_named(
    service: Service, monkeypatch: pytest.MonkeyPatch, seconds: int, words: str
) -> None:
    off = timedelta(seconds=seconds)
    monkeypatch.setattr(monitoring, "system_clock", lambda: system_clock() + off)
    document = unready(service)
    assert fields(document) == ["database"]
    assert words in document["detail"]


def test_a_database_that_does_not_answer_is_named_without_its_words(service: Service) -> None:
    with service.database.writing() as session:
        session.execute(text("ALTER TABLE log_head RENAME TO log_head_away"))
    document = unready(service)
    assert fields(document) == ["database", "log"]
    assert "log_head" not in document["detail"]


def test_a_service_that_stops_is_not_ready_at_once(service: Service) -> None:
    assert readiness(service).status_code == 200
    service.announcer.close()
    answer = readiness(service)
    assert answer.status_code == 503
    assert fields(answer.json()) == ["process"]


def test_checks_are_looked_at_once_a_second_however_often_it_is_asked() -> None:
    looked = []

    def check() -> str:
        looked.append(1)
        raise NotReady("not yet")

    kept = Readiness({"one": check})
    assert [one.text for one in kept.look()] == ["not yet"]
    for _ in range(50):
        kept.look()
    assert len(looked) <= 2
    until(lambda: bool(kept.look()) and len(looked) > 2)


@contextmanager
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Half a second of silence counts as a minute's."""
    with monkeypatch.context() as patched:
        patched.setattr(pulses, "SILENT_SECONDS", 0.5)
        yield


def health(service: Service) -> httpx.Response:
    return httpx.get(f"{service.address}/healthz", timeout=30)


def test_a_worker_that_hangs_makes_its_process_unhealthy_until_it_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def hang() -> None:
        go_on.wait(60)

    worker = Worker("hanging", hang)
    monkeypatch.setattr("app.platform.worker.POLL_SECONDS", 0.05)
    worker.start()
    with impatient(monkeypatch):
        until(lambda: health(service).status_code == 503)
        assert "hanging said nothing for" in health(service).json()["detail"]
        go_on.set()
        until(lambda: health(service).status_code == 200)
    worker.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_whose_thread_died_makes_its_process_unhealthy(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise SystemExit

    worker = Worker("dying", die)
    worker.start()
    try:
        with impatient(monkeypatch):
            until(lambda: health(service).status_code == 503)
            assert "dying" in health(service).json()["detail"]
    finally:
        PULSES.end("dying")


def test_a_worker_that_was_stopped_is_not_missed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = threading.Event()
    worker = Worker("stopped", rounds.set)
    worker.start()
    rounds.wait(60)
    worker.stop()
    monkeypatch.setattr(pulses, "SILENT_SECONDS", -1.0)
    assert "stopped" not in PULSES.silent()
    assert health(service).status_code == 200
