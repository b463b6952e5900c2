"""Everyday failures are one line and exit code 1, whichever the command; faults of the program show where."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import psycopg
import pytest
from psycopg.errors import (
    AdminShutdown,
    DeadlockDetected,
    DiskFull,
    InsufficientPrivilege,
    LockNotAvailable,
    QueryCanceled,
    ReadOnlySqlTransaction,
    TooManyConnections,
)
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from app.cli import participants
from app.cli.main import app
from app.platform.settings import Settings
from tests.programs import forked
from tests.programs.postgres import postgres
from tests.programs.service import LIST, Service
from tests.programs.small_disk import Disk, mounted

PROGRAM = [sys.executable, "-c", "from app.cli.main import app; app()"]
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ADD = ["org", "add", "--kind", "isp", "--name", "X", "--country", "NL"]
SECRET = "pAssw0rd"
NOBODY = 65534


def run(folder: Path, *words: str, **settings: str) -> CompletedProcess[str]:
    """`wardlist` in a process of its own, with these settings alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARDLIST_")}
    given = {f"WARDLIST_{name.upper()}": value for name, value in settings.items()}
    return forked.command(words, folder, environment | {"WARDLIST_HOME": str(folder / "home")} | given)


def one_line(done: CompletedProcess[str]) -> str:
    """What was said, once it is one line and no more."""
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("wardlist: ")
    if done.stdout:
        assert json.loads(done.stdout)["error"] == lines[0].removeprefix("wardlist: ")
    assert SECRET not in done.stderr + done.stdout
    return lines[0]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `home` is an installation on SQLite, with a list."""
    folder = tmp_path_factory.mktemp("installed")
    service = Service(folder / "home")
    service.add_list()
    service.publish()
    service.database.close()
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with postgres("empty") as (address, _):
        yield address


@pytest.mark.parametrize(
    "words",
    [
        ["init"],
        ["org", "list"],
        ["client", "list", "--json"],
        ["backup", "--out", "b", "--recipient", RECIPIENT],
        ["publisher"],
        ["serve", "--api-only"],
    ],
    ids=lambda words: words[0],
)
def test_a_database_that_is_down(installed: Path, words: list[str]) -> None:
    nobody = f"postgresql+psycopg://wardlist:{SECRET}@127.0.0.1:1/wardlist"
    done = run(installed, *words, database_url=nobody)
    assert "cannot be reached" in one_line(done)
    assert bool(done.stdout) == ("--json" in words)


def test_a_database_that_does_not_exist(server: str, tmp_path: Path) -> None:
    assert "does not exist" in one_line(run(tmp_path, "init", database_url=server.replace("/empty", "/none")))
    stranger = server.replace("postgres@", f"nobody:{SECRET}@")
    assert "refuses this login" in one_line(run(tmp_path, "init", database_url=stranger))
    wrong = f"{server}&connect_timeout={SECRET}"
    assert "WARDLIST_DATABASE_URL" in one_line(run(tmp_path, "init", "--json", database_url=wrong))


def test_a_server_whose_connections_are_all_taken(server: str, tmp_path: Path) -> None:
    assert run(tmp_path, "init", database_url=server).returncode == 0
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
        crowded = server.replace("postgres@", "crowd@")
        assert "takes no more connections" in one_line(run(tmp_path, "org", "list", database_url=crowded))
        connection.execute("CREATE ROLE stranger LOGIN")
        connection.execute("REVOKE CONNECT ON DATABASE empty FROM PUBLIC")
        stranger = server.replace("postgres@", "stranger@")
        assert "refuses this login" in one_line(run(tmp_path, "org", "list", database_url=stranger))
        connection.execute("GRANT CONNECT ON DATABASE empty TO PUBLIC")


@pytest.mark.parametrize(
    "address",
    [
        "foo",
        f"postgres+psycopg://x:{SECRET}@y/z",
        f"mysql://x:{SECRET}@y/z",
        f"postgresql+psycopg://x:y@z:{SECRET}/z",
        f"sqlite://{SECRET}/file",
        "sqlite://",
    ],
)
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    for words in (["init", "--json"], ["org", "list"]):
        said = one_line(run(tmp_path, *words, database_url=address))
        assert "settings: WARDLIST_DATABASE_URL" in said
        assert "postgresql+psycopg://" in said


def test_nothing_is_copied_to_an_address_that_is_none(installed: Path) -> None:
    assert "write postgresql+psycopg://" in one_line(
        run(installed, "db", "copy", "--to", f"mysql://{SECRET}/x")
    )


@pytest.mark.parametrize("is_one_home", [False, True])
def test_several_that_begin_at_once_all_end_well(server: str, tmp_path: Path, is_one_home: bool) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "WARDLIST_DATABASE_URL"}
    if not is_one_home:
        environment |= {"WARDLIST_DATABASE_URL": server}
    begun = [
        subprocess.Popen(
            [*PROGRAM, "init"],
            env=environment | {"WARDLIST_HOME": str(tmp_path / ("home" if is_one_home else str(number)))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [one.communicate()[1] for one in begun]
    assert [one.returncode for one in begun] == [0, 0, 0], said


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ("home", ["org", "list"]),
        *(
            (closed, words)
            for closed in ("home", "home/keys")
            for words in (["init"], ["keys", "status"], ["publisher"], ["worker"], ["serve", "--api-only"])
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_folders_of_another_account(installed: Path, tmp_path: Path, closed: str, words: list[str]) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() or setpriv is None:
        pytest.skip("giving folders away needs root, and being kept out as root setpriv (util-linux)")
    shutil.copytree(installed / "home", tmp_path / "home")
    os.chown(tmp_path / closed, NOBODY, NOBODY)
    powerless = [setpriv, "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    environment = os.environ | {"WARDLIST_HOME": str(tmp_path / "home")}
    done = subprocess.run([*powerless, *PROGRAM, *words], env=environment, capture_output=True, text=True)
    said = one_line(done)
    assert "not permitted" in said or "Permission denied" in said
    assert str(tmp_path / closed) in said
    assert "wardlist-admin" in said


def test_a_file_that_is_not_the_services_own_asks_for_no_account_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(_as_json: bool) -> Settings:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "lists"))

    monkeypatch.setattr(participants, "reading", refused)
    for home, is_said in ((tmp_path / "home", False), (tmp_path, True)):
        done = CliRunner().invoke(app, ["org", "list", "--json"], env={"WARDLIST_HOME": str(home)})
        said = one_line(CompletedProcess([], done.exit_code, done.stdout, done.stderr))
        assert ("wardlist-admin" in said) is is_said
        assert str(tmp_path / "lists") in said


@pytest.fixture
def full(installed: Path, tmp_path: Path) -> Iterator[tuple[Path, Disk]]:
    """A folder whose `home` is on a full disk of its own."""
    with mounted(tmp_path / "disk", "8m") as disk:
        shutil.copytree(installed / "home", disk.folder / "home")
        disk.fill()
        yield disk.folder, disk


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "words",
    [
        ["init"],
        ADD,
        ["keys", "rotate", f"list-{LIST}"],
        ["keys", "rotate", "token", "--json"],
        ["backup", "--out", "b", "--recipient", RECIPIENT],
    ],
    ids=lambda words: "-".join(words[:3]),
)
def test_a_full_disk(full: tuple[Path, Disk], words: list[str]) -> None:
    done = run(full[0], *words)
    said = one_line(done)
    assert "None" not in said
    assert "No space left on device" in said or "disk is full" in said


def test_a_place_that_is_taken_by_something_else(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    for words in (["init", "--json"], ["init"]):
        assert str(tmp_path / "home") in one_line(run(tmp_path, *words))


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (DiskFull, "disk is full"),
        (InsufficientPrivilege, "owner of the database"),
        (AdminShutdown, "reached"),
        (ReadOnlySqlTransaction, "as a standby does"),
        (DeadlockDetected, "try again"),
        (LockNotAvailable, "try again"),
        (QueryCanceled, "timeouts"),
        (TooManyConnections, "max_connections"),
    ],
)
def test_what_postgresql_refuses(
    cause: type[psycopg.Error], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(_as_json: bool) -> Settings:
        raise DBAPIError.instance("SELECT", {}, cause(SECRET), psycopg.Error)

    monkeypatch.setattr(participants, "reading", refused)
    done = CliRunner().invoke(app, ["org", "list", "--json"], env={"WARDLIST_HOME": str(tmp_path)})
    assert said in one_line(CompletedProcess([], done.exit_code, done.stdout, done.stderr))


def test_a_service_that_fails_leaves_the_place_in_its_log(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    service.database.close()
    (tmp_path / "home" / "address").mkdir()
    done = run(tmp_path, "serve", **_settings(service))
    *log, last = done.stderr.splitlines()
    failed = [line for line in map(json.loads, log) if line["event"] == "process failed"]
    assert [line["failure"] for line in failed] == ["IsADirectoryError"]
    assert last.startswith("wardlist: ")
    assert last.endswith("Is a directory")
    assert done.returncode == 1


def _settings(service: Service) -> dict[str, str]:
    return {name.removeprefix("WARDLIST_").lower(): text for name, text in service.environment.items()}


def test_a_fault_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(_as_json: bool) -> Settings:
        raise ZeroDivisionError

    monkeypatch.setattr(participants, "reading", broken)
    done = CliRunner().invoke(app, ["org", "list"], env={"WARDLIST_HOME": str(tmp_path)})
    assert isinstance(done.exception, ZeroDivisionError)


@pytest.mark.sqlite
def test_a_table_that_is_not_there_is_a_fault_of_the_program(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed / "home", tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "wardlist.db") as connection:
        connection.execute("ALTER TABLE organisation RENAME TO lost")
    done = run(tmp_path, "org", "list")
    assert done.returncode == 1
    assert "no such table" in done.stderr
    assert "Traceback" in done.stderr
