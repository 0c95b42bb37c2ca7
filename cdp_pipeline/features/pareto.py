"""Pareto/NBD: customers leave at a random moment of their own, whether they buy or not.

Its likelihood with exact gradient and its forecasts belong here; fitting belongs to ``fitting``,
and ``btyd`` is what other modules call. The papers' hypergeometric function is the integral over
the moment of leaving, which a Gauss rule gives with its derivatives and without cancellation.

Notation: ``r``, ``alpha`` shape the purchase rates and ``s``, ``beta`` the rates of leaving.

Source:
    Schmittlein, Morrison, Colombo (1987), Counting Your Customers;
    Fader, Hardie (2005), A note on deriving the Pareto/NBD model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.histories import Histories, Vector
from cdp_pipeline.features.likelihood import StayLikelihood

Matrix = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_UNIT_NODES, _UNIT_WEIGHTS = (_NODES + 1.0) / 2.0, _WEIGHTS / 2.0
_BLOCK_ROWS = 1_024
_LARGEST_LOG = 25.0
_DEEPEST = 45.0
_FLAT = 1e-8


class ParetoLikelihood:
    """Mean negative log-likelihood of the Pareto/NBD.

    Calling it with the logs of r, alpha, s and beta returns the value and its gradient in those
    logs; infinity outside ``exp(-25) .. exp(25)``, where a fit has run away.
    """

    def __init__(self, histories: Histories) -> None:
        """Keep the counted histories, and the part that nobody's leaving touches."""
        self._stay = StayLikelihood(histories)
        self._histories = histories
        self._weight = histories.count / histories.customers

    def __call__(self, logs: Vector) -> tuple[float, Vector]:
        """Return value and gradient."""
        if not bool((np.abs(logs) < _LARGEST_LOG).all()):
            return np.inf, np.full(len(logs), np.nan)
        value, gradient = self.evaluate(*np.exp(logs))
        return -value, -gradient * np.exp(logs)

    def evaluate(self, r: float, alpha: float, s: float, beta: float) -> tuple[float, Vector]:
        """Return the mean log-likelihood and its gradient in r, alpha, s and beta."""
        value, (by_r, by_alpha) = self._stay.evaluate(r, alpha)
        age, weight = self._stay.age, self._stay.age_weight
        value += s * float((weight * (np.log(beta) - np.log(beta + age))).sum())
        by_s = float((weight * (np.log(beta) - np.log(beta + age))).sum())
        by_beta = s * float((weight * (1.0 / beta - 1.0 / (beta + age))).sum())
        gradient = np.array([by_r, by_alpha, by_s, by_beta])
        shape = _Shape(r, alpha, s, beta)
        columns = (self._histories.x, self._histories.t_x, self._histories.age)
        for block in _blocks(len(self._weight)):
            odds, slopes = _odds_of_having_left(shape, *(column[block] for column in columns))
            part = self._weight[block]
            value += float((part * np.logaddexp(0.0, odds)).sum())
            gradient += (part * _share(odds) * slopes).sum(axis=1)
        return value, gradient


@dataclass(frozen=True)
class _Shape:
    r: float
    alpha: float
    s: float
    beta: float


def pareto_alive(params: dict[str, float], x: Vector, t_x: Vector, age: Vector) -> Vector:
    """Return the probability, per customer, of not having left by the end of observation."""
    shape = _Shape(**params)
    alive = np.empty(len(x))
    for block in _blocks(len(x)):
        odds, _ = _odds_of_having_left(shape, x[block], t_x[block], age[block])
        alive[block] = _share(-odds)
    return alive


def pareto_lifetime(params: dict[str, float], age: Vector, horizon: float) -> Vector:
    """Return the expected time alive within the horizon, of customers alive at ``age``."""
    s, rest = params["s"], params["beta"] + age
    return rest * _mean_power(s - 1.0, np.log1p(horizon / rest))


def pareto_squared_lifetime(params: dict[str, float], age: Vector, horizon: float) -> Vector:
    """Return the expected square of the time alive within the horizon: ``2 * int t S(t) dt``."""
    rest = (params["beta"] + age)[:, None]
    time = horizon * _UNIT_NODES
    survival = np.exp(-params["s"] * np.log1p(time / rest))
    return np.asarray(2.0 * horizon * (survival * time * _UNIT_WEIGHTS).sum(axis=1))


