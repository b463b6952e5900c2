"""Eight requests at the same moment, at two servers: none is lost, none is done twice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.beside import Beside, beside
from tests.programs.service import Service, new_entry, recorded, replay, running, signed_review

Call = Callable[[], httpx.Response]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Beside]]:
    with running(Service(tmp_path_factory.mktemp("eight") / "home")) as up, beside(up) as other:
        up.add_list()
        yield up, other


@pytest.fixture
def hotlines(servers: tuple[Service, Beside]) -> Iterator[list[Connection]]:
    """Four hotlines, each with a client at either server."""
    with ExitStack() as stack:
        service, other = servers
        found = []
        for _ in range(4):
            organisation = service.organisation(Kind.HOTLINE)
            for server in (service, other):
                found.append(stack.enter_context(server.connect(Kind.HOTLINE, organisation)))
                found[-1].token()
        yield found


def at_once(calls: list[Call]) -> list[httpx.Response]:
    """They begin together."""
    start = threading.Barrier(len(calls))

    def begin(call: Call) -> httpx.Response:
        start.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(begin, call) for call in calls]]


def submission(hotline: Connection, url: str, **headers: str) -> Call:
    return lambda: hotline.send("POST", "/v1/entries", json=new_entry(url), headers=headers)


def kinds(service: Service, entry: str) -> Counter[str]:
    """How many leaves of each type name the entry."""
    return Counter(leaf["type"] for leaf in recorded(service) if leaf.get("entry") == entry)


def test_one_address_from_eight_is_one_entry(
    servers: tuple[Service, Beside], hotlines: list[Connection]
) -> None:
    url = "https://a.example.test/1"
    answers = at_once([submission(hotline, url) for hotline in hotlines])
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [201] + [409] * 4
    (entry,) = {answer.json()["id"] for answer in answers if answer.is_success}
    assert {answer.json()["entry"] for answer in answers if not answer.is_success} == {entry}
    assert kinds(servers[0], entry) == {"entry.submitted": 1, "entry.corroborated": 3}
    assert {hotline.request("GET", f"/v1/entries/{entry}").json()["id"] for hotline in hotlines} == {entry}


def test_eight_addresses_from_eight_are_eight_entries(
    servers: tuple[Service, Beside], hotlines: list[Connection]
) -> None:
    calls = [submission(one, f"https://e{place}.example.test/") for place, one in enumerate(hotlines)]
    answers = at_once(calls)
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.json()["id"] for answer in answers}) == 8
    assert len(replay(servers[0]).entries) >= 8


def test_one_idempotency_key_from_eight_does_its_work_once(
    servers: tuple[Service, Beside], hotlines: list[Connection]
) -> None:
    hotline = hotlines[0]
    again = submission(hotline, "https://b.example.test/1", **{"Idempotency-Key": "the-same"})
    answers = at_once([again] * 8)
    assert [answer.status_code for answer in answers] == [201] * 8
    (body,) = {answer.content for answer in answers}
    entry: dict[str, Any] = answers[0].json()
    assert kinds(servers[0], entry["id"]) == {"entry.submitted": 1}
    assert body


def test_withdrawn_while_it_is_approved_it_stays_withdrawn(
    servers: tuple[Service, Beside], hotlines: list[Connection]
) -> None:
    """Whoever comes first: an approval after the withdrawal is refused, one before it does not outlast it."""
    service, other = servers
    with other.connect(Kind.REVIEW_BODY) as reviewer:
        reviewer.token()
        some = [submission(hotlines[0], f"https://w{number}.example.test/")().json() for number in range(4)]
        for entry in some:
            taken, voted = at_once([_withdrawal(hotlines[0], entry), _vote(reviewer, entry)])
            assert taken.status_code == 200
            assert voted.status_code in (201, 409)
            leaves = kinds(service, entry["id"])
            assert leaves["entry.reviewed"] == (voted.status_code == 201)
        service.publish()
        states = [hotlines[0].request("GET", f"/v1/entries/{one['id']}").json()["status"] for one in some]
    replayed = replay(service).entries
    assert [replayed[one["id"]].status for one in some] == states
    assert set(states) <= {"withdrawn", "delisted"}


def test_of_eight_last_votes_one_settles_it(
    servers: tuple[Service, Beside], hotlines: list[Connection]
) -> None:
    service, other = servers
    entry = submission(hotlines[0], "https://v.example.test/1")().json()
    with ExitStack() as stack:
        bodies = [stack.enter_context(server.connect(Kind.REVIEW_BODY)) for server in (service, other) * 4]
        for body in bodies:
            body.token()
        answers = at_once([_vote(body, entry) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    leaves = kinds(service, entry["id"])
    assert (leaves["entry.reviewed"], leaves["entry.approved"]) == (1, 1)


def _vote(body: Connection, entry: dict[str, Any]) -> Call:
    sent = signed_review(entry, body.credentials.private_jwk)
    return lambda: body.send("POST", f"/v1/entries/{entry['id']}/reviews", json=sent)


def _withdrawal(hotline: Connection, entry: dict[str, Any]) -> Call:
    return lambda: hotline.send("POST", f"/v1/entries/{entry['id']}/withdrawal")
