"""A courier that keeps what it sends; a peer that a test speaks for, and a service that is its neighbour."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.neighbour import Neighbour
from tests.programs.receiver import Receiver, receiving, status
from tests.programs.service import Service, leaf_bodies, replay, running
from tests.takedown.told import Post


@pytest.fixture
def country(tmp_path: Path) -> Iterator[Service]:
    """With one list. Whatever a test does, the log holds in the end, and no leaf holds an address."""
    with running(Service(tmp_path / "country", webhook_allow_private=True)) as up:
        up.add_list()
        yield up
        replay(up)
        assert b"example.test" not in b"".join(leaf_bodies(up))


@pytest.fixture
def body(country: Service) -> Iterator[Connection]:
    """A review body's client there."""
    with country.connect(Kind.REVIEW_BODY) as connection:
        yield connection


@pytest.fixture
def analysts(country: Service) -> Iterator[Connection]:
    """A hotline's client there."""
    with country.connect(Kind.HOTLINE) as connection:
        yield connection


@pytest.fixture
def abroad() -> Iterator[Receiver]:
    """Where the peer is told things."""
    with receiving(status(202)) as receiver:
        yield receiver


@pytest.fixture
def neighbour(country: Service, abroad: Receiver) -> Neighbour:
    """A peer in force there."""
    made = Neighbour(abroad.url("").rstrip("/"))
    made.join(country)
    return made


@pytest.fixture
def post(service: Service) -> Iterator[Post]:
    """Sends what is due, and keeps it."""
    made = Post(service)
    yield made
    made.courier.close()
