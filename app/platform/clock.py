"""Time comes from here, so that a test can hold it still."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

Clock = Callable[[], datetime]
"""Returns the present as an aware UTC datetime."""


def system_clock() -> datetime:
    """The machine's time, UTC."""
    return datetime.now(UTC)


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as every public document writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _as_text(given: object) -> object:
    """A number would be read as seconds or milliseconds since 1970, and so would a year alone."""
    if isinstance(given, datetime) or (isinstance(given, str) and _DATED.match(given)):
        return given
    raise ValueError("write it as in RFC 3339: 2026-10-31T00:00:00Z")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("write a moment of the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_as_text), AfterValidator(_in_utc)]
"""A moment that somebody else gives, in UTC. At the calendar's ends zones have some that UTC lacks."""
