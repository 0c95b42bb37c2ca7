from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from cdp_pipeline.identity.grouping.linkage import average_linkage, components, cut_large


def test_a_chain_is_cut_at_its_weakest_place() -> None:
    # A-B and B-C are alike, A-C plainly are not.
    scores = np.array([[8.0, -5.0, 2.0]])
    assert average_linkage(scores, members=3, threshold=0.0).tolist() == [[0, 0, 2]]


def test_a_group_without_conflict_stays_whole() -> None:
    scores = np.array([[8.0, 0.0, 2.0]])
    assert average_linkage(scores, members=3, threshold=0.0).tolist() == [[0, 0, 0]]


def test_groups_are_clustered_independently() -> None:
    scores = np.array([[8.0, -5.0, 2.0], [-5.0, -5.0, -5.0], [1.0, 1.0, 1.0]])
    assert average_linkage(scores, members=3, threshold=0.0).tolist() == [
        [0, 0, 2],
        [0, 1, 2],
        [0, 0, 0],
    ]


@given(st.integers(2, 7), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_agrees_with_scipys_average_linkage(members: int, seed: int) -> None:
    pairs = members * (members - 1) // 2
    scores = np.random.default_rng(seed).uniform(-5, 12, size=(1, pairs))
    mine = average_linkage(scores, members=members, threshold=0.0)[0]
    tree = linkage(12 - scores[0], method="average")
    theirs = fcluster(tree, t=12.0, criterion="distance")
    assert {tuple(mine == owner) for owner in mine} == {tuple(theirs == label) for label in theirs}


def test_components_follow_edges() -> None:
    labels = components(np.array([0, 1, 4]), np.array([1, 2, 5]), size=6)
    assert labels[0] == labels[1] == labels[2]
    assert labels[4] == labels[5]
    assert len(set(labels.tolist())) == 3


def test_a_large_component_is_cut_by_its_weak_edges_only() -> None:
    left, right = np.array([0, 1, 2, 3, 4]), np.array([1, 2, 3, 4, 5])
    odds = np.array([9.0, 9.0, 1.0, 9.0, 9.0])
    labels = cut_large(np.zeros(6, dtype=np.int64), left, right, odds, limit=4)
    assert (labels[:3] == labels[0]).all()
    assert (labels[3:] == labels[3]).all()
    assert labels[0] != labels[3]
