"""Percentiles are values that were measured, in the middle of what was."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.percentile import nearest_rank

VALUES = st.lists(st.integers(-(10**9), 10**9), min_size=1)
PERCENT = st.integers(1, 100)


@given(VALUES, PERCENT)
def test_it_is_the_smallest_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    found = nearest_rank(values, percent)
    assert found in values

    def share(limit: int) -> Fraction:
        return Fraction(sum(value <= limit for value in values), len(values))

    assert share(found or 0) >= Fraction(percent, 100)
    assert all(share(value) < Fraction(percent, 100) for value in values if value < (found or 0))


@given(VALUES, PERCENT, PERCENT)
def test_a_higher_percentile_is_no_smaller(values: list[int], one: int, other: int) -> None:
    low, high = nearest_rank(values, min(one, other)), nearest_rank(values, max(one, other))
    assert low is not None
    assert high is not None
    assert low <= high


@given(VALUES)
def test_the_order_of_the_values_does_not_matter(values: list[int]) -> None:
    assert nearest_rank(reversed(values), 50) == nearest_rank(values, 50)
    assert nearest_rank(values, 100) == max(values)


@pytest.mark.parametrize(
    ("values", "median", "p90"), [([], None, None), ([7], 7, 7), ([1, 2], 1, 2), (list(range(1, 11)), 5, 9)]
)
def test_by_hand(values: list[int], median: int | None, p90: int | None) -> None:
    assert (nearest_rank(values, 50), nearest_rank(values, 90)) == (median, p90)
