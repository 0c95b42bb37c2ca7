"""Which counts of people are withheld from what leaves: the small ones, and others beside them.

A count below the smallest that may be shown points at persons. Hiding it alone is no use where its
row or column adds up to a figure that readers know: the rest, taken from the total, gives it back.
So further counts are withheld until every small one could be any of at least ``smallest - 1``
numbers, as far as a reader can tell who knows all other counts, all totals and this rule.

What readers can tell is found by linear programming (cell suppression of statistical offices).
What counts people and what adds up is declared by table headers and reports; nothing is read here.

Source: Fischetti and Salazar, Models and algorithms for optimizing cell suppression in tabular data
with linear constraints, JASA 95 (2000); smallest count of 11: CMS cell size suppression policy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum

Line = Mapping[int, int]
"""Cells whose sum, each with its sign, readers know: place of the count to 1 or -1."""

_EXACT = 1e-6
_UNBOUNDED = 3
"""Status of scipy's solver for an aim without an end."""


class Withheld(Enum):
    """What readers see in place of a count."""

    FEW = "few"
    """It is above zero and below the smallest count that may be shown."""

    HIDDEN = "hidden"
    """It is small, or it was withheld so that a small one beside it cannot be worked out."""

    RESTING = "resting"
    """It is no count; it says something of people whose count is withheld."""


def is_small(count: object, smallest: int) -> bool:
    """Return whether a count of people, or a change of one, is too small to show.

    >>> is_small(10, 11), is_small(0, 11), is_small(-3, 11), is_small(11, 11)
    (True, False, True, False)
    """
    if isinstance(count, bool) or not isinstance(count, int | float | Decimal):
        return False
    return 0 < abs(float(count)) < smallest


def withhold(
    counts: Sequence[float],
    lines: Iterable[Line],
    *,
    smallest: int,
    kept: Collection[int] = (),
) -> dict[int, Withheld]:
    """Return which counts to withhold, by their place.

    Args:
        counts: Counts of people, none negative.
        lines: Sums that readers know, over places of whole counts. A count may stand in several.
        smallest: Smallest count that may be shown, at least 3.
        kept: Counts that are withheld as small ones are, whatever they are; without a sum that
            readers know they need not be.
    """
    small = {place for place, count in enumerate(counts) if is_small(count, smallest)}
    found = dict.fromkeys(sorted(small), Withheld.FEW)
    for group in _connected([line for line in lines if len(line) > 1]):
        inside = {place for line in group for place in line}
        places, others = small & inside, inside.intersection(kept) - small
        if others:
            hidden = _hide_more(_Table(counts, group, smallest, is_marked=False), places | others)
            found |= dict.fromkeys(sorted(hidden), Withheld.HIDDEN)
        elif places and not _Table(counts, group, smallest, is_marked=True).keeps(places, places):
            hidden = _hide_more(_Table(counts, group, smallest, is_marked=False), places)
            found |= dict.fromkeys(sorted(hidden), Withheld.HIDDEN)
    return found


