"""How sure a forecast of a total is: its interval, from chance, estimation and the store's habits.

Three things set an outcome apart from its forecast. Customers buy at random, and parameters are
estimates: both follow from the model. And the times change, which no model of customers knows: how
much is measured on what happened before, in the weeks that were fitted and in the days that earlier
forecasts looked ahead to. A store whose year swings and whose season cannot be told yet therefore
gets a wide interval, a steady one a narrow interval.
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

UNKNOWN_SEASON_SD = 0.16
"""Relative spread allowed for a season that cannot be told: of the horizon's days no year ago is
known, or only one, from which the season was learnt."""

LEARNT_SEASON_SD = 0.05
"""Relative spread allowed for a season that was learnt from two years or more."""

_NUDGE = 1e-3
_FEWEST_DEGREES = 3.0
_OUTSIDE = 2.0
_OUTSIDE_UNSEEN = 4.0
_YEAR_DAYS = 365
_LEAST_EXPECTED = 5.0
_LARGEST_LOG = 3.0
_LARGEST_REACH = 30.0


@dataclass(frozen=True)
class Drift:
    """How far a store strays from its model over windows of a horizon's length.

    Attributes:
        variance: Of the logarithm of seen over expected visits, beyond chance.
        windows: Independent windows behind it.
        is_season_seen: Whether the times of a whole year have been seen before.
        is_seasonal: Whether a season is part of the forecast.
    """

    variance: float
    windows: float
    is_season_seen: bool = False
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
    length = min(horizon_days, visits.days // 2)
    if length < 1 or not fit.params:
        return Drift(0.0, 0.0)
    expected = expected_repeats(visits, fit, clock)
    edges = np.arange(visits.days - length, -1, -max(1, length // 4))
    seen_total = np.concatenate(([0.0], np.cumsum(visits.repeat)))
    said_total = np.concatenate(([0.0], np.cumsum(expected)))
    seen = seen_total[edges + length] - seen_total[edges]
    said = said_total[edges + length] - said_total[edges]
    is_sound = said >= _LEAST_EXPECTED
    seen, said = seen[is_sound], said[is_sound]
    years = 2 if clock.is_seasonal else 1
    is_season_seen = visits.days >= years * _YEAR_DAYS + (0 if clock.is_seasonal else horizon_days)
    if not len(seen):
        return Drift(0.0, 0.0, is_season_seen, clock.is_seasonal)
    log = np.log((seen + 0.5) / (said + 0.5))
    chance, windows = float((1.0 / (said + 0.5)).mean()), visits.days / length
    # What chance alone might well have done is no drift.
    strayed = float((log**2).mean()) - chance * (1.0 + math.sqrt(2.0 / windows))
    scale = _OUTSIDE if is_season_seen else _OUTSIDE_UNSEEN
    variance = scale * max(0.0, strayed)
    return Drift(variance, windows, is_season_seen, clock.is_seasonal)


def total_interval(
    forecast: float, model_variance: float, drift: Drift, past: Sequence[PastForecast]
) -> Interval:
    """Return the interval of a forecast total.

    Args:
        forecast: The total.
        model_variance: Variance of its logarithm by chance and estimation.
        drift: How far the fitted windows strayed.
        past: Earlier forecasts of as many days whose outcome was known.
    """
    excess = [min(one.error**2, _LARGEST_LOG**2) - one.variance for one in past]
    # What is believed before anything is seen counts as one window.
    before = LEARNT_SEASON_SD**2 if drift.is_seasonal else 0.0
    if not drift.is_season_seen:
        before = UNKNOWN_SEASON_SD**2
    windows = 1.0 + drift.windows + len(excess)
    strayed = max(0.0, (before + drift.windows * drift.variance + sum(excess)) / windows)
    strayed = max(strayed, before / 2)
    normal = float(norm.ppf(0.5 + LEVEL / 2))
    wide = float(t.ppf(0.5 + LEVEL / 2, max(windows - 1.0, _FEWEST_DEGREES)))
    reach = min(math.sqrt(normal**2 * model_variance + wide**2 * strayed), _LARGEST_REACH)
    return Interval(
        low=forecast * math.exp(-reach),
        high=forecast * math.exp(reach),
        model_sd=math.sqrt(model_variance),
        drift_sd=math.sqrt(strayed),
    )


def relative_variance(total: float, variances: Vector) -> float:
    """Return the variance of the logarithm of a total of independent customers."""
    return float(variances.sum()) / total / total if total > 0 else 0.0
