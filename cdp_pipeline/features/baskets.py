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
_LEAST_WEIGHT = 1e-3
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
# large order passes for a season. Neither do prices that rise over the years: a line through all of
# a customer's baskets is taken out, which those on other days tell from the season. Decimals are
# summed, so that the order of rows is nothing.
_SEASON = """
with visits as (
    select
        customer_id,
        ln(net_amount::double)::decimal(18, 9) as log_amount,
        $as_of::date - purchased_on as ago,
        (
            ago % {year} >= {year} - $days::integer and ago < {year} * 3
        )::integer as is_season,
    from {relation}
    where is_visit and net_amount > 0 and purchased_on <= $as_of::date
),
sums as (
    select
        count(*)::double as visits,
        sum(is_season)::double as inside,
        sum(ago)::double / {year} as ages,
        sum(log_amount)::double as logs,
        sum(is_season * ago)::double / {year} as season_ages,
        sum(ago * ago)::double / {year} / {year} as squared_ages,
        sum(is_season * log_amount)::double as season_logs,
        sum(ago * log_amount)::double / {year} as age_logs,
        max(ago) as oldest,
    from visits
    group by customer_id
    having count(*) > 1
),
-- Around each customer's own means: s the season, a the age in years, y the logarithm.
own as (
    select
        inside > 0 and inside < visits as has_both,
        visits,
        inside,
        oldest,
        (inside - inside * inside / visits)::decimal(28, 9) as ss,
        (season_ages - inside * ages / visits)::decimal(28, 9) as sa,
        (squared_ages - ages * ages / visits)::decimal(28, 9) as aa,
        (season_logs - inside * logs / visits)::decimal(28, 9) as sy,
        (age_logs - ages * logs / visits)::decimal(28, 9) as ay,
    from sums
),
totals as (
    select
        coalesce(sum(sa)::double / nullif(sum(aa)::double, 0), 0) as lean,
        sum(ss)::double - lean * sum(sa)::double as weight,
        case
            when weight >= {least_weight} then (sum(sy)::double - lean * sum(ay)::double) / weight
        end as step,
        coalesce((sum(ay)::double - step * sum(sa)::double) / nullif(sum(aa)::double, 0), 0)
            as slope,
    from own
)
select
    count(*) filter (where has_both) as customers,
    any_value(step) as step,
    sum(
        pow((sy - lean * ay - step * (ss - lean * sa) - slope * (sa - lean * aa)) / weight, 2)
        ::decimal(38, 18)
    )::double as variance,
    coalesce(sum(inside::decimal(18, 0)) filter (where has_both), 0)::double as inside,
    coalesce(sum(visits::decimal(18, 0)) filter (where has_both), 0)::double as visits,
    coalesce(max(oldest) filter (where has_both), 0)::double as history,
from own
cross join totals
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
    sql = _SEASON.format(relation=table, year=_YEAR_DAYS, least_weight=_LEAST_WEIGHT)
    found = con.execute(sql, {"as_of": as_of, "days": horizon_days}).fetchall()[0]
    customers, step, variance, inside, visits, history = found
    if customers < _LEAST_CUSTOMERS or step is None:
        return 1.0
    step *= _BELIEVED_SD**2 / (_BELIEVED_SD**2 + variance)
    # Customers' own means hold the season already, as far as their visits fell into it.
    share, ratio = inside / visits, math.exp(step)
    lived_through = min(1.0, (history - _YEAR_DAYS + horizon_days) / horizon_days)
    return float(1.0 + lived_through * (ratio / (share * ratio + 1.0 - share) - 1.0))
