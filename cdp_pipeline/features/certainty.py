"""How sure a forecast of a total is: its interval, from chance, estimation and the store's habits.

Three things set an outcome apart from its forecast. Customers buy at random, and parameters are
estimates: both follow from the model. And the times change, which no model of customers knows: how
much is measured on what happened before, in the weeks that were fitted and in the days that earlier
forecasts looked ahead to. What no day has shown yet cannot be measured: for days of the year that
the store has not lived through the interval is wider by what seasons usually do, and higher where
they are its first days before Christmas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm, t

from cdp_pipeline.features.fitting import PARAMETER_NAMES, BtydFit
from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.seasons import DailyVisits, SeasonClock, expected_repeats

LEVEL = 0.9

UNKNOWN_SEASON_SD = {"visits": 0.06, "amount": 0.14}
"""Relative spread allowed for a season that cannot be told: of the horizon's days no year ago is
known, or only one, from which the season was learnt. Baskets have a season, too."""

FIRST_CHRISTMAS_SD = 0.45
"""The same, upwards only, for a first November and December; less by the root of their share."""

LEARNT_SEASON_SD = 0.05
"""Relative spread allowed for a season that was learnt from two years or more."""

_NUDGE = 1e-3
_FEWEST_DEGREES = 3.0
_OUTSIDE = 2.0
_OUTSIDE_UNSEEN = 4.0
_YEAR_DAYS = 365
_MONTHS = 12
_NOVEMBER = 10  # months are counted from 0
_LEAST_EXPECTED = 5.0
_LARGEST_LOG = 3.0
_LARGEST_REACH = 30.0


@dataclass(frozen=True)
class Drift:
    """How far a store strays from its model over windows of a horizon's length.

    Attributes:
        variance: Of the logarithm of seen over expected visits, beyond chance.
        windows: Independent windows behind it.
        unseen_share: Share of the horizon whose days of the year have not been seen before.
        christmas_share: Share of it that is the store's first November and December.
        is_seasonal: Whether a season is part of the forecast.
    """

    variance: float
    windows: float
    unseen_share: float = 0.0
    christmas_share: float = 0.0
    is_seasonal: bool = False


@dataclass(frozen=True)
class PastForecast:
    """A forecast whose outcome is known.

    Attributes:
        error: Logarithm of outcome over forecast.
        variance: What the model itself expected of its square.
    """

    error: float
    variance: float


@dataclass(frozen=True)
class Interval:
    """A range that holds the outcome nine times in ten.

    Attributes:
        low: Lower end.
        high: Upper end.
        model_sd: Relative spread by chance and estimation.
        drift_sd: Relative spread by changing times.
    """

    low: float
    high: float
    model_sd: float
    drift_sd: float

    def holds(self, outcome: float) -> bool:
        """Return whether an outcome lies within."""
        return self.low <= outcome <= self.high


def parameter_variance(fit: BtydFit, total: Callable[[BtydFit], float]) -> float:
    """Return the variance of the logarithm of a total that comes from estimated parameters.

    Args:
        fit: The fit, with its covariance.
        total: Forecasts the total under other parameters.

    Source:
        The delta method on the logarithms of the parameters, slopes by central differences.
    """
    if not fit.covariance:
        return 0.0
    names = PARAMETER_NAMES[fit.model]
    slopes = []
    for name in names:
        ends = [
            total(replace(fit, params=fit.params | {name: fit.params[name] * math.exp(nudge)}))
            for nudge in (_NUDGE, -_NUDGE)
        ]
        slopes.append(math.log(ends[0] / ends[1]) / (2 * _NUDGE) if min(ends) > 0 else 0.0)
    slope = np.array(slopes)
    return float(slope @ np.array(fit.covariance) @ slope)


def measure_drift(
    visits: DailyVisits, fit: BtydFit, clock: SeasonClock, horizon_days: int
) -> Drift:
    """Return how far windows of the horizon's length strayed from the model fitted to them.

    Windows that were fitted stray less than those that follow: about half as much in variance, and
    a quarter where they do not yet make up a year.
    """
    unseen = _unseen_shares(visits, horizon_days, is_seasonal=clock.is_seasonal)
    length = min(horizon_days, visits.days // 2)
    if length < 1 or not fit.params:
        return Drift(0.0, 0.0, *unseen, clock.is_seasonal)
    expected = expected_repeats(visits, fit, clock)
    edges = np.arange(visits.days - length, -1, -max(1, length // 4))
    seen_total = np.concatenate(([0.0], np.cumsum(visits.repeat)))
    said_total = np.concatenate(([0.0], np.cumsum(expected)))
    seen = seen_total[edges + length] - seen_total[edges]
    said = said_total[edges + length] - said_total[edges]
    is_sound = said >= _LEAST_EXPECTED
    seen, said = seen[is_sound], said[is_sound]
    if not len(seen):
        return Drift(0.0, 0.0, *unseen, clock.is_seasonal)
    log = np.log((seen + 0.5) / (said + 0.5))
    chance, windows = float((1.0 / (said + 0.5)).mean()), visits.days / length
    # What chance alone might well have done is no drift.
    strayed = float((log**2).mean()) - chance * (1.0 + math.sqrt(2.0 / windows))
    scale = _OUTSIDE_UNSEEN if unseen[0] > 0 else _OUTSIDE
    return Drift(scale * max(0.0, strayed), windows, *unseen, clock.is_seasonal)


def _unseen_shares(
    visits: DailyVisits, horizon_days: int, *, is_seasonal: bool
) -> tuple[float, float]:
    """Return the shares of the horizon that the store has not lived through, and of its Christmas.

    The first days of a history show no season: hardly anybody could come again.
    """
    lacking = _YEAR_DAYS + horizon_days - visits.days
    if is_seasonal:  # its season was told from two years, or is no more than a guess
        lacking = horizon_days if visits.days < 2 * _YEAR_DAYS else 0
    ahead = np.arange(1, horizon_days + 1)
    days = np.datetime64(visits.as_of, "D") + ahead
    is_christmas = days.astype("datetime64[M]").astype(np.int64) % _MONTHS >= _NOVEMBER
    is_first = ahead <= _YEAR_DAYS - visits.days
    share = min(1.0, max(0.0, lacking / horizon_days))
    return share, float((is_christmas & is_first).mean())


def _changing_times(
    drift: Drift, past: Sequence[PastForecast], quantity: str
) -> tuple[float, float]:
    """Return the variance of a total's logarithm by what times have done, and by what they may do.

    Args:
        drift: How far the fitted windows strayed.
        past: Earlier forecasts of as many days whose outcome was known.
        quantity: ``visits`` or ``amount``.
    """
    excess = [min(one.error**2, _LARGEST_LOG**2) - one.variance for one in past]
    # What is believed before anything is seen counts as one window.
    before = LEARNT_SEASON_SD**2 if drift.is_seasonal else 0.0
    windows = 1.0 + drift.windows + len(excess)
    strayed = max(0.0, (before + drift.windows * drift.variance + sum(excess)) / windows)
    return max(strayed, before / 2), UNKNOWN_SEASON_SD[quantity] ** 2 * drift.unseen_share


def times_variance(drift: Drift, past: Sequence[PastForecast], quantity: str) -> float:
    """Return the variance of everybody's forecasts alike that changing times add to chance."""
    christmas = FIRST_CHRISTMAS_SD**2 * drift.christmas_share
    return sum(_changing_times(drift, past, quantity)) + christmas


