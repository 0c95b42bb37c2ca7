"""What remains of an amount: later returns, and baskets that differ with the days of the year.

The spend model knows what a visit is worth on the day and takes every day to be alike. What comes
back on a later day and what baskets were worth a year ago in the days to be forecast, against the
same customers' baskets on other days, belong here; how much a customer spends belongs to ``spend``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import duckdb

from cdp_pipeline.storage.warehouse import quote_identifier

LONGEST_SEASON_DAYS = 300
"""Days ahead beyond which baskets of most of a year are meant, whose season evens out."""

_YEAR_DAYS = 364
_BELIEVED_SD = 0.15
_LEAST_CUSTOMERS = 30
_LARGEST_RETURN_SHARE = 0.9

# Nobody's single return counts for more than the largest visits do: it is hardly a habit.
_RETURNED = """
with customers as (
    select customer_id
    from {relation}
    where purchased_on <= $as_of::date
    group by customer_id
    having
        count(*) filter (where is_visit) > 0
        and (sum(net_amount) > 0 or min(net_amount) >= 0)
),
days as (
    select net_amount, is_visit
    from {relation}
    where purchased_on <= $as_of::date and customer_id in (select customer_id from customers)
),
largest as (
    select quantile_disc(net_amount, 0.999) as amount from days where is_visit
)
select
    coalesce(sum(net_amount) filter (where is_visit), 0)::double as visited,
    coalesce(
        sum(least(-net_amount, largest.amount)) filter (where not is_visit and net_amount < 0), 0
    )::double as returned,
from days
cross join largest
"""

# Every customer is held against himself, on logarithms: neither who comes in a season nor a single
# large order passes for a season. Decimals are summed, so that the order of rows is nothing.
_SEASON = """
with visits as (
    select
        customer_id,
        purchased_on,
        ln(net_amount::double)::decimal(18, 9) as log_amount,
        ($as_of::date - purchased_on) % {year} >= {year} - $days::integer
        and $as_of::date - purchased_on < {year} * 3 as is_season,
    from {relation}
    where is_visit and net_amount > 0 and purchased_on <= $as_of::date
),
customers as (
    select
        count(*) filter (where is_season)::double as inside,
        count(*) filter (where not is_season)::double as outside,
        avg(log_amount) filter (where is_season) - avg(log_amount) filter (where not is_season)
            as step,
        max($as_of::date - purchased_on) as age,
    from visits
    group by customer_id
    having count(*) filter (where is_season) > 0 and count(*) filter (where not is_season) > 0
),
weighed as (
    select
        step,
        inside * outside / (inside + outside) as weight,
        inside,
        inside + outside as visits,
        age,
    from customers
)
select
    count(*) as customers,
    sum((weight * step)::decimal(28, 9))::double as weighted_step,
    sum(weight::decimal(28, 9))::double as weight,
    sum((weight * weight * step * step)::decimal(28, 9))::double as squares,
    sum((weight * weight * step)::decimal(28, 9))::double as cross_step,
    sum((weight * weight)::decimal(28, 9))::double as square_weight,
    sum(inside::decimal(18, 0))::double as inside,
    sum(visits::decimal(18, 0))::double as visits,
    coalesce(max(age), 0)::double as history,
from weighed
"""


@dataclass(frozen=True)
class Baskets:
    """What an amount of the spend model becomes.

    Attributes:
        kept_share: Share of the amounts of visits that is not given back on later days.
        season: Baskets of the days ahead over the usual ones.
    """

    kept_share: float = 1.0
    season: float = 1.0

    @property
    def scale(self) -> float:
        """What amounts of the spend model are multiplied by."""
        return round(self.kept_share * self.season, 9)


def read_baskets(
    con: duckdb.DuckDBPyConnection, relation: str, as_of: date, horizon_days: int
) -> Baskets:
    """Return what past days say of amounts within a horizon.

    Args:
        con: Connection that knows the table.
        relation: Table with customer_id, purchased_on, net_amount and is_visit.
        as_of: Last day that is known.
        horizon_days: Days ahead.
    """
    table = quote_identifier(relation)
    sql = _RETURNED.format(relation=table)
    visited, returned = con.execute(sql, {"as_of": as_of}).fetchall()[0]
    lost = min(returned / visited, _LARGEST_RETURN_SHARE) if visited > 0 else 0.0
    return Baskets(1.0 - lost, _find_season(con, table, as_of, horizon_days))


def _find_season(
    con: duckdb.DuckDBPyConnection, table: str, as_of: date, horizon_days: int
) -> float:
    """Return the season of baskets, drawn towards none as far as customers disagree on it."""
    if horizon_days > LONGEST_SEASON_DAYS:
        return 1.0
    sql = _SEASON.format(relation=table, year=_YEAR_DAYS)
    found = con.execute(sql, {"as_of": as_of, "days": horizon_days}).fetchall()[0]
    customers, weighted_step, weight, squares, cross_step, square_weight, *counts = found
    inside, visits, history = counts
    if customers < _LEAST_CUSTOMERS:
        return 1.0
    step = weighted_step / weight
    variance = (squares - 2 * step * cross_step + step * step * square_weight) / weight**2
    step *= _BELIEVED_SD**2 / (_BELIEVED_SD**2 + max(variance, 0.0))
    # Customers' own means hold the season already, as far as their visits fell into it.
    share, ratio = inside / visits, math.exp(step)
    lived_through = min(1.0, (history - _YEAR_DAYS + horizon_days) / horizon_days)
    return float(1.0 + lived_through * (ratio / (share * ratio + 1.0 - share) - 1.0))
