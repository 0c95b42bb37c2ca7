"""The statement that scores every customer: the models' formulas, written in SQL.

What is true of everybody is left out of the statement rather than looked up for each: days that are
all worth the same need no season's clock, times that do not change widen no range. Fitting and the
small tables that join in belong to ``clv_fit`` and ``scoring``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ELEMENTARY = """1e0 / (
            1e0 + $a::double / ($b::double - $least_x::double + purchases.x) * exp(
                ($r::double + purchases.x)
                * ln(($alpha::double + {age}) / ($alpha::double + {last}))
            )
        )"""
_CALENDAR = {"age": "purchases.t_days", "last": "purchases.t_x"}
_SEASONAL = {"age": "while_alive.age", "last": "while_alive.age - silence.elapsed"}
_SILENCE = """
    {join} join clv_silence as silence
        on purchases.t_days - purchases.t_x = silence.days"""
_ALIVE = """
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
        -- without repeat purchases it counts for nothing
        least(coalesce(mean_repeat_amount, 0)::double, $amount_cap::double) as amount,
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
        on purchases.pair = while_alive.pair{looked_up}
),{sharpened}"""

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
            visits_of_buyers * lift as visits_of_buyers,
            value_visits * lift as value_visits
        ),
    from lifted
),"""

# Quantiles of the gamma distribution by Wilson and Hilferty (1931), those of the normal one by
# Abramowitz and Stegun 26.2.23. Whoever may well not buy at all has 0 for a low end.
# Rounding by round(x, 6) would cost more. Cases of the high end cost more than what they choose
# between, so they are written as sums; a low end above 0 is for those who are nearly sure to come.
_SCORES = """
active as (
    select
        *,
        -- never quite 0, for it divides
        p_alive * value_active + 1e-300 as active,
        visits_of_buyers * spend as value_of_buyers,
    from {scored_from}
),
ends as (
    select
        *,
        active > 1e0 - $tail::double as has_low,
        -- Where the ends lie among those who buy; at or below 0 they are 0. Where nothing lies
        -- below the low end, all that may lie without lies above the high one.
        1e0 - (2e0 - (active > 1e0 - $tail::double)::double) * $tail::double / active
            as high_level,
    from active
),
tails as (
    select
        *,
        -- levels below 0 give any number, which goes out by a factor of 0
        sqrt(abs(-2e0 * ln(abs(0.5e0 - abs(high_level - 0.5e0)) + 1e-300))) as high_tail,
        case
            when has_low
                then sqrt(-2e0 * ln(greatest(($tail::double - 1e0 + active) / active, 1e-300)))
        end as low_tail,
        {spread} as spread,
    from ends
),
roots as (
    select
        *,
        1e0 - spread * spread / 9e0 + sign(high_level - 0.5e0) * {high_deviate} * spread / 3e0
            as high_root,
        case
            when has_low
                then 1e0 - spread * spread / 9e0 - {low_deviate} * spread / 3e0
        end as low_root,
    from tails
)
select
    customer_id,
    case when $has_dropout::boolean then round(p_alive * 1e6) / 1e6 end as p_alive,
    round(p_alive * active_90d * 1e6) / 1e6 as p_active_90d,
    round(p_alive * visits_90d * 1e6) / 1e6 as expected_visits_90d,
    round(p_alive * visits_365d * 1e6) / 1e6 as expected_visits_365d,
    spend::decimal(18, 2) as expected_spend_amount,
    (active * value_of_buyers)::decimal(18, 2) as clv_12m_amount,
    (value_of_buyers * {low_ratio})::decimal(18, 2) as clv_12m_low_amount,
    (value_of_buyers * {high_ratio})::decimal(18, 2) as clv_12m_high_amount,{extra}
    null::integer as clv_tenth,
from roots
"""

_HORIZON = """
    round(active * 1e6) / 1e6 as p_active_horizon,
    round(p_alive * value_visits * 1e6) / 1e6 as expected_visits_horizon,
    (p_alive * value_visits * spend)::decimal(18, 2) as expected_amount,
    (value_visits / value_active * spend * {low_ratio})::decimal(18, 2) as expected_low_amount,
    (value_visits / value_active * spend * {high_ratio})::decimal(18, 2) as expected_high_amount,"""

# What times that do not change leave to chance is all there is. Where they change, an end below
# about so far up would be drawn in by more variance.
_STEADY = "own_spread"
_CHANGING = "own_spread + (high_level > 0.75e0)::double * (wide_spread - own_spread)"


@dataclass(frozen=True)
class ScoreKind:
    """What the statement must know of.

    Attributes:
        is_known: Whether there are models; without them every forecast is NULL.
        is_looked_up: Whether the chance of being alive is looked up by history.
        is_sure_at_first: Whether nobody leaves before a repeat purchase.
        is_seasonal: Whether days differ in worth.
        is_changing: Whether changing times widen ranges.
        is_sharp: Whether forecasts are drawn apart.
        has_horizon: Whether to forecast the value's horizon, too.
    """

    is_known: bool
    is_looked_up: bool
    is_sure_at_first: bool
    is_seasonal: bool
    is_changing: bool
    is_sharp: bool
    has_horizon: bool


def score_sql(kind: ScoreKind) -> str:
    """Return the query for ``features.clv`` but for its tenths, in the order of purchases."""
    # Without models the tables are empty; else everybody is in them, and the engine finds whole
    # numbers faster where nobody need be kept who is not.
    join = "inner" if kind.is_known else "left"
    looked_up = _SILENCE if kind.is_seasonal else ""
    p_alive = _ELEMENTARY.format(**(_SEASONAL if kind.is_seasonal else _CALENDAR))
    if kind.is_sure_at_first:
        p_alive = f"case when purchases.x < 1 then 1e0 else {p_alive} end"
    if kind.is_looked_up:
        looked_up, p_alive = _ALIVE, "known_alive.p_alive"
    parts = _range_parts()
    scores = _SCORES.format(
        scored_from="sharpened" if kind.is_sharp else "chances",
        spread=_CHANGING if kind.is_changing else _STEADY,
        extra=_HORIZON.format(**parts) if kind.has_horizon else "",
        **parts,
    )
    chances = _CHANCES.format(
        join=join,
        p_alive=p_alive,
        looked_up=looked_up.format(join=join),
        sharpened=_SHARPENED if kind.is_sharp else "",
    )
    return chances + scores


def tenth_sql(steps: Sequence[float]) -> str:
    """Return SQL for how many of the steps lie below a value, counted from 1."""
    below = " ".join(
        f"when clv_12m_amount <= {step:.2f}::decimal(18, 2) then {tenth}"
        for tenth, step in enumerate(steps, start=1)
    )
    return f"case when clv_12m_amount is null then null {below} else {len(steps) + 1} end"


def _range_parts() -> dict[str, str]:
    """Return SQL for both ends of the range over the mean, among those who buy, in its steps."""
    parts = {}
    for end in ("low", "high"):
        t, root = f"{end}_tail", f"{end}_root"
        above = f"(2.515517e0 + {t} * (0.802853e0 + {t} * 0.010328e0))"
        below = f"(1e0 + {t} * (1.432788e0 + {t} * (0.189269e0 + {t} * 0.001308e0)))"
        parts[f"{end}_deviate"] = f"({t} - {above} / {below})"
        parts[f"{end}_ratio"] = " * ".join([f"greatest({root}, 0e0)"] * 3)
    parts["low_ratio"] = f"case when has_low then {parts['low_ratio']} else 0e0 end"
    parts["high_ratio"] = f"(high_level > 0e0)::double * {parts['high_ratio']}"
    return parts
