"""Scores of every customer, in SQL: the models' costly parts join in from small tables.

What a fit says of a customer depends on ``(x, T)`` alone but for the chance of being alive, and
that is elementary (Pareto/NBD's is looked up by history). Writing ``features.clv`` belongs here;
fitting belongs to ``clv_fit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.btyd import alive_table, p_alive
from cdp_pipeline.features.certainty import LEVEL
from cdp_pipeline.features.clv_fit import ClvFit
from cdp_pipeline.features.histories import Vector, pair_up
from cdp_pipeline.features.sharpness import find_lift
from cdp_pipeline.storage.warehouse import fetch_value

MONTHS = 12
_LEAST_LEVEL = "1e-300"

_ELEMENTARY = """
        case
            when purchases.x < $least_x::double then 1e0
            else 1e0 / (
                1e0 + $a::double / ($b::double - $least_x::double + purchases.x) * exp(
                    ($r::double + purchases.x)
                    * ln(
                        ($alpha::double + while_alive.age)
                        / ($alpha::double + while_alive.age - coalesce(silence.elapsed, 0e0))
                    )
                )
            )
        end"""
_LOOKED_UP = "known_alive.p_alive"
_LOOK_UP = """
    {join} join clv_alive as known_alive
        on purchases.x = known_alive.x
        and purchases.t_x = known_alive.t_x
        and purchases.t_days = known_alive.t_days"""

# What depends on x and T alone is worked out on the small table. The amount of those who buy is
# taken to be gamma-distributed with the mean and variance that the models give it; changing times
# add to the variance of those who are hardly left to chance: beyond a spread of 1 more variance
# would draw the ends of a gamma distribution in.
_CHANCES = """
with models as (
    select
        *,
        $p::double * x + $q::double as shape,
    from clv_while_alive
),
chance as (
    select
        *,
        greatest(
            (shape - 1e0) / greatest(shape - 2e0, 0.25e0)
            * (value_pairs + value_visits * (1e0 + 1e0 / $p::double))
            * value_active / (value_visits * value_visits) - 1e0,
            0e0
        ) as variance,
    from models
),
ahead as (
    select
        * exclude (variance),
        $spend_scale::double * $p::double * $v::double / (shape - 1e0) as usual_spend,
        $spend_scale::double * $p::double * x / (shape - 1e0) as spend_per_amount,
        discounted_visits / value_active as visits_of_buyers,
        sqrt(
            greatest(
                variance,
                least(variance + (variance + 1e0) * $times_variance::double, 1e0)
            )
        ) as wide_spread,
        sqrt(variance) as own_spread,
    from chance
),
purchases as (
    select
        customer_id,
        x,
        t_x,
        t_days,
        x::bigint * $span::bigint + t_days as pair,
        case when x > 0 then least(mean_repeat_amount, $amount_cap)::double else 0 end as amount,
    from features.customer_purchases
),
chances as (
    select
        purchases.customer_id,
        {p_alive} as p_alive,
        while_alive.* exclude (pair, x, t_days, age, usual_spend, spend_per_amount),
        while_alive.usual_spend + while_alive.spend_per_amount * purchases.amount as spend,
    from purchases
    {join} join ahead as while_alive
        on purchases.pair = while_alive.pair
    {join} join clv_silence as silence
        on purchases.t_days - purchases.t_x = silence.days{look_up}
),{sharpened}
valued as (
    select
        *,
        (p_alive * discounted_visits * spend)::decimal(18, 2) as clv_12m_amount,
    from {valued_from}
)"""

# The chance of a visit stays, and nobody's visits fall below it. Within fewer days a customer's
# share of the visits is another: each number of days keeps its own total.
_SHARPENED = """
lifted as (
    select
        *,
        greatest(
            $lift_scale::double
            * pow(greatest(p_alive * value_visits, $least_visits::double), $power::double - 1e0),
            value_active / value_visits
        ) as lift,
    from chances
),
sharpened as (
    select
        * exclude (lift) replace (
            greatest(visits_90d * lift * $scale_90d::double, active_90d) as visits_90d,
            greatest(visits_365d * lift * $scale_365d::double, active_365d) as visits_365d,
            discounted_visits * lift as discounted_visits,
            visits_of_buyers * lift as visits_of_buyers,
            value_visits * lift as value_visits
        ),
    from lifted
),"""

_STEPS = """
select quantile_disc(clv_12m_amount, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
from features.clv
"""

# Quantiles of the gamma distribution by Wilson and Hilferty (1931), those of the normal one by
# Abramowitz and Stegun 26.2.23. Whoever may well not buy at all has 0 for a low end.
# Rounding by round(x, 6) would cost nine times as much.
_SCORES = """,
active as (
    select
        *,
        p_alive * value_active as active,
        visits_of_buyers * spend as value_of_buyers,
    from valued
),
ends as (
    select
        *,
        -- Where the ends lie among those who buy; at or below 0 they are 0. Where nothing lies
        -- below the low end, all that may lie without lies above the high one. Cases cost more than
        -- what they choose between, so they are written as sums.
        1e0 - (2e0 - (active > 1e0 - $tail::double)::double) * $tail::double / active
            as high_level,
        ($tail::double - 1e0 + active) / active as low_level,
    from active
),
tails as (
    select
        *,
        {high_tail} as high_tail,
        {low_tail} as low_tail,
        -- below about so far more variance would draw the end in
        own_spread + (high_level > 0.75e0)::double * (wide_spread - own_spread) as spread,
    from ends
),
roots as (
    select
        *,
        1e0 - spread * spread / 9e0 + {high_deviate} * spread / 3e0 as high_root,
        1e0 - spread * spread / 9e0 + {low_deviate} * spread / 3e0 as low_root,
    from tails
)
select
    customer_id,
    case when $has_dropout::boolean then round(p_alive * 1e6) / 1e6 end as p_alive,
    round(p_alive * active_90d * 1e6) / 1e6 as p_active_90d,
    round(p_alive * visits_90d * 1e6) / 1e6 as expected_visits_90d,
    round(p_alive * visits_365d * 1e6) / 1e6 as expected_visits_365d,
    spend::decimal(18, 2) as expected_spend_amount,
    clv_12m_amount,
    (value_of_buyers * {low_ratio})::decimal(18, 2) as clv_12m_low_amount,
    (value_of_buyers * {high_ratio})::decimal(18, 2) as clv_12m_high_amount,{extra}
    null::integer as clv_tenth,
from roots
"""

_DISORDER = """
select coalesce(bool_or(customer_id < before), false)
from (select customer_id, lag(customer_id) over () as before from features.clv)
"""

_HORIZON = """
    round(active * 1e6) / 1e6 as p_active_horizon,
    round(p_alive * value_visits * 1e6) / 1e6 as expected_visits_horizon,
    (p_alive * value_visits * spend)::decimal(18, 2) as expected_amount,
    (value_visits / value_active * spend * {low_ratio})::decimal(18, 2) as expected_low_amount,
    (value_visits / value_active * spend * {high_ratio})::decimal(18, 2) as expected_high_amount,"""


def score_customers(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    settings: ClvSettings,
    *,
    has_horizon: bool = False,
    times_variance: float = 0.0,
) -> None:
    """Create ``features.clv``: one row per customer, ordered by customer_id.

    Forecasts are NULL without enough data, and ``p_alive`` also when the model knows no dropout.

    Args:
        con: Connection that knows ``features.customer_purchases``.
        fit: Models, with the histories of that table.
        settings: Horizon and discount of the value.
        has_horizon: Also forecast visits and undiscounted amount over the value's horizon.
        times_variance: What changing times add to the variance of the logarithm of an amount.
    """
    # On matrices as small as these, threads of linear algebra cost more than they save.
    with _linear_algebra().limit(limits=1, user_api="blas"):
        ahead = _while_alive(fit, settings)
    tables: dict[str, Mapping[str, NDArray[Any]]] = {
        "clv_while_alive": ahead,
        "clv_silence": _silence(fit),
    }
    is_pareto = fit.purchases.model == "pareto/nbd"
    if is_pareto:
        tables["clv_alive"] = _alive(fit)
    is_sharp = bool(fit.purchases.params) and not fit.sharpness.is_plain
    # Without enough data the tables are empty and every forecast NULL; else everybody is in them,
    # and the engine finds whole numbers faster where nobody need be kept who is not.
    join = "inner" if fit.purchases.params else "left"
    chances = _CHANCES.format(
        join=join,
        p_alive=_LOOKED_UP if is_pareto else _ELEMENTARY,
        look_up=_LOOK_UP.format(join=join) if is_pareto else "",
        sharpened=_SHARPENED if is_sharp else "",
        valued_from="sharpened" if is_sharp else "chances",
    )
    try:
        for name, columns in tables.items():
            con.register(name, dict(columns))
        params = _score_parameters(fit) | {"times_variance": times_variance}
        if is_sharp:
            params |= _sharpness_parameters(fit, ahead)
        _write_scores(con, chances, params, status=fit.status, has_horizon=has_horizon)
    finally:
        for name in tables:
            con.unregister(name)


def _write_scores(
    con: duckdb.DuckDBPyConnection,
    chances: str,
    params: Mapping[str, object],
    *,
    status: str,
    has_horizon: bool,
) -> None:
    parts = _range_sql()
    extra = _HORIZON.format(**parts) if has_horizon else ""
    scores = _SCORES.format(extra=extra, **parts)
    with _one_thread(con):
        con.execute(f"create or replace table features.clv as {chances}{scores}", params)
    # In a small store the engine may turn a join round; to look costs a quarter of sorting.
    if fetch_value(con, _DISORDER):
        con.execute(
            "create or replace table features.clv as from features.clv order by customer_id"
        )
    # The tenths' borders are known last: one column is written again, which costs a third of an
    # update. A column that is the same for everybody is filled in half the time of a query's.
    steps = fetch_value(con, _STEPS)
    if steps is not None:
        con.execute(
            f"alter table features.clv alter clv_tenth type integer using {_tenth_sql(steps)}"
        )
    con.execute(f"alter table features.clv add column model_status varchar default '{status}'")
    con.execute("alter table features.clv alter model_status drop default")


@contextmanager
def _one_thread(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run statements in one thread: it keeps the order of customers, which several break.

    Sorting what several wrote costs half as much again, and the memory of a second table.
    """
    threads = fetch_value(con, "select current_setting('threads')")
    con.execute("set threads = 1")
    try:
        yield
    finally:
        con.execute(f"set threads = {threads}")


@cache
def _linear_algebra() -> ThreadpoolController:
    # Finding the libraries costs as much as scoring 50,000 customers.
    return ThreadpoolController()


def _while_alive(fit: ClvFit, settings: ClvSettings) -> dict[str, NDArray[Any]]:
    # Without a model there is nothing to join: every forecast is NULL.
    known = slice(None if fit.purchases.params else 0)
    x, t_days, _ = pair_up(fit.x[known], fit.t_days[known])
    table = alive_table(
        fit.purchases,
        x,
        fit.clock.since(t_days),
        months=MONTHS,
        month_days=settings.horizon_days / MONTHS,
        monthly_discount=settings.monthly_discount_share,
        ahead=fit.clock.ahead,
    )
    # Every day has its own age, so both orders are the same.
    table |= {"age": table.pop("T"), "t_days": t_days}
    return table | {"pair": (x * _span(fit) + t_days).astype(np.int64)}


def _span(fit: ClvFit) -> int:
    """Return what makes one whole number of x and t_days, which joins faster than two."""
    return int(fit.t_days.max(initial=0.0)) + 1


def _silence(fit: ClvFit) -> dict[str, NDArray[Any]]:
    days = np.arange(_span(fit))
    return {"days": days, "elapsed": fit.clock.since(days.astype(np.float64))}


def _alive(fit: ClvFit) -> dict[str, Vector]:
    columns = {"x": fit.x, "t_x": fit.t_x, "t_days": fit.t_days}
    return columns | {"p_alive": p_alive(fit.purchases, *fit.measured)}


def _score_parameters(fit: ClvFit) -> dict[str, object]:
    names = ("r", "alpha", "a", "b", "p", "q", "v")
    params: dict[str, object] = dict.fromkeys(names)
    params |= fit.purchases.params | fit.spend.params
    has_dropout = fit.purchases.model != "nbd"
    if "a" not in fit.purchases.params:
        params |= {"a": 0.0, "b": 1.0}  # no odds of having left
    if fit.purchases.model == "pareto/nbd":
        params = {name: params[name] for name in ("p", "q", "v")}
    else:
        params |= {"least_x": 1.0 if fit.purchases.model == "bg/nbd" else 0.0}
    return params | {
        "has_dropout": has_dropout,
        "amount_cap": fit.amount_cap,
        "spend_scale": fit.spend.scale,
        "span": _span(fit),
        "tail": (1.0 - LEVEL) / 2,
    }


def _sharpness_parameters(fit: ClvFit, ahead: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    place = np.searchsorted(ahead["pair"], (fit.x * _span(fit) + fit.t_days).astype(np.int64))
    alive = p_alive(fit.purchases, *fit.measured)
    return find_lift(alive, ahead, place, fit.customers, fit.sharpness.power)


def _range_sql() -> dict[str, str]:
    """Return SQL for both ends of the range over the mean, among those who buy, in its steps."""
    parts = {}
    for end in ("low", "high"):
        level, t = f"{end}_level", f"{end}_tail"
        outer = f"0.5e0 - abs({level} - 0.5e0)"
        parts[t] = f"sqrt(-2e0 * ln(greatest({outer}, {_LEAST_LEVEL})))"
        above = f"(2.515517e0 + {t} * (0.802853e0 + {t} * 0.010328e0))"
        below = f"(1e0 + {t} * (1.432788e0 + {t} * (0.189269e0 + {t} * 0.001308e0)))"
        parts[f"{end}_deviate"] = f"sign({level} - 0.5e0) * ({t} - {above} / {below})"
        root = f"greatest({end}_root, 0e0)"
        parts[f"{end}_ratio"] = f"({level} > 0e0)::double * {root} * {root} * {root}"
    return parts


def _tenth_sql(steps: Sequence[object]) -> str:
    """Return SQL for how many of the steps lie below a value, counted from 1."""
    below = " ".join(
        f"when clv_12m_amount <= {step}::decimal(18, 2) then {tenth}"
        for tenth, step in enumerate(steps, start=1)
    )
    return f"case when clv_12m_amount is null then null {below} else {len(steps) + 1} end"
