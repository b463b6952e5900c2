"""Fixtures: a running service per test that asks for one, and people to call it as."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import Service, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A fresh service with one plain list."""
    with running(Service(tmp_path / "home")) as up:
        up.add_list()
        yield up


@pytest.fixture
def hotline(service: Service) -> Iterator[Connection]:
    """A hotline's client."""
    with service.connect(Kind.HOTLINE) as connection:
        yield connection


@pytest.fixture
def reviewer(service: Service) -> Iterator[Connection]:
    """A review body's client."""
    with service.connect(Kind.REVIEW_BODY) as connection:
        yield connection


@pytest.fixture
def provider(service: Service) -> Iterator[Connection]:
    """A subscribed internet provider's client."""
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    with service.connect(Kind.ISP, organisation) as connection:
        yield connection


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Connection]]:
    """One service for a module's tests that change nothing, and a hotline of it."""
    with running(Service(tmp_path_factory.mktemp("shared") / "home")) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as connection:
            yield up, connection
