"""No small count of people can be worked out from what is shown: held by trying every table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.privacy.small_counts import Line, Withheld, is_small, withhold

K = 11


def column(length: int) -> list[Line]:
    return [dict.fromkeys(range(length), 1)]


def grid(rows: int, columns: int) -> list[Line]:
    """Return the sums of a table's rows and columns, which stand at its edges."""
    places = np.arange(rows * columns).reshape(rows, columns)
    return [dict.fromkeys(map(int, line), 1) for line in (*places, *places.T)]


def possible(
    counts: list[int], lines: list[Line], withheld: dict[int, Withheld], smallest: int
) -> dict[int, set[int]]:
    """Return, by trying all, which numbers each withheld small count may be to a reader.

    The reader knows the rule, so it is known what each mark allows, and that a zero is withheld
    only where no other count is left.
    """
    hidden = sorted(withheld)
    tied = [line for line in lines if set(hidden) & line.keys()]
    sums = [sum(counts[place] for place in hidden if place in line) for line in tied]
    least = 0 if any(counts[place] == 0 for place in hidden) else 1
    found: dict[int, set[int]] = {place: set() for place in hidden}

    def fill(tried: dict[int, int]) -> None:
        place = hidden[len(tried)]
        for number in range(least, smallest if withheld[place] is Withheld.FEW else max(sums) + 1):
            now = tried | {place: number}
            left = [
                known - sum(now.get(other, 0) for other in line)
                for line, known in zip(tied, sums, strict=True)
            ]
            if min(left) < 0:
                return
            if len(now) < len(hidden):
                fill(now)
            elif max(left) == 0:
                for other, value in now.items():
                    found[other].add(value)

    if tied:
        fill({})
    return {place: numbers for place, numbers in found.items() if is_small(counts[place], smallest)}


def test_a_lone_small_count_takes_the_smallest_of_its_neighbours_with_it() -> None:
    assert withhold([492, 3, 40, 25], column(4), smallest=K) == {
        1: Withheld.HIDDEN,
        3: Withheld.HIDDEN,
    }


def test_what_adds_up_to_nothing_known_is_hidden_alone() -> None:
    assert withhold([492, 3, 40], [], smallest=K) == {1: Withheld.FEW}


def test_small_counts_that_protect_each_other_cost_no_other() -> None:
    assert withhold([492, 4, 9, 6], column(4), smallest=K) == dict.fromkeys((1, 2, 3), Withheld.FEW)


@pytest.mark.parametrize("small", [(1, 1), (10, 10), (1, 2)])
def test_a_sum_that_tells_both_small_counts_takes_another_or_blurs_the_marks(
    small: tuple[int, int],
) -> None:
    # 1 + 1 = 2 and 10 + 10 = 20 have one solution below 11 each
    counts = [*small, 60, 0]
    withheld = withhold(counts, column(4), smallest=K)
    assert Withheld.FEW not in withheld.values()
    numbers = possible(counts[:2], column(2), dict.fromkeys((0, 1), Withheld.FEW), K)
    assert min(len(found) for found in numbers.values()) < K - 1


def test_a_part_and_its_whole_are_one_sum() -> None:
    # 50 in all, of whom 47 and 3: the 3 is hidden, so 47 or 50 has to be
    withheld = withhold([50, 47, 3], [{0: -1, 1: 1, 2: 1}], smallest=K)
    assert withheld == {1: Withheld.HIDDEN, 2: Withheld.HIDDEN}


def test_zeros_are_withheld_where_nothing_else_is_left() -> None:
    counts = [1] * 11 + [0]
    assert set(withhold(counts, column(12), smallest=K)) == set(range(12))


def test_a_column_protected_by_itself_is_not_given_back_by_its_rows() -> None:
    # two rectangles joined by one cell: every row and column hides two, yet one is told
    counts = [20, 20, 90, 90, 90, 20, 3, 90, 90, 90, 90, 90, 20, 20, 90, 90]
    withheld = withhold(counts, grid(4, 4), smallest=4)
    assert 6 in withheld
    assert len(withheld) >= 4


def recoverable(counts: list[int], lines: list[Line], smallest: int) -> int:
    withheld = withhold(counts, lines, smallest=smallest)
    assert {place for place, count in enumerate(counts) if is_small(count, smallest)} <= set(
        withheld
    )
    numbers = possible(counts, lines, withheld, smallest)
    shown = [place for place in range(len(counts)) if place not in withheld]
    return sum(len(found) < smallest - 1 for found in numbers.values()) if shown else 0


SMALL = st.integers(0, 8)


@settings(max_examples=60, deadline=None)
@given(st.lists(SMALL, min_size=2, max_size=5))
def test_columns_tell_no_small_count(counts: list[int]) -> None:
    assert recoverable(counts, column(len(counts)), 4) == 0


@settings(max_examples=25, deadline=None)
@given(st.lists(SMALL, min_size=6, max_size=6))
def test_grids_tell_no_small_count(counts: list[int]) -> None:
    assert recoverable(counts, grid(2, 3), 4) == 0


def test_no_small_cell_can_be_worked_out_from_a_thousand_random_tables(
    record_property: Callable[[str, object], None],
) -> None:
    """Elimination, independent of the rule: no equation over what is hidden has one unknown."""
    random, told = np.random.default_rng(7), 0
    for _ in range(1_000):
        rows, columns = int(random.integers(1, 4)), int(random.integers(2, 6))
        counts = [int(n) for n in random.negative_binomial(0.4, 0.01, size=rows * columns)]
        lines = grid(rows, columns) if rows > 1 else column(columns)
        hidden = sorted(withhold(counts, lines, smallest=K))
        shown = len(counts) - len(hidden)
        known = np.array([[line.get(place, 0) for place in hidden] for line in lines])
        for number, place in enumerate(hidden):
            alone = np.zeros((1, len(hidden)))
            alone[0, number] = 1
            rank = np.linalg.matrix_rank(known) if hidden else 0
            is_told = np.linalg.matrix_rank(np.vstack([known, alone])) == rank
            told += bool(is_told and shown and is_small(counts[place], K))
    record_property("random tables", 1_000)
    record_property("small cells worked out", told)
    assert told == 0
