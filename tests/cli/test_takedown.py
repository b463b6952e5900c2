"""`wardlist takedown`: a hotline, law enforcement and an operator in a terminal."""

from collections.abc import Iterator

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import Service, replay
from tests.takedown.told import URL, Post, approved, contact, submitted


@pytest.fixture
def post(service: Service) -> Iterator[Post]:
    """Sends what is due."""
    made = Post(service)
    yield made
    made.courier.close()


@pytest.fixture
def own(terminal: Terminal, service: Service) -> tuple[list[str], Connection]:
    """A hotline's option for the command, and its client."""
    organisation = service.organisation(Kind.HOTLINE)
    return terminal.credentials(Kind.HOTLINE, organisation), service.connect(Kind.HOTLINE, organisation)


def test_a_hotline_lists_shows_and_says(
    terminal: Terminal,
    service: Service,
    own: tuple[list[str], Connection],
    reviewer: Connection,
    post: Post,
) -> None:
    credentials, hotline = own
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    rows = terminal.rows("takedown", "list", *credentials)
    assert rows[1][:4] == [entry, "notified", "national-url", "NL"]
    assert "address" not in rows[0]
    assert all("." not in moment for moment in rows[1][4:6])
    assert terminal.json("takedown", "list", "--overdue", *credentials) == {"takedowns": []}
    said, shown = terminal.run("takedown", "show", entry, *credentials)
    assert said == f"{entry} is notified\n"
    for word in ("provider", "mail", "sent", "Example Hosting"):
        assert word in shown
    said, _ = terminal.run("takedown", "event", entry, "--event", "acknowledged", *credentials)
    assert said == f"{entry} is acknowledged\n"
    _, why = terminal.run("takedown", "event", entry, "--event", "refused", *credentials, code=1)
    assert "give a reason with refused: not_found, not_hosted_here" in why
    for words in (["no_notice", "--reason", "not_found"], ["acknowledged", "--reason", "other"]):
        _, why = terminal.run("takedown", "event", entry, "--event", *words, *credentials, code=1)
        assert "--reason" in why
    found = terminal.json("takedown", "event", entry, "--event", "removed", *credentials)
    assert (found["state"], found["status"]) == ("removed", "delisted")
    said, shown = terminal.run("takedown", "figures", "--since", "2020-01-01", *credentials)
    assert "median" in said
    assert "country NL" in shown
    assert "class hosting" in shown
    service.publish()
    assert replay(service)


def test_law_enforcement_holds_and_releases(
    terminal: Terminal,
    service: Service,
    hotline: Connection,
    reviewer: Connection,
) -> None:
    service.add_list("slow", law_enforcement_hours=24)
    entry = approved(hotline, reviewer, list="slow")
    service.publish()
    police = terminal.credentials(Kind.LAW_ENFORCEMENT)
    rows = terminal.rows("takedown", "list", *police)
    assert (rows[1][0], rows[1][-1]) == (entry, "hxxps[:]//a[.]example[.]test/1")
    held = ("takedown", "hold", entry, "--reason", "investigation", "--hours", "48")
    said, _ = terminal.run(*held, *police)
    assert said.startswith(f"nobody is told of {entry} before 20")
    until = said.split()[-1]
    assert until in terminal.rows("takedown", "list", *police)[1]
    assert until in terminal.rows("takedown", "list", *terminal.credentials(Kind.OPERATOR))[1]
    assert URL not in said
    terminal.run("takedown", "hold", entry, "--reason", "investigation", "--hours", "999", *police, code=2)
    assert "held no longer" in terminal.run("takedown", "release", entry, *police)[0]
    assert terminal.json("takedown", "list", *police) == {"takedowns": []}
    assert replay(service)


def test_what_is_not_yours_is_not_shown(terminal: Terminal, service: Service, hotline: Connection) -> None:
    entry = submitted(hotline)
    _, why = terminal.run("takedown", "show", entry, *terminal.credentials(Kind.HOTLINE), code=1)
    assert "no takedown of this id for you" in why
    operator = terminal.credentials(Kind.OPERATOR)
    assert terminal.json("takedown", "show", entry, *operator)["state"] == "not_started"


def test_it_is_said_why_nobody_was_told_and_no_empty_table_is_shown(
    terminal: Terminal, service: Service, own: tuple[list[str], Connection], reviewer: Connection
) -> None:
    credentials, hotline = own
    entry = approved(hotline, reviewer)
    service.publish()
    said, shown = terminal.run("takedown", "show", entry, *credentials)
    assert said == f"{entry} is not_started, nobody was told: no_contact\n"
    assert "channel" not in shown
    assert "excused" in shown
    assert replay(service)


def test_who_holds_what_was_sent_already_is_told_so(
    terminal: Terminal, service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    entry = approved(hotline, reviewer)
    post.deliver()
    held = ("takedown", "hold", entry, "--reason", "investigation", "--hours", "1")
    said, _ = terminal.run(*held, *terminal.credentials(Kind.LAW_ENFORCEMENT))
    assert said.startswith(f"nobody else is told of {entry} before 20")
    assert replay(service)
