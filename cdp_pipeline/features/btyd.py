"""Purchase models of the "buy till you die" family: what a fit says about each customer.

Chances and expected purchases under MBG/NBD, BG/NBD, Pareto/NBD and NBD belong here, in numpy
alone; maximum likelihood belongs to ``fitting``, spend to ``spend``, tables to ``clv``, accuracy to
``backtest``. The notation is that of ``fitting``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from cdp_pipeline.features.fitting import PARAMETER_NAMES, BtydFit, ModelName, fit_purchases
from cdp_pipeline.features.histories import Vector, pair_up
from cdp_pipeline.features.pareto import (
    pareto_alive,
    pareto_lifetime,
    pareto_new,
    pareto_silent,
    pareto_squared_lifetime,
)
from cdp_pipeline.features.quadrature import beta_rule, spread_points

__all__ = (
    "DAYS_PER_DISCOUNT_MONTH",
    "PARAMETER_NAMES",
    "BtydFit",
    "ModelName",
    "WhileAlive",
    "alive_table",
    "expected_new",
    "expected_visits",
    "fit_purchases",
    "p_active",
    "p_alive",
    "while_alive",
)

DAYS_PER_DISCOUNT_MONTH = 30.0

_NODES_PER_ROOT = 32.0
_FEWEST_NODES = 32.0
_MOST_NODES = 512.0
_SHALLOW = 1e-3

Matrix = NDArray[np.float64]


class WhileAlive(NamedTuple):
    """What customers known to be alive do within a horizon, one entry per customer.

    Attributes:
        visits: Expected purchases.
        pairs: Expected ordered pairs of purchases, the mean of ``n * (n - 1)``.
        active: Chance of a purchase.
    """

    visits: Vector
    pairs: Vector
    active: Vector


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
    if fit.model == "pareto/nbd":
        return pareto_alive(fit.params, xs, last, age)
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
    return _forecast(fit, (x, t_x, T), horizon, lambda ahead: ahead.active)


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
        Gauss rule over the customer's chance to leave; for Pareto/NBD equation 22 of Schmittlein,
        Morrison, Colombo (1987).
    """
    return _forecast(fit, (x, t_x, T), horizon, lambda ahead: ahead.visits)


def expected_new(fit: BtydFit, t: ArrayLike) -> Vector:
    """Return the expected repeat purchases of a new customer within ``t`` of the first purchase."""
    horizon = np.atleast_1d(np.asarray(t, dtype=np.float64))
    if not fit.params:
        return np.full(horizon.shape, np.nan)
    if fit.model == "pareto/nbd":
        return pareto_new(fit.params, horizon)
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


def while_alive(
    fit: BtydFit,
    x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T
    ends: Sequence[float],
    *,
    has_pairs: bool = True,
) -> list[WhileAlive]:
    """Return what customers known to be alive at ``T`` do by each end of a horizon.

    Args:
        fit: Purchase model.
        x: Repeat purchases.
        T: Time from first purchase to the end of observation; same length as ``x``.
        ends: Lengths of the horizons.
        has_pairs: Whether to find ``pairs`` too, for the last of the ends; others are NaN.
    """
    xs, age = _arrays(x, T)
    if not fit.params:
        unknown = np.full(len(xs), np.nan)
        return [WhileAlive(unknown, unknown, unknown) for _ in ends]
    rate, since = fit.params["r"] + xs, fit.params["alpha"] + age
    if fit.model == "pareto/nbd":
        return [_pareto_while_alive(fit, xs, age, end) for end in ends]
    buys = [-np.expm1(-rate * np.log1p(end / since)) for end in ends]
    if fit.model == "nbd":
        return [
            WhileAlive(rate * (end / since), rate * (rate + 1.0) * (end / since) ** 2, active)
            for end, active in zip(ends, buys, strict=True)
        ]
    visits, pairs = _dropout_moments(fit, xs, since, ends, has_pairs=has_pairs)
    return [WhileAlive(*columns) for columns in zip(visits, pairs, buys, strict=True)]


