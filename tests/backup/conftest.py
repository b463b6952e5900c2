"""A drill for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup.drill import Drill, Rebuilt
from tests.programs.service import Service, running


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    """An installation that runs, and that a test may stop."""
    service = Service(tmp_path / "home")
    service.add_list()
    with running(service):
        one = Drill(service, tmp_path)
        yield one
        one.close()


@pytest.fixture
def rebuilt(tmp_path: Path) -> Rebuilt:
    """Where it is restored to."""
    return Rebuilt(tmp_path / "rebuilt")
