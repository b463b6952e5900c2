"""A setting that cannot be meant ends the command with its name; a variable that nothing reads is told."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.core.note import COSIGNATURE, Signer
from tests.programs import forked
from tests.programs.conditions import until
from tests.programs.service import Service

WITNESS = f"{Signer.generate('w.example', COSIGNATURE).verifier} http://w.example"


def refused(tmp_path: Path, **settings: str) -> str:
    """What is said of these settings."""
    environment = {f"WARDLIST_{name.upper()}": value for name, value in settings.items()}
    done = CliRunner().invoke(
        app, ["org", "list", "--json"], env={"WARDLIST_HOME": str(tmp_path), **environment}
    )
    assert done.exit_code == 1
    return str(json.loads(done.stdout)["error"])


@pytest.mark.parametrize(
    "issuer",
    [
        "lists.example",
        "lists.example:8080",
        "ftp://lists.example",
        "https://",
        "https:///lists",
        "https://lists.example/api",
        "https://lists.example?x=1",
        "https://lists.example#x",
        "https://who@lists.example",
        "https://lists.example:many",
        "https://lists.example:0",
        "https://lists .example",
    ],
)
def test_an_issuer_is_an_address_without_a_path(tmp_path: Path, issuer: str) -> None:
    said = refused(tmp_path, issuer=issuer)
    assert said.startswith("settings: WARDLIST_ISSUER")
    assert "write https://HOST" in said


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"key_days": "tokn=3"}, "KEY_DAYS"),
        ({"key_days": "token=3,root=30"}, "KEY_DAYS"),
        ({"witness_quorum": "1"}, "WITNESS_QUORUM"),
        ({"witnesses": WITNESS, "witness_quorum": "2"}, "WITNESS_QUORUM"),
        ({"store_follow": "true"}, "STORE_FOLLOW"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, settings: dict[str, str], name: str) -> None:
    assert refused(tmp_path, **settings).startswith(f"settings: WARDLIST_{name}: ")


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    said = refused(tmp_path, witnesses="nonsense", witness_quorum="1", store="ftp://x", store_follow="true")
    assert "WARDLIST_WITNESSES" in said
    assert "WARDLIST_STORE:" in said
    assert "QUORUM" not in said
    assert "FOLLOW" not in said


@pytest.mark.parametrize(
    "settings",
    [
        {"issuer": "https://lists.example/"},
        {"issuer": "http://[2001:db8::1]:8080"},
        {"issuer": ""},
        {"key_days": "token=30,list=180,dkim=9,"},
        {"witnesses": WITNESS, "witness_quorum": "1"},
        {"witness_quorum": "0"},
        {"store": "file:///srv/store", "store_follow": "true"},
        {"database_url": ""},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_what_can_be_meant_is_taken(tmp_path: Path, settings: dict[str, str]) -> None:
    assert refused(tmp_path, **settings) == "run `wardlist init` first"


def test_a_variable_that_nothing_reads_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    environment = {
        "WARDLIST_HOME": str(tmp_path),
        "wardlist_port": "8080",
        "WARDLIST_HOSTT": "hidden",
        "WARDLIST_KEY_TOKN": "hidden",
        "WARDLIST_QQQQQQQQ": "hidden",
        "WARDLIST_KEY_TOKEN": "env:WARDLIST_MY_TOKEN",
        "WARDLIST_MY_TOKEN": "hidden",
        "WARDLIST_KEY_PEER_AGE": "file:/none",
        "WARDLIST_KEY_LIST_NATIONAL_URL": "env:ELSEWHERE",
        "WARDLIST_KEY_PIN": "env:PIN",
        "WARDLIST_KEY_DAYS": "token=3",
        "WARDLIST_TEST_PART": "",
        "WARDLIST_SEQUENCES": "1",
    }
    done = forked.command(["mail", "key", "--json"], tmp_path, os.environ | environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[:3] == [
        "WARDLIST_HOSTT is no setting; WARDLIST_HOST?",
        "WARDLIST_KEY_TOKN is no setting; WARDLIST_KEY_TOKEN?",
        "WARDLIST_QQQQQQQQ is no setting",
    ]
    assert done.stderr.count("is no setting") == 3
    assert "hidden" not in done.stderr


def test_the_service_says_so_in_its_log(tmp_path: Path) -> None:
    service, log = Service(tmp_path / "home"), tmp_path / "log"
    service.database.close()
    environment = {**service.environment, "WARDLIST_HOSTT": "hidden"}
    process = forked.forked(forked.run, environment, ("publisher",), str(log))
    try:
        until(lambda: log.exists() and "no setting" in log.read_text())
    finally:
        process.terminate()
        process.join(60)
        process.kill()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (told,) = [line for line in lines if line["event"] == "unknown setting"]
    assert told["hint"] == "WARDLIST_HOSTT is no setting; WARDLIST_HOST?"
    assert "hidden" not in log.read_text()
