"""Purchase models of the "buy till you die" family: how often a customer buys, and whether still.

Fitting and prediction for MBG/NBD, BG/NBD and NBD belong here, in numpy alone. Spend belongs to
``spend``, reading and writing tables to ``clv``, accuracy to ``backtest``.

Notation of the papers: ``x`` repeat purchases, ``t_x`` time from first to last purchase, ``T`` time
from first purchase to the end of observation, all in one unit of time; a purchase is a day with a
positive net amount. ``r`` and ``alpha`` shape the gamma distribution of purchase rates, ``a`` and
``b`` the beta distribution of the chance to leave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from cdp_pipeline.features.histories import Histories, Vector, group_histories, pair_up
from cdp_pipeline.features.likelihood import DropoutLikelihood, StayLikelihood
from cdp_pipeline.features.optimise import Objective, Optimum, curvature, invert_curvature, minimise
from cdp_pipeline.features.quadrature import beta_rule

ModelName = Literal["mbg/nbd", "bg/nbd", "nbd"]
FitStatus = Literal["ok", "nbd_fallback", "not_enough_data"]

PARAMETER_NAMES: Mapping[str, tuple[str, ...]] = {
    "mbg/nbd": ("r", "alpha", "a", "b"),
    "bg/nbd": ("r", "alpha", "a", "b"),
    "nbd": ("r", "alpha"),
}
DAYS_PER_DISCOUNT_MONTH = 30.0

_SAMPLE_ROWS = 60_000
_LEAST_CUSTOMERS = 2
_LEAST_DROPOUT = 1e-4
_NO_SPREAD = 1e4
_SAMPLE_TOLERANCE = 1e-6
_NODES_PER_ROOT = 32.0
_FEWEST_NODES = 32.0
_MOST_NODES = 512.0


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
    """

    model: ModelName
    params: dict[str, float]
    se: dict[str, float]
    loglik: float
    n: float
    rows: int
    converged: bool
    status: FitStatus

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def fit_purchases(
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T is what every paper calls the age
    n: ArrayLike | None = None,
    *,
    model: ModelName = "mbg/nbd",
    start: BtydFit | None = None,
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
            repeat purchase) or ``nbd`` (nobody leaves).
        start: Earlier fit of the same model to start from.

    Raises:
        DataQualityError: A row cannot be a purchase history.

    Source:
        Fader, Hardie, Lee (2005); Batislam, Denizel, Filiztekin (2007); Ehrenberg (1959).
    """
    histories = group_histories(x, t_x, T, n)
    purchases = float((histories.count * histories.x).sum())
    if histories.customers < _LEAST_CUSTOMERS or purchases <= 0:
        return _describe(histories, model, {}, status="not_enough_data")
    fit = _maximise(histories, model, start)
    if fit is not None:
        return fit
    if model != "nbd":
        fit = _maximise(histories, "nbd", None)
    if fit is None:
        fit = _pool(histories, purchases)
    return replace(fit, converged=False, status="nbd_fallback")


def p_alive(fit: BtydFit, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Vector:  # noqa: N803 - T
    """Return the probability, per customer, of not having left by the end of observation.

    Rank customers by ``p_active`` instead: under BG/NBD a customer without repeat purchase is alive
    for certain, and a silent daily shopper ranks below a silent yearly one.

    Source:
        Fader, Hardie, Lee (2008), Computing P(alive) using the BG/NBD model; MBG/NBD alike.
    """
    xs, last, age = _arrays(x, t_x, T)
    if not fit.params:
        return np.full(xs.shape, np.nan)
    if fit.model == "nbd":
        return np.ones(xs.shape)
    r, alpha, a, b = (fit.params[name] for name in PARAMETER_NAMES[fit.model])
    lowest = 0.0 if fit.model == "mbg/nbd" else 1.0
    chances = b - lowest + np.maximum(xs, lowest)
    odds = np.log(a) - np.log(chances) + (r + xs) * (np.log(alpha + age) - np.log(alpha + last))
    alive: Vector = np.where(xs >= lowest, expit(-odds), 1.0)
    return alive


def p_active(
    fit: BtydFit,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T
    horizon: float,
) -> Vector:
    """Return the probability, per customer, of at least one purchase in ``(T, T + horizon]``."""
    xs, last, age = _arrays(x, t_x, T)
    if not fit.params:
        return np.full(xs.shape, np.nan)
    r, alpha = fit.params["r"], fit.params["alpha"]
    buys = -np.expm1(-(r + xs) * np.log1p(horizon / (alpha + age)))
    active: Vector = buys * p_alive(fit, xs, last, age)
    return active


def expected_visits(
    fit: BtydFit,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T
    horizon: float,
) -> Vector:
    """Return the expected purchases in ``(T, T + horizon]``, per customer, given their history.

    Source:
        Fader, Hardie, Lee (2005), equation 10, with the hypergeometric function replaced by a
        Gauss rule over the customer's chance to leave.
    """
    xs, last, age = _arrays(x, t_x, T)
    pair_x, pair_age, position = pair_up(xs, age)
    while_alive = _visits_while_alive(fit, pair_x, pair_age, (horizon,))[0]
    expected: Vector = while_alive[position] * p_alive(fit, xs, last, age)
    return expected


def expected_new(fit: BtydFit, t: ArrayLike) -> Vector:
    """Return the expected repeat purchases of a new customer within ``t`` of the first purchase."""
    horizon = np.atleast_1d(np.asarray(t, dtype=np.float64))
    if not fit.params:
        return np.full(horizon.shape, np.nan)
    r, alpha = fit.params["r"], fit.params["alpha"]
    if fit.model == "nbd":
        rate: Vector = r / alpha * horizon
        return rate
    a, b = fit.params["a"], fit.params["b"]
    leaves_at_once = fit.model == "mbg/nbd"
    # MBG/NBD: whoever survives the first purchase has a chance to leave from Beta(a, b + 1).
    nodes = int(_count_nodes(horizon / alpha).max(initial=_FEWEST_NODES))
    chance, weight = beta_rule(a, b + leaves_at_once, nodes=nodes)
    visits = -np.expm1(-r * np.log1p(np.multiply.outer(horizon / alpha, chance)))
    expected: Vector = (visits * (weight / chance)).sum(axis=1)
    return expected * (b / (a + b)) if leaves_at_once else expected


def alive_table(  # noqa: PLR0913 - every horizon is an option with a default
    fit: BtydFit,
    x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T
    *,
    horizons: tuple[int, ...] = (90, 365),
    months: int = 12,
    month_days: float = DAYS_PER_DISCOUNT_MONTH,
    monthly_discount: float = 0.01,
) -> dict[str, Vector]:
    """Return what a customer with ``(x, T)`` will buy while alive; times P(alive) it is a forecast.

    The part of the forecast that is costly depends on x and T alone, so that a small table joined
    to all customers in SQL replaces one numeric integral per customer.

    Args:
        fit: Purchase model fitted in days.
        x: Repeat purchases.
        T: Days from first purchase to the end of observation; same length as ``x``.
        horizons: Days ahead to forecast.
        months: Months summed into the discounted total.
        month_days: Length of such a month, in days.
        monthly_discount: Discount per 30 days, as a share; purchases count at their month's end.

    Returns:
        Columns by name: ``x``, ``T``, ``visits_<horizon>d`` for each horizon, and
        ``discounted_visits``. Grain: one row per distinct (x, T). Ordering: x, T.
    """
    xs, age = _arrays(x, T)
    pair_x, pair_age, _ = pair_up(xs, age)
    month_ends = month_days * np.arange(1, months + 1)
    ends = (*map(float, horizons), *month_ends.tolist())
    visits = _visits_while_alive(fit, pair_x, pair_age, ends)
    columns = {"x": pair_x, "T": pair_age}
    columns |= {f"visits_{days}d": visits[i] for i, days in enumerate(horizons)}
    discount = (1.0 + monthly_discount) ** (-month_ends / DAYS_PER_DISCOUNT_MONTH)
    by_month = np.diff(visits[len(horizons) :], axis=0, prepend=0.0)
    return columns | {"discounted_visits": (by_month * discount[:, None]).sum(axis=0)}


def _visits_while_alive(
    fit: BtydFit, x: Vector, age: Vector, ends: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return expected purchases of customers known to be alive, one row per end of horizon."""
    if not fit.params:
        return np.full((len(ends), len(x)), np.nan)
    scale = 1.0 / (fit.params["alpha"] + age)
    rate = fit.params["r"] + x
    if fit.model == "nbd":
        return np.asarray(ends)[:, None] * (rate * scale)
    a, b = fit.params["a"], fit.params["b"] + (fit.model == "mbg/nbd")
    nodes = _count_nodes(max(ends) * scale)
    visits = np.empty((len(ends), len(x)))
    groups_x, groups_nodes, group = pair_up(x, nodes)
    for number, (purchases, size) in enumerate(zip(groups_x, groups_nodes, strict=True)):
        rows = np.flatnonzero(group == number)
        chance, weight = beta_rule(a, b + purchases, nodes=int(size))
        share = (weight / chance)[:, None]
        for i, end in enumerate(ends):
            power = np.log1p(np.multiply.outer(chance, end * scale[rows]))
            power *= -rate[rows]
            visits[i, rows] = -(np.expm1(power, out=power) * share).sum(axis=0)
    return visits


