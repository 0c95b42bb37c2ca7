"""RFM side by side: this package, pandas, polars and lifetimes on the same till lines, in one run.

    python -m benchmarks rfm                        2 million lines, as without options
    make bench-rfm OPTIONS="--lines 20000000"       the size that the bars speak of

Lines come visit by visit, three each, as tills write them, over two years that all count; 6 % are
returns and 25 % have no customer. Every system nets by customer and day, scores and writes Parquet,
but lifetimes, which only summarises. Checksums must agree.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.machine import describe_machine
from benchmarks.measured import bar_rows, write_measured
from benchmarks.rfm.peer import LAST_DAY, WINDOW_DAYS

PEER = Path(__file__).with_name("peer.py")
PAGE = Path(__file__).with_name("README.md")
NEEDS = {"polars": "polars", "lifetimes": "lifetimes"}
TITLES = {
    "ours": "**this package**",
    "scan": "reading alone (DuckDB)",
    "pandas": "pandas",
    "polars": "polars, streaming",
    "lifetimes": "lifetimes, summary only",
}
LINES_A_CUSTOMER = 50
LINES_A_VISIT = 3

# Tills write line by line, visit by visit: each has one day and one customer, or none known.
_LINES = """
copy (
    with lines as (
        select line, line // {lines_a_visit} as visit from range({lines}) as numbers (line)
    )
    select
        line as line_number,
        case when hash(visit * 7 + 1) % 4 > 0
            then 'C' || lpad((hash(visit * 7 + 2) % {customers})::varchar, 8, '0') end
            as customer_id,
        date '{last_day}' - ({days} - 1 - line * {days} // {lines})::integer as bought_on,
        case when hash(line * 7 + 4) % 100 < 6 then -1 else 1 end
        * ((hash(line * 7 + 5) % 9900 + 100) / 100)::decimal(18, 4) as amount,
        null::varchar as part,
    from lines
) to '{file}' (format parquet, compression zstd)
"""


def main() -> None:
    """Run every system on one file of lines and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lines.parquet"
        customers = max(1, options.lines // LINES_A_CUSTOMER)
        sql = _LINES.format(
            lines=options.lines,
            lines_a_visit=LINES_A_VISIT,
            customers=customers,
            days=WINDOW_DAYS,
            last_day=LAST_DAY,
            file=file,
        )
        duckdb.connect().execute(sql)
        results = run_all(file)
    bars = judge(results)
    report = write_report(options.lines, results, bars)
    print("\n" + report)
    if options.write:
        write_measured(PAGE, report)
    if options.check and not all(is_met for *_, is_met in bars):
        sys.exit(1)


def run_all(file: Path) -> dict[str, dict[str, Any]]:
    """Run every system that is installed, one after the other, each in its own process."""
    results = {}
    for system in TITLES:
        package = NEEDS.get(system)
        if package and importlib.util.find_spec(package) is None:
            print(f"{package} is not installed and left out; make bench-rfm installs all peers")
            continue
        command = [sys.executable, str(PEER), system, str(file)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own script
        if ended.returncode:
            print(f"{system} failed\n{ended.stderr[-1500:]}")
            continue
        results[system] = json.loads(ended.stdout.splitlines()[-1])
        print(f"{system} {results[system]['cpu']:.2f} CPU s", flush=True)
    return results


def judge(results: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, bool]]:
    """Return the bars: what, asked, measured, met."""
    ours = results["ours"]
    bars = []
    for system, least in (("lifetimes", 6.0), ("pandas", 1.8)):
        if system in results:
            ratio = results[system]["cpu"] / ours["cpu"]
            title = f"fewer CPU seconds than {TITLES[system]}"
            bars.append((title, f"≥ {least:g}x", f"{ratio:.1f}x", ratio >= least))
    scan = ours["cpu"] / results["scan"]["cpu"]
    bars.append(("CPU seconds over reading alone", "≤ 4.5x", f"{scan:.1f}x", scan <= 4.5))
    memory = ours["megabytes"]
    bars.append(("memory", "≤ 2,500 MB", f"{memory:,.0f} MB", memory <= 2500))
    for system in ("pandas", "polars"):
        if system in results:
            same = all(
                math.isclose(ours["sums"][name], value, rel_tol=1e-9)
                for name, value in results[system]["sums"].items()
            )
            bars.append((f"same checksums as {system}", "yes", "yes" if same else "no", same))
    return bars


def write_report(
    lines: int, results: dict[str, dict[str, Any]], bars: list[tuple[str, str, str, bool]]
) -> str:
    """Return the whole report in Markdown."""
    ours = results["ours"]["cpu"]
    rows = [
        f"    python -m benchmarks rfm --lines {lines}",
        "",
        describe_machine(("duckdb", "pandas", "polars", "lifetimes")),
        "",
        f"{lines:,} lines:",
        "",
        "| system | CPU s | x ours | wall s | MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rows += [
        f"| {TITLES[system]} | {result['cpu']:.2f} | {result['cpu'] / ours:.1f} "
        f"| {result['wall']:.2f} | {result['megabytes']:,.0f} |"
        for system, result in results.items()
    ]
    rows += ["", *bar_rows(bars)]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
