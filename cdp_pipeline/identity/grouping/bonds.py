"""Must-link and cannot-link inside a clustering, exactly.

Items of one block stay together, blocks that are apart never meet, a closed block takes nobody in.
Scores decide everything else, so clustering asks ``forbids`` while it works and lets ``enforce``
mend what is left. Pure numpy; judgements and SQL belong elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

FREE = -1
"""Block of an item that nobody judged."""


@dataclass(frozen=True)
class Bonds:
    """What a clustering of ``len(block)`` items must respect.

    Attributes:
        block: Block of each item, or ``FREE``.
        apart: Pairs of blocks that never meet, the smaller number first.
        closed: Blocks that take nobody in.
        lists: Lists of people in which each item stands, one bit a list: two items of one list are
            two people. Default: none.
    """

    block: Integers
    apart: frozenset[tuple[int, int]] = frozenset()
    closed: frozenset[int] = frozenset()
    lists: Integers | None = None

    def forbids(self, left: Integers, right: Integers) -> Booleans:
        """Return for each pair of items whether it must not end in one group."""
        one, other = self.block[left], self.block[right]
        listed = np.zeros(len(one), dtype=bool)
        if self.lists is not None:
            listed = (self.lists[left] & self.lists[right]) != 0
        if not self.apart and not self.closed:
            return listed
        closed = np.fromiter(self.closed, np.int64, len(self.closed))
        forbidden = (np.isin(one, closed) | np.isin(other, closed)) & (one != other)
        # A block may be judged apart from one of which no item is left.
        width = 1 + max(
            int(self.block.max(initial=0)), *(b for pair in self.apart for b in pair), 0
        )
        codes = np.array([a * width + b for a, b in self.apart], dtype=np.int64)
        judged = (one != FREE) & (other != FREE)
        pairs = np.minimum(one, other) * width + np.maximum(one, other)
        return np.asarray(listed | forbidden | (judged & np.isin(pairs, codes)), dtype=bool)

    def enforce(self, labels: Integers) -> Integers:
        """Return labels in which every demand is met and little else is changed.

        A group with blocks that are apart keeps the largest of them; the groups that a block ties
        together become one, or, where that would bring blocks together that are apart, only the
        block itself moves to the largest of them.
        """
        items = np.flatnonzero(self.block != FREE)
        if not len(items):
            return labels
        return _Enforcement(self, labels, items).run()


@dataclass
class _Enforcement:
    bonds: Bonds
    labels: Integers
    items: Integers
    homes: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    """Judged items by label and block."""
    alias: dict[int, int] = field(default_factory=dict)
    """Labels that were merged into another."""
    neighbours: dict[int, set[int]] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)
    """Items by block."""
    sizes: list[int] = field(default_factory=list)
    """Items by label."""

    def run(self) -> Integers:
        self.labels = self.labels.copy()
        self.sizes = np.bincount(self.labels).tolist()
        for one, other in self.bonds.apart:
            self.neighbours.setdefault(one, set()).add(other)
            self.neighbours.setdefault(other, set()).add(one)
        for item in self.items.tolist():
            block = int(self.bonds.block[item])
            self.members.setdefault(block, []).append(item)
            self.homes.setdefault(int(self.labels[item]), {}).setdefault(block, []).append(item)
        for label in sorted(self.homes):
            self._separate(label)
        for block in sorted(self.members):
            self._join(block)
        final = np.arange(len(self.sizes))
        for label in self.alias:
            final[label] = self._living(label)
        return np.asarray(final[self.labels], dtype=np.int64)

    def _separate(self, label: int) -> None:
        held = self.homes[label]
        kept: list[int] = []
        for block in sorted(held, key=lambda block: (-len(held[block]), block)):
            is_alone = len(held) == 1 and len(held[block]) == self.sizes[label]
            is_intruder = bool(self.neighbours.get(block, set()).intersection(kept))
            if is_intruder or (block in self.bonds.closed and not is_alone):
                self._move(block, label, self._fresh())
            else:
                kept.append(block)

    def _join(self, block: int) -> None:
        found = {self._living(int(self.labels[item])) for item in self.members[block]}
        base, *others = sorted(found, key=lambda label: (-self.sizes[label], label))
        for other in others:
            if self._fit(base, other):
                self._merge(base, other)
            else:
                self._move(block, other, base)

    def _fit(self, one: int, other: int) -> bool:
        theirs = set(self.homes[other])
        return not any(self.neighbours.get(b, set()) & theirs for b in self.homes[one])

    def _merge(self, base: int, other: int) -> None:
        for block, items in self.homes.pop(other).items():
            self.homes[base].setdefault(block, []).extend(items)
        self.sizes[base] += self.sizes[other]
        self.alias[other] = base

    def _move(self, block: int, label: int, to: int) -> None:
        moved = self.homes[label].pop(block)
        self.homes.setdefault(to, {}).setdefault(block, []).extend(moved)
        self.labels[moved] = to
        self.sizes[label] -= len(moved)
        self.sizes[to] += len(moved)

    def _fresh(self) -> int:
        self.sizes.append(0)
        return len(self.sizes) - 1

    def _living(self, label: int) -> int:
        while label in self.alias:
            label = self.alias[label]
        return label


def tie(pairs: Sequence[tuple[int, int]]) -> Mapping[int, int]:
    """Return the smallest item each item is tied to, directly or through others."""
    parent: dict[int, int] = {}

    def find(item: int) -> int:
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for left, right in pairs:
        one, other = sorted((find(left), find(right)))
        parent[other] = one
    return {item: find(item) for item in sorted(parent)}
