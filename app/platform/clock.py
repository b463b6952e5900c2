"""Time comes from here, so that a test can hold it still."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware UTC datetime."""


def system_clock() -> datetime:
    """The machine's time, UTC."""
    return datetime.now(UTC)


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as every public document writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
