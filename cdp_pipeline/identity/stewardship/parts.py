"""Bridges: links that alone hold two parts of a group together.

Linear in the number of links and without recursion. Nothing about customers belongs here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Link = tuple[str, str]


def parts_held(links: Iterable[Link], weights: Mapping[str, int]) -> dict[Link, int]:
    """Return each bridge with the weight of the smaller part that it holds.

    Args:
        links: Pairs of names; the graph may have many components.
        weights: Weight of a name; 1 if it is missing.
    """
    links = list(links)
    neighbours: dict[str, list[tuple[str, int]]] = {}
    for number, (left, right) in enumerate(links):
        neighbours.setdefault(left, []).append((right, number))
        neighbours.setdefault(right, []).append((left, number))
    found: dict[Link, int] = {}
    seen: set[str] = set()
    for root in sorted(neighbours):
        if root not in seen:
            below, total = _walk(root, neighbours, weights, seen)
            for number, part in below.items():
                found[links[number]] = min(part, total - part)
    return found


def _walk(
    root: str,
    neighbours: Mapping[str, list[tuple[str, int]]],
    weights: Mapping[str, int],
    seen: set[str],
) -> tuple[dict[int, int], int]:
    """Return bridges of one component with the weight below each, and the component's weight."""
    order: dict[str, int] = {root: 0}
    lowest: dict[str, int] = {root: 0}
    total: dict[str, int] = {root: weights.get(root, 1)}
    bridges: dict[int, int] = {}
    stack = [(root, -1, iter(neighbours[root]))]
    seen.add(root)
    while stack:
        name, came_by, rest = stack[-1]
        step = next(rest, None)
        if step is None:
            stack.pop()
            if stack:
                parent = stack[-1][0]
                total[parent] += total[name]
                lowest[parent] = min(lowest[parent], lowest[name])
                if lowest[name] > order[parent]:
                    bridges[came_by] = total[name]
            continue
        other, number = step
        if number == came_by:
            continue
        if other in order:
            lowest[name] = min(lowest[name], order[other])
            continue
        seen.add(other)
        order[other] = lowest[other] = len(order)
        total[other] = weights.get(other, 1)
        stack.append((other, number, iter(neighbours[other])))
    return bridges, total[root]
