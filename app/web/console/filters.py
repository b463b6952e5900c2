"""Filters of a page, as its form sends them: an empty one asks for everything."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from app.platform import paging
from app.platform.problems import at_field

PER_PAGE = 50
LONGEST_LIST_NAME = 63
Word = TypeVar("Word", bound=StrEnum)
Row = TypeVar("Row")


def word(words: type[Word], name: str, text: str) -> Word | None:
    """One of a closed set, None when nothing was chosen. Raises a 422 problem naming the field."""
    if not text:
        return None
    try:
        return words(text)
    except ValueError:
        raise at_field("invalid-input", name, "choose one of the list") from None


def list_name(text: str) -> str | None:
    """A list's name, None when nothing was chosen. Raises a 422 problem."""
    if len(text) > LONGEST_LIST_NAME:
        raise at_field("invalid-input", "list", "choose one of the list")
    return text or None


def day(name: str, text: str) -> datetime | None:
    """The beginning of a day (UTC), None when nothing was chosen. Raises a 422 problem."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise at_field("invalid-input", name, "write a day as 2026-01-31") from None


def place(text: str) -> int:
    """Where a page begins. Raises a 422 problem."""
    return paging.place(text or None)


def part(rows: Sequence[Row], start: int) -> tuple[Sequence[Row], int | None]:
    """A page of rows that are known already, and where the next one begins, None after the last."""
    end = start + PER_PAGE
    return rows[start:end], end if end < len(rows) else None


def next_page(path: str, chosen: Mapping[str, str], following: int | None) -> str | None:
    """The address of the next page with the same filters, None after the last."""
    if following is None:
        return None
    kept = {name: text for name, text in chosen.items() if text}
    return f"{path}?{urlencode({**kept, 'cursor': paging.cursor(following)})}"
