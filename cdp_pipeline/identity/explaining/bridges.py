"""What holds a customer together: its strongest links, and those without which it falls apart.

Graphs only: links are pairs of numbers, or of names, with a weight. What a link means and where
it comes from does not belong here.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint64]


@dataclass(frozen=True, order=True)
class Link:
    """One accepted link between two records.

    Attributes:
        prob: Probability that both are one person.
        left: Name of one record.
        right: Name of the other.
        rule: Why the two were compared, or what attached one to the other.
    """

    prob: float
    left: str
    right: str
    rule: str

    def reversed(self) -> Link:
        """Return the same link read from its other end."""
        return Link(self.prob, self.right, self.left, self.rule)


def strongest_forest(left: Integers, right: Integers, weights: Floats, *, size: int) -> Booleans:
    """Return which links belong to the strongest spanning forest.

    Between any two nodes, the forest's path is the one whose weakest link is strongest.

    Args:
        left: One end of each link; no pair of ends occurs twice.
        right: The other end.
        weights: Strength of each link; of equal ones the first in the order of ends counts.
        size: Number of nodes.

    Source: R. C. Prim (1957); the maximum spanning tree holds the widest paths (T. C. Hu, 1961).
    """
    order = np.lexsort((right, left, -weights))
    costs = np.arange(1.0, len(order) + 1)
    graph = coo_matrix((costs, (left[order], right[order])), shape=(size, size))
    kept = minimum_spanning_tree(graph.tocsr()).data.astype(np.int64) - 1
    chosen = np.zeros(len(left), dtype=bool)
    chosen[order[kept]] = True
    return chosen


def bridges(left: Integers, right: Integers, forest: Booleans, *, size: int) -> Booleans:
    """Return which links are bridges: without one of them its group falls into two.

    Every link outside the forest closes a cycle and gets a 64-bit label; a forest link is a bridge
    if the labels of the cycles through it cancel out to nothing.

    Args:
        left: One end of each link; no pair of ends occurs twice.
        right: The other end.
        forest: A spanning forest of the links.
        size: Number of nodes.

    Source: D. Pritchard and R. Thurimella, Fast computation of small cuts via cycle space
    sampling, ACM Transactions on Algorithms 7(4), 2011. Two cycles cancel out by chance with a
    probability of 2^-64.
    """
    is_bridge = np.zeros(len(left), dtype=bool)
    if not len(left):
        return is_bridge
    labels = np.zeros(size + 1, dtype=np.uint64)
    outside = np.flatnonzero(~forest)
    cycle = _mixed(outside.astype(np.uint64) + np.uint64(1))
    for ends in (left, right):
        np.bitwise_xor.at(labels, ends[outside], cycle)
    parents, levels = _hang(left[forest], right[forest], size=size)
    for nodes in reversed(levels):
        np.bitwise_xor.at(labels, parents[nodes], labels[nodes])
    inside = np.flatnonzero(forest)
    lower = np.where(parents[left[inside]] == right[inside], left[inside], right[inside])
    is_bridge[inside] = labels[lower] == 0
    return is_bridge


def _hang(left: Integers, right: Integers, *, size: int) -> tuple[Integers, list[Integers]]:
    """Return each node's parent in the forest below one common root, and the nodes by depth."""
    forest = coo_matrix((np.ones(len(left)), (left, right)), shape=(size, size))
    tree_of = connected_components(forest, directed=False)[1]
    roots = np.unique(tree_of, return_index=True)[1]
    ends = np.concatenate([left, roots]), np.concatenate([right, np.full(len(roots), size)])
    whole = coo_matrix((np.ones(len(ends[0])), ends), shape=(size + 1, size + 1))
    order, parents = breadth_first_order(whole.tocsr(), size, directed=False)
    place = np.empty(size + 1, dtype=np.int64)
    place[order] = np.arange(size + 1)
    parents = np.asarray(parents, np.int64)
    above = place[parents[order[1:]]]  # never falls, as breadth comes first
    levels, begin, end = [], 1, 1 + int(np.searchsorted(above, 0, side="right"))
    while begin < end:
        levels.append(np.asarray(order[begin:end], np.int64))
        begin, end = end, 1 + int(np.searchsorted(above, end - 1, side="right"))
    return parents, levels


