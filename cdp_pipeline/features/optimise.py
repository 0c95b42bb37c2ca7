"""Smooth minimisation over a handful of parameters, with curvature for standard errors.

Only the optimiser belongs here; it knows nothing of customers. It avoids matrix libraries on
purpose: on matrices of four rows their threads cost ten times more than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Objective = Callable[[Vector], tuple[float, Vector]]
"""A function of a point that returns its value and its gradient there."""

_SUFFICIENT_DECREASE = 1e-4
_SHRINK = 0.35
_SHORTEST_STEP = 1e-7
_LONGEST_MOVE = 2.0
_FLOOR = 1e-14
_FLOOR_GRADIENT = 1e-6
_DIFFERENCE = 1e-4
_STALLED = 2
_LEAST_CURVATURE = 1e-18
_LEAST_INFORMATION = 1e-10


@dataclass(frozen=True)
class Optimum:
    """Where a minimisation ended.

    Attributes:
        point: Best point found.
        value: Objective there.
        gradient: Largest absolute entry of the gradient there.
        evaluations: Calls of the objective.
        converged: Whether the gradient vanished to the asked tolerance, or to rounding.
    """

    point: Vector
    value: float
    gradient: float
    evaluations: int
    converged: bool


def minimise(
    objective: Objective,
    start: Vector,
    *,
    inverse_hessian: Vector | None = None,
    tolerance: float = 1e-9,
    iterations: int = 200,
) -> Optimum:
    """Return a local minimum by quasi-Newton steps (BFGS) with backtracking.

    Args:
        objective: Value and gradient; may return infinity outside its domain, never raises.
        start: Where to begin; the objective must be finite there.
        inverse_hessian: Curvature known beforehand; saves most evaluations near the minimum.
        tolerance: Largest absolute gradient entry at which to stop.
        iterations: Steps before giving up.

    Returns:
        The best point; ``converged`` is False when no further descent was found before the
        gradient vanished. Never raises for a badly shaped objective.

    Source:
        Nocedal, Wright (2006), Numerical Optimization, chapter 6.

    Examples:
        >>> bowl = lambda x: (float((x**2).sum()), 2 * x)
        >>> minimise(bowl, np.array([3.0, -1.0])).converged
        True
    """
    point, inverse = start, inverse_hessian
    value, gradient = objective(point)
    evaluations = 1
    stalled = 0
    for _ in range(iterations):
        if not np.isfinite(value) or _size(gradient) < tolerance or stalled >= _STALLED:
            break
        found = _backtrack(objective, point, value, gradient, _direction(gradient, inverse))
        evaluations += found.evaluations
        if not found.is_descent:
            # The curvature may have misled: once more straight downhill, which is the end of it.
            stalled, inverse = _STALLED if inverse is None else stalled, None
            continue
        move, change = found.point - point, found.gradient - gradient
        inverse = _update(inverse, move, change)
        stalled = stalled + 1 if value - found.value < _FLOOR * max(1.0, abs(value)) else 0
        point, value, gradient = found.point, found.value, found.gradient
    size = _size(gradient)
    converged = size < tolerance or (stalled >= _STALLED and size < max(tolerance, _FLOOR_GRADIENT))
    return Optimum(point, value, size, evaluations, bool(np.isfinite(value) and converged))


def curvature(objective: Objective, point: Vector) -> Vector:
    """Return the symmetric matrix of second derivatives, by central differences of the gradient."""
    size = len(point)
    hessian = np.empty((size, size))
    for i in range(size):
        nudge = np.zeros(size)
        nudge[i] = _DIFFERENCE
        above, below = objective(point + nudge)[1], objective(point - nudge)[1]
        hessian[i] = (above - below) / (2 * _DIFFERENCE)
    symmetric: Vector = (hessian + hessian.T) / 2
    return symmetric


def invert_curvature(hessian: Vector) -> Vector | None:
    """Return the inverse of a positive definite matrix, or None when it is not one."""
    if not np.isfinite(hessian).all():
        return None
    values, vectors = np.linalg.eigh(hessian)
    # Relative, not absolute: a direction without information has a curvature of pure rounding.
    if values[0] <= _LEAST_INFORMATION * values[-1]:
        return None
    inverse: Vector = (vectors / values) @ vectors.T
    return inverse


@dataclass(frozen=True)
class _Trial:
    point: Vector
    value: float
    gradient: Vector
    evaluations: int
    is_descent: bool


def _size(gradient: Vector) -> float:
    return float(np.abs(gradient).max())


def _direction(gradient: Vector, inverse: Vector | None) -> Vector:
    if inverse is not None:
        step: Vector = -(inverse * gradient).sum(axis=1)
        if (step * gradient).sum() < 0:
            return step
    downhill: Vector = -gradient / max(1.0, _size(gradient))
    return downhill


def _backtrack(
    objective: Objective, point: Vector, value: float, gradient: Vector, step: Vector
) -> _Trial:
    slope = float((step * gradient).sum())
    length = min(1.0, _LONGEST_MOVE / max(_size(step), 1e-300))
    evaluations = 0
    while length > _SHORTEST_STEP:
        trial = point + length * step
        trial_value, trial_gradient = objective(trial)
        evaluations += 1
        bound = value + _SUFFICIENT_DECREASE * length * slope
        # At the rounding floor of the value only the gradient can still tell better from worse.
        is_flat = abs(trial_value - value) <= _FLOOR * max(1.0, abs(value))
        if trial_value <= bound or (is_flat and _size(trial_gradient) < _size(gradient)):
            return _Trial(trial, trial_value, trial_gradient, evaluations, is_descent=True)
        length *= _SHRINK
    return _Trial(point, value, gradient, evaluations, is_descent=False)


def _update(inverse: Vector | None, move: Vector, change: Vector) -> Vector | None:
    product = float((move * change).sum())
    if product <= _LEAST_CURVATURE:
        return inverse
    if inverse is None:
        inverse = np.eye(len(move)) * (product / (change * change).sum())
    turned = (inverse * change).sum(axis=1)
    scale = 1.0 + float((change * turned).sum()) / product
    cross = np.outer(move, turned)
    updated: Vector = inverse + (scale * np.outer(move, move) - cross - cross.T) / product
    return updated
