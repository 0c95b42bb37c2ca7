"""Figures of a ranking: hit rate, recall and mean average precision of the first ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LENGTH = 10


@dataclass(frozen=True)
class Task:
    """A split as arrays.

    Attributes:
        baskets: Baskets of each customer with each item, before the one held back.
        truth: Whether the held-back basket holds the item.
    """

    baskets: NDArray[np.float64]
    truth: NDArray[np.bool_]


def measure(scores: NDArray[np.float64], task: Task, *, only_new: bool) -> dict[str, float]:
    """Return the figures of a matrix of scores, one row a customer; ties go to the left."""
    scores, truth = scores.copy(), task.truth.copy()
    if only_new:
        owned = task.baskets > 0
        scores[owned] = -np.inf
        truth &= ~owned
    judged = truth.any(axis=1)
    scores, truth = scores[judged], truth[judged]
    top = np.argsort(-scores, axis=1, kind="stable")[:, :LENGTH]
    hit = np.take_along_axis(truth, top, axis=1)
    wanted = truth.sum(axis=1)
    precision = hit.cumsum(axis=1) / np.arange(1, LENGTH + 1)
    average = (precision * hit).sum(axis=1) / np.minimum(wanted, LENGTH)
    return {
        "customers": int(judged.sum()),
        "hit": float(hit.any(axis=1).mean()),
        "recall": float((hit.sum(axis=1) / wanted).mean()),
        "map": float(average.mean()),
    }
