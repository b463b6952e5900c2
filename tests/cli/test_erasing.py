"""`wardlist erase` and `wardlist hold`: an operator, and law enforcement, in a terminal."""

from datetime import UTC, datetime, timedelta

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import approve, new_entry, replay


@pytest.fixture
def entry(hotline: Connection, reviewer: Connection, terminal: Terminal) -> str:
    """One that is on the list."""
    made = hotline.request("POST", "/v1/entries", json=new_entry()).json()
    approve(reviewer, made)
    terminal.service.publish()
    return str(made["id"])


def test_an_operator_erases_an_entry_for_good(terminal: Terminal, hotline: Connection, entry: str) -> None:
    operator = terminal.credentials(Kind.OPERATOR)
    said, _ = terminal.run("erase", entry, "--reason", "victim_request", *operator)
    assert said == f"{entry} is erased; its address goes once the log says so\n"
    assert hotline.request("GET", f"/v1/entries/{entry}").json()["status"] == "erased"
    _, why = terminal.run("erase", entry, "--reason", "court_order", *operator, code=1)
    assert "not possible while erased" in why
    replay(terminal.service)


def test_nobody_else_erases(terminal: Terminal, entry: str) -> None:
    for kind in (Kind.HOTLINE, Kind.REVIEW_BODY, Kind.LAW_ENFORCEMENT):
        _, why = terminal.run("erase", entry, "--reason", "court_order", *terminal.credentials(kind), code=1)
        assert "scope" in why


def test_law_enforcement_stays_an_erasure_and_ends_that(terminal: Terminal, entry: str) -> None:
    police, operator = terminal.credentials(Kind.LAW_ENFORCEMENT), terminal.credentials(Kind.OPERATOR)
    began = datetime.now(UTC).replace(microsecond=0)
    placed = terminal.json("hold", "place", entry, "--reason", "prosecution", "--days", "60", *police)
    assert datetime.fromisoformat(placed["until"]) >= began + timedelta(days=60)
    placed = terminal.json("hold", "place", entry, "--reason", "prosecution", "--days", "90", *police)
    left = datetime.fromisoformat(placed["until"]) - datetime.now(UTC)
    assert timedelta(days=89) < left < timedelta(days=90)
    _, why = terminal.run("erase", entry, "--reason", "court_order", *operator, code=1)
    assert "on legal hold" in why
    said, _ = terminal.run("hold", "lift", entry, *police)
    assert said == f"{entry} is held no longer by you\n"
    terminal.run("hold", "lift", entry, *police, code=1)
    assert terminal.json("erase", entry, "--reason", "court_order", *operator)["status"] == "erased"
    replay(terminal.service)