class _Table:
    """Counts that are tied together by known sums, as a reader sees them.

    Attributes:
        counts: All counts.
        lines: Sums that tie some of them together.
        wide: How far apart the least and the greatest possible number of a small count must be.
        is_marked: Whether readers see that every withheld count is a small one.
    """

    def __init__(
        self, counts: Sequence[float], lines: Sequence[Line], smallest: int, *, is_marked: bool
    ) -> None:
        self.counts = counts
        self.lines = lines
        self.wide = smallest - 2
        self.is_marked = is_marked

    def keeps(self, hidden: set[int], small: Iterable[int]) -> bool:
        """Return whether no small count can be told from what is shown."""
        return self.first_told(hidden, small) is None

    def first_told(self, hidden: set[int], small: Iterable[int]) -> int | None:
        """Return the first small count that can be told too exactly, None if there is none."""
        return next((place for place in sorted(small) if self._is_told(place, hidden)), None)

    def _is_told(self, place: int, hidden: set[int]) -> bool:
        own = [line for line in self.lines if place in line]
        if any(self._width_by(line, place, hidden) < self.wide - _EXACT for line in own):
            return True
        # of counts that one sum ties together, nothing else is known
        return len(self.lines) > 1 and self._width(place, hidden) < self.wide - _EXACT

    def _width_by(self, line: Line, place: int, hidden: set[int]) -> float:
        """Return how far apart the ends are of a withheld count, by one sum alone."""
        least, most = self._ends(hidden)
        inside = hidden & line.keys()
        total = sum(line[other] * float(self.counts[other]) for other in inside) * line[place]
        # what the others may take of the sum, seen from this count's side of it
        sides = [line[other] * line[place] for other in inside - {place}]
        up, down = sides.count(1), sides.count(-1)
        low = total - (up * most if up else 0.0) + down * least
        high = total - up * least + (down * most if down else 0.0)
        return min(high, most) - max(low, least)

    def _width(self, place: int, hidden: set[int]) -> float:
        """Return how far apart the ends are of a withheld count, by all sums together."""
        # few nights come this far, and no command but a night's
        import numpy as np  # noqa: PLC0415 - see above
        from scipy.optimize import linprog  # noqa: PLC0415 - see above

        order = sorted(hidden)
        tied = [line for line in self.lines if hidden & line.keys()]
        known = np.array([[line.get(other, 0) for other in order] for line in tied], dtype=float)
        sums = known @ np.array([float(self.counts[other]) for other in order])
        aim = np.array([1.0 if other == place else 0.0 for other in order])
        ends = self._ends(hidden)
        low, high = (
            linprog(sign * aim, A_eq=known, b_eq=sums, bounds=ends, method="highs")
            for sign in (1, -1)
        )
        if high.status == _UNBOUNDED:  # it may be any number, so nothing is told
            return math.inf
        if low.status or high.status:  # what cannot be worked out here is taken for told
            return 0.0
        return float(-high.fun - low.fun)

    def _ends(self, hidden: set[int]) -> tuple[float, float]:
        """Return the least and the greatest number that a withheld count may be by its mark.

        A zero is no secret, so what is withheld is at least one unless a zero is withheld too.
        """
        least = 0.0 if any(self.counts[place] == 0 for place in hidden) else 1.0
        return least, float(self.wide + 1) if self.is_marked else math.inf

    def next_to_hide(self, told: int, hidden: set[int]) -> int | None:
        """Return the count to withhold next so that one is told less exactly, None if none is left.

        Small losses first: zeros say the most, so they go last.
        """
        reached = _reached(told, self.lines, hidden)
        weak = [line for line in reached if self._freedom(line, hidden) < self.wide] or reached
        pool = {place for line in weak for place in line} - hidden
        pool = pool or {place for line in reached for place in line} - hidden

        def loss(place: int) -> tuple[bool, int, float, int]:
            count = float(self.counts[place])
            return count == 0, -sum(place in line for line in weak), count, place

        return min(pool, key=loss, default=None)

    def _freedom(self, line: Line, hidden: set[int]) -> float:
        inside = hidden & line.keys()
        if len(inside) < 2:  # noqa: PLR2004 - what is alone is told by the sum
            return 0.0
        return sum(float(self.counts[place]) - 1 for place in inside)


def _hide_more(table: _Table, small: set[int]) -> set[int]:
    """Return all counts to withhold: the small ones and those that protect them."""
    hidden, waiting = set(small), sorted(small)
    while waiting:
        told = table.first_told(hidden, waiting)
        if told is None:
            return hidden
        # what was not told stays so: each count withheld leaves more possibilities
        waiting = [place for place in waiting if place >= told]
        further = table.next_to_hide(told, hidden)
        if further is None:  # everything in reach is withheld already
            waiting.remove(told)
        else:
            hidden.add(further)
    return hidden


def _reached(start: int, lines: Sequence[Line], hidden: set[int]) -> list[Line]:
    """Return the lines that lead from a count over withheld ones."""
    seen, todo = list[Line](), [start]
    while todo:
        place = todo.pop()
        for line in lines:
            if place in line and line not in seen:
                seen.append(line)
                todo += sorted(hidden & line.keys())
    return seen


def _connected(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Yield lines in groups that share no count with each other."""
    left = list(lines)
    while left:
        group = [left.pop(0)]
        places = set(group[0])
        while near := [line for line in left if places & line.keys()]:
            group += near
            places |= {place for line in near for place in line}
            left = [line for line in left if line not in near]
        yield group
