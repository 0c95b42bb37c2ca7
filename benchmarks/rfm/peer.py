"""One system on one file of till lines in a process of its own: seconds, memory, checksums as JSON.

    python benchmarks/rfm/peer.py ours|day|scan|pandas|polars|lifetimes FILE

All net by customer and day, score by thresholds of equal shares and write Parquet; lifetimes only
summarises. Imports are not counted, reading the file is.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

MODULES = {
    "ours": ("duckdb", "cdp_pipeline.orchestration.files"),
    "day": ("duckdb", "cdp_pipeline.orchestration.files"),
    "scan": ("duckdb",),
    "pandas": ("pandas", "pyarrow.parquet"),
    "polars": ("polars",),
    "lifetimes": ("duckdb", "pandas", "lifetimes.utils"),
}
LAST_DAY = "2025-12-31"
WINDOW_DAYS = 730
_LINES_OF_FILE = """
select customer_id, sold_at::date as bought_on, amount from read_parquet('{file}')
"""
_TOTALS = """
select
    customer_id,
    max(purchased_on) filter (is_visit) as last_on,
    count(*) filter (is_visit) as visits,
    sum(net_amount) as amount,
from features.customer_day
group by customer_id
"""
_ADD_DAY = """
merge into state.known using ({totals}) as day on known.customer_id = day.customer_id
when matched then update set
    last_on = greatest(known.last_on, day.last_on),
    visits = known.visits + day.visits,
    amount = known.amount + day.amount
when not matched then insert
"""
MEMORY_LIMIT = "2GB"
SHARES = (0.2, 0.4, 0.6, 0.8)


def run_ours(file: str) -> dict[str, float]:
    """Net days, then build the night's RFM models."""
    from datetime import date, timedelta  # noqa: PLC0415 - one system a process

    import duckdb  # noqa: PLC0415 - as above

    from cdp_pipeline.core.settings import RfmSettings, Settings  # noqa: PLC0415 - as above
    from cdp_pipeline.features.files.days import Window, build_days  # noqa: PLC0415 - as above
    from cdp_pipeline.warehouse.alone import build_alone  # noqa: PLC0415 - as above

    con = duckdb.connect(config={"memory_limit": MEMORY_LIMIT})
    con.execute("create schema features")
    con.execute(f"create view file_lines as {_LINES_OF_FILE.format(file=file)}")
    last = date.fromisoformat(LAST_DAY)
    first = last - timedelta(days=WINDOW_DAYS - 1)
    lines = con.execute("select count(*) from file_lines").fetchall()[0][0]
    build_days(con, last, window=Window(WINDOW_DAYS, first, lines))
    models = ("features.rfm_segment_map", "features.rfm")
    build_alone(con, models, Settings(rfm=RfmSettings(window_days=WINDOW_DAYS)), last)
    con.execute(f"copy features.rfm to '{file}.rfm' (format parquet)")
    return _sums(con, "features.rfm where frequency_count > 0")


def run_day(file: str) -> dict[str, float]:
    """Net the last day by itself, add it to what is known, and hold that against all lines netted.

    Returns:
        CPU seconds of the day, and how many rows of days and of customers differ.
    """
    from datetime import date, timedelta  # noqa: PLC0415 - one system a process
    from pathlib import Path  # noqa: PLC0415 - as above

    import duckdb  # noqa: PLC0415 - as above

    from cdp_pipeline.features.files.days import Window, build_days  # noqa: PLC0415 - as above

    last = date.fromisoformat(LAST_DAY)
    Path(f"{file}.days").unlink(missing_ok=True)  # of the round before
    con = duckdb.connect(f"{file}.days", config={"memory_limit": MEMORY_LIMIT})
    con.execute("create schema features; attach ':memory:' as state")
    con.execute(f"create view lines as {_LINES_OF_FILE.format(file=file)}")
    con.execute("create table day_lines as from lines where bought_on = $1::date", [last])

    def net(lines: str, days: int) -> None:
        con.execute(f"create or replace view file_lines as from {lines}")
        first = last - timedelta(days=days - 1)
        build_days(con, last, window=Window(days, first))

    net(f"lines where bought_on < '{LAST_DAY}'", WINDOW_DAYS)
    con.execute("create table known_days as from features.customer_day")
    con.execute(f"create table state.known as {_TOTALS}")
    began = time.process_time()
    net("day_lines", 1)
    con.execute("insert into known_days from features.customer_day")
    con.execute(_ADD_DAY.format(totals=_TOTALS))
    seconds = {"day": time.process_time() - began}
    net("lines", WINDOW_DAYS)
    con.execute(f"create table state.anew as {_TOTALS}")
    differing = {
        f"differing_{what}": con.execute(
            f"select count(*) from ((from {known} except all from {anew}) "  # noqa: S608 - our own tables
            f"union all (from {anew} except all from {known}))"
        ).fetchall()[0][0]
        for what, known, anew in (
            ("customers", "state.known", "state.anew"),
            ("days", "known_days", "features.customer_day"),
        )
    }
    return seconds | differing


def run_scan(file: str) -> dict[str, float]:
    """Read every value once: what the disk and the format cost."""
    import duckdb  # noqa: PLC0415 - one system a process

    found = duckdb.connect().execute(
        "select sum(amount)::double, max(sold_at)::varchar, count(customer_id) "  # noqa: S608 - our own file
        f"from read_parquet('{file}')"
    )
    return {"amount": found.fetchall()[0][0]}


