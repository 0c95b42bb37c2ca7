"""Scores of every customer, in SQL: the models' costly parts join in from small tables.

What a fit says of a customer depends on ``(x, T)`` alone but for the chance of being alive, and
that is elementary (Pareto/NBD's is looked up by history). Writing ``features.clv`` belongs here;
fitting belongs to ``clv_fit``.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.btyd import alive_table, p_alive
from cdp_pipeline.features.certainty import LEVEL
from cdp_pipeline.features.clv_fit import ClvFit
from cdp_pipeline.features.histories import Vector

MONTHS = 12

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
    left join clv_alive as known_alive
        on purchases.x = known_alive.x
        and purchases.t_x = known_alive.t_x
        and purchases.t_days = known_alive.t_days"""

# The amount of those who buy is taken to be gamma-distributed with the mean and variance that the
# models give it; its quantiles by Wilson and Hilferty (1931), those of the normal distribution by
# Abramowitz and Stegun 26.2.23. Whoever is likelier than the level not to buy has 0 for a low end.
_SCORES = """
create or replace table features.clv as
with purchases as (
    select
        customer_id,
        x,
        t_x,
        t_days,
        case when x > 0 then least(mean_repeat_amount, $amount_cap)::double else 0 end as amount,
    from features.customer_purchases
),
chances as (
    select
        purchases.customer_id,
        {p_alive} as p_alive,
        while_alive.active_90d,
        while_alive.visits_90d,
        while_alive.visits_365d,
        while_alive.discounted_visits,
        while_alive.value_visits,
        while_alive.value_pairs,
        while_alive.value_active,
        $p::double * purchases.x + $q::double as shape,
        $p::double * ($v::double + purchases.x * purchases.amount) as scale,
    from purchases
    -- Left joins: without enough data the tables are empty and every forecast NULL.
    left join clv_while_alive as while_alive
        on purchases.x = while_alive.x and purchases.t_days = while_alive.t_days
    left join clv_silence as silence
        on purchases.t_days - purchases.t_x = silence.days{look_up}
),
moments as (
    select
        *,
        scale / (shape - 1e0) as spend,
        scale * scale / ((shape - 1e0) * greatest(shape - 2e0, 0.25e0)) as squared_spend,
        p_alive * value_active as active,
        -- of those who buy
        value_visits / value_active * scale / (shape - 1e0) as mean_value,
    from chances
),
spreads as (
    select
        *,
        squared_spend * (value_pairs + value_visits * (1e0 + 1e0 / $p::double)) / value_active
        / (mean_value * mean_value) - 1e0 as relative_variance,
        discounted_visits / value_visits * mean_value as discounted_value,
    from moments
),
ends as (
    select
        *,
        -- where the ends lie among those who buy; at or below 0 they are 0
        1e0 - $tail::double / active as high_level,
        ($tail::double - 1e0 + active) / active as low_level,
    from spreads
),
tails as (
    select
        *,
        sqrt(-2e0 * ln(greatest(least(high_level, 1e0 - high_level), 1e-12))) as high_tail,
        sqrt(-2e0 * ln(greatest(least(low_level, 1e0 - low_level), 1e-12))) as low_tail,
        sqrt(greatest(relative_variance, 0e0)) as spread,
    from ends
),
forecasts as (
    select
        customer_id,
        case when $has_dropout::boolean then round(p_alive, 6) end as p_alive,
        round(p_alive * active_90d, 6) as p_active_90d,
        round(p_alive * visits_90d, 6) as expected_visits_90d,
        round(p_alive * visits_365d, 6) as expected_visits_365d,
        spend::decimal(18, 2) as expected_spend_amount,
        (p_alive * discounted_visits * spend)::decimal(18, 2) as clv_12m_amount,
        (discounted_value * {low_ratio})::decimal(18, 2) as clv_12m_low_amount,
        (discounted_value * {high_ratio})::decimal(18, 2) as clv_12m_high_amount,{extra}
    from tails
),
borders as (
    select
        quantile_disc(clv_12m_amount, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) as steps,
    from forecasts
),
final as (
    select
        forecasts.*,
        case
            when clv_12m_amount is not null
            then 1 + len(list_filter(borders.steps, lambda step: clv_12m_amount > step))
        end::integer as clv_tenth,
        $model_status::varchar as model_status,
    from forecasts
    cross join borders
)
select * from final
order by customer_id
"""


