"""RFM side by side: this package, pandas, polars and lifetimes on the same till lines, in one run.

    python -m benchmarks rfm                                    2 million lines
    make bench-rfm OPTIONS="--lines 20000000 100000000"         the sizes that the bars speak of

Lines come visit by visit, three each, as tills write them, stamped one after the other, over two
years that all count; 6 % are returns and 25 % have no customer. Every system nets by customer and
day, scores and writes Parquet, but lifetimes, which only summarises. Checksums must agree. Of
``--rounds N`` the best of each system counts, as what else runs only ever costs more.
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
    "day": "one more day, added to the days before",
    "pandas": "pandas",
    "polars": "polars, streaming",
    "lifetimes": "lifetimes, summary only",
}
LINES_A_CUSTOMER = 50
MOST_LINES_OF_PEERS = 20_000_000
"""Beyond, pandas would need more memory than the machine of the bars has."""
MANY_LINES = 100_000_000
"""From so many on, one more day is to cost 1 % at most; with fewer, its fixed cost weighs more."""

LINES_A_VISIT = 3

# Tills write line by line, visit by visit, for ten hours a day: a visit has one customer, or none
# known, and its lines follow each other by some seconds.
_LINES = """
copy (
    with lines as (
        select line, line // {lines_a_visit} as visit from range({lines}) as numbers (line)
    )
    select
        case when hash(visit * 7 + 1) % 4 > 0
            then 'C' || lpad((hash(visit * 7 + 2) % {customers})::varchar, 8, '0') end
            as customer_id,
        timestamp '{last_day} 10:00:00'
        - to_days(({days} - 1 - visit * {lines_a_visit} * {days} // {lines})::integer)
        + to_seconds(
            (hash(visit * 7 + 3) % 36000)::integer
            + line % {lines_a_visit} * (5 + hash(line * 7 + 6) % 16)::integer
        ) as sold_at,
        case when hash(line * 7 + 4) % 100 < 6 then -1 else 1 end
        * ((hash(line * 7 + 5) % 9900 + 100) / 100)::decimal(18, 2) as amount,
    from lines
) to '{file}' (format parquet, compression zstd)
"""


def main() -> None:
    """Run every system on one file of lines and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=[2_000_000])
    parser.add_argument("--rounds", type=int, default=1, help="how often each system runs")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    options = parser.parse_args()
    sizes = {lines: measure(lines, options.rounds) for lines in options.lines}
    report = write_report(options.rounds, sizes)
    print("\n" + report)
    if options.write:
        write_measured(PAGE, report)
    bars = [bar for lines, results in sizes.items() for bar in judge(lines, results)]
    if options.check and not all(is_met for *_, is_met in bars):
        sys.exit(1)


def measure(lines: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Write so many lines and run on them every system that can take them."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lines.parquet"
        sql = _LINES.format(
            lines=lines,
            lines_a_visit=LINES_A_VISIT,
            customers=max(1, lines // LINES_A_CUSTOMER),
            days=WINDOW_DAYS,
            last_day=LAST_DAY,
            file=file,
        )
        duckdb.connect().execute(sql)
        systems = TITLES if lines <= MOST_LINES_OF_PEERS else ("ours", "scan", "day")
        return run_all(file, [system for system in systems if _is_installed(system)], rounds)


def _is_installed(system: str) -> bool:
    package = NEEDS.get(system)
    if package and importlib.util.find_spec(package) is None:
        print(f"{package} is not installed and left out; make bench-rfm installs all peers")
        return False
    return True


def run_all(file: Path, systems: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Run systems one after the other, each in its own process, and return the best of each.

    They take turns, so that what else runs on the machine falls on all of them.
    """
    results: dict[str, dict[str, Any]] = {}
    for system in systems * rounds:
        command = [sys.executable, str(PEER), system, str(file)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own script
        if ended.returncode:
            print(f"{system} failed\n{ended.stderr[-1500:]}")
            continue
        found = json.loads(ended.stdout.splitlines()[-1])
        found["cpu"] = found["sums"].pop("day", found["cpu"])
        results[system] = min(found, results.get(system, found), key=lambda run: run["cpu"])
        print(f"{system} {found['cpu']:.2f} CPU s", flush=True)
    return results


def judge(lines: int, results: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, bool]]:
    """Return the bars of one size: what, asked, measured, met."""
    size = f"{lines // 1_000_000:,} million lines: "
    ours = results["ours"]
    bars = []
    for system, least in (("lifetimes", 6.0), ("pandas", 1.8)):
        if system in results:
            ratio = results[system]["cpu"] / ours["cpu"]
            title = f"{size}fewer CPU seconds than {TITLES[system]}"
            bars.append((title, f"≥ {least:g}x", f"{ratio:.1f}x", ratio >= least))
    scan = ours["cpu"] / results["scan"]["cpu"]
    title = f"{size}CPU seconds over reading alone"
    bars.append((title, "≤ 4.5x", f"{scan:.2f}x", scan <= 4.5))
    memory = ours["megabytes"]
    bars.append((f"{size}memory", "≤ 2,500 MB", f"{memory:,.0f} MB", memory <= 2500))
    day = results["day"]["cpu"] / ours["cpu"]
    if lines >= MANY_LINES:
        bars.append((f"{size}CPU seconds of one more day", "≤ 1 %", f"{day:.2%}", day <= 0.01))
    differing = sum(results["day"]["sums"].values())
    title = f"{size}rows of days and customers that differ then"
    bars.append((title, "0", f"{differing:.0f}", differing == 0))
    for system in ("pandas", "polars"):
        if system in results:
            same = all(
                math.isclose(ours["sums"][name], value, rel_tol=1e-9)
                for name, value in results[system]["sums"].items()
            )
            title = f"{size}same checksums as {system}"
            bars.append((title, "yes", "yes" if same else "no", same))
    return bars


def write_report(rounds: int, sizes: dict[int, dict[str, dict[str, Any]]]) -> str:
    """Return the whole report in Markdown."""
    asked = " ".join(map(str, sizes))
    rows = [
        f"    python -m benchmarks rfm --lines {asked} --rounds {rounds}",
        "",
        describe_machine(("duckdb", "pandas", "polars", "lifetimes")),
        "",
        "| lines | system | CPU s | x ours | wall s | MB |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    rows += [
        f"| {lines:,} | {TITLES[system]} | {result['cpu']:.2f} "
        f"| {result['cpu'] / results['ours']['cpu']:.1f} "
        f"| {result['wall']:.2f} | {result['megabytes']:,.0f} |"
        for lines, results in sizes.items()
        for system, result in results.items()
    ]
    bars = [bar for lines, results in sizes.items() for bar in judge(lines, results)]
    rows += ["", *bar_rows(bars)]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
