"""A moment from before one's turn: dated earlier than what was written meanwhile, it breaks the replay."""

import ast
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import app
from app import main
from app.client.session import Connection
from app.core.terms import Channel, Kind
from app.platform.database import Database
from app.takedown.notices.courier import Courier
from tests.appeals.people import file
from tests.programs.beside import beside
from tests.programs.service import Service, replay
from tests.takedown.notified import URL, Desk, Way, desk

_TURNS = {"writing", "acting"}
_QUEUED_SECONDS = 0.5
"""After which a request is taken to wait for its turn. Were it not, a test would show less, not fail."""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Desk]:
    """An approved entry's desk, on a clock that goes on."""
    with desk(tmp_path / "home", webhook_allow_private=True) as up:
        up.service.clock.still_at = None
        yield up


def hold(service: Service, caller: Connection, entry: str) -> Callable[[], httpx.Response]:
    """Law enforcement asks for two days."""
    until = (service.clock() + timedelta(days=2)).isoformat()
    body = {"reason": "investigation", "until": until}
    return lambda: caller.send("POST", f"/v1/takedowns/{entry}/hold", json=body)


def queue_up(service: Service) -> None:
    """Let what was just begun come to wait, and time pass."""
    time.sleep(_QUEUED_SECONDS)
    service.clock.ahead += timedelta(seconds=3)


@contextmanager
def sending(service: Service) -> Iterator[tuple[Courier, threading.Event]]:
    """A courier of another process, just before it is begun to be sent; once the event is set it goes on.

    The mail server answers when the block is over.
    """
    reached, go, answered = threading.Event(), threading.Event(), threading.Event()

    def before() -> None:
        reached.set()
        assert go.wait(30)

    way = Way(before=before, after=lambda: answered.wait(30))
    with closing(Database(service.settings.database)) as elsewhere:
        ways = {Channel.MAIL: way}
        courier = Courier(
            elsewhere, service.keyring, service.settings, service.clock, ways, factor=lambda: 1.0
        )
        courier.round()
        assert reached.wait(30)
        yield courier, go
        answered.set()
        courier.wait()
        courier.close()
    assert len(way.out) == 1


def test_a_hold_that_waited_for_its_turn_is_not_dated_before_the_notice_that_was_sent_meanwhile(
    told: Desk,
) -> None:
    told.contact()
    entry, service = told.approved(), told.service
    service.publish()
    with service.connect(Kind.LAW_ENFORCEMENT) as police, ThreadPoolExecutor(1) as pool:
        police.token()
        with sending(service) as (_, go):
            with service.database.writing():
                placing = pool.submit(hold(service, police, entry))
                queue_up(service)
                go.set()
                time.sleep(_QUEUED_SECONDS)
            assert placing.result().status_code == 201
    assert told.outcomes(entry) == [("notice", "sent")]
    replay(service)


def test_a_hold_is_not_dated_before_the_release_that_it_came_after(told: Desk) -> None:
    told.contact()
    entry, service = told.approved(), told.service
    service.publish()
    with (
        beside(service) as other,
        other.connect(Kind.LAW_ENFORCEMENT) as one,
        service.connect(Kind.LAW_ENFORCEMENT) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        assert hold(service, one, entry)().status_code == 201
        two.token()
        queue_up(service)
        with service.database.writing():
            placing = pool.submit(hold(service, two, entry))
            queue_up(service)
            ending = pool.submit(lambda: one.send("DELETE", f"/v1/takedowns/{entry}/hold"))
            time.sleep(_QUEUED_SECONDS)
        assert ending.result().status_code == 200
        assert placing.result().status_code in (201, 409)
    replay(service)


def test_what_expires_in_a_round_that_waited_is_not_dated_before_the_notice_that_was_sent_meanwhile(
    told: Desk,
) -> None:
    told.contact()
    told.approved()
    service = told.service
    service.publish()
    file(service, URL)
    service.publish()
    service.clock.ahead += timedelta(days=16)
    with sending(service) as (_, go), ThreadPoolExecutor(1) as pool:
        with service.database.writing():
            duties = pool.submit(main.each_round, service.database, service.keyring, service.clock)
            queue_up(service)
            go.set()
            time.sleep(_QUEUED_SECONDS)
        duties.result()
    replay(service)


def test_no_function_takes_its_moment_before_its_turn() -> None:
    """A name that was given a moment before a transaction, or as an argument, and is used inside."""
    found = []
    for path in sorted(Path(app.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (early := _early(node)):
                found.append((f"{path.name}:{node.name}", early))
    assert found == []


def test_that_check_finds_what_it_is_for() -> None:
    for source in (
        "def act(now: datetime):\n  with database.writing() as session:\n    do(session, now)",
        "def act():\n  now = clock()\n  with acting(context, caller) as session:\n    do(session, now)",
        "def act():\n  a, now = b, self._clock()\n  with x, y.writing() as session:\n    do(session, now)",
    ):
        assert _early(_function(source)) == {"now"}
    right = "def act():\n  with database.writing() as session:\n    now = clock()\n    do(session, now)"
    assert _early(_function(right)) == set()


def _function(source: str) -> ast.FunctionDef:
    (found,) = ast.parse(source).body
    assert isinstance(found, ast.FunctionDef)
    return found


def _early(function: ast.FunctionDef) -> set[str]:
    """Names of moments from outside of the function's transactions that are used in one of them."""
    turns = [one for one in ast.walk(function) if isinstance(one, ast.With) and _is_turn(one)]
    inside = [node for turn in turns for statement in turn.body for node in ast.walk(statement)]
    early = {one.arg for one in (*function.args.args, *function.args.kwonlyargs) if one.arg == "now"}
    ours = {id(node) for node in inside}
    early |= {
        name
        for node in ast.walk(function)
        if id(node) not in ours and isinstance(node, ast.Assign)
        for target in node.targets
        for name in _moments(target, node.value)
    }
    return early & {node.id for node in inside if isinstance(node, ast.Name)}


def _moments(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=False):
            yield from _moments(one, its)
    elif isinstance(target, ast.Name) and isinstance(value, ast.Call):
        called = ast.unparse(value.func).rpartition(".")[2]
        if called.strip("_").endswith("clock"):
            yield target.id


def _is_turn(block: ast.With) -> bool:
    calls = (item.context_expr for item in block.items)
    return any(
        isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in _TURNS for call in calls
    )
