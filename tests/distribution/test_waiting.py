"""`Prefer: wait`: who waits hears of the next version at once, and keeps nobody else from being served."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.identity import service as identity
from app.lists import service as lists
from app.lists.publisher import Publisher
from app.main import DUTIES
from app.platform.clock import instant
from tests.programs.service import LIST, Service, approve, new_entry, running

LATEST = f"/v1/lists/{LIST}/snapshots/latest"


class Waiters:
    """Polls in threads of their own; `answers` come with the seconds they took."""

    def __init__(self, service: Service, pool: ThreadPoolExecutor) -> None:
        self.service, self._pool = service, pool

    def wait(
        self, client: Connection, version: int, prefer: str = "wait=30", timeout: float = 70
    ) -> Future[tuple[httpx.Response, float]]:
        """Start a poll of a client that has this version, and return once the service knows of it."""
        before = self.service.announcer.waiting
        headers = {
            "Authorization": f"Bearer {client.token()}",
            "If-None-Match": f'"{LIST}-{version}"',
            "Prefer": prefer,
        }
        future = self._pool.submit(self._poll, headers, timeout)
        until(lambda: self.service.announcer.waiting > before or future.done())
        return future

    def _poll(self, headers: dict[str, str], timeout: float) -> tuple[httpx.Response, float]:
        started = time.monotonic()
        answer = httpx.get(self.service.address + LATEST, headers=headers, timeout=timeout)
        return answer, time.monotonic() - started


@pytest.fixture
def waiters(service: Service) -> Iterator[Waiters]:
    with ThreadPoolExecutor(60) as pool:
        yield Waiters(service, pool)


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def listed(service: Service, hotline: Connection, reviewer: Connection) -> str:
    """One entry on version 1."""
    return list_one(service, hotline, reviewer, "https://a.example.test/")


def list_one(service: Service, hotline: Connection, reviewer: Connection, url: str) -> str:
    entry = hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
    approve(reviewer, entry)
    service.publish()
    return str(entry["id"])


def test_a_waiting_client_gets_the_new_version(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    waiters: Waiters,
    listed: str,
) -> None:
    waiting = waiters.wait(provider, 1)
    list_one(service, hotline, reviewer, "https://b.example.test/")
    published = time.monotonic()
    answer, _ = waiting.result()
    assert time.monotonic() - published < 1
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    assert (answer.headers["preference-applied"], answer.headers["etag"]) == ("wait=30", f'"{LIST}-2"')


def test_without_news_it_is_304_when_the_time_is_over(
    provider: Connection, waiters: Waiters, listed: str
) -> None:
    answer, seconds = waiters.wait(provider, 1, "wait=2").result()
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["preference-applied"] == "wait=2"
    assert 2 <= seconds < 4


def test_who_has_an_older_version_does_not_wait(provider: Connection, waiters: Waiters, listed: str) -> None:
    answer, seconds = waiters.wait(provider, 7).result()
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert answer.headers["preference-applied"] == "wait=30"
    assert seconds < 2


@pytest.mark.parametrize("prefer", ["wait=soon", "wait=-5", "wait=0", "respond-async", '"', "note; wait=9"])
def test_a_preference_that_cannot_be_read_is_ignored(
    provider: Connection, waiters: Waiters, listed: str, prefer: str
) -> None:
    answer, seconds = waiters.wait(provider, 1, prefer).result()
    assert answer.status_code == 304
    assert "preference-applied" not in answer.headers
    assert seconds < 2


def test_without_a_version_nobody_waits(service: Service, provider: Connection, waiters: Waiters) -> None:
    answer, seconds = waiters.wait(provider, 1).result()
    assert (answer.status_code, seconds < 2) == (404, True)
    assert service.announcer.waiting == 0


def test_without_a_token_nobody_waits(service: Service, listed: str) -> None:
    headers = {"If-None-Match": f'"{LIST}-1"', "Prefer": "wait=30"}
    assert httpx.get(service.address + LATEST, headers=headers, timeout=5).status_code == 401


def test_a_client_suspended_while_it_waits_is_turned_away(
    service: Service, hotline: Connection, reviewer: Connection, waiters: Waiters, listed: str
) -> None:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    with service.connect(Kind.ISP, organisation) as provider:
        at_news, at_the_end = waiters.wait(provider, 1), waiters.wait(provider, 1, "wait=3")
        with service.database.writing() as session:
            identity.suspend_organisation(session, organisation, True, service.clock())
        list_one(service, hotline, reviewer, "https://b.example.test/")
        for waiting in (at_news, at_the_end):
            answer, _ = waiting.result()
            assert answer.status_code == 401
            assert answer.json()["type"] == "urn:wardlist:problem:unauthenticated"


def test_a_client_unsubscribed_while_it_waits_learns_nothing(
    service: Service, waiters: Waiters, listed: str
) -> None:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    with service.connect(Kind.ISP, organisation) as provider:
        waiting = waiters.wait(provider, 1, "wait=2")
        with service.database.writing() as session:
            lists.unsubscribe(session, LIST, organisation, service.clock())
        assert waiting.result()[0].status_code == 404


def test_others_are_served_while_fifty_wait(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    waiters: Waiters,
    listed: str,
) -> None:
    waiting = []
    for _ in range(25):
        organisation = service.organisation(Kind.ISP)
        service.subscribe(organisation)
        with service.connect(Kind.ISP, organisation) as one_of_many:
            waiting += [waiters.wait(one_of_many, 1) for _ in range(2)]
    assert service.announcer.waiting == 50
    started = time.monotonic()
    for _ in range(10):
        assert provider.request("GET", f"/v1/lists/{LIST}/snapshots/1/jsonl").status_code == 200
        assert hotline.request("GET", f"/v1/entries/{listed}").json()["status"] == "listed"
    assert time.monotonic() - started < 5
    list_one(service, hotline, reviewer, "https://b.example.test/")
    assert {one.result()[0].json()["version"] for one in waiting} == {2}
    assert service.announcer.waiting == 0


def test_a_publisher_in_another_process_is_noticed(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    waiters: Waiters,
    listed: str,
) -> None:
    waiting = waiters.wait(provider, 1)
    service.publisher = Publisher(service.settings, service.database, service.keyring, service.clock, DUTIES)
    list_one(service, hotline, reviewer, "https://b.example.test/")
    published = time.monotonic()
    assert waiting.result()[0].json()["version"] == 2
    assert time.monotonic() - published < 3


def test_news_of_another_list_wakes_nobody(
    service: Service, provider: Connection, waiters: Waiters, listed: str
) -> None:
    waiting = waiters.wait(provider, 1, "wait=2")
    service.announcer.announce("another-list")
    answer, seconds = waiting.result()
    assert (answer.status_code, seconds >= 2) == (304, True)


def test_a_client_that_hangs_up_is_forgotten(
    service: Service, provider: Connection, waiters: Waiters, listed: str
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        waiters.wait(provider, 1, timeout=0.5).result()
    until(lambda: service.announcer.waiting == 0, seconds=5)
    assert service.announcer.waiting == 0


def test_a_service_that_stops_lets_those_who_wait_go(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        with running(Service(tmp_path / "home")) as up:
            up.add_list()
            organisation = up.organisation(Kind.ISP)
            up.subscribe(organisation)
            with (
                up.connect(Kind.HOTLINE) as hotline,
                up.connect(Kind.REVIEW_BODY) as reviewer,
                up.connect(Kind.ISP, organisation) as provider,
            ):
                list_one(up, hotline, reviewer, "https://a.example.test/")
                waiting = Waiters(up, pool).wait(provider, 1, "wait=60")
            stopping = time.monotonic()
        assert waiting.result()[0].status_code == 304
        assert time.monotonic() - stopping < 10


@pytest.fixture
def publishing(service: Service) -> Iterator[Service]:
    """The publisher at work in its own thread, as `wardlist serve` has it."""
    service.worker.start()
    yield service
    service.worker.stop()


@pytest.mark.parametrize("is_braked", [False, True], ids=["brake off", "brake on"])
def test_what_must_leave_reaches_who_waits(
    publishing: Service,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    waiters: Waiters,
    is_braked: bool,
) -> None:
    urls = ("https://a.example.test/", "https://b.example.test/")
    bodies = [new_entry(url) for url in urls]
    entries = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]
    for entry in entries:
        approve(reviewer, entry)
    with publishing.connect(Kind.OPERATOR) as operator:
        until(lambda: entry_count(provider) == 2)
        if is_braked:
            engage_brake(publishing, operator, hotline, reviewer)
        version = provider.request("GET", LATEST).json()["version"]
        waiting = waiters.wait(provider, version)
        started = time.monotonic()
        operator.request("POST", "/v1/entries/emergency-delisting", json={"entries": [entries[0]["id"]]})
        assert waiting.result()[0].json()["entry_count"] == 1
        waiting = waiters.wait(provider, version + 1)
        seen = {"outcome": "removed", "checked_at": instant(publishing.clock())}
        hotline.request("POST", f"/v1/entries/{entries[1]['id']}/rechecks", json=seen)
        assert waiting.result()[0].json()["entry_count"] == 0
        assert time.monotonic() - started < 4
        assert operator.request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"] is is_braked


def entry_count(client: Connection) -> int:
    answer = client.send("GET", LATEST)
    return int(answer.json()["entry_count"]) if answer.status_code == 200 else 0


def engage_brake(service: Service, operator: Connection, hotline: Connection, reviewer: Connection) -> None:
    path = f"/v1/lists/{LIST}"
    seen = operator.request("GET", f"{path}/policy").json()
    change = {**seen["policy"], "brake_changes": 1, "base_version": seen["version"]}
    operator.request("PUT", f"{path}/policy", json=change)
    bodies = [new_entry(f"https://held{number}.example.test/") for number in range(2)]
    for entry in hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]:
        approve(reviewer, entry)
    until(lambda: bool(operator.request("GET", f"{path}/brake").json()["engaged"]))
