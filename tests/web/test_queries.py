"""A page asks the database as often with sixty entries as with five: no query stands in a loop."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tests.programs.webclient import WebClient
from tests.web.seeded import Seeded, seeded
from tests.web.visits import VISITS

MOST = 30
"""Queries of any page, the session's own included."""

OPEN = {one.name for one in VISITS if one.who is None}


@contextmanager
def counted(world: Seeded) -> Iterator[list[str]]:
    """The statements that the service sends meanwhile, without values; begin, commit and pragmas left out."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", statement, re.IGNORECASE):
            seen.append(statement)

    engine = world.service.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def queries(world: Seeded) -> dict[str, list[str]]:
    """Those of each page, ten minutes after the last look: what is kept for a while is asked for anew."""
    stranger = WebClient(world.service)
    looks = [(one, world.people[one.who] if one.who else stranger) for one in VISITS]
    for one, client in looks:
        assert client.get(one.address(world)).status_code == one.status, one.name
    world.service.clock.ahead += timedelta(minutes=10)
    found = {}
    for one, client in looks:
        with counted(world) as found[one.name]:
            client.get(one.address(world))
    return found


@pytest.fixture(scope="module")
def few_and_many(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[dict[str, list[str]], dict[str, list[str]]]]:
    with seeded(tmp_path_factory.mktemp("queries") / "home") as world:
        world.more(5)
        few = queries(world)
        world.more(60)
        yield few, queries(world)


@pytest.mark.parametrize("name", [one.name for one in VISITS])
def test_a_page_asks_no_more_when_there_is_more(
    few_and_many: tuple[dict[str, list[str]], dict[str, list[str]]], name: str
) -> None:
    few, many = (found[name] for found in few_and_many)
    assert len(many) == len(few), sorted(set(many) - set(few)) or many
    assert len(many) <= MOST
    assert many or name in OPEN