_HORIZON = """
        round(active, 6) as p_active_horizon,
        round(p_alive * value_visits, 6) as expected_visits_horizon,
        (p_alive * value_visits * spend)::decimal(18, 2) as expected_amount,
        (mean_value * {low_ratio})::decimal(18, 2) as expected_low_amount,
        (mean_value * {high_ratio})::decimal(18, 2) as expected_high_amount,"""


def score_customers(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    settings: ClvSettings,
    *,
    has_horizon: bool = False,
) -> None:
    """Create ``features.clv``: one row per customer, ordered by customer_id.

    Forecasts are NULL without enough data, and ``p_alive`` also when the model knows no dropout.

    Args:
        con: Connection that knows ``features.customer_purchases``.
        fit: Models, with the histories of that table.
        settings: Horizon and discount of the value.
        has_horizon: Also forecast visits and undiscounted amount over the value's horizon.
    """
    tables: dict[str, Mapping[str, Vector]] = {
        "clv_while_alive": _while_alive(fit, settings),
        "clv_silence": _silence(fit),
    }
    is_pareto = fit.purchases.model == "pareto/nbd"
    if is_pareto:
        tables["clv_alive"] = _alive(fit)
    ratios = {"low_ratio": _ratio_sql("low"), "high_ratio": _ratio_sql("high")}
    sql = _SCORES.format(
        p_alive=_LOOKED_UP if is_pareto else _ELEMENTARY,
        look_up=_LOOK_UP if is_pareto else "",
        extra=_HORIZON.format(**ratios) if has_horizon else "",
        **ratios,
    )
    try:
        for name, columns in tables.items():
            con.register(name, dict(columns))
        con.execute(sql, _score_parameters(fit))
    finally:
        for name in tables:
            con.unregister(name)


def _while_alive(fit: ClvFit, settings: ClvSettings) -> dict[str, Vector]:
    # Without a model there is nothing to join: every forecast is NULL.
    known = slice(None if fit.purchases.params else 0)
    x, t_days = fit.x[known], fit.t_days[known]
    age = fit.clock.since(t_days)
    table = alive_table(
        fit.purchases,
        x,
        age,
        months=MONTHS,
        month_days=settings.horizon_days / MONTHS,
        monthly_discount=settings.monthly_discount_share,
        ahead=fit.clock.ahead,
    )
    # Every day has its own age, so the age names the day.
    ages, first = np.unique(age, return_index=True)
    days = t_days[first][np.searchsorted(ages, table["T"])]
    return {"t_days" if name == "T" else name: values for name, values in table.items()} | {
        "age": table["T"],
        "t_days": days,
    }


def _silence(fit: ClvFit) -> dict[str, Vector]:
    days = np.arange(float(fit.t_days.max(initial=0.0)) + 1.0)
    return {"days": days, "elapsed": fit.clock.since(days)}


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
        "model_status": fit.status,
        "tail": (1.0 - LEVEL) / 2,
    }


def _ratio_sql(end: str) -> str:
    """Return SQL for one end of the range over the mean, among those who buy."""
    t = f"{end}_tail"
    above = f"(2.515517e0 + {t} * (0.802853e0 + {t} * 0.010328e0))"
    below = f"(1e0 + {t} * (1.432788e0 + {t} * (0.189269e0 + {t} * 0.001308e0)))"
    deviate = f"sign({end}_level - 0.5e0) * ({t} - {above} / {below})"
    root = f"greatest(1e0 - spread * spread / 9e0 + {deviate} * spread / 3e0, 0e0)"
    return (
        f"case when {end}_level is null then null when {end}_level <= 0e0 then 0e0 "
        f"else {root} * {root} * {root} end"
    )
