"""A terminal beside a running service."""

from tests.cli.conftest import terminal as terminal
