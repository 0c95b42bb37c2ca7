"""Simulated customers for the CLV benchmark, and the published ones."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[np.float64]]

CDNOW = Path(__file__).resolve().parents[2] / "tests" / "data" / "cdnow_sample.csv.gz"
YEARS_OBSERVED = 3

_PUBLISHED = """
with days as (
    select customer, date as day, sum(amount) as amount
    from read_csv(
        '{path}',
        header = true,
        columns = {{'customer': 'integer', 'date': 'date', 'amount': 'decimal(18,2)'}}
    )
    where date <= date '1997-09-30'
    group by all
),
firsts as (
    select customer, min(day) as first_day from days group by customer
)
select
    (count(*) - 1)::double as x,
    (max(day) - any_value(first_day)) / 7e0 as t_x,
    (date '1997-09-30' - any_value(first_day)) / 7e0 as age,
    coalesce(avg(amount::double) filter (where day > first_day), 0) as amount,
from days
inner join firsts using (customer)
group by customer
order by customer
"""


def published() -> Columns:
    """Return the CDNOW sample to 1997-09-30 in weeks, one entry a customer, as the papers count."""
    found = duckdb.connect().execute(_PUBLISHED.format(path=CDNOW)).fetchnumpy()
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


def simulate(customers: int, *, seed: int = 20_261_120) -> Columns:
    """Return MBG/NBD customers with gamma-gamma amounts, in days: one entry per customer."""
    draw = np.random.default_rng(seed)
    age = draw.integers(0, YEARS_OBSERVED * 365, customers).astype(np.float64)
    rate = draw.gamma(0.6, 1 / 70.0, customers)
    chance = draw.beta(0.6, 1.4, customers)
    x, t_x, clock = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    here = np.flatnonzero(draw.random(customers) >= chance)
    while len(here):
        clock[here] += draw.exponential(1 / rate[here])
        here = here[clock[here] <= age[here]]
        day = np.ceil(clock[here])
        is_new_day = day > t_x[here]
        x[here] += is_new_day
        t_x[here] = np.minimum(day, age[here])
        here = here[draw.random(len(here)) >= chance[here]]
    scale = draw.gamma(3.7, 1 / 60.0, customers)
    mean_amount = draw.gamma(6.0 * np.maximum(x, 1.0), 1 / scale) / np.maximum(x, 1.0)
    amount = np.round(np.maximum(mean_amount, 0.01), 2)
    return {"x": x, "t_x": t_x, "t_days": age, "mean_repeat_amount": np.where(x > 0, amount, 0.0)}


def write_customers(customers: int, file: Path) -> None:
    """Write simulated customers in the shape of ``features.customer_purchases``."""
    con = duckdb.connect()
    con.register("simulated", simulate(customers))
    con.sql(
        """
        select
            'C' || lpad(
                (row_number() over (order by t_days, x, t_x, mean_repeat_amount))::varchar, 9, '0'
            ) as customer_id,
            x::integer as x,
            t_x::integer as t_x,
            t_days::integer as t_days,
            mean_repeat_amount::decimal(18, 2) as mean_repeat_amount,
        from simulated
        """
    ).write_parquet(str(file))
