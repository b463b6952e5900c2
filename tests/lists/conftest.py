"""Fixtures of sealed lists: a service for a module's stories, each with a list of its own."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.lists.sealed import SealedList
from tests.programs.service import replay


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SealedList]:
    """One service for stories that each have a list of their own."""
    one = SealedList(tmp_path_factory.mktemp("sealing"))
    yield one
    assert replay(one.service).size > 20
    one.close()


@pytest.fixture
def name(world: SealedList, request: pytest.FixtureRequest) -> str:
    """A sealed list of the test's own."""
    own = f"l{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    world.add_list(own)
    return own
