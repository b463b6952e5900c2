"""A terminal for commands against a running service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.cli.terminal import Terminal
from tests.programs.service import Service


@pytest.fixture
def terminal(service: Service, tmp_path: Path) -> Iterator[Terminal]:
    """The service runs in this process too: what it logs is kept apart from what a command says."""
    with (tmp_path / "service.log").open("w") as file:
        before = structlog.get_config()
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        yield Terminal(service, tmp_path)
        structlog.configure(**before)
