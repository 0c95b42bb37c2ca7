"""Rolling backtest of the purchase model against rules that anybody could apply.

For each of a few past days the model is fitted on what was known then and held against what
happened next. Choosing the days, rebuilding the histories and running the rivals belong here; the
measures belong to ``accuracy``. Too little history is a result, not an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.accuracy import (
    Accuracy,
    Tenth,
    calibrate,
    log_loss,
    measure,
    rank_probability,
)
from cdp_pipeline.features.btyd import (
    BtydFit,
    ModelName,
    expected_visits,
    fit_purchases,
    p_active,
)
from cdp_pipeline.storage.warehouse import quote_identifier

Vector = NDArray[np.float64]
BacktestStatus = Literal["ok", "not_enough_data"]

MODEL = "model"
LAST_HORIZON = "last_horizon"
RATE = "purchase_rate"

# As in features.customer_purchases, whoever gave back all they had bought by then is left out.
_OUTCOMES = """
with days as (
    select
        customer_id,
        purchased_on,
        net_amount,
        is_visit and purchased_on <= $cut_on::date as is_known_visit,
        is_visit and purchased_on > $cut_on::date as is_later_visit,
    from {relation}
    where purchased_on <= $cut_on::date + $horizon_days::integer
),
histories as (
    select
        customer_id,
        count(*) filter (where is_known_visit) - 1 as x,
        max(purchased_on) filter (where is_known_visit)
        - min(purchased_on) filter (where is_known_visit) as t_x,
        $cut_on::date - min(purchased_on) filter (where is_known_visit) as t_days,
        count(*) filter (
            where is_known_visit and purchased_on > $cut_on::date - $horizon_days::integer
        ) as recent_visits,
        count(*) filter (where is_later_visit) as actual_visits,
    from days
    group by customer_id
    having
        count(*) filter (where is_known_visit) > 0
        and sum(net_amount) filter (where purchased_on <= $cut_on::date) > 0
)
select
    x::double as x,
    t_x::double as t_x,
    t_days::double as t_days,
    recent_visits::double as recent_visits,
    actual_visits::double as actual_visits,
    count(*)::double as customers,
