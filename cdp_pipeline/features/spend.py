"""Gamma-gamma model: what a purchase of a customer is worth, given the few that were seen.

Only spend per purchase belongs here. The model takes spend to be unrelated to how often somebody
buys, and every purchase of a customer to vary around that customer's own mean.

Notation: ``x`` repeat purchases, ``z`` their mean amount; ``p`` the shape of amounts around a
customer's mean, ``q`` and ``v`` the spread of those means between customers.

Source:
    Fader, Hardie (2013), The gamma-gamma model of monetary value.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.features.histories import Vector, encode
from cdp_pipeline.features.optimise import curvature, invert_curvature, minimise

SpendStatus = Literal["ok", "pooled_mean", "not_enough_data"]

PARAMETER_NAMES = ("p", "q", "v")

_LEAST_CUSTOMERS = 2
_LEAST_SPREAD = 1e-12
_POOLED_Q = 1e9
_LARGEST_SHAPE = 1e6
_LARGEST_LOG = 25.0
_LEAST_MARGIN = 0.25


@dataclass(frozen=True)
class SpendFit:
    """A fitted spend model.

    Attributes:
        params: ``p``, ``q`` and ``v`` (in the currency); empty when there was not enough data.
        se: Standard errors by name, NaN where the data do not determine the parameter.
        loglik: Log-likelihood at the maximum.
        n: Customers behind the fit.
        rows: Distinct (x, z) behind the fit.
        converged: Whether the model reached its maximum; False after any fallback.
        status: ``ok``; ``pooled_mean`` when customers do not differ measurably, so that everybody
            is expected to spend the common mean; ``not_enough_data`` when predictions are NaN.
        scale: What expected amounts are multiplied by, see ``baskets``.
    """

    params: dict[str, float]
    se: dict[str, float]
    loglik: float
    n: float
    rows: int
    converged: bool
    status: SpendStatus
    scale: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def fit_spend(x: ArrayLike, mean_value: ArrayLike, n: ArrayLike | None = None) -> SpendFit:
    """Return the maximum-likelihood fit of the gamma-gamma model.

    The order of rows never matters. Data without usable information do not raise: see ``status``.

    Args:
        x: Repeat purchases per row, above 0.
        mean_value: Mean net amount of those purchases, above 0, in the currency.
        n: Customers per row; one each when not given.

    Raises:
        DataQualityError: A row has no purchase or no positive mean amount.
    """
    sample = SpendSample.collect(x, mean_value, n)
    customers = float(sample.count.sum())
    if customers < _LEAST_CUSTOMERS:
        return _describe(sample, {}, status="not_enough_data")
    likelihood = SpendLikelihood(sample)
    mean = float((sample.mean_value * sample.count).sum() / customers)
    if np.ptp(np.log(sample.mean_value)) > _LEAST_SPREAD:
        optimum = minimise(likelihood, np.log([2.0, 3.0, mean]))
        inverse = invert_curvature(curvature(likelihood, optimum.point))
        values = np.exp(optimum.point)
        is_usable = values[0] < _LARGEST_SHAPE and 1.0 < values[1] < _LARGEST_SHAPE
        if optimum.converged and inverse is not None and is_usable:
            errors = values * np.sqrt(np.diag(inverse) / customers)
            params = dict(zip(PARAMETER_NAMES, values.tolist(), strict=True))
            se = dict(zip(PARAMETER_NAMES, errors.tolist(), strict=True))
            return _describe(sample, params, se=se, mean_loglik=-optimum.value)
    # So narrow a spread between customers that the formula of expected_spend gives the mean.
    pooled = {"p": 1.0, "q": _POOLED_Q + 1.0, "v": mean * _POOLED_Q}
    return _describe(sample, pooled, status="pooled_mean")


def expected_spend(fit: SpendFit, x: ArrayLike, mean_value: ArrayLike) -> Vector:
    """Return the expected net amount of a customer's next purchase, in the currency.

    A customer's own mean, drawn towards everybody's the more the fewer purchases were seen; with
    ``x`` of 0 it is everybody's, whatever ``mean_value`` says.

    Source:
        Fader, Hardie (2013), equation 5.
    """
    purchases = np.atleast_1d(np.asarray(x, dtype=np.float64))
    if not fit.params:
        return np.full(purchases.shape, np.nan)
    own = np.where(purchases > 0, np.asarray(mean_value, dtype=np.float64), 0.0)
    p, q, v = (fit.params[name] for name in PARAMETER_NAMES)
    expected: Vector = fit.scale * p * (v + purchases * own) / (p * purchases + q - 1.0)
    return expected


def squared_spend(fit: SpendFit, x: ArrayLike, mean_value: ArrayLike) -> Vector:
    """Return the mean square of a customer's own mean amount, given what was seen.

    Where the model gives it no finite value (``q`` near 2 and nobody's repeat purchases to narrow
    it) it is that of the smallest shape for which it is finite by a margin.
    """
    purchases = np.atleast_1d(np.asarray(x, dtype=np.float64))
    if not fit.params:
        return np.full(purchases.shape, np.nan)
    own = np.where(purchases > 0, np.asarray(mean_value, dtype=np.float64), 0.0)
    p, q, v = (fit.params[name] for name in PARAMETER_NAMES)
    shape = q + p * purchases
    scale = fit.scale * p * (v + purchases * own)
    squared: Vector = scale**2 / ((shape - 1.0) * np.maximum(shape - 2.0, _LEAST_MARGIN))
    return squared


class SpendLikelihood:
    """Mean negative log-likelihood of the gamma-gamma model.

    Calling it with the logs of p, q and v returns the value and its gradient in those logs;
    infinity outside ``exp(-25) .. exp(25)``.
    """

    def __init__(self, sample: SpendSample) -> None:
        """Sum the sample by distinct number of purchases."""
        self._weight = sample.count / sample.count.sum()
        self._x, self._codes = encode(sample.x)
        self._total = sample.x * sample.mean_value
        log_value = np.log(sample.mean_value)
        self._x_weight = np.bincount(self._codes, self._weight)
        self._log_value = float((self._weight * log_value).sum())
        # The only place where single amounts meet p: the sum of x * (log z + log x).
        self._log_total = float((self._weight * sample.x * np.log(self._total)).sum())

    def __call__(self, logs: Vector) -> tuple[float, Vector]:
        """Return value and gradient."""
        if not (np.abs(logs) < _LARGEST_LOG).all():
            return np.inf, np.full(len(logs), np.nan)
        value, gradient = self.evaluate(*np.exp(logs))
        return -value, -gradient * np.exp(logs)

    def evaluate(self, p: float, q: float, v: float) -> tuple[float, Vector]:
        """Return the mean log-likelihood and its gradient in p, q and v."""
        shape = p * self._x + q
        log_sum = np.bincount(self._codes, self._weight * np.log(self._total + v))
        per_sum = np.bincount(self._codes, self._weight / (self._total + v))
        value = (self._x_weight * (gammaln(shape) - gammaln(p * self._x))).sum() - gammaln(q)
        value += q * np.log(v) + p * self._log_total - self._log_value - (shape * log_sum).sum()
        digamma_shape = digamma(shape)
        by_p = (self._x_weight * self._x * (digamma_shape - digamma(p * self._x))).sum()
        by_p += self._log_total - (self._x * log_sum).sum()
        by_q = (self._x_weight * digamma_shape).sum() - digamma(q) + np.log(v) - log_sum.sum()
        by_v = q / v - (shape * per_sum).sum()
        return float(value), np.array([by_p, by_q, by_v])


@dataclass(frozen=True)
class SpendSample:
    """Customers by purchases and mean amount, ordered by both."""

    x: Vector
    mean_value: Vector
    count: Vector

    @classmethod
    def collect(
        cls, x: ArrayLike, mean_value: ArrayLike, n: ArrayLike | None = None
    ) -> SpendSample:
        """Return the rows in a fixed order.

        Raises:
            DataQualityError: A row has no purchase or no positive mean amount.
        """
        purchases = np.atleast_1d(np.asarray(x, dtype=np.float64))
        value = np.atleast_1d(np.asarray(mean_value, dtype=np.float64))
        count = np.ones(len(purchases)) if n is None else np.asarray(n, dtype=np.float64)
        is_good = len(purchases) == len(value) == len(count) and bool(
            np.isfinite(purchases + value + count).all()
            and ((purchases > 0) & (value > 0) & (count > 0)).all()
        )
        if not is_good:
            raise DataQualityError(
                "gamma-gamma needs x, mean_value and n above 0, one each per row",
                where="features.spend",
                hint="Keep only customers with a repeat purchase and a positive mean amount.",
            )
        order = np.lexsort((count, value, purchases))
        return cls(purchases[order], value[order], count[order])


def _describe(
    sample: SpendSample,
    params: dict[str, float],
    *,
    se: dict[str, float] | None = None,
    mean_loglik: float = math.nan,
    status: SpendStatus = "ok",
) -> SpendFit:
    customers = float(sample.count.sum())
    return SpendFit(
        params=params,
        se=dict.fromkeys(params, math.nan) if se is None else se,
        loglik=mean_loglik * customers,
        n=customers,
        rows=len(sample.x),
        converged=status == "ok",
        status=status,
    )
