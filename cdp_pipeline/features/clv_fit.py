"""Both models behind a night's forecast, fitted on ``features.customer_purchases``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import duckdb
import numpy as np

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.accuracy import correlate
from cdp_pipeline.features.fitting import BtydFit, ModelName, fit_purchases
from cdp_pipeline.features.histories import Vector, group_histories
from cdp_pipeline.features.seasons import SeasonClock
from cdp_pipeline.features.sharpness import PLAIN, Sharpness
from cdp_pipeline.features.spend import SpendFit, fit_spend
from cdp_pipeline.storage.warehouse import fetch_value

ModelStatus = Literal["ok", "nbd_fallback", "pooled_mean", "not_enough_data"]

CAPPED_SHARE = 0.999
_NO_DAY = date(2000, 1, 1)

_HISTORIES = """
select x, t_x, t_days from features.customer_purchases
"""

# Mean amounts are binned to half a per cent: as many rows as bins, and no floating-point sum whose
# order could differ from run to run.
_AMOUNTS = """
select
    x::double as x,
    exp(bin / 200e0) as mean_amount,
    customers::double as customers,
from (
    select
        x,
        round(ln(least(mean_repeat_amount, $amount_cap)::double) * 200)::integer as bin,
        count(*) as customers,
    from features.customer_purchases
    where x > 0 and mean_repeat_amount > 0
    group by all
)
order by x, mean_amount
"""

_AMOUNT_CAP = """
select quantile_disc(mean_repeat_amount, $share::double)
from features.customer_purchases
where x > 0 and mean_repeat_amount > 0
"""


@dataclass(frozen=True)
class ClvFit:
    """Both models behind a forecast.

    Attributes:
        purchases: How often customers buy.
        spend: What a purchase is worth.
        x: Repeat purchases of each distinct history of all customers.
        t_x: Days from first to last purchase of it.
        t_days: Days from the first purchase.
        customers: Customers with the history.
        amount_cap: Largest mean amount that the spend model sees; None without amounts.
        correlation: Correlation of purchases and mean amount, which the spend model takes to be 0.
        clock: The time that the purchase model was fitted in.
        sharpness: How far customers' forecasts are drawn apart.
    """

    purchases: BtydFit
    spend: SpendFit
    x: Vector
    t_x: Vector
    t_days: Vector
    customers: Vector
    amount_cap: object
    correlation: float
    clock: SeasonClock = field(default=SeasonClock(_NO_DAY))
    sharpness: Sharpness = PLAIN

    @property
    def status(self) -> ModelStatus:
        """The worse of the two models' states."""
        states = (self.purchases.status, self.spend.status)
        if "not_enough_data" in states:
            return "not_enough_data"
        return states[1] if states[0] == "ok" else states[0]

    @property
    def measured(self) -> tuple[Vector, Vector, Vector]:
        """Return x, t_x and T of the histories in the model's time."""
        return measure_histories(self.clock, self.x, self.t_x, self.t_days)


def measure_histories(
    clock: SeasonClock, x: Vector, t_x: Vector, t_days: Vector
) -> tuple[Vector, Vector, Vector]:
    """Return x, t_x and T with both times in the time of a clock."""
    age = clock.since(t_days)
    last = np.where(x > 0, age - clock.since(t_days - t_x), 0.0)
    return x, last, age


def fit_models(
    con: duckdb.DuckDBPyConnection,
    settings: ClvSettings,
    *,
    model: ModelName | None = None,
    clock: SeasonClock | None = None,
) -> ClvFit:
    """Return both models, fitted on ``features.customer_purchases``.

    Below ``settings.minimum_customers`` neither is fitted: status ``not_enough_data``.

    Args:
        con: Connection that knows the table.
        settings: Model and least number of customers.
        model: Purchase model; default: that of the settings.
        clock: Time to fit in; default: calendar days.
    """
    clock = clock or SeasonClock(_NO_DAY)
    known = read_histories(con)
    amounts = _fetch(con, _AMOUNTS, {"amount_cap": known.amount_cap})
    columns = [*measure_histories(clock, known.x, known.t_x, known.t_days), known.customers]
    values = [amounts[name] for name in ("x", "mean_amount", "customers")]
    if known.customers.sum() < settings.minimum_customers:
        columns, values = [column[:0] for column in columns], [column[:0] for column in values]
    x, last, age, customers = columns
    return replace(
        known,
        purchases=fit_purchases(x, last, age, customers, model=model or settings.model),
        spend=fit_spend(*values),
        correlation=correlate(*values) if len(values[0]) else math.nan,
        clock=clock,
    )


def read_histories(con: duckdb.DuckDBPyConnection) -> ClvFit:
    """Return the histories of ``features.customer_purchases`` without any model."""
    columns = con.execute(_HISTORIES).fetchnumpy()
    # Sorting whole numbers costs less than half of grouping them in SQL.
    histories = group_histories(columns["x"], columns["t_x"], columns["t_days"])
    nothing = np.empty(0)
    return ClvFit(
        purchases=fit_purchases(nothing, nothing, nothing),
        spend=fit_spend(nothing, nothing),
        x=histories.x,
        t_x=histories.t_x,
        t_days=histories.age,
        customers=histories.count,
        amount_cap=fetch_value(con, _AMOUNT_CAP, {"share": CAPPED_SHARE}),
        correlation=math.nan,
    )


def with_models(fit: ClvFit, purchases: BtydFit, spend: SpendFit, clock: SeasonClock) -> ClvFit:
    """Return the same histories under models that were fitted earlier."""
    return replace(fit, purchases=purchases, spend=spend, clock=clock)


def _fetch(
    con: duckdb.DuckDBPyConnection, sql: str, params: dict[str, object] | None = None
) -> dict[str, Vector]:
    columns = con.execute(sql, params).fetchnumpy()
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