def run_pandas(file: str) -> dict[str, float]:
    """Do the same in pandas, amounts as floats."""
    import pandas as pd  # noqa: PLC0415 - one system a process
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import parquet  # noqa: PLC0415 - as above

    table = parquet.read_table(file)
    amount = table.column("amount").cast(pa.float64())
    table = table.set_column(table.column_names.index("amount"), "amount", amount)
    lines = table.to_pandas()
    lines = lines[lines["customer_id"].notna()]
    lines["bought_on"] = lines["sold_at"].dt.normalize()
    lines["is_sale"] = lines["amount"] > 0
    days = lines.groupby(["customer_id", "bought_on"], as_index=False, sort=False).agg(
        amount=("amount", "sum"), is_sale=("is_sale", "max")
    )
    # What floats leave of a sale and its return is nothing.
    days["amount"] = days["amount"].round(2)
    last = pd.Timestamp(LAST_DAY)
    days = days[days["bought_on"] > last - pd.Timedelta(days=WINDOW_DAYS)]
    total = days.groupby("customer_id")["amount"].sum()
    visits = days[days["is_sale"] & (days["amount"] > 0)]
    people = visits.groupby("customer_id").agg(
        last_on=("bought_on", "max"), frequency_count=("bought_on", "size")
    )
    people["monetary_amount"] = total
    people = people[people["monetary_amount"] > 0]
    people["recency_days"] = (last - people["last_on"]).dt.days
    for name, score, is_best_low in (
        ("recency_days", "r_score", True),
        ("frequency_count", "f_score", False),
        ("monetary_amount", "m_score", False),
    ):
        steps = people[name].quantile(SHARES, interpolation="lower").to_numpy()
        above = sum((people[name] > step).astype(int) for step in steps)
        people[score] = 5 - above if is_best_low else 1 + above
    people.to_parquet(f"{file}.pandas")
    return {
        "customers": float(len(people)),
        "visits": float(people["frequency_count"].sum()),
        "amount": float(people["monetary_amount"].sum()),
    }


def run_polars(file: str) -> dict[str, float]:
    """Do the same in polars, streaming."""
    from datetime import date, timedelta  # noqa: PLC0415 - one system a process

    import polars as pl  # noqa: PLC0415 - as above

    last = date.fromisoformat(LAST_DAY)
    people = (
        pl.scan_parquet(file)
        .filter(pl.col("customer_id").is_not_null())
        .with_columns(pl.col("sold_at").dt.date().alias("bought_on"))
        .filter(pl.col("bought_on") > last - timedelta(days=WINDOW_DAYS))
        .group_by("customer_id", "bought_on")
        .agg(pl.col("amount").sum(), (pl.col("amount") > 0).any().alias("is_sale"))
        .with_columns((pl.col("is_sale") & (pl.col("amount") > 0)).alias("is_visit"))
        .group_by("customer_id")
        .agg(
            pl.col("bought_on").filter(pl.col("is_visit")).max().alias("last_on"),
            pl.col("is_visit").sum().alias("frequency_count"),
            pl.col("amount").sum().alias("monetary_amount"),
        )
        .filter((pl.col("frequency_count") > 0) & (pl.col("monetary_amount") > 0))
        .with_columns((pl.lit(last) - pl.col("last_on")).dt.total_days().alias("recency_days"))
        .collect(engine="streaming")
    )
    for name, score, is_best_low in (
        ("recency_days", "r_score", True),
        ("frequency_count", "f_score", False),
        ("monetary_amount", "m_score", False),
    ):
        steps = [people[name].quantile(share, interpolation="lower") for share in SHARES]
        above = sum((people[name].cast(pl.Float64) > step).cast(pl.Int8) for step in steps)
        people = people.with_columns((5 - above if is_best_low else 1 + above).alias(score))
    people.write_parquet(f"{file}.polars")
    return {
        "customers": float(people.height),
        "visits": float(people["frequency_count"].sum()),
        "amount": float(people["monetary_amount"].cast(pl.Float64).sum()),
    }


def run_lifetimes(file: str) -> dict[str, float]:
    """Summarise with lifetimes, which knows no scores and no returns."""
    import duckdb  # noqa: PLC0415 - one system a process
    from lifetimes.utils import summary_data_from_transaction_data  # noqa: PLC0415 - as above

    lines = (
        duckdb.connect()
        .execute(
            "select customer_id, sold_at, amount::double as amount "  # noqa: S608 - our own file
            f"from read_parquet('{file}') where customer_id is not null and amount > 0"
        )
        .df()
    )
    found = summary_data_from_transaction_data(
        lines, "customer_id", "sold_at", "amount", observation_period_end=LAST_DAY
    )
    return {"customers": float(len(found))}


def _sums(con: object, relation: str) -> dict[str, float]:
    rows = con.execute(  # type: ignore[attr-defined]
        "select count(*)::double, sum(frequency_count)::double, sum(monetary_amount)::double "  # noqa: S608 - our own relation
        f"from {relation}"
    ).fetchall()
    return dict(zip(("customers", "visits", "amount"), rows[0], strict=True))


SYSTEMS: dict[str, Callable[[str], dict[str, float]]] = {
    "ours": run_ours,
    "day": run_day,
    "scan": run_scan,
    "pandas": run_pandas,
    "polars": run_polars,
    "lifetimes": run_lifetimes,
}


def main() -> None:
    """Run what the command line names and print its result."""
    system, file = sys.argv[1:3]
    if system in ("ours", "day"):
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    for module in MODULES[system]:
        importlib.import_module(module)
    cpu, wall = time.process_time(), time.perf_counter()
    sums = SYSTEMS[system](file)
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    figures = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "megabytes": peak,
    }
    print(json.dumps(figures | {"sums": sums}))


if __name__ == "__main__":
    main()
