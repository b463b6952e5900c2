"""Fixtures: a review body that has decided nothing yet."""

from collections.abc import Iterator

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from tests.programs.service import Service


@pytest.fixture
def judge(service: Service) -> Iterator[Connection]:
    """A client of a body that took no part."""
    with service.connect(Kind.REVIEW_BODY) as connection:
        yield connection
