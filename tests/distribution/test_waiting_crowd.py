"""Many who wait: no client takes more than its share, and all are answered from one look at the list."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from sqlalchemy import event

from app.client.session import Connection
from app.core.terms import Kind
from app.distribution.waiting import AT_ONCE
from app.lists import snapshots
from tests.distribution.test_waiting import LATEST, Waiters, list_one, listed, until, waiters
from tests.programs.service import LIST, Service

__all__ = ["listed", "waiters"]
CROWD = 600


class Crowd:
    """Polls over plain connections in one event loop, whose thread has little to do."""

    def __init__(self, service: Service, tokens: list[str]) -> None:
        self._service, self._tokens = service, tokens
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def wait(self, version: int) -> list[Future[tuple[str, float]]]:
        """Each polls with this version; the status and when it came, once all are known to wait."""
        polls = [
            asyncio.run_coroutine_threadsafe(self._poll(token, version), self._loop) for token in self._tokens
        ]
        until(lambda: self._service.announcer.waiting == len(polls), seconds=60)
        return polls

    async def _poll(self, token: str, version: int) -> tuple[str, float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._service.settings.port)
        head = (
            f"GET {LATEST} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f'If-None-Match: "{LIST}-{version}"\r\nPrefer: wait=60\r\nConnection: close\r\n\r\n'
        )
        writer.write(head.encode())
        status = (await reader.readline()).split()[1].decode()
        at = time.monotonic()
        await reader.read()
        writer.close()
        return status, at

    def close(self) -> None:
        """End its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def crowd(service: Service) -> Iterator[Crowd]:
    """600 polls of 150 clients of as many providers."""
    tokens: list[str] = []
    for _ in range(CROWD // AT_ONCE):
        organisation = service.organisation(Kind.ISP)
        service.subscribe(organisation)
        with service.connect(Kind.ISP, organisation) as client:
            tokens += [client.token()] * AT_ONCE
    made = Crowd(service, tokens)
    yield made
    made.close()


def test_a_client_has_four_requests_waiting_at_most(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    waiters: Waiters,
    listed: str,
) -> None:
    waiting = [waiters.wait(provider, 1) for _ in range(AT_ONCE)]
    refused, seconds = waiters.wait(provider, 1).result()
    assert (refused.status_code, seconds < 2) == (429, True)
    assert refused.json()["type"] == "urn:wardlist:problem:too-many-requests"
    assert 25 <= int(refused.headers["Retry-After"]) <= 30
    assert provider.request("GET", LATEST).json()["version"] == 1
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    with service.connect(Kind.ISP, organisation) as other:
        waiting.append(waiters.wait(other, 1))
        list_one(service, hotline, reviewer, "https://b.example.test/")
        assert [one.result()[0].status_code for one in waiting] == [200] * 5
    again, _ = waiters.wait(provider, 2, "wait=1").result()
    assert again.status_code == 304


def test_who_has_an_older_version_is_answered_though_four_wait(
    provider: Connection, waiters: Waiters, listed: str
) -> None:
    waiting = [waiters.wait(provider, 1, "wait=3") for _ in range(AT_ONCE)]
    answer, _ = waiters.wait(provider, 7).result()
    assert answer.status_code == 200
    assert {one.result()[0].status_code for one in waiting} == {304}


def test_a_client_that_hung_up_gets_its_place_back(
    service: Service, provider: Connection, waiters: Waiters, listed: str
) -> None:
    for _ in range(AT_ONCE):
        waiters.wait(provider, 1, timeout=0.5)
    until(lambda: service.announcer.waiting == 0, seconds=10)
    assert waiters.wait(provider, 1, "wait=1").result()[0].status_code == 304


def test_a_crowd_hears_of_an_emergency_within_a_second(
    service: Service, hotline: Connection, reviewer: Connection, crowd: Crowd, listed: str
) -> None:
    list_one(service, hotline, reviewer, "https://b.example.test/")
    looks = 0

    def counted(_session: object, *_: object) -> None:
        nonlocal looks
        looks += 1

    service.worker.start()
    try:
        with service.connect(Kind.OPERATOR) as operator:
            operator.token()
            polls = crowd.wait(2)
            event.listen(service.database.engine, "begin", counted)
            started = time.monotonic()
            body = {"entries": [listed]}
            operator.request("POST", "/v1/entries/emergency-delisting", json=body)
            answers = [one.result() for one in polls]
            event.remove(service.database.engine, "begin", counted)
    finally:
        service.worker.stop()
    assert {status for status, _ in answers} == {"200"}
    assert max(at for _, at in answers) - started < 1
    assert looks < 60
    with service.database.reading() as session:
        assert snapshots.newest(session, LIST) == 3