def alive_table(  # noqa: PLR0913 - every horizon is an option with a default
    fit: BtydFit,
    x: ArrayLike,
    T: ArrayLike,  # noqa: N803 - T
    *,
    horizons: tuple[int, ...] = (90, 365),
    months: int = 12,
    month_days: float = DAYS_PER_DISCOUNT_MONTH,
    monthly_discount: float = 0.01,
    ahead: Callable[[Vector], Vector] | None = None,
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
        ahead: Turns days ahead into the model's own time, where a season stretches it.

    Returns:
        Columns by name: ``x``, ``T``, for each horizon ``visits_<horizon>d``,
        ``active_<horizon>d`` (chance of a purchase), and ``discounted_visits``, ``value_visits``,
        ``value_pairs``, ``value_active`` of all months together. Grain: one row per distinct
        (x, T). Ordering: x, T.
    """
    xs, age = _arrays(x, T)
    pair_x, pair_age, _ = pair_up(xs, age)
    month_ends = month_days * np.arange(1, months + 1)
    ends = np.array([*map(float, horizons), *month_ends.tolist()])
    lengths = ends if ahead is None else ahead(ends)
    found = while_alive(fit, pair_x, pair_age, lengths.tolist())
    last = found[-1]
    columns = {"x": pair_x, "T": pair_age}
    for days, part in zip(horizons, found, strict=False):
        columns |= {f"visits_{days}d": part.visits, f"active_{days}d": part.active}
    discount = (1.0 + monthly_discount) ** (-month_ends / DAYS_PER_DISCOUNT_MONTH)
    by_month = np.diff([part.visits for part in found[len(horizons) :]], axis=0, prepend=0.0)
    return columns | {
        "discounted_visits": (by_month * discount[:, None]).sum(axis=0),
        "value_visits": last.visits,
        "value_pairs": last.pairs,
        "value_active": last.active,
    }


def _forecast(
    fit: BtydFit,
    history: tuple[ArrayLike, ArrayLike, ArrayLike],
    horizon: float,
    choose: Callable[[WhileAlive], Vector],
) -> Vector:
    xs, last, age = _arrays(*history)
    pair_x, pair_age, position = pair_up(xs, age)
    (ahead,) = while_alive(fit, pair_x, pair_age, (horizon,), has_pairs=False)
    expected: Vector = choose(ahead)[position] * p_alive(fit, xs, last, age)
    return expected


def _pareto_while_alive(fit: BtydFit, x: Vector, age: Vector, end: float) -> WhileAlive:
    rate, since = fit.params["r"] + x, fit.params["alpha"] + age
    return WhileAlive(
        rate / since * pareto_lifetime(fit.params, age, end),
        rate * (rate + 1.0) / since**2 * pareto_squared_lifetime(fit.params, age, end),
        1.0 - pareto_silent(fit.params, x, age, end),
    )


def _dropout_moments(
    fit: BtydFit, x: Vector, since: Vector, ends: Sequence[float], *, has_pairs: bool
) -> tuple[Matrix, Matrix]:
    """Return expected purchases and pairs of BG/NBD and MBG/NBD, one row per end of horizon.

    Given the chance ``p`` to leave after each purchase, with ``z = end / since`` and ``k`` the
    shape of the rate, the mean of n is ``(1 - (1+pz)^-k) / p`` and that of n (n-1)
    ``2 (1-p) / p^2 * (1 - (1+pz)^-k - pkz (1+pz)^-(k+1))``.
    """
    a, b = fit.params["a"], fit.params["b"] + (fit.model == "mbg/nbd")
    nodes = _count_nodes(max(ends) / since)
    visits, pairs = np.empty((len(ends), len(x))), np.full((len(ends), len(x)), np.nan)
    groups_x, groups_nodes, group = pair_up(x, nodes)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(groups_x) + 1))
    for number, (purchases, size) in enumerate(zip(groups_x, groups_nodes, strict=True)):
        rows = order[starts[number] : starts[number + 1]]
        chance, weight = beta_rule(a, b + purchases, nodes=int(size))
        rate = fit.params["r"] + float(purchases)
        points, blend = spread_points(since[rows])
        reach = np.divide.outer(np.asarray(ends), points)
        power = np.expm1(-rate * np.log1p(np.multiply.outer(chance, reach)))
        visits[:, rows] = blend(-np.tensordot(weight / chance, power, 1))
        if has_pairs:
            pairs[-1, rows] = blend(_mean_pairs(chance, weight, rate, reach[-1], power[:, -1]))
    return visits, pairs


def _mean_pairs(
    chance: Vector, weight: Vector, rate: float, reach: Vector, power: Matrix
) -> Vector:
    step = np.multiply.outer(chance, reach)
    # Where hardly anybody leaves the difference below is one of nearly equal numbers.
    inside = step * rate
    exact = -power - inside * (1.0 + power) / (1.0 + step)
    series = inside * step * (rate + 1.0) / 2.0 * (1.0 - 2.0 * (rate + 2.0) * step / 3.0)
    gain = np.where(inside + step < _SHALLOW, series, exact)
    pairs: Vector = np.tensordot(2.0 * weight * (1.0 - chance) / chance**2, gain, 1)
    return pairs


def _count_nodes(reach: Vector) -> Vector:
    # The integrand is singular at a chance of -1 / reach; the farther that is, the fewer nodes a
    # Gauss rule needs. Thirty-two per root keep the error near rounding (measured).
    needed = np.maximum(_NODES_PER_ROOT * np.sqrt(reach), _FEWEST_NODES)
    nodes: Vector = np.minimum(2.0 ** np.ceil(np.log2(needed)), _MOST_NODES)
    return nodes


def _arrays(*values: ArrayLike) -> list[Vector]:
    floats = [np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in values]
    return [np.asarray(array) for array in np.broadcast_arrays(*floats)]
