"""Small counts stay hidden, also from somebody who knows the rules and the total."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise, product

from hypothesis import assume, given
from hypothesis import strategies as st

from app.core import suppression
from app.core.suppression import SMALL, WITHHELD, Shown

Published = tuple[Shown, ...] | None


def published(counts: tuple[int, ...]) -> Published:
    told = suppression.table({f"c{number}": count for number, count in enumerate(counts)})
    return None if told is None else tuple(told.values())


def tables(cells: int, total: int) -> Iterator[tuple[int, ...]]:
    """Every table of that many cells and that total."""
    for cuts in product(range(total + 1), repeat=cells - 1):
        if all(one <= other for one, other in pairwise(cuts)):
            marks = (0, *cuts, total)
            yield tuple(other - one for one, other in pairwise(marks))


def assert_hidden(found: Published, possible: list[tuple[int, ...]]) -> None:
    """Whoever tries every table that is told like this is left with two values for each hidden cell."""
    for place in range(len(possible[0])):
        is_open = found is not None and found[place] not in (SMALL, WITHHELD)
        if not is_open:
            assert len({one[place] for one in possible}) > 1, (found, possible)


def test_every_small_table_hides_what_it_hides() -> None:
    for cells, total in product((3, 4), range(1, 22)):
        told: defaultdict[Published, list[tuple[int, ...]]] = defaultdict(list)
        for counts in tables(cells, total):
            told[published(counts)].append(counts)
        for found, possible in told.items():
            assert_hidden(found, possible)


@given(st.lists(st.integers(0, 9) | st.integers(0, 3000), min_size=3, max_size=7))
def test_no_hidden_cell_can_be_derived(counts: list[int]) -> None:
    """Shift one from a hidden cell to another: some table is told just the same, with the same total."""
    found = published(tuple(counts))
    assume(found is not None)
    assert found is not None
    hidden = [place for place, cell in enumerate(found) if cell in (SMALL, WITHHELD)]
    reached = set()
    for one, other in product(hidden, hidden):
        for steps in range(1, 5):
            changed = list(counts)
            changed[one], changed[other] = changed[one] - steps, changed[other] + steps
            if one != other and min(changed) >= 0 and published(tuple(changed)) == found:
                reached |= {one, other}
    all_alike = [place for place in hidden if place not in reached]
    if all_alike:
        assert _swapped(counts, found)


def _swapped(counts: list[int], found: Published) -> bool:
    """All ones may be all fours, with the difference taken from the one that is withheld, or the reverse."""
    assert found is not None
    small = [place for place, cell in enumerate(found) if cell == SMALL]
    (withheld,) = [place for place, cell in enumerate(found) if cell == WITHHELD]
    new = 4 if counts[small[0]] == 1 else 1
    changed = list(counts)
    for place in small:
        changed[withheld] += changed[place] - new
        changed[place] = new
    return published(tuple(changed)) == found


@given(st.lists(st.integers(0, 50), min_size=3, max_size=7))
def test_what_is_shown_is_true(counts: list[int]) -> None:
    for count, cell in zip(counts, published(tuple(counts)) or (), strict=False):
        assert cell == count or (cell == SMALL and 1 <= count <= 4) or (cell == WITHHELD and count >= 5)


def test_zero_stays_zero_and_five_stays_five() -> None:
    assert published((0, 5, 6)) == (0, 5, 6)
    assert published((2, 3, 9)) == (SMALL, SMALL, 9)


def test_one_small_count_takes_another_with_it() -> None:
    assert published((1, 6, 9)) == (SMALL, WITHHELD, 9)


def test_nothing_is_told_where_no_second_cell_hides_the_first() -> None:
    assert published((1, 0, 0)) is None
    assert published((1, 5, 9)) is None
    assert published((1, 1, 5)) is None


def test_a_sum_is_withheld_where_a_part_of_it_is_small() -> None:
    assert suppression.total({"one": 3, "other": 9}) == WITHHELD
    assert suppression.total({"one": 3}) == SMALL
    assert suppression.total({"one": 7, "other": 0}) == 7
    assert suppression.total({}) == 0
