"""Fits of the "buy till you die" models: how often customers buy, and when they leave.

Maximum likelihood, standard errors and fallbacks for MBG/NBD, BG/NBD, Pareto/NBD and NBD belong
here, in numpy alone; what a fit says about a customer belongs to ``btyd``.

Notation of the papers: ``x`` repeat purchases, ``t_x`` time from first to last purchase, ``T`` time
from first purchase to the end of observation, all in one unit of time; a purchase is a day with a
positive net amount. ``r`` and ``alpha`` shape the gamma distribution of purchase rates, ``a`` and
``b`` the beta distribution of the chance to leave after a purchase, ``s`` and ``beta`` the gamma
distribution of the rates of leaving at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from cdp_pipeline.features.histories import Histories, Vector, group_histories
from cdp_pipeline.features.likelihood import DropoutLikelihood, StayLikelihood
from cdp_pipeline.features.optimise import Objective, Optimum, curvature, invert_curvature, minimise
from cdp_pipeline.features.pareto import ParetoLikelihood

ModelName = Literal["mbg/nbd", "bg/nbd", "pareto/nbd", "nbd"]
FitStatus = Literal["ok", "nbd_fallback", "not_enough_data"]

PARAMETER_NAMES: Mapping[str, tuple[str, ...]] = {
    "mbg/nbd": ("r", "alpha", "a", "b"),
    "bg/nbd": ("r", "alpha", "a", "b"),
    "pareto/nbd": ("r", "alpha", "s", "beta"),
    "nbd": ("r", "alpha"),
}

_ROUGH_ROWS = 8_000
_SAMPLE_ROWS = 60_000
_LEAST_CUSTOMERS = 2
_LEAST_DROPOUT = 1e-4
_NO_SPREAD = 1e3
"""Shape of a gamma or beta distribution whose customers are alike: they differ by 3 %."""

_TOLL = 1e-3
_SAMPLE_TOLERANCE = 1e-6
_TOLERANCE = 1e-9
_WIDE_ROW = 4
"""Rows of another model that cost as much as one of Pareto/NBD, which has a Gauss rule's nodes."""


@dataclass(frozen=True)
class BtydFit:
    """A fitted purchase model.

    Attributes:
        model: Model that the parameters belong to; ``nbd`` after a fallback.
        params: Parameters by name; empty when there was not enough data.
        se: Standard errors by name, NaN where the data do not determine the parameter.
        loglik: Log-likelihood at the maximum.
        n: Customers behind the fit.
        rows: Distinct histories behind the fit.
        converged: Whether the model asked for reached its maximum; False after any fallback.
        status: ``ok``; ``nbd_fallback`` when the data show no dropout to estimate, so that every
            customer counts as alive; ``not_enough_data`` when predictions are NaN.
        covariance: Of the logarithms of the parameters, in their order; empty when unknown.
        purchases_count: Repeat purchases behind the fit.
    """

    model: ModelName
    params: dict[str, float]
    se: dict[str, float]
    loglik: float
    n: float
    rows: int
    converged: bool
    status: FitStatus
    covariance: tuple[tuple[float, ...], ...] = ()
    purchases_count: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def fit_purchases(  # noqa: PLR0913 - a history and three options
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T is what every paper calls the age
    n: ArrayLike | None = None,
    *,
    model: ModelName = "mbg/nbd",
    start: BtydFit | None = None,
    is_draft: bool = False,
) -> BtydFit:
    """Return the maximum-likelihood fit of a purchase model.

    The order of rows never matters, and equal rows may come counted or repeated. Data without
    usable information never raise: see ``BtydFit.status``.

    Args:
        x: Repeat purchases per row.
        t_x: Time from first to last purchase.
        T: Time from first purchase to the end of observation.
        n: Customers per row; one each when not given.
        model: ``mbg/nbd`` (a customer may leave after any purchase), ``bg/nbd`` (only after a
            repeat purchase), ``pareto/nbd`` (at any moment) or ``nbd`` (nobody leaves).
        start: Earlier fit of the same model to start from.
        is_draft: Stop at the maximum of an evenly spaced sample of the histories, as good as
            the full one for comparing models and several times cheaper on large data.

    Raises:
        DataQualityError: A row cannot be a purchase history.

    Source:
        Fader, Hardie, Lee (2005); Batislam, Denizel, Filiztekin (2007); Ehrenberg (1959);
        Schmittlein, Morrison, Colombo (1987).
    """
    histories = group_histories(x, t_x, T, n)
    return fit_histories(histories, model=model, start=start, is_draft=is_draft)


def fit_histories(
    histories: Histories,
    *,
    model: ModelName = "mbg/nbd",
    start: BtydFit | None = None,
    is_draft: bool = False,
) -> BtydFit:
    """Return the fit of ``fit_purchases`` for histories that are grouped already."""
    purchases = float((histories.count * histories.x).sum())
    if histories.customers < _LEAST_CUSTOMERS or purchases <= 0:
        return _describe(histories, model, {}, status="not_enough_data")
    fit = _maximise(histories, model, start, is_draft=is_draft)
    if fit is not None:
        return fit
    if model != "nbd":
        fit = _maximise(histories, "nbd", None, is_draft=is_draft)
    if fit is None:
        fit = _pool(histories, purchases)
    return replace(fit, converged=False, status="nbd_fallback")


