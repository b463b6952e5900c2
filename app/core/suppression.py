"""Small counts are hidden, and what would give them away with them.

One table at a time: its cells, and its total, which is known. Rules:
- A count of 1 to 4 is written "<5"; 0 stays 0.
- Where the total and the other cells would give a hidden one, one more cell is "withheld": of those of five
  and more the first by name, for a choice by size would tell something.
- Where even that leaves one answer only, nothing of the table is told.
What is hidden follows from the hidden cells' number and sum, which a reader has anyway: to know these rules
gives away no more. They need three possible cells or more. The practice is that of statistical offices:
primary and complementary suppression.
"""

from collections.abc import Mapping
from typing import Literal

FEWEST = 5
"""Cases below which there is no count, no median and no rate."""
SMALL: Literal["<5"] = "<5"
WITHHELD: Literal["withheld"] = "withheld"
Shown = int | Literal["<5", "withheld"]
"""A count as it is told."""


def shown(count: int) -> Shown:
    """A count that stands alone."""
    return SMALL if 0 < count < FEWEST else count


def table(cells: Mapping[str, int]) -> dict[str, Shown] | None:
    """The cells as they are told; None where none may be."""
    told = {name: shown(count) for name, count in cells.items()}
    small = [cells[name] for name, count in told.items() if count == SMALL]
    if not small or _is_safe_alone(len(small), sum(small)):
        return told
    name = next((name for name in sorted(cells) if cells[name] >= FEWEST), None)
    if name is None or not _is_safe_with_one(len(small), sum(small) + cells[name]):
        return None
    return told | {name: WITHHELD}


def total(cells: Mapping[str, int]) -> Shown:
    """The sum of cells that are told one by one: withheld when it would give one away."""
    whole = sum(cells.values())
    is_hidden = any(shown(count) == SMALL for count in cells.values())
    return WITHHELD if is_hidden and whole >= FEWEST else shown(whole)


def _is_safe_alone(count: int, whole: int) -> bool:
    """Several small ones with this sum: not all are 1, and not all are 4."""
    return count > 1 and count < whole < count * (FEWEST - 1)


def _is_safe_with_one(count: int, whole: int) -> bool:
    """Small ones and one of five or more with this sum, where the small ones alone would not do.

    A single one has then two values at least; of several, "all are 1" and "all are 4" must both be possible.
    """
    return whole >= FEWEST + (2 if count == 1 else count * (FEWEST - 1))
