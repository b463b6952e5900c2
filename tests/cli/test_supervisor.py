"""What a supervisor and a service manager are told, and what becomes of a process that cannot begin."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.cli.forking import Channel, fork
from app.platform import pulses
from tests.programs import forked
from tests.programs.conditions import LIMIT_SECONDS
from tests.programs.service import Service


class Manager:
    """A service manager's end of NOTIFY_SOCKET (sd_notify(3))."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("")
        self._socket.settimeout(LIMIT_SECONDS)

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with; it is to say that it lives every second."""
        name = self._socket.getsockname().decode()
        return {"NOTIFY_SOCKET": "@" + name.removeprefix("\0"), "WATCHDOG_USEC": "3000000"}

    def told(self) -> str:
        """The next message. Raises TimeoutError."""
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    with closing(Manager()) as made:
        yield made


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path / "home")
    yield made
    made.database.close()


@pytest.mark.parametrize("words", [("publisher",), ("worker",), ("serve", "--workers", "2"), ("serve",)])
def test_a_service_manager_hears_of_beginning_life_and_end(
    service: Service, manager: Manager, tmp_path: Path, words: tuple[str, ...]
) -> None:
    environment = {**service.environment, **manager.environment}
    process = forked.forked(forked.run, environment, words, str(tmp_path / "log"))
    try:
        assert [manager.told() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        process.terminate()
        said = "WATCHDOG=1"
        while said == "WATCHDOG=1":
            said = manager.told()
        assert said == "STOPPING=1"
        process.join(LIMIT_SECONDS)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


def test_a_process_that_cannot_begin_ends_them_all(service: Service, tmp_path: Path) -> None:
    """Without a DKIM key no notice can go by mail."""
    environment = {
        **service.environment,
        "WARDLIST_SMTP_HOST": "127.0.0.1",
        "WARDLIST_MAIL_FROM": "a@b.example",
    }
    log = tmp_path / "log"
    process = forked.forked(forked.run, environment, ("serve", "--workers", "2"), str(log))
    try:
        process.join(LIMIT_SECONDS)
        assert process.exitcode == 1
        assert "wardlist mail key" in log.read_text()
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("word", ["publisher", "worker", "serve"])
def test_without_an_installation_there_is_one_sentence(tmp_path: Path, word: str) -> None:
    done = forked.command([word], tmp_path, {"WARDLIST_HOME": str(tmp_path / "none")})
    assert (done.returncode, done.stderr) == (1, "wardlist: run `wardlist init` first\n")


def test_without_its_database_there_is_one_sentence(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    service.database.close()
    nobody = f"postgresql+psycopg://postgres@/none?host={tmp_path}"
    environment = {"WARDLIST_HOME": str(tmp_path / "home"), "WARDLIST_DATABASE_URL": nobody}
    done = forked.command(["publisher"], tmp_path, environment)
    assert (done.returncode, done.stderr) == (
        1,
        "wardlist: the database cannot be reached; is it up, and is WARDLIST_DATABASE_URL right?\n",
    )


def test_a_child_that_is_to_stop_before_it_has_begun_stops() -> None:
    process = forked.forked(_stop_a_child_at_once)
    process.join(LIMIT_SECONDS)
    assert process.exitcode == 0


def test_a_child_in_which_a_worker_hangs_says_no_longer_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        monkeypatch.setattr(pulses, "SILENT_SECONDS", 0.0)
        pulses.PULSES.beat("hanging")
        try:
            Channel(theirs).say_alive()
            with pytest.raises(BlockingIOError):
                ours.recv(1)
        finally:
            pulses.PULSES.end("hanging")
        monkeypatch.undo()
        Channel(theirs).say_alive()
        assert ours.recv(1)


def _stop_a_child_at_once() -> None:
    """SIGTERM comes between the fork and the child's first own step; ends with 0 if that ended the child."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
    child, _ = fork(lambda _channel: time.sleep(10), lambda: None)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) + signal.SIGTERM)
