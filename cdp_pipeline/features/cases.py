"""What was known of each customer on a past day, and what happened afterwards.

Rebuilding purchase histories as of any day from ``customer_day`` belongs here, and measuring them
by a clock; who forecasts from them belongs to ``rivals``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np

from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.seasons import DailyVisits, SeasonClock
from cdp_pipeline.storage.warehouse import quote_identifier

LARGEST_SAMPLE = 200_000
"""Customers beyond which a past day is rebuilt from an even sample of them."""

AMOUNT_CAP_SHARE = 0.999
YEAR_DAYS = 364

# As in features.customer_purchases, whoever gave back all they had bought by then is left out. A
# customer's share of the hash decides on belonging to the sample, so that it is the same every day.
_CASES = """
with days as (
    select
        customer_id,
        purchased_on,
        net_amount,
        purchased_on > $cut_on::date as is_later,
        is_visit and purchased_on <= $cut_on::date as is_known_visit,
        is_visit and purchased_on > $cut_on::date as is_later_visit,
    from {relation}
    where
        purchased_on <= $cut_on::date + $horizon_days::integer
        and ($stride::integer = 1 or hash(customer_id::varchar) % $stride::integer = 0)
),
histories as (
    select
        customer_id,
        count(*) filter (where is_known_visit) - 1 as x,
        $cut_on::date - min(purchased_on) filter (where is_known_visit) as first_ago,
        $cut_on::date - max(purchased_on) filter (where is_known_visit) as last_ago,
        count(*) filter (
            where is_known_visit and purchased_on > $cut_on::date - $horizon_days::integer
        ) as recent_visits,
        count(*) filter (
            where
                is_known_visit
                and purchased_on > $cut_on::date - {year}
                and purchased_on <= $cut_on::date - {year} + $horizon_days::integer
        ) as last_year_visits,
        count(*) filter (where is_later_visit) as actual_visits,
        sum(net_amount) filter (where is_known_visit) as known_amount,
        arg_min(net_amount, purchased_on) filter (where is_known_visit) as first_amount,
        sum(net_amount) filter (
            where not is_later and purchased_on > $cut_on::date - $horizon_days::integer
        ) as recent_amount,
        sum(net_amount) filter (where is_later) as actual_amount,
    from days
    group by customer_id
    having
        count(*) filter (where is_known_visit) > 0
        and (
            sum(net_amount) filter (where purchased_on <= $cut_on::date) > 0
            or min(net_amount) filter (where purchased_on <= $cut_on::date) >= 0
        )
)
select
    x::double as x,
    first_ago::double as first_ago,
    last_ago::double as last_ago,
    recent_visits::double as recent_visits,
    last_year_visits::double as last_year_visits,
    actual_visits::double as actual_visits,
    coalesce((known_amount - first_amount)::double / nullif(x, 0), 0) as mean_amount,
    coalesce(recent_amount, 0)::double as recent_amount,
    coalesce(actual_amount, 0)::double as actual_amount,
from histories
order by all
"""

_DAILY = """
with customers as (
    select
        customer_id,
        min(purchased_on) filter (where is_visit) as first_on,
    from {relation}
    where purchased_on <= $cut_on::date
    group by customer_id
    having sum(net_amount) > 0 or min(net_amount) >= 0
)
select
    ($cut_on::date - days.purchased_on)::bigint as days_ago,
    count(*) filter (where days.purchased_on = customers.first_on)::double as first,
    count(*) filter (where days.purchased_on > customers.first_on)::double as repeat,
from {relation} as days
inner join customers on days.customer_id = customers.customer_id
where days.is_visit and days.purchased_on <= $cut_on::date
group by all
order by days_ago
"""


@dataclass(frozen=True)
class Cases:
    """Customers as they were known on a past day, one entry each, in a fixed order.

    Attributes:
        cut_on: Last day that is known.
        horizon_days: Days after it that the outcome covers.
        x: Repeat visits by then.
        first_ago: Days from the first visit to the cut.
        last_ago: Days from the last visit to the cut.
        recent_visits: Visits within the last ``horizon_days``.
        last_year_visits: Visits in the same days a year before the horizon.
        mean_amount: Mean amount of the repeat visits, capped; 0 without one.
        recent_amount: Amount of these days, less what was given back.
        actual_visits: Visits within the horizon.
        actual_amount: Amount within the horizon, less what was given back.
    """

    cut_on: date
    horizon_days: int
    x: Vector
    first_ago: Vector
    last_ago: Vector
    recent_visits: Vector
    last_year_visits: Vector
    mean_amount: Vector
    recent_amount: Vector
    actual_visits: Vector
    actual_amount: Vector

    @property
    def customers(self) -> int:
        """Number of customers."""
        return len(self.x)

    def measured(self, clock: SeasonClock) -> tuple[Vector, Vector, Vector]:
        """Return x, t_x and T in the time of a clock."""
        age = clock.since(self.first_ago)
        return self.x, np.where(self.x > 0, age - clock.since(self.last_ago), 0.0), age


def count_customers(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Return how many customers a table of customer days has."""
    table = quote_identifier(relation)
    sql = f"select approx_count_distinct(customer_id) from {table}"  # noqa: S608 - identifier quoted
    return int(con.execute(sql).fetchall()[0][0])


def first_visit(con: duckdb.DuckDBPyConnection, relation: str) -> date | None:
    """Return the day of the first visit of all; None without any."""
    table = quote_identifier(relation)
    sql = f"select min(purchased_on) from {table} where is_visit"  # noqa: S608 - identifier quoted
    found: date | None = con.execute(sql).fetchall()[0][0]
    return found


def fetch_cases(
    con: duckdb.DuckDBPyConnection, relation: str, cut_on: date, horizon_days: int, stride: int = 1
) -> Cases:
    """Return the customers of a table of customer days as of a past day.

    Args:
        con: Connection that knows the table.
        relation: Table with customer_id, purchased_on, net_amount and is_visit.
        cut_on: Last day that is known.
        horizon_days: Days of outcome.
        stride: Takes one customer in so many.
    """
    sql = _CASES.format(relation=quote_identifier(relation), year=YEAR_DAYS)
    params = {"cut_on": cut_on, "horizon_days": horizon_days, "stride": stride}
    found = con.execute(sql, params).fetchnumpy()
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}
    repeat = columns["mean_amount"][columns["x"] > 0]
    if len(repeat):
        cap = float(np.quantile(repeat, AMOUNT_CAP_SHARE, method="inverted_cdf"))
        columns["mean_amount"] = np.minimum(columns["mean_amount"], cap)
    return Cases(cut_on, horizon_days, **columns)


def fetch_daily_visits(con: duckdb.DuckDBPyConnection, relation: str, cut_on: date) -> DailyVisits:
    """Return first and repeat visits of each day up to a past day."""
    sql = _DAILY.format(relation=quote_identifier(relation))
    found = con.execute(sql, {"cut_on": cut_on}).fetchnumpy()
    ago = np.asarray(found["days_ago"], dtype=np.int64)
    days = int(ago.max()) + 1 if len(ago) else 0
    columns = {}
    for name in ("first", "repeat"):
        counts = np.zeros(days)
        counts[days - 1 - ago] = np.asarray(found[name], dtype=np.float64)
        columns[name] = counts
    return DailyVisits(cut_on, **columns)
