"""Pairs come from keys: each pair once, whatever order the keys come in."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.identity.scoring.pairing import (
    Blocks,
    find_blocks,
    join_blocks,
    pair_up,
    sort_places,
)

KEYS = st.one_of(st.integers(0, 40), st.integers(2**64 - 40, 2**64 - 1), st.integers(0, 2**64 - 1))
HELD = st.lists(st.tuples(KEYS, st.integers(0, 9)), unique=True, max_size=60)


def _blocks(held: list[tuple[int, int]]) -> Blocks:
    parts = []
    for rule in range(3):
        mine = [(key, node) for key, node in held if key % 3 == rule]
        keys = np.array([key for key, _ in mine], dtype=np.uint64)
        nodes = np.array([node for _, node in mine], dtype=np.int32)
        parts.append(find_blocks(keys, nodes, rule=rule))
    return join_blocks(parts)


@given(st.lists(KEYS, max_size=80))
def test_places_are_those_of_a_stable_sort(keys: list[int]) -> None:
    array = np.array(keys, dtype=np.uint64)
    assert sort_places(array).tolist() == np.argsort(array, kind="stable").tolist()


@given(HELD, st.sets(st.integers(0, 9)))
def test_pairs_are_all_that_share_a_key_with_the_first_rule(
    held: list[tuple[int, int]], new: set[int]
) -> None:
    expected: dict[tuple[int, int], int] = {}
    for key in {key for key, _ in held}:
        holders = sorted(node for other, node in held if other == key)
        for pair in combinations(holders, 2):
            if new.intersection(pair):
                expected[pair] = min(expected.get(pair, 3), key % 3)
    only = np.isin(np.arange(10), list(new))
    left, right, rule = pair_up(_blocks(held), only=only)
    found = list(zip(left.tolist(), right.tolist(), rule.tolist(), strict=True))
    assert found == sorted((a, b, r) for (a, b), r in expected.items())


@given(HELD, st.randoms())
def test_the_order_of_keys_does_not_matter(held: list[tuple[int, int]], random: object) -> None:
    shuffled = held.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (pair_up(_blocks(rows)) for rows in (held, shuffled))
    assert [c.tolist() for c in one] == [c.tolist() for c in other]
    assert _blocks(held).sizes.sum() <= len(held)
