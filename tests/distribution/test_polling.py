"""How often a client may poll, and polls that come again byte for byte on one connection."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.tokens import TOKEN_LIFE
from tests.distribution.test_snapshots import list_one
from tests.programs.service import LIST, Service, running

LATEST = f"/v1/lists/{LIST}/snapshots/latest"
BURST, EACH = 5, timedelta(seconds=60)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that lets a client poll five times in a row."""
    with running(Service(tmp_path_factory.mktemp("polling") / "home", poll_burst=BURST)) as up:
        up.add_list()
        up.add_list("empty")
        yield up


@pytest.fixture(scope="module")
def makers(started: Service) -> Iterator[tuple[Connection, Connection]]:
    with started.connect(Kind.HOTLINE) as hotline, started.connect(Kind.REVIEW_BODY) as reviewer:
        list_one(started, hotline, reviewer, "https://a.example.test/")
        yield hotline, reviewer


@pytest.fixture
def isp(started: Service, makers: tuple[Connection, Connection]) -> Iterator[Connection]:
    """A new provider's client."""
    organisation = started.organisation(Kind.ISP)
    for name in (LIST, "empty"):
        started.subscribe(organisation, name)
    with started.connect(Kind.ISP, organisation) as client:
        yield client


def newest(client: Connection) -> str:
    """The validator of the newest version, heard of for the first time."""
    return str(client.request("GET", LATEST).headers["etag"])


def poll(client: Connection, etag: str, **headers: str) -> httpx.Response:
    return client.send("GET", LATEST, headers={"If-None-Match": etag, **headers})


def spend(client: Connection) -> str:
    """Use up the burst; the validator of what the client has."""
    etag = newest(client)
    assert [poll(client, etag).status_code for _ in range(BURST)] == [304] * BURST
    assert poll(client, etag).status_code == 429
    return etag


def test_who_asks_too_often_is_told_when_to_come_back(started: Service, isp: Connection) -> None:
    etag = spend(isp)
    refused = poll(isp, etag)
    assert refused.json()["type"] == "urn:wardlist:problem:too-many-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= EACH.total_seconds()
    assert refused.headers["ratelimit"].startswith('"polls";r=0;t=')
    started.clock.ahead += EACH
    assert [poll(isp, etag).status_code for _ in range(2)] == [304, 429]


def test_a_new_version_is_never_withheld(
    started: Service, makers: tuple[Connection, Connection], isp: Connection
) -> None:
    etag = spend(isp)
    list_one(started, *makers, "https://b.example.test/")
    news = poll(isp, etag)
    assert (news.status_code, news.json()["version"]) == (200, int(etag.strip('"').rsplit("-", 1)[1]) + 1)
    assert (news.headers["ratelimit-policy"], news.headers["ratelimit"][:11]) == (
        f'"polls";q={BURST};w={BURST * 60}',
        '"polls";r=0',
    )
    assert poll(isp, etag).status_code == 429


def test_one_client_s_haste_is_not_another_s(
    started: Service, makers: tuple[Connection, Connection], isp: Connection
) -> None:
    etag = spend(isp)
    assert poll(makers[0], etag).status_code == 304


def test_a_list_without_a_version_may_be_asked_for_any_time(isp: Connection) -> None:
    answers = {isp.send("GET", "/v1/lists/empty/snapshots/latest").status_code for _ in range(3 * BURST)}
    assert answers == {404}


def test_who_waits_is_not_counted_but_who_only_says_so_is(isp: Connection) -> None:
    etag = spend(isp)
    assert poll(isp, etag, Prefer="wait=1").status_code == 304
    assert poll(isp, '"another"', Prefer="wait=60").status_code == 429


def test_other_addresses_are_not_polls(isp: Connection) -> None:
    spend(isp)
    path = f"/v1/lists/{LIST}/snapshots/1"
    assert {isp.send("GET", path).status_code for _ in range(2 * BURST)} == {200}


class Wire:
    """A connection on which one sees each byte."""

    def __init__(self, service: Service) -> None:
        self._socket = socket.create_connection(("127.0.0.1", service.settings.port), timeout=20)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, self._file.read(int(headers.get("content-length", 0)))

    def ask(self, data: bytes) -> int:
        self.send(data)
        return self.answer()[0]

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def wire(started: Service) -> Iterator[Wire]:
    made = Wire(started)
    yield made
    made.close()


