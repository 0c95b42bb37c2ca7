"""What it costs to erase a thousand people at once from five million sales.

    make bench-erase                                  5 million sales of 10,000 customers
    make bench-erase OPTIONS=--quick                  1,000 customers, 100 of them erased
    make bench-erase OPTIONS="--data FOLDER --date 2026-11-16"   a copy of a store that is there

A generated store has its night; then people who share nothing with others are erased as if all had
asked on one day. Printed are seconds by stage, memory, whether turnover is equal to the cent, and
what a search finds that shares nothing with the one that erases, before and afterwards.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.erase.worker import BESIDE
from benchmarks.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("duckdb", "pyarrow", "numpy")
MARK = "<!-- measured -->\n"


def main() -> int:
    """Make the store, erase, print; the exit code is 1 if a cent or a trace is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 customers, 100 of them erased")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--receipts", type=int, default=3, help="copies of every receipt")
    parser.add_argument("--lines", type=int, default=18, help="copies of every line of a receipt")
    parser.add_argument("--whole", action="store_true", help="with features, exports and reports")
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--data", type=Path, help="data folder of a store; it is copied")
    parser.add_argument("--date", help="its business date")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--write", action="store_true", help="put the figures into the README")
    options = parser.parse_args()
    if options.quick:
        options.customers, options.people, options.receipts, options.lines = 1_000, 100, 1, 1
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        data = Path(folder, "data")
        if options.data:
            shutil.copytree(options.data, data, symlinks=True)
            day = options.date
        else:
            day = _make_store(data, options)
        found = _work("erase.worker", "erase", data, day, "--people", str(options.people))
    text = f"{describe_machine(PACKAGES)}\n\n{_report(found)}"
    print(text)
    if options.write:
        readme = Path(__file__).with_name("README.md")
        kept, _, _ = readme.read_text(encoding="utf-8").partition(MARK)
        made = f"With `{' '.join(sys.argv[1:])}`:\n\n"
        readme.write_text(f"{kept}{MARK}\n{made}{text}", encoding="utf-8")
    return 0 if _is_kept(found) else 1


def _make_store(data: Path, options: argparse.Namespace) -> str:
    data.mkdir(parents=True)
    size = ("--customers", str(options.customers), "--history-days", "730")
    made = _work("night.worker", "generate", data, None, *size, "--seed", str(options.seed))
    day = str(made["dates"][0])
    copies = ("--receipts", str(options.receipts), "--lines", str(options.lines))
    lines = _work("erase.worker", "multiply", data, day, *copies)["lines"]
    print(f"{lines:,} lines of receipts; their night runs", file=sys.stderr)
    if options.whole:
        _work("night.worker", "night", data, day)
    else:
        _work("erase.worker", "load", data, day)
    return day


def _work(module: str, what: str, data: Path, day: str | None, *words: str) -> dict[str, Any]:
    """Run a worker and return its figures."""
    out = data.with_name("figures.json")
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", what]
    command += ["--data-dir", str(data), "--out", str(out), *words]
    command += ["--date", day] if day else []
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - our own worker
    if ended.returncode:
        sys.exit(f"{what} failed\n{ended.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def _is_kept(found: dict[str, Any]) -> bool:
    turnover = found["turnover"]
    return turnover["before"] == turnover["after"] and not (found["left"] or found["damaged"])


def _report(found: dict[str, Any]) -> str:
    before, after = found["turnover"]["before"], found["turnover"]["after"]
    facts = found["facts"]
    counted = sum(spent["cpu"] for name, spent in found["phases"].items() if name != BESIDE)
    lines = [
        (
            f"{found['people']:,} people erased from {int(before[2]):,} sales: "
            f"{found['cpu']:.1f} CPU s, {found['wall']:.1f} s, peak {found['peak']:,.0f} MB."
        ),
        "",
        (
            f"Turnover of receipts {before[0]}, of orders {before[1]}, before and after: "
            f"{'equal to the cent' if before == after else f'NOT EQUAL: {after}'}."
        ),
        "",
        (
            f"{facts['tombstones']:,} tombstones; {facts['staged_rows']:,} staged rows gone, "
            f"{facts['rows_without_person']:,} left without the person; "
            f"{facts['raw_files_rewritten']} raw files rewritten, "
            f"{facts['files_looked_at']} files searched."
        ),
        "",
        (
            f"A search of its own for {found['needles']:,} forms of what only they hold: "
            f"{found['held']['traces']:,} traces in {found['held']['files']} files before, "
            f"{sum(map(len, found['left'].values())):,} in {len(found['left'])} files after."
        ),
        "",
        "| stage | CPU s | wall s |",
        "| --- | ---: | ---: |",
        *(
            f"| {name}{', within clean_version' if name == BESIDE else ''} "
            f"| {spent['cpu']:.2f} | {spent['wall']:.2f} |"
            for name, spent in found["phases"].items()
        ),
        f"| all the rest | {found['cpu'] - counted:.2f} | |",
        *(f"\nleft in {name}: {' '.join(left[:5])}" for name, left in found["left"].items()),
        *(f"\ndamaged: {text}" for text in found["damaged"]),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
