"""A service of several processes: each does its part, and whichever dies, nobody outside is told wrong."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs import forked
from tests.programs.children import children, is_alive
from tests.programs.conditions import until
from tests.programs.receiver import Receiver, receiving
from tests.programs.service import LIST, Service, approve, new_entry, wait_until_up

LATEST = f"/v1/lists/{LIST}/snapshots/latest"
API_PROCESSES = 2


class Program:
    """`wardlist` with these words as a process of its own."""

    def __init__(self, service: Service, log: Path, *words: str) -> None:
        environment = {
            **service.environment,
            "WARDLIST_ISSUER": service.address,
            "WARDLIST_WEBHOOK_ALLOW_PRIVATE": "true",
        }
        self._log = log
        self.process = forked.forked(forked.run, environment, words, str(log))

    @property
    def said(self) -> list[dict[str, Any]]:
        """What it logged, whole lines only."""
        lines = self._log.read_text().split("\n")[:-1] if self._log.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def is_publishing(self) -> bool:
        """Whether it leads, by its own account."""
        told = [one["event"] for one in self.said if one.get("role") == "publisher"]
        return bool(told) and told[-1] == "leading"

    @property
    def started(self) -> set[int]:
        """Ids of the processes that it started."""
        return set(children(self.process.pid))

    def end(self) -> int | None:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        self.process.join(60)
        return self.process.exitcode


@dataclass
class Crew:
    """Two publishers, a worker and two API processes of one installation, and who calls."""

    service: Service
    hotline: Connection
    reviewer: Connection
    provider: Connection
    publishers: list[Program]
    worker: Program
    api: Program
    hook: Receiver

    def list_one(self, url: str) -> str:
        """Submit an entry and sign it off; its id."""
        entry = self.hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
        approve(self.reviewer, entry)
        return str(entry["id"])

    def version(self) -> int:
        """The newest, 0 before the first."""
        answer = self.provider.send("GET", LATEST)
        return int(answer.json()["version"]) if answer.status_code == 200 else 0


@contextmanager
def _ended(program: Program) -> Iterator[Program]:
    try:
        yield program
    finally:
        program.end()
        program.process.kill()
        program.process.join()


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("crew")
    service = Service(folder / "home")
    service.add_list(min_poll_seconds=1)
    isp = service.organisation(Kind.ISP)
    service.subscribe(isp)
    with ExitStack() as stack:

        def start(name: str, *words: str) -> Program:
            return stack.enter_context(_ended(Program(service, folder / f"{name}.log", *words)))

        publishers = [start(f"publisher-{number}", "publisher") for number in range(2)]
        api = start("api", "serve", "--workers", str(API_PROCESSES), "--api-only")
        worker = start("worker", "worker")
        hook = stack.enter_context(receiving())
        wait_until_up(service.address, seconds=120)
        hotline, reviewer, provider = (
            stack.enter_context(service.connect(kind, organisation))
            for kind, organisation in ((Kind.HOTLINE, None), (Kind.REVIEW_BODY, None), (Kind.ISP, isp))
        )
        yield Crew(service, hotline, reviewer, provider, publishers, worker, api, hook)
        service.database.close()


def test_a_sign_off_reaches_polls_that_wait_and_webhooks(crew: Crew) -> None:
    crew.list_one("https://first.example.test/")
    until(lambda: crew.version() == 1)
    crew.provider.request("POST", "/v1/webhooks", json={"url": crew.hook.url()})
    headers = {
        "Authorization": f"Bearer {crew.provider.token()}",
        "If-None-Match": f'"{LIST}-1"',
        "Prefer": "wait=60",
    }
    with ThreadPoolExecutor(4) as pool:
        polls = [
            pool.submit(httpx.get, crew.service.address + LATEST, headers=headers, timeout=120)
            for _ in range(4)
        ]
        crew.list_one("https://second.example.test/")
        assert {one.result().json()["version"] for one in polls} == {2}
    until(lambda: bool(crew.hook.got))
    assert json.loads(crew.hook.got[0].body)["data"] == {"list": LIST, "version": 2}


def test_another_publisher_takes_over_from_one_that_was_killed(crew: Crew) -> None:
    crew.list_one("https://before.example.test/")
    until(lambda: any(one.is_publishing for one in crew.publishers))
    (leader,) = [one for one in crew.publishers if one.is_publishing]
    (standby,) = [one for one in crew.publishers if not one.is_publishing]
    before = crew.version()
    leader.process.kill()
    leader.process.join()
    until(lambda: standby.is_publishing)
    crew.list_one("https://after.example.test/")
    until(lambda: crew.version() > before and _is_all_listed(crew))
    assert not [one for one in standby.said if one["level"] == "error"]


def test_an_api_process_that_died_is_started_anew(crew: Crew) -> None:
    before = crew.api.started
    assert len(before) == API_PROCESSES
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in crew.api.started)
    assert httpx.get(f"{crew.service.address}/healthz", timeout=120).status_code == 200
    until(lambda: len(crew.api.started) == API_PROCESSES)
    (died,) = [one for one in crew.api.said if one["event"] == "process died"]
    assert (died["process"], died["code"]) == (killed, -signal.SIGKILL)


def test_an_assertion_is_taken_once_by_all_processes_together(crew: Crew) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": crew.hotline._assertion(),
    }
    answers = _at_once(
        12, lambda: httpx.post(crew.hotline.credentials.token_endpoint, data=form, timeout=120)
    )
    assert sorted(one.status_code for one in answers) == [200, *[401] * 11]


def test_a_repeated_submission_is_one_entry_whichever_processes_get_it(crew: Crew) -> None:
    headers = {"Authorization": f"Bearer {crew.hotline.token()}", "Idempotency-Key": "once"}
    body = new_entry("https://repeated.example.test/")
    place = f"{crew.service.address}/v1/entries"
    answers = _at_once(8, lambda: httpx.post(place, json=body, headers=headers, timeout=120))
    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["id"] for one in answers}) == 1


def test_all_stop_when_they_are_told_to(crew: Crew) -> None:
    """The last of the module: nothing is left of them."""
    started = crew.api.started
    assert crew.api.end() == 0
    assert crew.worker.end() == 0
    assert [one.end() for one in crew.publishers if one.process.is_alive()] == [0]
    assert not any(is_alive(one) for one in started)
    left = [path.name for path in (crew.service.settings.home / "news").glob("*")]
    assert not any(is_alive(int(name.split("-")[0])) for name in left), "only one that was killed leaves any"


def test_children_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    with _ended(Program(service, tmp_path / "log", "serve", "--workers", "2", "--api-only")) as program:
        wait_until_up(service.address, seconds=120)
        started = program.started
        assert len(started) == API_PROCESSES
        program.process.kill()
        program.process.join()
        with _ended(
            Program(service, tmp_path / "next", "serve", "--workers", "2", "--api-only")
        ) as successor:
            until(lambda: len(successor.started) == API_PROCESSES)
            until(lambda: not any(is_alive(one) for one in started))
            wait_until_up(service.address, seconds=120)
    service.database.close()


def _is_all_listed(crew: Crew) -> bool:
    entries = crew.hotline.request("GET", "/v1/entries").json()["entries"]
    return {one["status"] for one in entries} == {"listed"}


def _at_once(number: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Each on a connection of its own, so that the system deals them out to the processes."""
    with ThreadPoolExecutor(number) as pool:
        return [one.result() for one in [pool.submit(ask) for _ in range(number)]]