def _maximise(
    histories: Histories, model: ModelName, start: BtydFit | None, *, is_draft: bool
) -> BtydFit | None:
    """Return the fit, or None where the data do not determine the model."""
    names = PARAMETER_NAMES[model]
    logs = np.log(_start_values(histories, model, start))
    optimum, inverse = _climb(histories, model, logs, is_draft=is_draft)
    params = dict(zip(names, np.exp(optimum.point).tolist(), strict=True))
    if not optimum.converged or inverse is None or _is_degenerate(params):
        return None
    covariance = inverse / histories.customers
    spread = np.exp(optimum.point) * np.sqrt(np.diag(covariance))
    toll, _ = _toll(optimum.point, names)
    fit = _describe(histories, model, params, mean_loglik=toll - optimum.value)
    return replace(
        fit,
        se=dict(zip(names, spread.tolist(), strict=True)),
        covariance=tuple(map(tuple, covariance.tolist())),
    )


@dataclass(frozen=True)
class _Walled:
    """A likelihood that cannot run away where customers are all alike.

    Customers with one chance to leave, or one rate, put the maximum at infinity: beyond a spread
    too small to matter the likelihood is flat, and the fit would be given up although the data
    show well how many leave. A toll on the concentration beyond ``_NO_SPREAD`` ends it there.
    """

    likelihood: Objective
    names: tuple[str, ...]

    def __call__(self, logs: Vector) -> tuple[float, Vector]:
        value, gradient = self.likelihood(logs)
        toll, slope = _toll(logs, self.names)
        return value + toll, gradient + slope


def _toll(logs: Vector, names: tuple[str, ...]) -> tuple[float, Vector]:
    """Return the toll and its gradient: on r, on a + b, on s; zero wherever customers differ."""
    slope = np.zeros(len(logs))
    at = {name: i for i, name in enumerate(names)}
    groups = [[at[name]] for name in ("r", "s") if name in at]
    if "a" in at:
        groups.append([at["a"], at["b"]])
    toll = 0.0
    for group in groups:
        concentration = np.logaddexp.reduce(logs[group])
        excess = max(0.0, float(concentration) - math.log(_NO_SPREAD))
        toll += _TOLL * excess**2
        slope[group] += 2 * _TOLL * excess * np.exp(logs[group] - concentration)
    return toll, slope


def _objective(histories: Histories, model: ModelName) -> Objective:
    if model == "nbd":
        return StayLikelihood(histories)
    if model == "pareto/nbd":
        return ParetoLikelihood(histories)
    return DropoutLikelihood(histories, leaves_at_once=model == "mbg/nbd")


def _climb(
    histories: Histories, model: ModelName, logs: Vector, *, is_draft: bool
) -> tuple[Optimum, Vector | None]:
    """Return the maximum, found on ever more of the histories, and the inverse curvature there.

    The curvature of a sample is within a few per cent of that of all rows, so that a handful of
    evaluations suffice on the larger one; at the maximum of all rows, that of the sample serves.
    """
    rows = histories.rows * (_WIDE_ROW if model == "pareto/nbd" else 1)
    sample = max(1, rows // _SAMPLE_ROWS)
    strides = {max(1, rows // _ROUGH_ROWS), sample, sample if is_draft else 1}
    optimum, inverse = Optimum(logs, np.inf, np.inf, 0, converged=False), None
    for stride in sorted(strides, reverse=True):
        objective = _Walled(_objective(histories.thin(stride), model), PARAMETER_NAMES[model])
        optimum = minimise(
            objective,
            optimum.point if optimum.converged else logs,
            inverse_hessian=inverse if optimum.converged else None,
            tolerance=_TOLERANCE if stride == 1 else _SAMPLE_TOLERANCE,
        )
        if stride > 1 or sample == 1:
            inverse = invert_curvature(curvature(objective, optimum.point))
        if stride <= sample and not optimum.converged:
            break
    return optimum, inverse


def _start_values(histories: Histories, model: ModelName, start: BtydFit | None) -> Vector:
    names = PARAMETER_NAMES[model]
    if start is not None and set(names) <= set(start.params):
        return np.array([start.params[name] for name in names])
    mean_age = float((histories.age * histories.count).sum() / histories.customers)
    if model == "pareto/nbd":
        return np.array([0.5, 0.3 * mean_age, 0.5, 0.3 * mean_age])
    return np.array([0.5, 0.3 * mean_age, 0.7, 2.0])[: len(names)]


def _is_degenerate(params: Mapping[str, float]) -> bool:
    return "a" in params and params["a"] / (params["a"] + params["b"]) < _LEAST_DROPOUT


def _pool(histories: Histories, purchases: float) -> BtydFit:
    """Return an NBD so narrow that everybody gets the common rate: no spread to estimate."""
    age = float((histories.age * histories.count).sum())
    params = {"r": _NO_SPREAD, "alpha": _NO_SPREAD * age / purchases}
    value, _ = StayLikelihood(histories).evaluate(params["r"], params["alpha"])
    return _describe(histories, "nbd", params, mean_loglik=value, status="nbd_fallback")


def _describe(
    histories: Histories,
    model: ModelName,
    params: dict[str, float],
    *,
    mean_loglik: float = math.nan,
    status: FitStatus = "ok",
) -> BtydFit:
    return BtydFit(
        model=model,
        params=params,
        se=dict.fromkeys(params, math.nan),
        loglik=mean_loglik * histories.customers,
        n=histories.customers,
        purchases_count=float((histories.count * histories.x).sum()),
        rows=histories.rows,
        converged=status == "ok",
        status=status,
    )