from histories
group by all
order by x, t_x, t_days, recent_visits, actual_visits
"""


@dataclass(frozen=True)
class BacktestPlan:
    """What a backtest runs.

    Attributes:
        relation: Table with customer_id, purchased_on, net_amount and is_visit, one row per
            customer and day.
        horizon_days: Days looked ahead.
        folds: Most folds to run.
        model: Purchase model to test.
        history_days: Fewest days between the first purchase of all and a fold's day.
        minimum_customers: Fewest customers in a fold.
    """

    relation: str = "features.customer_day"
    horizon_days: int = 90
    folds: int = 3
    history_days: int = 90
    model: ModelName = "mbg/nbd"
    minimum_customers: int = 500


@dataclass(frozen=True)
class Rival:
    """How one way of forecasting did in one fold.

    Attributes:
        name: ``model``, ``last_horizon`` (as many as in the last horizon) or ``purchase_rate``
            (repeat purchases over age, carried on).
        predicted_visits: Forecast total.
        accuracy: Error and ranking measures.
        active_auc: Chance that a customer who came back scored above one who did not.
        active_log_loss: Surprise of the forecast probability to come back; NaN without one.
    """

    name: str
    predicted_visits: float
    accuracy: Accuracy
    active_auc: float
    active_log_loss: float


@dataclass(frozen=True)
class Fold:
    """One past day, from which every rival looked ahead.

    Attributes:
        fold: 1 is the latest.
        cut_on: Last day that the rivals knew.
        customers: Customers who had bought by then.
        actual_visits: What these customers bought within the horizon.
        active_share: Share of them who bought at all.
        fit: Purchase model fitted on that day.
        rivals: The model first.
        tenths: Calibration of the model.
    """

    fold: int
    cut_on: date
    customers: float
    actual_visits: float
    active_share: float
    fit: BtydFit
    rivals: tuple[Rival, ...]
    tenths: tuple[Tenth, ...]


@dataclass(frozen=True)
class BacktestReport:
    """All folds of a backtest, latest first; none when ``status`` is ``not_enough_data``."""

    status: BacktestStatus
    reason: str
    horizon_days: int
    folds: tuple[Fold, ...]


def backtest(con: duckdb.DuckDBPyConnection, *, as_of: date, plan: BacktestPlan) -> BacktestReport:
    """Return how the model would have done on past days.

    The first fold looks ahead to ``as_of``, the next to one horizon before, and so on; a fold
    counts when enough history lies before its day and enough customers had bought by then.

    Args:
        con: Connection that knows the plan's table.
        as_of: Last day of complete data.
        plan: What to test, and on what.
    """
    first = _first_visit(con, plan.relation)
    if first is None:
        return BacktestReport("not_enough_data", "no purchase has been seen", plan.horizon_days, ())
    folds: list[Fold] = []
    for number in range(1, plan.folds + 1):
        cut_on = as_of - timedelta(days=number * plan.horizon_days)
        if (cut_on - first).days < plan.history_days:
            break
        outcomes = _fetch_outcomes(con, plan, cut_on)
        if outcomes["customers"].sum() < plan.minimum_customers:
            break
        fit = _fit(outcomes, plan, folds[-1].fit if folds else None)
        if fit.status == "not_enough_data":
            break
        folds.append(_judge(number, cut_on, outcomes, fit, plan.horizon_days))
    if folds:
        return BacktestReport("ok", "", plan.horizon_days, tuple(folds))
    reason = (
        f"a backtest needs {plan.history_days + plan.horizon_days} days of purchases by "
        f"{plan.minimum_customers} customers or more; the first purchase is of {first}"
    )
    return BacktestReport("not_enough_data", reason, plan.horizon_days, ())


def _first_visit(con: duckdb.DuckDBPyConnection, relation: str) -> date | None:
    table = quote_identifier(relation)
    rows = con.execute(
        f"select min(purchased_on) from {table} where is_visit"  # noqa: S608 - identifier quoted
    ).fetchall()
    found: date | None = rows[0][0]
    return found


def _fetch_outcomes(
    con: duckdb.DuckDBPyConnection, plan: BacktestPlan, cut_on: date
) -> Mapping[str, Vector]:
    sql = _OUTCOMES.format(relation=quote_identifier(plan.relation))
    columns = con.execute(sql, {"cut_on": cut_on, "horizon_days": plan.horizon_days}).fetchnumpy()
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


def _fit(outcomes: Mapping[str, Vector], plan: BacktestPlan, earlier: BtydFit | None) -> BtydFit:
    x, t_x, age, customers = (outcomes[name] for name in ("x", "t_x", "t_days", "customers"))
    return fit_purchases(x, t_x, age, customers, model=plan.model, start=earlier)


def _judge(
    number: int, cut_on: date, outcomes: Mapping[str, Vector], fit: BtydFit, horizon_days: int
) -> Fold:
    x, t_x, age = (outcomes[name] for name in ("x", "t_x", "t_days"))
    actual, customers = outcomes["actual_visits"], outcomes["customers"]
    predicted = expected_visits(fit, x, t_x, age, horizon_days)
    chance = p_active(fit, x, t_x, age, horizon_days)
    by_rate = x / np.maximum(age, 1.0) * horizon_days
    has_bought = (actual > 0).astype(np.float64)
    rivals = (
        _compare(MODEL, predicted, outcomes, chance=chance),
        _compare(LAST_HORIZON, outcomes["recent_visits"], outcomes),
        _compare(RATE, by_rate, outcomes),
    )
    return Fold(
        fold=number,
        cut_on=cut_on,
        customers=float(customers.sum()),
        actual_visits=float((actual * customers).sum()),
        active_share=float((has_bought * customers).sum() / customers.sum()),
        fit=fit,
        rivals=rivals,
        tenths=calibrate(predicted, actual, customers),
    )


def _compare(
    name: str,
    predicted: Vector,
    outcomes: Mapping[str, Vector],
    *,
    chance: Vector | None = None,
) -> Rival:
    actual, customers = outcomes["actual_visits"], outcomes["customers"]
    has_bought = (actual > 0).astype(np.float64)
    return Rival(
        name=name,
        predicted_visits=float((predicted * customers).sum()),
        accuracy=measure(predicted, actual, customers),
        active_auc=rank_probability(predicted if chance is None else chance, has_bought, customers),
        active_log_loss=math.nan if chance is None else log_loss(chance, has_bought, customers),
    )
