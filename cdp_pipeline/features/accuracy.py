"""How good a forecast of purchase counts was: error, ranking and calibration.

Only measures belong here; where forecasts come from belongs to ``backtest``. Every measure takes
counted rows and treats customers with the same forecast as one group, so that neither the order of
rows nor a customer's id can change a figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

TENTHS = 10
_TOP_SHARE = 0.1
_LEAST_CHANCE = 1e-6


@dataclass(frozen=True)
class Accuracy:
    """Measures of one forecast; NaN where a measure is undefined (nobody bought, all equal).

    Attributes:
        bias: Forecast total over actual total, less 1.
        mae: Mean absolute error, in purchases per customer.
        rmse: Root of the mean squared error, in purchases per customer.
        spearman: Rank correlation of forecast and outcome.
        gini: Gini coefficient of the outcome ordered by forecast, over that of the best order.
        top_tenth_lift: Purchases of the best tenth by forecast over a tenth of all purchases.
    """

    bias: float
    mae: float
    rmse: float
    spearman: float
    gini: float
    top_tenth_lift: float


@dataclass(frozen=True)
class Tenth:
    """One tenth of the customers in ascending order of forecast.

    Attributes:
        tenth: 1 for the lowest forecasts, 10 for the highest.
        customers: Customers in it; fractional, since equal forecasts are shared out evenly.
        predicted: Mean forecast, in purchases per customer.
        actual: Mean outcome, in purchases per customer.
    """

    tenth: int
    customers: float
    predicted: float
    actual: float


def measure(predicted: Vector, actual: Vector, count: Vector) -> Accuracy:
    """Return the accuracy of a forecast.

    Args:
        predicted: Forecast purchases per row.
        actual: What was bought, per row.
        count: Customers per row, above 0.

    Examples:
        >>> values = np.array([0.0, 1.0, 4.0])
        >>> measure(values, values, np.ones(3)).mae
        0.0
    """
    customers, bought = count.sum(), (actual * count).sum()
    error = predicted - actual
    curve = _Curve.of(predicted, actual, count)
    best = _Curve.of(actual, actual, count)
    others = float(curve.bought_below(np.array([1.0 - _TOP_SHARE]))[0])
    return Accuracy(
        bias=_ratio((predicted * count).sum(), bought) - 1.0,
        mae=float((np.abs(error) * count).sum() / customers),
        rmse=math.sqrt((error**2 * count).sum() / customers),
        spearman=correlate(_mid_ranks(predicted, count), _mid_ranks(actual, count), count),
        gini=_ratio(curve.area_below_even(), best.area_below_even()),
        top_tenth_lift=_ratio(bought - others, bought * _TOP_SHARE),
    )


def calibrate(predicted: Vector, actual: Vector, count: Vector) -> tuple[Tenth, ...]:
    """Return forecast against outcome by tenth of the customers, lowest forecasts first."""
    borders = np.linspace(0.0, 1.0, TENTHS + 1)
    each = float(count.sum()) / TENTHS
    said = np.diff(_Curve.of(predicted, predicted, count).bought_below(borders)) / each
    done = np.diff(_Curve.of(predicted, actual, count).bought_below(borders)) / each
    return tuple(Tenth(i + 1, each, float(said[i]), float(done[i])) for i in range(TENTHS))


def rank_probability(score: Vector, has_bought: Vector, count: Vector) -> float:
    """Return the chance that a buyer scores above a non-buyer (area under the ROC curve).

    NaN when everybody or nobody bought.
    """
    _, codes = np.unique(score, return_inverse=True)
    buyers = np.bincount(codes, count * has_bought)
    others = np.bincount(codes, count * (1.0 - has_bought))
    beaten = np.cumsum(others) - others / 2
    return _ratio((buyers * beaten).sum(), buyers.sum() * others.sum())


def log_loss(chance: Vector, has_bought: Vector, count: Vector) -> float:
    """Return the mean surprise of a forecast probability, in nats; chances are kept off 0 and 1."""
    safe = np.clip(chance, _LEAST_CHANCE, 1.0 - _LEAST_CHANCE)
    surprise = has_bought * np.log(safe) + (1.0 - has_bought) * np.log1p(-safe)
    return float(-(surprise * count).sum() / count.sum())


def brier(chance: Vector, has_bought: Vector, count: Vector) -> float:
    """Return the mean squared error of a forecast probability."""
    return float(((chance - has_bought) ** 2 * count).sum() / count.sum())


def correlate(a: Vector, b: Vector, count: Vector) -> float:
    """Return the correlation of two columns of counted rows; NaN when either is constant."""
    weight = count / count.sum()
    a, b = a - (a * weight).sum(), b - (b * weight).sum()
    spread = math.sqrt((a * a * weight).sum()) * math.sqrt((b * b * weight).sum())
    return _ratio((a * b * weight).sum(), spread)


@dataclass(frozen=True)
class _Curve:
    """Cumulative purchases against cumulative customers, in ascending order of a score."""

    customers: Vector
    bought: Vector

    @classmethod
    def of(cls, score: Vector, amount: Vector, count: Vector) -> _Curve:
        _, codes = np.unique(score, return_inverse=True)
        customers = np.cumsum(np.bincount(codes, count))
        bought = np.cumsum(np.bincount(codes, count * amount))
        return cls(
            np.concatenate(([0.0], customers / customers[-1])), np.concatenate(([0.0], bought))
        )

    def bought_below(self, shares: Vector) -> Vector:
        """Return the purchases of the lowest of the customers, for each share of them."""
        below: Vector = np.interp(shares, self.customers, self.bought)
        return below

    def area_below_even(self) -> float:
        """Return the area between this curve and equal purchases for everybody."""
        even = self.bought[-1] / 2
        return float(even - np.trapezoid(self.bought, self.customers))


def _mid_ranks(values: Vector, count: Vector) -> Vector:
    _, codes = np.unique(values, return_inverse=True)
    size = np.bincount(codes, count)
    ranks: Vector = (np.cumsum(size) - size / 2)[codes]
    return ranks


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else math.nan