def total_interval(
    forecast: float,
    model_variance: float,
    drift: Drift,
    past: Sequence[PastForecast],
    quantity: str = "visits",
) -> Interval:
    """Return the interval of a forecast total.

    Args:
        forecast: The total.
        model_variance: Variance of its logarithm by chance and estimation.
        drift: How far the fitted windows strayed.
        past: Earlier forecasts of as many days whose outcome was known.
        quantity: ``visits`` or ``amount``.
    """
    strayed, unseen = _changing_times(drift, past, quantity)
    normal = float(norm.ppf(0.5 + LEVEL / 2))
    degrees = max(drift.windows + len(past), _FEWEST_DEGREES)
    wide = float(t.ppf(0.5 + LEVEL / 2, degrees))
    known = normal**2 * (model_variance + unseen) + wide**2 * strayed
    christmas = normal**2 * FIRST_CHRISTMAS_SD**2 * drift.christmas_share
    reach, rise = (
        min(math.sqrt(squared), _LARGEST_REACH) for squared in (known, known + christmas)
    )
    return Interval(
        low=forecast * math.exp(-reach),
        high=forecast * math.exp(rise),
        model_sd=math.sqrt(model_variance),
        drift_sd=math.sqrt(strayed + unseen),
    )


def relative_variance(total: float, variances: Vector) -> float:
    """Return the variance of the logarithm of a total of independent customers."""
    return float(variances.sum()) / total / total if total > 0 else 0.0
