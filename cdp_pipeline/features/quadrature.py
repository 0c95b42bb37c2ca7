"""Gauss quadrature for averages over a Beta distribution, and few points to know a curve by.

Only the rules belong here; what is averaged with them belongs to the purchase models. The Gauss
rule stands in for the hypergeometric function 2F1 of the papers: no poles, no cancellation, any
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST_NODE = 1e-18
_NARROWEST = 1e-300
_DIGITS = 32.0
"""Natural logarithm of how much smaller than the curve the error of interpolation is to be."""


@lru_cache(maxsize=4096)
def beta_rule(
    a: float, b: float, *, nodes: int = 64
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Gauss rule for the Beta(a, b) distribution.

    The weighted sum is the exact mean for polynomials up to degree ``2 * nodes - 1``. Built from
    the recurrence of the shifted Jacobi polynomials without a single gamma function, so that it
    holds for parameters in the thousands, where ``scipy.special.roots_jacobi`` gives NaN. A night
    asks for the same rules many times, under nudged parameters that change only some of them.

    Args:
        a: First Beta parameter, above 0.
        b: Second Beta parameter, above 0.
        nodes: Number of nodes, 2 or more.

    Returns:
        Nodes in (0, 1), ascending, and their weights, which add up to 1; both read-only.

    Source:
        Golub, Welsch (1969), Calculation of Gauss quadrature rules.

    Examples:
        >>> p, weight = beta_rule(2.0, 3.0, nodes=8)
        >>> round(float((p * weight).sum()), 12)
        0.4
    """
    diagonal, off_diagonal = _jacobi_matrix(a, b, nodes)
    roots, vectors = eigh_tridiagonal(diagonal, off_diagonal)
    # With a near 0 the lowest node rounds to 0 or just below; what is averaged is divided by it.
    rule = np.maximum(roots, _SMALLEST_NODE), vectors[0] ** 2
    for part in rule:
        part.setflags(write=False)
    return rule


def spread_points(
    places: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Return where to evaluate a curve to know it at all of the places, and how to get there.

    The curve must be positive and its logarithm smooth in that of the place, as far into the
    complex plane as a right angle: interpolation at Chebyshev points then errs by rounding only.
    Where that saves nothing the places themselves come back.

    Args:
        places: Where the curve is wanted, above 0.

    Source:
        Trefethen (2013), Approximation Theory and Approximation Practice, chapters 5 and 8.

    Examples:
        >>> places = np.linspace(50.0, 900.0, 400)
        >>> points, blend = spread_points(places)
        >>> len(points) < 40, bool(np.allclose(blend(1 / (1 + points)), 1 / (1 + places), 1e-13))
        (True, True)
    """
    logs = np.log(places)
    middle, half = (logs.max() + logs.min()) / 2, (logs.max() - logs.min()) / 2
    # How much smaller the error gets with each point: the ellipse that fits into the strip.
    steep = math.pi / 2 / max(half, _NARROWEST)
    count = math.ceil(_DIGITS / math.log(steep + math.hypot(1.0, steep)))
    if count * 2 > len(places):
        return places, lambda values: values
    angles = (np.arange(count) + 0.5) * math.pi / count
    points = middle + half * np.cos(angles)
    signs = np.sin(angles) * np.where(np.arange(count) % 2, -1.0, 1.0)
    gaps = logs[:, None] - points
    shares = signs / np.where(gaps == 0.0, _NARROWEST, gaps)
    shares /= shares.sum(axis=1)[:, None]
    return np.exp(points), lambda values: np.exp(np.log(values) @ shares.T)


def _jacobi_matrix(
    a: float, b: float, nodes: int
) -> tuple[NDArray[np.float64], NDArray[np.floating[Any]]]:
    # Monic three-term recurrence on [0, 1] for the weight p^(a-1) (1-p)^(b-1); the first entries
    # are written out because the general terms are 0/0 there when a + b is 1 or 2.
    total = a + b
    k = np.arange(1, nodes, dtype=np.float64)
    even = 2 * k + total - 2
    diagonal = np.empty(nodes)
    diagonal[0] = a / total
    diagonal[1:] = 0.5 + (a - b) * (total - 2) / (2 * even * (even + 2))
    squared = np.empty(nodes - 1)
    squared[0] = a * b / (total**2 * (total + 1))
    k, even = k[1:], even[1:]
    squared[1:] = (
        k * (k + a - 1) * (k + b - 1) * (k + total - 2) / (even**2 * (even + 1) * (even - 1))
    )
    return diagonal, np.sqrt(squared)
