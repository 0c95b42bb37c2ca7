from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.identity.grouping.bonds import FREE, Bonds, tie

ITEMS = 14


@st.composite
def clusterings(draw: st.DrawFn) -> tuple[Bonds, np.ndarray]:
    block = draw(st.lists(st.integers(FREE, 5), min_size=ITEMS, max_size=ITEMS))
    pairs = list(combinations(range(6), 2))
    apart = draw(st.sets(st.sampled_from(pairs), max_size=6))
    closed = draw(st.sets(st.integers(0, 5), max_size=2))
    labels = draw(st.lists(st.integers(0, 4), min_size=ITEMS, max_size=ITEMS))
    bonds = Bonds(np.array(block), frozenset(apart), frozenset(closed))
    return bonds, np.array(labels)


@given(clusterings())
def test_no_group_holds_what_is_apart_and_every_block_is_whole(
    case: tuple[Bonds, np.ndarray],
) -> None:
    bonds, labels = case
    found = bonds.enforce(labels)
    left, right = np.triu_indices(ITEMS, 1)
    together = found[left] == found[right]
    assert not (together & bonds.forbids(left, right)).any()
    same = (bonds.block[left] == bonds.block[right]) & (bonds.block[left] != FREE)
    assert together[same].all()
    assert (bonds.enforce(found) == found).all()


@given(clusterings())
def test_items_that_nobody_judged_stay_with_each_other(case: tuple[Bonds, np.ndarray]) -> None:
    bonds, labels = case
    found = bonds.enforce(labels)
    for left, right in combinations(np.flatnonzero(bonds.block == FREE), 2):
        if labels[left] == labels[right]:
            assert found[left] == found[right]


def test_groups_are_joined_whole_and_only_the_judged_ones_move_if_they_cannot() -> None:
    # Items 0-2 and 3-5 are groups; 0 and 3 are one person.
    labels = np.array([0, 0, 0, 1, 1, 1])
    joined = Bonds(np.array([0, FREE, FREE, 0, FREE, FREE]))
    assert len(set(joined.enforce(labels))) == 1
    # 1 and 4 are different people, so 3 alone comes over.
    torn = Bonds(np.array([0, 1, FREE, 0, 2, FREE]), apart=frozenset({(1, 2)}))
    assert torn.enforce(labels).tolist() == [0, 0, 0, 0, 1, 1]


def test_ties_go_through_others() -> None:
    assert tie([(4, 2), (7, 4), (9, 8)]) == {2: 2, 4: 2, 7: 2, 8: 8, 9: 8}


@given(clusterings(), st.lists(st.integers(0, 7), min_size=ITEMS, max_size=ITEMS))
def test_two_of_one_list_never_meet_whatever_else_is_judged(
    case: tuple[Bonds, np.ndarray], lists: list[int]
) -> None:
    bonds, _ = case
    bits = np.array(lists)
    left, right = np.triu_indices(ITEMS, 1)
    found = replace(bonds, lists=bits).forbids(left, right)
    assert (found == (bonds.forbids(left, right) | ((bits[left] & bits[right]) != 0))).all()
