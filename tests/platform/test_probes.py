"""The port on which a process without a web server says how it is."""

import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from prometheus_client import CollectorRegistry

from app.platform.listening import Unavailable
from app.platform.probes import serve_metrics
from app.platform.readiness import NotReady, Readiness
from tests.programs.witness import free_port


def not_yet() -> str:
    raise NotReady("the lists are not here yet")


@pytest.fixture
def address() -> Iterator[str]:
    """Of a process that is alive and not ready."""
    place = f"127.0.0.1:{free_port()}"
    close = serve_metrics(place, CollectorRegistry(), Readiness({"repository": not_yet}))
    yield f"http://{place}"
    close()


def test_it_says_what_is_missing_as_a_problem(address: str) -> None:
    answer = httpx.get(f"{address}/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    document = answer.json()
    assert document["type"] == "urn:wardlist:problem:not-ready"
    assert document["errors"] == [
        {"field": "repository", "detail": "the lists are not here yet", "code": "not-ready"}
    ]


def test_it_answers_only_what_it_is_for(address: str) -> None:
    assert httpx.get(f"{address}/healthz").text == "ok\n"
    assert httpx.head(f"{address}/metrics").content == b""
    assert "wardlist_worker_rounds_total" in httpx.get(f"{address}/metrics").text
    assert httpx.get(f"{address}/").status_code == httpx.get(f"{address}/metrics/x").status_code == 404
    assert httpx.post(f"{address}/metrics").status_code == 405


def test_a_place_that_is_taken_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"cannot listen on {place}: Address already in use"):
            serve_metrics(place, CollectorRegistry(), Readiness({}))


@pytest.mark.parametrize("place", ["", "9101", ":9101", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "a:b"])
def test_what_is_no_place_is_said_to_be_none(place: str) -> None:
    with pytest.raises(Unavailable, match="write HOST:PORT"):
        serve_metrics(place, CollectorRegistry(), Readiness({}))
