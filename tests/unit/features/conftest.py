"""CDNOW 1/10 sample (Fader, Hardie): 2,357 customers who first bought early in 1997."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

CDNOW = Path(__file__).resolve().parents[2] / "data" / "cdnow_sample.csv.gz"

_DAYS = """
create schema if not exists features;
create or replace table features.customer_day as
select
    customer::varchar as customer_id,
    date as purchased_on,
    sum(amount) as net_amount,
    sum(amount) > 0 as is_visit,
from read_csv(
    '{path}',
    header = true,
    columns = {{'customer': 'integer', 'date': 'date', 'amount': 'decimal(18,2)'}}
)
group by all
"""

# The papers count every day with an order, and weeks; a visit of ours needs a positive net amount.
_CALIBRATION = """
with firsts as (
    select customer_id, min(purchased_on) as first_on from features.customer_day group by all
)
select
    count(*) - 1 as x,
    (max(purchased_on) - any_value(first_on)) / 7 as t_x,
    (date '1997-09-30' - any_value(first_on)) / 7 as age,
    coalesce(avg(net_amount::double) filter (where purchased_on > first_on), 0) as mean_amount,
from features.customer_day
inner join firsts using (customer_id)
where purchased_on <= date '1997-09-30'
group by customer_id
order by customer_id
"""


def load_cdnow_days(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(_DAYS.format(path=CDNOW))


@pytest.fixture(scope="session")
def cdnow() -> dict[str, NDArray[np.float64]]:
    """Histories to 1997-09-30, in weeks, one row per customer."""
    con = duckdb.connect()
    load_cdnow_days(con)
    columns = con.execute(_CALIBRATION).fetchnumpy()
    con.close()
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


@pytest.fixture
def cdnow_days() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    load_cdnow_days(con)
    return con
