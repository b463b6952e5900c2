"""`wardlist isp watch` and `isp release` as real programs: signals, signs of life, and what they print."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.client.notify import Notifier
from app.client.session import Credentials
from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD
from tests.client.subscription import Subscription, is_private

WARDLIST = str(Path(sys.executable).with_name("wardlist"))


class Installation:
    """A provider's machine: credentials, identity and pinned root in files."""

    def __init__(self, at: Subscription, folder: Path) -> None:
        self.at, self.folder, self.file = at, folder, folder / "list.csv"
        made = at.service.credentials(at.organisation, set(MAY_HOLD[Kind.ISP]))
        (folder / "credentials").write_text(json.dumps({name: getattr(made, name) for name in _MEMBERS}))
        (folder / "identity").write_text(f"# the provider's\n{at.identities[0]}\n")
        (folder / "root").write_bytes(at.service.root)

    def command(self, *options: str) -> list[str]:
        """`isp watch` with what it needs."""
        secrets = ["--credentials", f"{self.folder}/credentials", "--identity", f"{self.folder}/identity"]
        where = ["--list", self.at.name, "--dir", f"{self.folder}/isp", "--root", f"{self.folder}/root"]
        return [WARDLIST, "isp", "watch", *secrets, *where, *options]

    def out(self) -> list[str]:
        """A file for the filter."""
        return ["--format", "csv", "--out", str(self.file)]

    def version(self) -> str | None:
        """What is current, if anything is."""
        link = self.folder / "isp" / "lists" / self.at.name / "current"
        return os.readlink(link) if link.is_symlink() else None


_MEMBERS = Credentials.__dataclass_fields__


@pytest.fixture
def machine(sealed: Subscription, tmp_path: Path) -> Installation:
    """Nothing runs there yet."""
    return Installation(sealed, tmp_path)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end of sd_notify."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        yield listening


def until(condition: Callable[[], bool]) -> None:
    """Return once it is so. Fails after a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def hears(manager: socket.socket, word: str) -> str:
    """The next message that begins so."""
    while True:
        message = manager.recv(4096).decode()
        if message.startswith(word):
            return message


def test_the_daemon_takes_each_version_and_ends_when_told(
    machine: Installation, manager: socket.socket
) -> None:
    environment = {**os.environ, "NOTIFY_SOCKET": str(manager.getsockname()), "WATCHDOG_USEC": "600000"}
    command = machine.command(*machine.out(), "--health", f"{machine.folder}/health.json")
    daemon = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        hears(manager, "READY=1")
        assert machine.version() == "1"
        hears(manager, "WATCHDOG=1")
        machine.at.add(1)
        machine.at.publish()
        until(lambda: machine.version() == "2")
        assert "version 2" in hears(manager, "STATUS=") + hears(manager, "STATUS=")
        daemon.send_signal(signal.SIGHUP)
        daemon.send_signal(signal.SIGTERM)
        _, printed = daemon.communicate(timeout=60)
    finally:
        daemon.kill()
    hears(manager, "STOPPING=1")
    assert daemon.returncode == 0
    assert {json.loads(line)["list"] for line in printed.splitlines()} == {machine.at.name}
    assert "example" not in printed
    assert is_private(machine.folder / "isp")
    assert machine.file.stat().st_mode & 0o777 == 0o600


def test_a_held_version_is_let_in_by_a_command(machine: Installation) -> None:
    once = machine.command(*machine.out(), "--once", "--max-change-free", "2")
    assert subprocess.run(once, check=False, stderr=subprocess.DEVNULL).returncode == 0
    machine.at.add(8)
    machine.at.publish()
    assert subprocess.run(once, check=False, stderr=subprocess.DEVNULL).returncode == 1
    release = ["isp", "release", "--dir", f"{machine.folder}/isp", "--list", machine.at.name, "--json"]
    told = CliRunner().invoke(app, release)
    assert (told.exit_code, json.loads(told.stdout)["version"]) == (0, 2)
    assert subprocess.run(once, check=False, stderr=subprocess.DEVNULL).returncode == 0
    again = CliRunner().invoke(app, release)
    assert (again.exit_code, "held" in json.loads(again.stdout)["error"]) == (1, True)


def test_a_failed_check_is_tried_again_at_a_word_of_the_operator(
    machine: Installation, manager: socket.socket
) -> None:
    passes = machine.folder / "passes"
    command = machine.command(*machine.out(), "--check", f"test -e {passes}")
    environment = {**os.environ, "NOTIFY_SOCKET": str(manager.getsockname())}
    daemon = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        hears(manager, "READY=1")
        assert machine.version() is None
        passes.touch()
        daemon.send_signal(signal.SIGHUP)
        until(lambda: machine.version() == "1")
        daemon.terminate()
        assert daemon.wait(60) == 0
    finally:
        daemon.kill()


def test_only_to_a_person_who_is_there_do_the_filter_s_programs_print(machine: Installation) -> None:
    program = machine.folder / "program"
    program.write_text("#!/bin/sh\necho found a.example.test\necho and more >&2\nexit 3\n")
    program.chmod(0o700)
    once = machine.command(*machine.out(), "--check", str(program), "--once")
    piped = subprocess.run(once, check=False, capture_output=True, text=True)
    assert (piped.returncode, "found" in piped.stdout + piped.stderr) == (1, False)
    assert "--once` in a terminal" in json.loads(piped.stderr)["words"]
    shown, terminal = pty.openpty()
    try:
        assert subprocess.run(once, check=False, stderr=terminal).returncode == 1
        printed = os.read(shown, 1 << 16).decode()
    finally:
        os.close(terminal)
        os.close(shown)
    assert "found a.example.test" in printed
    assert "and more" in printed
    assert "in a terminal" not in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "csv"], "one --out"),
        (["--format", "csv", "--out", "x", "--check", "a", "--check", "b"], "one --check"),
        (["--list", "another", "--format", "csv", "--out", "x"], "{list}"),
        (["--format", "csv", "--out", "x", "--check", "'"], "no command"),
        (["--out-mode", "rw"], "octal"),
        (["--witness-vkey", "x"], "witness"),
        (["--identity", "/nowhere"], "--identity"),
    ],
)
def test_options_that_do_not_fit_are_named(machine: Installation, options: list[str], words: str) -> None:
    ended = CliRunner().invoke(app, machine.command(*options, "--once")[1:])
    assert (ended.exit_code, words in " ".join(ended.output.split())) == (1, True)


def test_an_abstract_socket_is_told_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0wardlist-{os.getpid()}")
        listening.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@wardlist-{os.getpid()}"}).ready()
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_without_a_service_manager_nothing_is_told(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).ready()
    assert Notifier({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}).watchdog_seconds is None
