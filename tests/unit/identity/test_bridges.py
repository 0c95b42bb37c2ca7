from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.identity.explaining.bridges import (
    Link,
    bridge_links,
    bridges,
    strongest_forest,
    strongest_path,
)
from cdp_pipeline.identity.grouping.linkage import components

Graph = tuple[int, list[tuple[int, int]], list[float]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(1, 9))
    possible = list(combinations(range(size), 2))
    pairs = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    weights = draw(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=36, max_size=36))
    return size, pairs, weights[: len(pairs)]


def ends(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))


def parts(pairs: list[tuple[int, int]], size: int) -> int:
    return len(set(components(*ends(pairs), size=size).tolist()))


@settings(deadline=None)  # the first example pays for imports; a busy machine is no error
@given(graphs())
def test_a_bridge_is_a_link_whose_removal_splits(graph: Graph) -> None:
    size, pairs, weights = graph
    left, right = ends(pairs)
    forest = strongest_forest(left, right, np.array(weights), size=size)
    assert forest.sum() == size - parts(pairs, size)
    found = bridges(left, right, forest, size=size)
    whole = parts(pairs, size)
    wanted = [parts(pairs[:i] + pairs[i + 1 :], size) > whole for i in range(len(pairs))]
    assert found.tolist() == wanted


@settings(deadline=None)  # the first example pays for imports; a busy machine is no error
@given(graphs())
def test_the_path_has_the_strongest_weakest_link(graph: Graph) -> None:
    size, pairs, weights = graph
    links = [Link(w, f"r{a}", f"r{b}", "rule") for (a, b), w in zip(pairs, weights, strict=True)]
    for first, last in combinations(range(size), 2):
        path = strongest_path(links, f"r{first}", f"r{last}")
        reached = max(
            (
                threshold
                for threshold in (1.0, 2.0, 3.0)
                if connected(pairs, weights, size, first, last, threshold)
            ),
            default=None,
        )
        assert (min(link.prob for link in path) if path else None) == reached
        if path:
            assert (path[0].left, path[-1].right) == (f"r{first}", f"r{last}")
            assert all(a.right == b.left for a, b in pairwise(path))


def connected(
    pairs: list[tuple[int, int]], weights: list[float], size: int, a: int, b: int, least: float
) -> bool:
    kept = [pair for pair, weight in zip(pairs, weights, strict=True) if weight >= least]
    labels = components(*ends(kept), size=size)
    return bool(labels[a] == labels[b])


def test_a_customer_of_two_families_hangs_on_one_link() -> None:
    links = [Link(0.9, *pair, "x") for pair in ("ab", "bc", "ac", "de", "ef", "df")]
    only = Link(0.6, "c", "d", "same phone")
    assert bridge_links([*links, only]) == (only,)
    assert bridge_links(links) == ()
    assert bridge_links([]) == ()
