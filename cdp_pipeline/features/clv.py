"""The step that turns purchase histories into a forecast per customer.

Reading ``features.customer_purchases``, fitting, scoring in SQL and writing the tables belong here;
the models themselves belong to ``btyd`` and ``spend``, their test on past days to ``backtest``.

=========================  =====================================================================
features.clv               one row per customer: forecast of visits, spend and value
features.clv_model         parameters, standard errors and figures of both models
features.clv_backtest      one row per fold and rival: error and ranking on past days
features.clv_calibration   one row per fold and tenth: forecast against outcome
=========================  =====================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.accuracy import correlate
from cdp_pipeline.features.backtest import BacktestPlan, BacktestReport, backtest
from cdp_pipeline.features.btyd import (
    BtydFit,
    alive_table,
    fit_purchases,
)
from cdp_pipeline.features.clv_tables import write_backtest, write_model
from cdp_pipeline.features.spend import SpendFit, fit_spend
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import declare_table, fetch_dicts, fetch_value, open_build

ModelStatus = Literal["ok", "nbd_fallback", "pooled_mean", "not_enough_data"]

MONTHS = 12
CAPPED_SHARE = 0.999

_HISTORIES = """
select
    x::double as x,
    t_x::double as t_x,
    t_days::double as t_days,
    count(*)::double as customers,
from features.customer_purchases
group by all
"""

# Mean amounts are binned to half a per cent: as many rows as bins, and no floating-point sum whose
# order could differ from run to run.
_AMOUNTS = """
select
    x::double as x,
    exp(round(ln(least(mean_repeat_amount, $amount_cap)::double) * 200) / 200) as mean_amount,
    count(*)::double as customers,
from features.customer_purchases
where x > 0 and mean_repeat_amount > 0
group by all
order by x, mean_amount
"""

_AMOUNT_CAP = """
select quantile_disc(mean_repeat_amount, $share::double)
from features.customer_purchases
where x > 0 and mean_repeat_amount > 0
"""

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
        case
            when purchases.x < $least_x::double then 1e0
            else 1e0 / (
                1e0 + $a::double / ($b::double - $least_x::double + purchases.x) * exp(
                    ($r::double + purchases.x)
                    * ln(($alpha::double + purchases.t_days) / ($alpha::double + purchases.t_x))
                )
            )
        end as p_alive,
        1e0 - exp(
            -($r::double + purchases.x)
            * ln(1e0 + 90e0 / ($alpha::double + purchases.t_days))
        ) as p_buys_90d,
        while_alive.visits_90d,
        while_alive.visits_365d,
        while_alive.discounted_visits,
        $p::double * ($v::double + purchases.x * purchases.amount)
        / ($p::double * purchases.x + $q::double - 1e0) as spend,
    from purchases
    -- A left join: without enough data the table is empty and every forecast NULL.
    left join clv_while_alive as while_alive
        on purchases.x = while_alive.x and purchases.t_days = while_alive.t_days
),
forecasts as (
    select
        customer_id,
        case when $has_dropout::boolean then round(p_alive, 6) end as p_alive,
        round(p_alive * p_buys_90d, 6) as p_active_90d,
        round(p_alive * visits_90d, 6) as expected_visits_90d,
        round(p_alive * visits_365d, 6) as expected_visits_365d,
        spend::decimal(18, 2) as expected_spend_amount,
        (p_alive * discounted_visits * spend)::decimal(18, 2) as clv_12m_amount,
    from chances
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

_SUMMARY = """
select
    count(*) as customers,
    count(clv_12m_amount) as scored,
    coalesce(sum(clv_12m_amount), 0) as clv_12m_amount,
    coalesce(sum(expected_visits_365d::decimal(18, 6)), 0) as expected_visits_365d,
from features.clv
"""


@dataclass(frozen=True)
class ClvFit:
    """Both models behind a forecast.

    Attributes:
        purchases: How often customers buy.
        spend: What a purchase is worth.
        pairs: Distinct (x, T) of all customers: ``x`` and ``t_days``.
        amount_cap: Largest mean amount that the spend model sees; None without amounts.
        correlation: Correlation of purchases and mean amount, which the spend model takes to be 0.
    """

    purchases: BtydFit
    spend: SpendFit
    pairs: dict[str, NDArray[np.float64]]
    amount_cap: object
    correlation: float

    @property
    def status(self) -> ModelStatus:
        """The worse of the two models' states."""
        states = (self.purchases.status, self.spend.status)
        if "not_enough_data" in states:
            return "not_enough_data"
        return states[1] if states[0] == "ok" else states[0]