def _mixed(numbers: Labels) -> Labels:
    """Return 64 well mixed bits of each number (the finaliser of SplitMix64)."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


def strongest_tree(links: Iterable[Link]) -> dict[str, Link]:
    """Return, for each name but the first of its tree, the link by which it hangs on its parent.

    The link is read from the child (``left``) to the parent (``right``).
    """
    neighbours: dict[str, list[Link]] = {}
    for link in links:
        neighbours.setdefault(link.left, []).append(link)
        neighbours.setdefault(link.right, []).append(link.reversed())
    tree: dict[str, Link] = {}
    seen: set[str] = set()
    for root in sorted(neighbours):
        if root in seen:
            continue
        seen.add(root)
        border = [_queued(link) for link in neighbours[root]]
        heapq.heapify(border)
        while border:
            *_, link = heapq.heappop(border)
            if link.right in seen:
                continue
            seen.add(link.right)
            tree[link.right] = link.reversed()
            for onward in neighbours[link.right]:
                if onward.right not in seen:
                    heapq.heappush(border, _queued(onward))
    return tree


def _queued(link: Link) -> tuple[float, str, str, Link]:
    return -link.prob, link.right, link.left, link


def strongest_path(links: Iterable[Link], first: str, last: str) -> tuple[Link, ...]:
    """Return the path whose weakest link is strongest; empty if there is none.

    Of paths whose weakest links agree to three decimals, the shortest.

    >>> links = [Link(0.9, "a", "b", "x"), Link(0.8, "b", "c", "y"), Link(0.5, "a", "c", "z")]
    >>> [(link.left, link.right, link.prob) for link in strongest_path(links, "a", "c")]
    [('a', 'b', 0.9), ('b', 'c', 0.8)]
    """
    links = list(links)
    tree = strongest_tree(links)
    ascents = _ascent(tree, first), _ascent(tree, last)
    tops = [
        steps[-1].right if steps else name
        for steps, name in zip(ascents, (first, last), strict=True)
    ]
    shared = set(ascents[0]) & set(ascents[1])
    steps = [link for ascent in ascents for link in ascent if link not in shared]
    if tops[0] != tops[1] or not steps:
        return ()
    least = math.floor(min(link.prob for link in steps) * 1000) / 1000
    return _shortest([link for link in links if link.prob >= least], first, last)


def _ascent(tree: dict[str, Link], name: str) -> list[Link]:
    steps: list[Link] = []
    while name in tree:
        steps.append(tree[name])
        name = tree[name].right
    return steps


def _shortest(links: list[Link], first: str, last: str) -> tuple[Link, ...]:
    neighbours: dict[str, list[Link]] = {}
    for link in sorted(links, reverse=True):
        neighbours.setdefault(link.left, []).append(link)
        neighbours.setdefault(link.right, []).append(link.reversed())
    came: dict[str, Link] = {}
    border = [first]
    while border and last not in came:
        reached = []
        for name in border:
            for link in neighbours.get(name, ()):
                if link.right != first and link.right not in came:
                    came[link.right] = link
                    reached.append(link.right)
        border = reached
    path: list[Link] = []
    while last in came:
        path.append(came[last])
        last = came[last].left
    return tuple(reversed(path))


def bridge_links(links: list[Link]) -> tuple[Link, ...]:
    """Return the links of one customer without which it falls into two, weakest first."""
    names = sorted({name for link in links for name in (link.left, link.right)})
    number = {name: place for place, name in enumerate(names)}
    best: dict[tuple[int, int], Link] = {}
    for link in sorted(one if one.left < one.right else one.reversed() for one in links):
        ends = sorted((number[link.left], number[link.right]))
        best[ends[0], ends[1]] = link
    left, right = (np.array([ends[side] for ends in best], dtype=np.int64) for side in (0, 1))
    kept = list(best.values())
    weights = np.array([link.prob for link in kept])
    forest = strongest_forest(left, right, weights, size=len(names))
    found = bridges(left, right, forest, size=len(names))
    return tuple(sorted(link for link, is_bridge in zip(kept, found, strict=True) if is_bridge))