def pareto_silent(params: dict[str, float], x: Vector, age: Vector, horizon: float) -> Vector:
    """Return the chance of no purchase within the horizon, of customers alive at ``age``."""
    rate, rest = (params["r"] + x)[:, None], (params["beta"] + age)[:, None]
    since = (params["alpha"] + age)[:, None]
    end = np.log1p(horizon / since)
    reach = np.minimum(end, _DEEPEST / np.maximum(rate - 1.0, 1.0))
    step = reach * _UNIT_NODES
    time = since * np.expm1(step)
    density = params["s"] / rest * np.exp(-(params["s"] + 1.0) * np.log1p(time / rest))
    left = (reach * density * np.exp(-rate * step) * since * np.exp(step) * _UNIT_WEIGHTS).sum(1)
    stayed = np.exp(-params["s"] * np.log1p(horizon / rest) - rate * end)[:, 0]
    return np.asarray(left + stayed)


def pareto_new(params: dict[str, float], horizon: Vector) -> Vector:
    """Return the expected repeat purchases of a new customer within each horizon."""
    s, beta = params["s"], params["beta"]
    rate = params["r"] / params["alpha"]
    return np.asarray(rate * beta * _mean_power(s - 1.0, np.log1p(horizon / beta)))


def _mean_power(power: float, log_growth: Vector) -> Vector:
    """Return ``(1 - exp(-power * log_growth)) / power``, also at a power of 0."""
    reach = power * log_growth
    small = np.abs(reach) < _FLAT
    ratio = -np.expm1(-reach) / np.where(small, 1.0, reach)
    return np.asarray(log_growth * np.where(small, 1.0 - reach / 2.0, ratio))


def _odds_of_having_left(
    shape: _Shape, x: Vector, t_x: Vector, age: Vector
) -> tuple[Vector, Matrix]:
    """Return the log-odds of having left before ``age``, and their slopes in the parameters.

    The odds are the integral over the moment ``u`` of leaving, from the last purchase to ``age``,
    of ``((alpha+age)/(alpha+u))^(r+x) * s (beta+age)^s / (beta+u)^(s+1)``. It is taken in the
    logarithm of ``u`` plus the smaller of alpha and beta, in which both factors are smooth, and no
    farther than the integrand matters.
    """
    r, alpha, s, beta = shape.r, shape.alpha, shape.s, shape.beta
    rate, last, end = (r + x)[:, None], t_x[:, None], age[:, None]
    nearest, farther = min(alpha, beta), max(alpha, beta)
    width = np.log1p((end - last) / (nearest + last))
    decay = (nearest + last) * (rate / (alpha + last) + (s + 1.0) / (beta + last)) - 1.0
    width = np.minimum(width, _DEEPEST / np.maximum(decay, 1e-9))
    step = width * _UNIT_NODES
    # By the choice of variable one of the two logarithms of each node is a sum, not a logarithm.
    near = (nearest + last) * np.exp(step)
    far = near + (farther - nearest)
    log_near, log_far = np.log(nearest + last) + step, np.log(far)
    by_alpha, by_beta = (near, far) if alpha <= beta else (far, near)
    log_alpha, log_beta = (log_near, log_far) if alpha <= beta else (log_far, log_near)
    rises, fades = np.log(alpha + end) - log_alpha, np.log(beta + end) - log_beta
    density = rate * rises + s * fades + (log_near - log_beta)
    most = density.max(axis=1)
    weighed = np.exp(density - most[:, None])
    total = weighed @ _UNIT_WEIGHTS
    with np.errstate(divide="ignore"):
        odds = most + np.log(s * width[:, 0] * total)
    weighed *= _UNIT_WEIGHTS
    weighed /= total[:, None]
    slopes = np.stack(
        (
            _sum_rows(weighed, rises),
            (r + x) * (1.0 / (alpha + age) - _sum_rows(weighed, 1.0 / by_alpha)),
            1.0 / s + _sum_rows(weighed, fades),
            s / (beta + age) - (s + 1.0) * _sum_rows(weighed, 1.0 / by_beta),
        )
    )
    return odds, slopes


def _sum_rows(weights: Matrix, values: Matrix) -> Vector:
    return np.asarray(np.einsum("ij,ij->i", weights, values))


def _share(odds: Vector) -> Vector:
    """Return odds, given as logarithms, as a probability."""
    small = np.exp(-np.abs(odds))
    share: Vector = np.where(odds > 0, 1.0, small) / (1.0 + small)
    return share


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, start + _BLOCK_ROWS)
