"""Average linkage of many small groups at once.

Connected components alone chain people together: A is like B, B like C, but C not like A. Here a
group merges while the mean log odds between its parts stay above the threshold. Pure numpy;
nothing about customers belongs here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NEVER = -1e9


def components(left: Integers, right: Integers, *, size: int) -> Integers:
    """Return the component number of each of ``size`` nodes, numbered from 0."""
    graph = coo_matrix((np.ones(len(left), dtype=bool), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def cut_large(
    labels: Integers, left: Integers, right: Integers, log_odds: Floats, *, limit: int
) -> Integers:
    """Cut components above ``limit`` members by raising the threshold one bit at a time.

    Args:
        labels: Component of each node.
        left: One end of each accepted edge.
        right: The other end.
        log_odds: log2 odds of each edge.
        limit: Largest component left whole, as comparing all its pairs costs the square.

    Returns:
        New labels, dense from 0. Components that hold at any threshold are cut to single nodes.
    """
    threshold = float(np.floor(log_odds.min())) if len(log_odds) else 0.0
    highest = float(log_odds.max()) if len(log_odds) else 0.0
    while threshold <= highest:
        over = np.bincount(labels)[labels] > limit
        if not over.any():
            break
        threshold += 1.0
        inside = over[left] & over[right] & (log_odds >= threshold)
        members = np.flatnonzero(over)
        place = np.full(len(labels), -1)
        place[members] = np.arange(len(members))
        inner = components(place[left[inside]], place[right[inside]], size=len(members))
        labels = labels.copy()
        labels[members] = inner + labels.max() + 1
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return labels


def average_linkage(scores: Floats, *, members: int, threshold: float) -> Integers:
    """Cluster equally large groups together.

    Args:
        scores: One row a group: log odds of its pairs in the order (0,1), (0,2), .. (1,2), ..
        members: Members of each group.
        threshold: Mean log odds from which two clusters merge.

    Returns:
        For each group and member, the lowest member of its cluster.
    """
    groups = len(scores)
    rows, columns = np.triu_indices(members, 1)
    sums = np.zeros((groups, members, members))
    sums[:, rows, columns] = scores
    sums += sums.transpose(0, 2, 1).copy()
    sizes = np.ones((groups, members))
    owner = np.tile(np.arange(members), (groups, 1))
    active = np.arange(groups)
    for _ in range(members - 1):
        active, first, second = _closest(sums, sizes, active, threshold)
        if not len(active):
            break
        sums[active, first, :] += sums[active, second, :]
        sums[active, :, first] += sums[active, :, second]
        sizes[active, first] += sizes[active, second]
        sums[active, second, :] = 0
        sums[active, :, second] = 0
        sizes[active, second] = 0
        mine = owner[active]
        owner[active] = np.where(mine == second[:, None], first[:, None], mine)
    return owner.astype(np.int64)


def _closest(
    sums: Floats, sizes: Floats, active: Integers, threshold: float
) -> tuple[Integers, Integers, Integers]:
    """Return the groups that still merge, with the two clusters to merge in each."""
    members = sizes.shape[1]
    products = sizes[active][:, :, None] * sizes[active][:, None, :]
    means = np.where(products > 0, sums[active] / np.maximum(products, 1), NEVER)
    means[:, np.eye(members, dtype=bool)] = NEVER
    flat = means.reshape(len(active), -1)
    best = flat.argmax(axis=1)
    merges = flat[np.arange(len(active)), best] >= threshold
    best = best[merges]
    first, second = best // members, best % members
    return active[merges], np.minimum(first, second), np.maximum(first, second)
