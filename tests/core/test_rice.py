"""Golomb-Rice coding: what is written is read again, nothing else is, and it is near the limit in size."""

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import rice

WIDTH = 128


def coded(values: Iterable[int], width: int = WIDTH) -> bytes:
    """The whole coding."""
    every = list(values)
    return b"".join(rice.encode(every, len(every), width))


def sets(width: int = WIDTH) -> st.SearchStrategy[list[int]]:
    """Ascending numbers, some of them close together."""
    near = st.integers(0, 300)
    anywhere = st.integers(0, (1 << width) - 1)
    return st.sets(near | anywhere | near.map(lambda one: (1 << width) - 1 - one), max_size=60).map(sorted)


@given(sets())
def test_what_is_written_is_read(values: list[int]) -> None:
    assert rice.decode(coded(values), len(values), WIDTH) == values


@given(st.integers(1, 12).flatmap(lambda width: st.tuples(st.just(width), sets_below(width))))
def test_every_width_is_read_as_written(case: tuple[int, list[int]]) -> None:
    width, values = case
    assert rice.decode(coded(values, width), len(values), width) == values


def sets_below(width: int) -> st.SearchStrategy[list[int]]:
    """Ascending numbers, up to all there are."""
    return st.sets(st.integers(0, (1 << width) - 1)).map(sorted)


@given(sets().filter(bool), st.data())
def test_a_changed_byte_is_refused_or_another_set(values: list[int], data: st.DataObject) -> None:
    good = coded(values)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    assert_refused_or_canonical(bad, len(values))


@given(st.binary(max_size=600), st.integers(0, 1 << 64))
def test_any_bytes_are_refused_or_a_set_that_is_written_so(data: bytes, count: int) -> None:
    assert_refused_or_canonical(data, count)


def assert_refused_or_canonical(data: bytes, count: int) -> None:
    """Whatever is read is written as these very bytes, so no set has two codings."""
    try:
        values = rice.decode(data, count, WIDTH)
    except rice.Malformed:
        return
    assert len(values) == count
    assert coded(values) == data


def test_what_follows_the_last_number_is_refused() -> None:
    good = coded([5, 7, 1 << 127])
    for bad in (good + b"\0", good + b"\xff", good[:-1] + bytes([good[-1] | 1])):
        with pytest.raises(rice.Malformed, match="follows"):
            rice.decode(bad, 3, WIDTH)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_count_is_refused(count: int) -> None:
    with pytest.raises(rice.Malformed):
        rice.decode(coded([5, 1 << 126, 1 << 127]), count, WIDTH)


def test_a_cut_coding_is_refused() -> None:
    good = coded([5, 1 << 126, 1 << 127])
    for end in range(len(good)):
        with pytest.raises(rice.Malformed):
            rice.decode(good[:end], 3, WIDTH)


def test_endless_ones_are_refused_before_the_end_is_looked_for() -> None:
    with pytest.raises(rice.Malformed, match="too wide"):
        rice.decode(b"\xff" * 1_000_000, 1, WIDTH)


def test_a_count_that_the_bytes_cannot_hold_is_refused_at_once() -> None:
    with pytest.raises(rice.Malformed, match="fewer bytes"):
        rice.decode(bytes(100), 1 << 63, WIDTH)


@pytest.mark.parametrize("values", [[2, 1], [1, 1], [1 << WIDTH], [-1]])
def test_numbers_out_of_order_twice_or_too_wide_are_not_written(values: list[int]) -> None:
    with pytest.raises(ValueError, match="number"):
        coded(values)


def test_another_count_than_the_numbers_is_not_written() -> None:
    with pytest.raises(ValueError, match="more or fewer"):
        list(rice.encode([1, 2], 3, WIDTH))


@pytest.mark.parametrize("count", [1_000, 10_000, 100_000])
def test_random_numbers_take_hardly_more_than_the_limit(count: int) -> None:
    """log2 of the number of sets: count * 128 - log2(count!), as the numbers are far fewer than there are."""
    rng = random.Random(count)
    size = len(coded(sorted({rng.getrandbits(WIDTH) for _ in range(count)})))
    limit = (count * WIDTH - math.lgamma(count + 1) / math.log(2)) / 8
    assert size <= 1.0011 * limit


@pytest.mark.parametrize("count", [1, 3, 1_000, 777_777, 1 << 40])
def test_the_parameter_is_the_best_one(count: int) -> None:
    """Bits a number with k: k + 1 and the mean of the unary part, 1 / (e ** (2 ** k / mean gap) - 1)."""

    def bits(k: int) -> float:
        return k + 1 + 1 / math.expm1(min(700.0, 2**k * count / 2**WIDTH))

    best = rice.parameter(count, WIDTH)
    assert bits(best) <= min(bits(best - 1), bits(best + 1))
