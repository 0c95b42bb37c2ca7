"""Which goods go together, learned from what customers bought: EASE, and cosines of baskets.

A model is one matrix: a customer's history times it scores every item. Fitting and scoring belong
here; which model serves is decided by ``contest``.

Source: H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019: the least-squares
weights with an empty diagonal are ``-P / diag(P)`` with ``P`` the inverse of the ridged Gram.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from cdp_pipeline.features.recommend.log import Batch, PurchaseLog, Values

Matrix = NDArray[np.float32]

RIDGE_SHARE = 10.0
"""Ridge over the mean of the Gram's diagonal: the same choice was best on grocery and gift data."""

_SHRINKAGE = 10.0
_GRAM_CUSTOMERS = 50_000
"""Customers of a batch when counting: each batch adds whole matrices."""


@dataclass(frozen=True)
class Grams:
    """What customers have in common, over the most bought items.

    Attributes:
        weighted: Products of log counts, summed over customers.
        customers: Customers who bought both items.
    """

    weighted: Values
    customers: NDArray[np.int32]


@dataclass(frozen=True)
class Alike:
    """A matrix that scores items from a history.

    Attributes:
        weights: One row an item that was bought, one column an item to score.
        is_counted: Whether the history enters as log counts, else as bought or not.
        popularity: Score that every customer starts from, by item.
    """

    weights: Matrix
    is_counted: bool
    popularity: Values

    def score(self, batch: Batch) -> Values:
        """Return one row a customer and one column an item of the model."""
        history = self.history(batch)
        with threadpool_limits(1):
            scores = np.asarray(history @ self.weights, dtype=np.float64)
        return scores + self.popularity

    def history(self, batch: Batch) -> sparse.csr_array:
        """Return what the customers bought, as the matrix takes it."""
        size = len(self.weights)
        history = batch.baskets[:, :size].astype(np.float32)
        history.data = np.log1p(history.data) if self.is_counted else np.ones_like(history.data)
        return history


def count_grams(log: PurchaseLog, maximum_items: int) -> Grams:
    """Return the Gram matrices of the most bought items, batch by batch."""
    size = min(len(log.items), maximum_items)
    weighted = np.zeros((size, size))
    customers = np.zeros((size, size), dtype=np.int32)
    for batch in log.batches(_GRAM_CUSTOMERS):
        history = batch.baskets[:, :size]
        history.data = np.log1p(history.data)
        weighted += (history.T @ history).toarray()
        history.data = np.ones_like(history.data)
        bought = history.astype(np.int32)
        customers += (bought.T @ bought).toarray()
    return Grams(weighted, customers)


def fit_ease(weighted: Values, ridge_share: float = RIDGE_SHARE) -> Matrix:
    """Return EASE weights of a Gram matrix; zero where the Gram is empty.

    Args:
        weighted: Gram matrix, items by items.
        ridge_share: Ridge over the mean of its diagonal.

    Examples:
        >>> weights = fit_ease(np.array([[4.0, 3.0], [3.0, 4.0]]), ridge_share=0.25)
        >>> weights.astype(float).round(3).tolist()
        [[0.0, 0.6], [0.6, 0.0]]
    """
    size = len(weighted)
    mean = float(np.trace(weighted)) / max(size, 1)
    if mean <= 0:
        return np.zeros((size, size), dtype=np.float32)
    ridged = np.array(weighted, order="F")
    ridged[np.diag_indices(size)] += ridge_share * mean
    # One thread: the order of additions, and with it the last digit, depends on their number.
    with threadpool_limits(1):
        factor, failed = lapack.dpotrf(ridged, lower=1, overwrite_a=1)
        inverse, failed_too = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:  # a ridge above zero makes this impossible but for broken input
        return np.zeros((size, size), dtype=np.float32)
    full = np.tril(inverse)
    full += np.tril(inverse, -1).T
    full /= -np.diag(full).copy()
    weights: Matrix = full.astype(np.float32)
    weights[np.diag_indices(size)] = 0.0
    return weights


def fit_cosines(pairs: NDArray[np.int64], item_baskets: NDArray[np.int64], size: int) -> Matrix:
    """Return cosines of items over baskets, shrunk towards none where both are rare.

    Args:
        pairs: Rows of item, other item and baskets with both.
        item_baskets: Baskets of each item.
        size: Items of the model.
    """
    weights = np.zeros((size, size), dtype=np.float32)
    inside = pairs[(pairs[:, 0] < size) & (pairs[:, 1] < size)]
    one, two, both = inside[:, 0], inside[:, 1], inside[:, 2]
    norm = np.sqrt(item_baskets[one] * item_baskets[two].astype(np.float64)) + _SHRINKAGE
    weights[one, two] = both / norm
    return weights
