"""A list and a provider of their own for each test, in one service for all tests of a file."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.client.filter import Filter
from tests.client.subscription import Subscription, subscribed
from tests.programs.service import Service, running


@pytest.fixture(scope="module")
def with_canaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Connection]]:
    """A service whose operator owns a name for canary entries, and a hotline of it."""
    home = tmp_path_factory.mktemp("shared") / "home"
    with running(Service(home, canary_suffixes="owned.example")) as up, up.connect(Kind.HOTLINE) as hotline:
        yield up, hotline


@pytest.fixture
def sealed(with_canaries: tuple[Service, Connection], tmp_path: Path) -> Iterator[Subscription]:
    """A sealed list of twelve entries in its first version."""
    with subscribed(with_canaries, tmp_path) as one:
        one.entries = one.add(12)
        one.publish()
        yield one


@pytest.fixture
def behind(sealed: Subscription, tmp_path: Path) -> Filter:
    """A filter to be, in a folder of its own."""
    (tmp_path / "filter").mkdir()
    return Filter(sealed, tmp_path / "filter")


@pytest.fixture
def later(with_canaries: tuple[Service, Connection]) -> Callable[[timedelta], None]:
    """Let time pass at service and provider, for the tests that come after too."""

    def pass_by(span: timedelta) -> None:
        with_canaries[0].clock.ahead += span

    return pass_by
