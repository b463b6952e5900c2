"""Clients that are slow, silent or ambiguous on purpose, over real sockets: none holds a connection for long.

The service's patience here is a second; what is asserted is that it ends, never how soon.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from app.core.terms import Kind
from tests.programs.service import LIST, Service, approve, new_entry, running

PATIENCE = 1.0
LIMIT = 60.0
MOST_OF_ONE = 20


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    waits = {"head_seconds": PATIENCE, "body_seconds": PATIENCE, "reading_seconds": PATIENCE}
    home = tmp_path_factory.mktemp("slow") / "home"
    with running(Service(home, connections_per_address=MOST_OF_ONE, **waits)) as service:
        service.add_list()
        yield service


@contextmanager
def connected(service: Service, receive_bytes: int = 0) -> Iterator[socket.socket]:
    with socket.socket() as made:
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(LIMIT)
        made.connect(("127.0.0.1", service.settings.port))
        yield made


def rest(connection: socket.socket) -> bytes:
    """All that comes until the service ends the connection. Raises TimeoutError when it does not."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        parts.append(b"")
    return b"".join(parts)


def drip(connection: socket.socket, part: bytes) -> bytes:
    """Send that part again and again until the service ends the connection; what it said."""
    end = time.monotonic() + LIMIT
    connection.settimeout(0.1)
    said = b""
    while time.monotonic() < end:
        try:
            connection.sendall(part)
            got = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not got:
            return said
        said += got
    raise TimeoutError("the service still listens")


def test_a_connection_that_says_nothing_is_ended(slow: Service) -> None:
    with connected(slow) as silent:
        assert rest(silent) == b""


def test_a_request_whose_headers_never_end_is_ended(slow: Service) -> None:
    with connected(slow) as dripping:
        dripping.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        assert drip(dripping, b"X-A: b\r\n").startswith(b"HTTP/1.1 408 ")


def test_the_same_as_the_second_request_of_a_connection(slow: Service) -> None:
    with connected(slow) as dripping:
        dripping.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HT")
        said = rest(dripping)
        assert said.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in said


@pytest.mark.parametrize("how", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
def test_a_body_that_never_ends_is_ended(slow: Service, how: str) -> None:
    with connected(slow) as dripping:
        head = (
            f"POST /v1/appeals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{how}\r\n\r\n"
        )
        dripping.sendall(head.encode())
        part = b"1\r\n \r\n" if "chunked" in how else b" "
        assert drip(dripping, part).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_slowly_but_steadily_is_read(slow: Service) -> None:
    """Twice the patience at twenty times the least speed."""
    with slow.connect(Kind.HOTLINE) as hotline:
        token = hotline.token()
    parts, part = 20, b" " * 33_000
    with connected(slow) as steady:
        head = (
            f"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {parts * len(part)}\r\n"
            "Connection: close\r\n\r\n"
        )
        steady.sendall(head.encode())
        for _ in range(parts):
            steady.sendall(part)
            time.sleep(2 * PATIENCE / parts)
        assert rest(steady).startswith(b"HTTP/1.1 400 ")


def test_a_reader_that_reads_nothing_is_let_go(slow: Service) -> None:
    """The API's description, asked for until the service can send no more, and never read."""
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(slow, receive_bytes=4096) as unread:
        end, refused = time.monotonic() + LIMIT, False
        unread.settimeout(0.2)
        while not refused and time.monotonic() < end:
            try:
                unread.sendall(asked)
            except TimeoutError:
                continue
            except OSError:
                refused = True
        assert refused
    assert httpx.get(f"{slow.address}/healthz").status_code == 200


def test_one_address_cannot_take_every_connection(slow: Service) -> None:
    """Past its share an address is let go at once; with room again it is heard again."""
    held = [socket.create_connection(("127.0.0.1", slow.settings.port)) for _ in range(2 * MOST_OF_ONE)]
    try:
        ended = 0
        for one in held:
            one.settimeout(LIMIT)
            ended += rest(one) == b""
        assert ended == len(held)
    finally:
        for one in held:
            one.close()
    assert httpx.get(f"{slow.address}/healthz").status_code == 200


def test_a_long_poll_is_no_slow_client(slow: Service) -> None:
    """It waits longer than the service's patience, for its part of the work is done."""
    isp = slow.organisation(Kind.ISP)
    slow.subscribe(isp)
    with slow.connect(Kind.HOTLINE) as hotline, slow.connect(Kind.REVIEW_BODY) as reviewer:
        approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
    slow.publish()
    with slow.connect(Kind.ISP, isp) as provider:
        path = f"/v1/lists/{LIST}/snapshots/latest"
        newest = provider.request("GET", path)
        waits = {"If-None-Match": newest.headers["etag"], "Prefer": f"wait={int(3 * PATIENCE)}"}
        answer = httpx.get(
            slow.address + path,
            headers={**waits, "Authorization": f"Bearer {provider.token()}"},
            timeout=LIMIT,
        )
        assert (answer.status_code, answer.headers["preference-applied"]) == (
            304,
            f"wait={int(3 * PATIENCE)}",
        )


TRAILED = (
    b"POST /v1/appeals HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'd\r\n{"a":1,"a":2}\r\n0\r\n'
)
"""A body of no stated type, to its last chunk; fields may follow."""


@pytest.mark.parametrize("field", [b"X-%07d: " + b"x" * 1000 + b"\r\n", b"x" * 1000], ids=["many", "one"])
def test_fields_behind_a_body_that_never_end_are_ended(slow: Service, field: bytes) -> None:
    with connected(slow) as endless:
        endless.sendall(TRAILED + b"X-A: ")
        with pytest.raises(OSError, match=r"reset|Broken"):  # noqa: PT012
            for number in range(64_000):
                endless.sendall(field % number if b"%" in field else field)


def test_a_field_behind_a_body_makes_no_json_of_it(slow: Service) -> None:
    """It comes when the body was looked at, as one of no type, and before the route reads it."""
    with connected(slow) as later:
        later.sendall(TRAILED)
        time.sleep(PATIENCE / 5)
        later.sendall(b"Content-Type: application/json\r\n\r\n")
        said = rest(later)
    assert b"HTTP/1.1 422 " in said
    assert b"valid dictionary or object" in said


SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/appeals HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0\r\nContent-Length: 41\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED,
        POST + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\n\r\n2;\n\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"X-A: b\rContent-Length: 2\r\n\r\n{}" + SMUGGLED,
    ],
    ids=[
        "both, length first",
        "both, chunked first",
        "two lengths",
        "a list of lengths",
        "a signed length",
        "chunked is not the last",
        "an unknown coding",
        "a space before the colon",
        "a folded coding",
        "a bare newline in a chunk",
        "a chunk's size in another form",
        "a bare return in the headers",
    ],
)
def test_a_request_whose_end_is_in_doubt_is_the_last_of_its_connection(
    slow: Service, request_bytes: bytes
) -> None:
    """What follows it is never read as a request of its own. Source: RFC 9112, section 6.3."""
    with connected(slow) as doubtful:
        doubtful.sendall(request_bytes)
        said = rest(doubtful)
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 ")), said[:100]
    assert b"wardlist_" not in said
    assert b"HTTP/1.1 200" not in said
