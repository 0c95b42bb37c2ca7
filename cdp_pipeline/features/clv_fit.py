"""Both models behind a night's forecast, fitted on ``features.customer_purchases``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.accuracy import correlate
from cdp_pipeline.features.fitting import BtydFit, ModelName, fit_histories, fit_purchases
from cdp_pipeline.features.histories import Histories, Vector, group_histories
from cdp_pipeline.features.seasons import SeasonClock
from cdp_pipeline.features.sharpness import PLAIN, Sharpness
from cdp_pipeline.features.spend import SpendFit, fit_spend
from cdp_pipeline.storage.warehouse import fetch_value

ModelStatus = Literal["ok", "nbd_fallback", "pooled_mean", "not_enough_data"]

CAPPED_SHARE = 0.999
_NO_DAY = date(2000, 1, 1)

_BINS_PER_LOG = 200

# Of those who came once, often most of all, their age tells everything.
_ONCE = """
select
    t_days,
    count(*)::double as customers,
from features.customer_purchases
where x = 0 and t_x = 0
group by t_days
"""

_AGAIN = """
select
    x,
    t_x,
    t_days,
    coalesce(mean_repeat_amount, 0)::double as mean_amount,
from features.customer_purchases
where not (x = 0 and t_x = 0)
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
    amount_cap: Decimal | None
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
    known, x, amounts = _read(con)
    visits, last, age = measure_histories(clock, known.x, known.t_x, known.t_days)
    # No day is worth nothing, so that histories are distinct and in order in any time.
    histories = Histories(visits, last, age, known.customers)
    values = _bin_amounts(x, amounts, known.amount_cap)
    if histories.customers < settings.minimum_customers:
        histories, values = histories.none(), [column[:0] for column in values]
    return replace(
        known,
        purchases=fit_histories(histories, model=model or settings.model),
        spend=fit_spend(*values),
        correlation=correlate(*values) if len(values[0]) else math.nan,
        clock=clock,
    )


def read_histories(con: duckdb.DuckDBPyConnection) -> ClvFit:
    """Return the histories of ``features.customer_purchases`` without any model."""
    return _read(con)[0]


def _read(con: duckdb.DuckDBPyConnection) -> tuple[ClvFit, NDArray[np.int64], Vector]:
    """Return the histories; and repeat visits and mean amount of all who have both above 0."""
    with one_thread(con):
        once, columns = (
            {name: np.asarray(each) for name, each in con.execute(sql).fetchnumpy().items()}
            for sql in (_ONCE, _AGAIN)
        )
    nobody = np.zeros(len(once["t_days"]))
    # Sorting whole numbers costs less than half of grouping them in SQL.
    histories = group_histories(nobody, nobody, once["t_days"], once["customers"]).followed_by(
        group_histories(columns["x"], columns["t_x"], columns["t_days"])
    )
    nothing = np.empty(0)
    amounts = np.asarray(columns["mean_amount"], dtype=np.float64)
    is_usable = (columns["x"] > 0) & (amounts > 0)
    amounts = amounts[is_usable]
    known = ClvFit(
        purchases=fit_purchases(nothing, nothing, nothing),
        spend=fit_spend(nothing, nothing),
        x=histories.x,
        t_x=histories.t_x,
        t_days=histories.age,
        customers=histories.count,
        amount_cap=_find_cap(amounts),
        correlation=math.nan,
    )
    return known, columns["x"][is_usable].astype(np.int64), amounts


@contextmanager
def one_thread(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run statements in one thread: it keeps the order of customers, which several break.

    Sorting what several wrote would cost more, and the memory of a second table; so would several
    threads that hand rows to numpy.
    """
    threads = fetch_value(con, "select current_setting('threads')")
    con.execute("set threads = 1")
    try:
        yield
    finally:
        con.execute(f"set threads = {threads}")


def with_models(fit: ClvFit, purchases: BtydFit, spend: SpendFit, clock: SeasonClock) -> ClvFit:
    """Return the same histories under models that were fitted earlier."""
    return replace(fit, purchases=purchases, spend=spend, clock=clock)


def _find_cap(amounts: Vector) -> Decimal | None:
    """Return the amount that all but a thousandth do not exceed; it is one of them."""
    if not len(amounts):
        return None
    place = max(math.ceil(CAPPED_SHARE * len(amounts)) - 1, 0)
    return Decimal(f"{np.partition(amounts, place)[place]:.2f}")


def _bin_amounts(x: NDArray[np.int64], amounts: Vector, cap: Decimal | None) -> list[Vector]:
    """Return visits, mean amount and customers, the amounts capped and binned to half a per cent.

    As many rows as bins, ordered by both, and whole numbers counted: the order of customers is
    nothing.
    """
    if cap is None:
        return [np.empty(0)] * 3
    bins = np.rint(np.log(np.minimum(amounts, float(cap))) * _BINS_PER_LOG)
    steps = bins.astype(np.int64)
    least = int(steps.min())
    size = int(steps.max()) - least + 1
    keys, customers = np.unique(x * size + (steps - least), return_counts=True)
    mean_amount = np.exp((keys % size + least) / _BINS_PER_LOG)
    return [(keys // size).astype(np.float64), mean_amount, customers.astype(np.float64)]
