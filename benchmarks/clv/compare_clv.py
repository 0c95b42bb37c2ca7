"""CLV side by side: this package, lifetimes and pymc-marketing on the same customers, in one run.

    python -m benchmarks clv --customers 100000        as without options
    make bench-clv OPTIONS="--full --write"            1 million; ours at 10 million too
    python -m benchmarks clv --stores 20               also: totals and ranges of 60 hidden futures
    python -m benchmarks clv --unusual 4               also: 32 stores that no model describes
    python -m benchmarks clv --uci FOLDER              also: ranges of real shops, UCI's among them

Ours and lifetimes fit MBG/NBD and gamma-gamma and score every customer: P(alive), visits in 90 and
365 days, value over twelve months; ours once more with a chance of a visit, a range and a tenth for
each; pymc-marketing only fits. Each runs in a process of its own, in turn; of several ``--rounds``
the one with the least CPU seconds counts, which is what other programs disturbed least. A system
that is not installed is named. The bars are those of accuracy on published data and of cost.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.clv.bars import Bar, accuracy_bars, cost_bars
from benchmarks.clv.coverage import coverage_bars
from benchmarks.clv.customers import write_customers
from benchmarks.clv.shops import shop_bars
from benchmarks.clv.unusual import unusual_bars
from benchmarks.machine import describe_machine
from benchmarks.measured import write_measured

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("peer.py")
PAGE = Path(__file__).with_name("README.md")
PYMC = ROOT / ".venv-bench-pymc" / "bin" / "python"
TITLES = {
    "same": "**this package**, what lifetimes scores",
    "ours": "**this package**, all it scores",
    "lifetimes": "lifetimes",
    "pymc": "pymc-marketing, fit only",
}


def main() -> None:
    """Run the comparison that the command line asks for and print its report."""
    options = _parse()
    sizes = (100_000, 1_000_000) if options.full else (options.customers,)
    results = {size: compare(size, options) for size in sizes}
    if options.full:
        results[10_000_000] = compare(10_000_000, options, systems=("ours",))
    bars = [*accuracy_bars(), *cost_bars(results)]
    if options.stores:
        bars += coverage_bars(options.stores, options.seed)
    if options.unusual:
        bars += unusual_bars(options.unusual, options.seed)
    if options.uci:
        bars += shop_bars(options.uci)
    report = write_report(results, bars, "python -m benchmarks clv " + " ".join(sys.argv[1:]))
    print("\n" + report)
    if options.write:
        write_measured(PAGE, report)
    if options.check and not all(bar.is_met for bar in bars):
        sys.exit(1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help="1 million; ours at 10 million too")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each system; best counts")
    parser.add_argument("--stores", type=int, default=0, help="generated stores of each kind")
    parser.add_argument("--unusual", type=int, default=0, help="unusual stores of each kind")
    parser.add_argument("--seed", type=int, default=500, help="of the first generated store")
    parser.add_argument("--uci", type=Path, help="daily files of UCI Online Retail")
    parser.add_argument("--pymc", type=Path, default=PYMC, help="interpreter with pymc-marketing")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    return parser.parse_args()


def compare(
    customers: int, options: argparse.Namespace, systems: tuple[str, ...] = tuple(TITLES)
) -> dict[str, dict[str, Any]]:
    """Run the systems on one file of simulated customers, one after the other, in each round."""
    found: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "customers.parquet"
        write_customers(customers, file)
        for system in systems * options.rounds:
            interpreter = _interpreter(system, options.pymc)
            if interpreter is None:
                print(f"{system} is not installed and left out; make bench-clv installs all peers")
                continue
            result = _run(interpreter, system, file)
            if result:
                print(f"{customers:,}: {system} {result['cpu']:.2f} CPU s", flush=True)
                found[system] = min(found.get(system, result), result, key=itemgetter("cpu"))
    return found


def _interpreter(system: str, pymc: Path) -> str | None:
    if system == "pymc":
        return str(pymc) if pymc.is_file() else None
    if system == "lifetimes" and importlib.util.find_spec("lifetimes") is None:
        return None
    return sys.executable


def _run(interpreter: str, system: str, file: Path) -> dict[str, Any] | None:
    command = [interpreter, str(PEER), system, str(file)]
    ended = subprocess.run(  # noqa: S603 - our own script
        command,
        check=False,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        print(f"{system} failed\n{ended.stderr[-1500:]}")
        return None
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def write_report(
    results: dict[int, dict[str, dict[str, Any]]], bars: list[Bar], command: str
) -> str:
    """Return the whole report in Markdown."""
    lines = [
        f"    {command.strip()}",
        "",
        describe_machine(("duckdb", "numpy", "scipy", "lifetimes")),
        "",
    ]
    lines += [
        "| customers | system | CPU s | x ours | wall s | MB | import CPU s | visits in 90 days |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for customers, found in results.items():
        same = found.get("same", found["ours"])["cpu"]
        for system, result in found.items():
            visits = result["sums"].get("visits_90d")
            lines.append(
                f"| {customers:,} | {TITLES[system]} | {result['cpu']:.2f} "
                f"| {result['cpu'] / same:.1f} | {result['wall']:.2f} "
                f"| {result['megabytes']:,.0f} | {result['import_cpu']:.1f} "
                f"| {f'{visits:,.2f}' if visits else ''} |"
            )
    lines += ["", "| bar | asked | measured | |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {bar.title} | {bar.asked} | {bar.measured} | {'pass' if bar.is_met else '**fail**'} |"
        for bar in bars
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
