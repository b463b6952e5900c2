"""`wardlist appeal` as a reviewer runs it, against a running service."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.client.session import Connection, Credentials
from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD
from tests.appeals.people import URL, entry_now, file, listed, read
from tests.programs.service import Service


@pytest.fixture
def judge(service: Service, tmp_path: Path) -> Path:
    """The credential file of a body that took no part."""
    body = service.organisation(Kind.REVIEW_BODY)
    return written(service.credentials(body, set(MAY_HOLD[Kind.REVIEW_BODY])), tmp_path / "judge.json")


def written(found: Credentials, path: Path) -> Path:
    names = ("issuer", "token_endpoint", "client_id", "private_jwk")
    path.write_text(json.dumps({name: getattr(found, name) for name in names}))
    return path


def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from app.cli.main import app; app()", "appeal", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def shown(credentials: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list", "--credentials", str(credentials), "--json").stdout)[
        "appeals"
    ]
    return found


def test_a_reviewer_lists_and_decides_appeals(
    service: Service, hotline: Connection, reviewer: Connection, judge: Path
) -> None:
    entry, filed = listed(service, hotline, reviewer), file(service, proof="dns_txt")
    assert [one["reference"] for one in shown(judge)] == [filed["reference"]]
    words = ["--outcome", "upheld", "--reason", "It shows tools.", "--credentials", str(judge)]
    done = run("decide", filed["reference"], *words, "--ownership-confirmed", "--json")
    assert json.loads(done.stdout)["entries"] == [entry["id"]]
    assert URL not in done.stderr
    assert entry_now(hotline, entry)["delist_reason"] == "appeal_upheld"
    assert read(service, filed).json()["reasons"] == "It shows tools."
    assert shown(judge) == []
    again = run("decide", filed["reference"], *words, code=1)
    assert "no such appeal waits" in again.stderr


def test_addresses_are_shown_so_that_no_program_makes_a_link(service: Service, judge: Path) -> None:
    filed = file(service)
    assert run("list", "--credentials", str(judge)).stdout == "1 waiting\n"
    words = ["--outcome", "denied", "--reason", "Not listed.", "--credentials", str(judge)]
    done = run("decide", filed["reference"], *words)
    assert done.stdout == f"{filed['reference']} is denied; 0 entries concerned\n"
    assert "shop[.]example[.]test" in done.stderr
    assert URL not in done.stdout + done.stderr


def test_upholding_an_appeal_about_nothing_ends_with_a_clear_word(service: Service, judge: Path) -> None:
    filed = file(service)
    words = ["--outcome", "upheld", "--reason", "x", "--credentials", str(judge), "--json"]
    done = run("decide", filed["reference"], *words, code=1)
    assert json.loads(done.stdout)["problem"]["type"] == "urn:wardlist:problem:appeal-concerns-no-entry"
