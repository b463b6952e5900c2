"""Tables of figures, which a page shows and its charts read: so both always say the same.

A cell has its words, and a number where a chart may draw one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from app.core.suppression import Shown

NONE = "–"
"""Where there is no number, or fewer cases than are told."""
Chart = Literal["bar", "across", "stacked", "line", ""]
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Cell:
    """What a table says, and what a chart draws."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """Its heading, and where that leads."""

    title: str
    cells: tuple[Cell, ...]
    href: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table, and as what it is drawn: charts take its first `drawn` columns. `unit` is theirs."""

    name: str
    title: str
    caption: str
    head: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    chart: Chart = ""
    drawn: int = 8
    unit: str = ""
    is_long: bool = False
    total: Row | None = None
    """A last row, which no chart draws."""


def numbers(counts: Iterable[int]) -> tuple[Cell, ...]:
    """Counts."""
    return tuple(number(one) for one in counts)


def number(count: int | None) -> Cell:
    """A count, or that there is none."""
    return Cell(NONE) if count is None else Cell(f"{count:,}", count)


def shown(count: Shown) -> Cell:
    """A count as far as it may be told."""
    return number(count) if isinstance(count, int) else Cell(count)


def percent(rate: float | None) -> Cell:
    """A rate, or that there is none."""
    return Cell(NONE if rate is None else f"{rate:.1%}")


def lasting(seconds: int | None) -> Cell:
    """A time in the unit that suits it; charts draw hours."""
    if seconds is None:
        return Cell(NONE)
    for unit, word in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return Cell(f"{seconds / unit:.1f} {word}", round(seconds / _HOUR, 3))
    return Cell(f"{seconds} s", round(seconds / _HOUR, 3))
