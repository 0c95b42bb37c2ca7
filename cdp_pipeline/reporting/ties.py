"""Counts of one mart that are sums of counts of another, as the figures themselves show.

Readers put reports side by side: what one mart hides, another may tell as a part or a whole of it.
No header says so, since marts do not know of each other; so it is found by what adds up, row for
row. Figures that agree by chance cost some counts that are hidden without need, no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from cdp_pipeline.project.tables import Sum
from cdp_pipeline.reporting.formats import is_missing
from cdp_pipeline.reporting.marts import RowDict

Cell = tuple[str, int, str]
"""A count: mart, number of the row, column."""

_FEWEST = 2
"""Rows that must agree: a single pair of equal figures says nothing."""


@dataclass(frozen=True)
class Counted:
    """A mart whose counts of people are looked at.

    Attributes:
        rows: All its rows.
        key: Columns that identify a row.
        counts: Columns that count people.
        sums: What adds up within the mart.
    """

    rows: Sequence[RowDict]
    key: tuple[str, ...]
    counts: frozenset[str]
    sums: tuple[Sum, ...] = ()


def find_ties(marts: Mapping[str, Counted]) -> Iterator[tuple[Cell, tuple[Cell, ...]]]:
    """Yield a count of one mart and those of another that add up to it.

    Two counts are tied where every row of the one mart that has a counterpart is the sum of the
    rows of the other with the same values in the columns of its key.
    """
    for whole, parts in permutations(sorted(marts), 2):
        # Of two marts with one key, each would be the sum of the other.
        if whole < parts or set(marts[whole].key) != set(marts[parts].key):
            yield from _ties_of(whole, marts[whole], parts, marts[parts])


def _ties_of(
    whole: str, totals: Counted, parts: str, details: Counted
) -> Iterator[tuple[Cell, tuple[Cell, ...]]]:
    if not details.rows or not set(totals.key) <= details.rows[0].keys():
        return
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(details.rows):
        groups[tuple(row[name] for name in totals.key)].append(number)
    matched = [
        (number, row, groups[key])
        for number, row in enumerate(totals.rows)
        if (key := tuple(row[name] for name in totals.key)) in groups
    ]
    for total in sorted(totals.counts):
        for part in sorted(details.counts):
            met = [m for m in matched if not is_missing(m[1][total])]
            if len(met) >= _FEWEST and _add_up(met, total, details.rows, part):
                for number, _, group in met:
                    yield (whole, number, total), tuple((parts, n, part) for n in group)


def _add_up(
    met: Sequence[tuple[int, RowDict, list[int]]], total: str, rows: Sequence[RowDict], part: str
) -> bool:
    """Return whether all totals are the sums of their parts, and not all of them nothing."""
    for _, row, group in met:
        values = [rows[number][part] for number in group]
        if any(is_missing(value) for value in values) or sum(values) != row[total]:
            return False
    return any(row[total] for _, row, _ in met)