def request(client: Connection, etag: str) -> bytes:
    return (
        f"GET {LATEST} HTTP/1.1\r\nHost: a.example.test\r\nAuthorization: Bearer {client.token()}\r\n"
        f"If-None-Match: {etag}\r\n\r\n"
    ).encode()


def test_the_same_bytes_again_get_the_same_answer_until_there_is_news(
    started: Service, makers: tuple[Connection, Connection], isp: Connection, wire: Wire
) -> None:
    asked = request(isp, newest(isp))
    answers = []
    for _ in range(4):
        wire.send(asked)
        answers.append(wire.answer())
    assert [status for status, _, _ in answers] == [304] * 4
    assert len({headers.pop("x-request-id") for _, headers, _ in answers}) == 4
    for left, (_, headers, _) in zip((4, 3, 2, 1), answers, strict=True):
        headers.pop("date")
        assert headers.pop("ratelimit").startswith(f'"polls";r={left};t=')
        assert headers["ratelimit-policy"] == f'"polls";q={BURST};w={BURST * 60}'
    assert answers[0] == answers[1] == answers[3]
    assert answers[0][1]["x-content-type-options"] == "nosniff"
    list_one(started, *makers, "https://c.example.test/")
    assert [wire.ask(asked) for _ in range(2)] == [200, 200]


def test_the_same_bytes_are_counted_each_time(isp: Connection, wire: Wire) -> None:
    asked = request(isp, newest(isp))
    assert [wire.ask(asked) for _ in range(BURST + 2)] == [304] * BURST + [429] * 2


def test_the_same_bytes_are_worth_nothing_once_the_client_is_revoked(
    started: Service, isp: Connection, wire: Wire
) -> None:
    asked = request(isp, newest(isp))
    assert [wire.ask(asked) for _ in range(3)] == [304] * 3
    with started.database.writing() as session:
        identity.revoke_client(session, isp.credentials.client_id, started.clock())
    assert wire.ask(asked) == 401


def test_the_same_bytes_are_worth_nothing_once_the_token_expired(
    started: Service, isp: Connection, wire: Wire
) -> None:
    asked = request(isp, newest(isp))
    assert [wire.ask(asked) for _ in range(3)] == [304] * 3
    started.clock.ahead += TOKEN_LIFE
    assert wire.ask(asked) == 401


def test_requests_in_one_piece_or_in_many_are_each_answered(isp: Connection, wire: Wire) -> None:
    asked = request(isp, newest(isp))
    assert [wire.ask(asked) for _ in range(2)] == [304] * 2
    wire.send(asked + asked)
    assert [wire.answer()[0] for _ in range(2)] == [304] * 2
    wire.send(asked[:40])
    assert wire.ask(asked[40:]) == 304


def test_known_bytes_inside_another_request_are_part_of_it(isp: Connection, wire: Wire) -> None:
    asked = request(isp, newest(isp))
    assert [wire.ask(asked) for _ in range(2)] == [304] * 2
    begun = b"GET /healthz HTTP/1.1\r\nX-Note: "
    wire.send(begun)
    wire.send(asked)
    status, _, body = wire.answer()
    assert (status, body) == (200, b"ok\n")
    assert wire.ask(asked) == 304


def test_repeated_polls_of_the_timestamp_hear_of_a_new_one(
    started: Service, makers: tuple[Connection, Connection], wire: Wire
) -> None:
    path = "/tuf/metadata/timestamp.json"
    etag = httpx.get(started.address + path).headers["etag"]
    asked = f"GET {path} HTTP/1.1\r\nHost: a.example.test\r\nIf-None-Match: {etag}\r\n\r\n".encode()
    assert [wire.ask(asked) for _ in range(3)] == [304] * 3
    list_one(started, *makers, "https://d.example.test/")
    wire.send(asked)
    status, headers, body = wire.answer()
    assert (status, body) == (200, Path(started.settings.public, "metadata", "timestamp.json").read_bytes())
    assert headers["etag"] != etag