def _count_nodes(reach: Vector) -> Vector:
    # The integrand is singular at a chance of -1 / reach; the farther that is, the fewer nodes a
    # Gauss rule needs. Thirty-two per root keep the error near rounding (measured).
    needed = np.maximum(_NODES_PER_ROOT * np.sqrt(reach), _FEWEST_NODES)
    nodes: Vector = np.minimum(2.0 ** np.ceil(np.log2(needed)), _MOST_NODES)
    return nodes


def _maximise(histories: Histories, model: ModelName, start: BtydFit | None) -> BtydFit | None:
    """Return the fit, or None where the data do not determine the model."""
    names = PARAMETER_NAMES[model]
    logs = np.log(_start_values(histories, model, start))
    stride = max(1, histories.rows // _SAMPLE_ROWS)
    sample = _objective(histories.thin(stride), model)
    optimum = minimise(sample, logs, tolerance=_SAMPLE_TOLERANCE if stride > 1 else 1e-9)
    if stride > 1 and optimum.converged:
        optimum = _polish(_objective(histories, model), sample, optimum)
    inverse = invert_curvature(curvature(sample, optimum.point))
    params = dict(zip(names, np.exp(optimum.point).tolist(), strict=True))
    if not optimum.converged or inverse is None or _is_degenerate(params):
        return None
    spread = np.exp(optimum.point) * np.sqrt(np.diag(inverse) / histories.customers)
    se = dict(zip(names, spread.tolist(), strict=True))
    return _describe(histories, model, params, se=se, mean_loglik=-optimum.value)


def _objective(histories: Histories, model: ModelName) -> Objective:
    if model == "nbd":
        return StayLikelihood(histories)
    return DropoutLikelihood(histories, leaves_at_once=model == "mbg/nbd")


def _polish(full: Objective, sample: Objective, optimum: Optimum) -> Optimum:
    # The sample's curvature is within a few per cent of that of all rows, so that a handful of
    # evaluations over all rows suffice.
    inverse = invert_curvature(curvature(sample, optimum.point))
    return minimise(full, optimum.point, inverse_hessian=inverse, iterations=40)


def _start_values(histories: Histories, model: ModelName, start: BtydFit | None) -> Vector:
    names = PARAMETER_NAMES[model]
    if start is not None and set(names) <= set(start.params):
        return np.array([start.params[name] for name in names])
    mean_age = float((histories.age * histories.count).sum() / histories.customers)
    return np.array([0.5, 0.3 * mean_age, 0.7, 2.0])[: len(names)]


def _is_degenerate(params: Mapping[str, float]) -> bool:
    if params["r"] >= _NO_SPREAD:
        return True
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
    se: dict[str, float] | None = None,
    mean_loglik: float = math.nan,
    status: FitStatus = "ok",
) -> BtydFit:
    return BtydFit(
        model=model,
        params=params,
        se=dict.fromkeys(params, math.nan) if se is None else se,
        loglik=mean_loglik * histories.customers,
        n=histories.customers,
        rows=histories.rows,
        converged=status == "ok",
        status=status,
    )


def _arrays(*values: ArrayLike) -> list[Vector]:
    floats = [np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in values]
    return [np.asarray(array) for array in np.broadcast_arrays(*floats)]
