"""Percentiles by nearest rank: always a value that was measured, never one in between."""

from collections.abc import Iterable


def nearest_rank(values: Iterable[int], percent: int) -> int | None:
    """The smallest value that `percent` of a hundred do not exceed (1 to 100); None of nothing."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