def run(context: RunContext) -> StepResult:
    """Fit, score and backtest; write the four tables.

    Raises:
        DataQualityError: ``features.customer_purchases`` holds an impossible history.
        WarehouseError: A table differs from its header.
    """
    settings = context.settings.clv
    project = load_project(context.project_root)
    with open_build(context) as con:
        fit = fit_models(con, settings)
        score_customers(con, fit, settings)
        write_model(con, fit.purchases, fit.spend, correlation=fit.correlation)
        plan = BacktestPlan(model=settings.model, minimum_customers=settings.minimum_customers)
        report = backtest(con, as_of=context.business_date, plan=plan)
        write_backtest(con, report)
        for name in ("clv", "clv_model", "clv_backtest", "clv_calibration"):
            declare_table(con, project.table(f"features.{name}"))
        summary = fetch_dicts(con, _SUMMARY)[0]
    return StepResult(
        rows_in=summary["customers"],
        rows_out=summary["customers"],
        messages=(_describe_model(fit), _describe_backtest(report)),
        facts={
            "model": fit.purchases.model,
            "model_status": fit.status,
            "scored_customers": summary["scored"],
            "clv_12m_amount": str(summary["clv_12m_amount"]),
            "expected_visits_365d": str(summary["expected_visits_365d"]),
            "backtest_status": report.status,
            "backtest_folds": len(report.folds),
        },
    )


def fit_models(con: duckdb.DuckDBPyConnection, settings: ClvSettings) -> ClvFit:
    """Return both models, fitted on ``features.customer_purchases``.

    Below ``settings.minimum_customers`` neither is fitted: status ``not_enough_data``.
    """
    histories = _fetch(con, _HISTORIES)
    cap = fetch_value(con, _AMOUNT_CAP, {"share": CAPPED_SHARE})
    amounts = _fetch(con, _AMOUNTS, {"amount_cap": cap})
    if histories["customers"].sum() < settings.minimum_customers:
        histories = {name: values[:0] for name, values in histories.items()}
        amounts = {name: values[:0] for name, values in amounts.items()}
    x, t_x, age, customers = (histories[name] for name in ("x", "t_x", "t_days", "customers"))
    values = [amounts[name] for name in ("x", "mean_amount", "customers")]
    return ClvFit(
        purchases=fit_purchases(x, t_x, age, customers, model=settings.model),
        spend=fit_spend(*values),
        pairs={"x": x, "t_days": age},
        amount_cap=cap,
        correlation=correlate(*values) if len(values[0]) else math.nan,
    )


def score_customers(con: duckdb.DuckDBPyConnection, fit: ClvFit, settings: ClvSettings) -> None:
    """Create ``features.clv``: one row per customer, ordered by customer_id.

    Forecasts are NULL without enough data, and ``p_alive`` also when the model knows no dropout.
    """
    month_days = settings.horizon_days / MONTHS
    table = alive_table(
        fit.purchases,
        fit.pairs["x"],
        fit.pairs["t_days"],
        months=MONTHS,
        month_days=month_days,
        monthly_discount=settings.monthly_discount_share,
    )
    columns = {"t_days" if name == "T" else name: values for name, values in table.items()}
    con.register("clv_while_alive", columns)
    try:
        con.execute(_SCORES, _score_parameters(fit))
    finally:
        con.unregister("clv_while_alive")


def _score_parameters(fit: ClvFit) -> dict[str, object]:
    names = ("r", "alpha", "a", "b", "p", "q", "v")
    params: dict[str, object] = dict.fromkeys(names)
    params |= fit.purchases.params | fit.spend.params
    has_dropout = "a" in fit.purchases.params
    if not has_dropout:
        params |= {"a": 0.0, "b": 1.0}  # no odds of having left
    return params | {
        "least_x": 1.0 if fit.purchases.model == "bg/nbd" else 0.0,
        "has_dropout": has_dropout,
        "amount_cap": fit.amount_cap,
        "model_status": fit.status,
    }


def _fetch(
    con: duckdb.DuckDBPyConnection, sql: str, params: dict[str, object] | None = None
) -> dict[str, NDArray[np.float64]]:
    columns = con.execute(sql, params).fetchnumpy()
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


def _describe_model(fit: ClvFit) -> str:
    sentences = {
        "ok": f"Forecast by {fit.purchases.model} and gamma-gamma.",
        "nbd_fallback": "The data show no dropout to estimate: everybody counts as alive.",
        "pooled_mean": "Mean amounts hardly differ: everybody is expected to spend the same.",
        "not_enough_data": "Too few customers or repeat purchases: no forecast.",
    }
    return sentences[fit.status]


def _describe_backtest(report: BacktestReport) -> str:
    if not report.folds:
        return f"No backtest: {report.reason}."
    latest = report.folds[0]
    model, last_horizon, _ = latest.rivals
    return (
        f"Backtest from {latest.cut_on}: mean error {model.accuracy.mae:.3f} visits, "
        f"{last_horizon.accuracy.mae:.3f} by repeating the last {report.horizon_days} days."
    )
