"""Fixtures: a running service per test that asks for one, and people to call it as."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

import hypothesis
import pytest
import structlog

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs import databases, selection
from tests.programs.service import Service, running
from tests.programs.warm import warm_up

MEMORY = Path("/dev/shm")  # noqa: S108
ENOUGH_BYTES = 4 << 30

if (
    "PYTEST_DEBUG_TEMPROOT" not in os.environ
    and os.access(MEMORY, os.W_OK)
    and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES
):
    # Thousands of small databases: in memory their fsync waits for no disk.
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


class _Stderr:
    """The standard error of the moment: a command that runs in this process has stdout to itself."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


# How long an example takes is the machine's affair.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")
structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(cast(TextIO, _Stderr())))


def pytest_configure(config: pytest.Config) -> None:
    for kind in ("sqlite", "postgresql"):
        config.addinivalue_line(
            "markers", f"{kind}: is about {kind} alone, and is not run on another database"
        )
    config.addinivalue_line("markers", "long: takes long, `make test` runs a draw of it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run is not made of."""
    taken = selection.taken(items)
    if left_out := set(items) - set(taken):
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = taken


def pytest_unconfigure() -> None:
    databases.stop()


def pytest_collection_finish() -> None:
    """Before the first test, when every test file has been imported."""
    warm_up()


@pytest.fixture(scope="module", autouse=True)
def _databases() -> Iterator[None]:
    """Those of a module's installations go with it."""
    with databases.forgotten():
        yield


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
