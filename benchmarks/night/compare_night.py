"""What a night costs: the initial load, then nights, then the same nights upon half the history.

    make bench-night                                      20,000 customers, two nights
    make bench-night OPTIONS="--customers 100000 --nights 3"
    make bench-night OPTIONS="--quick"                    2,000 customers, one night

Every night runs in a process of its own, each step alone. Beside the initial load stands the bare
copy of the same files to Parquet by DuckDB: nothing typed by contract, checked or linked.
CPU seconds decide; wall time depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.night.report import Loads, render_report

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = ("duckdb", "great_expectations", "recordlinkage", "pandas")
MARK = "<!-- measured -->\n"


@dataclass
class Store:
    """A generated store and where its figures are kept."""

    folder: Path
    customers: int
    nights: int
    history_days: int
    seed: int
    dates: list[str] = field(default_factory=list)

    def work(self, what: str, *words: str) -> dict[str, Any]:
        """Run the worker and return its figures."""
        out = self.folder / "figures.json"
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.night.worker", what]
        command += ["--data-dir", str(self.folder / "data"), "--out", str(out), *words]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - our own worker
        if ended.returncode:
            sys.exit(f"{what} {' '.join(words)} failed\n{ended.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found

    def run(self) -> Loads:
        """Generate the store, copy its first deliveries, run its nights."""
        (self.folder / "data").mkdir(parents=True)
        made = self.work(
            "generate",
            *("--customers", str(self.customers), "--nights", str(self.nights)),
            *("--history-days", str(self.history_days), "--seed", str(self.seed)),
        )
        copied = self.work("copy", "--date", made["dates"][0])
        nights = []
        for day in made["dates"]:
            nights.append(self.work("night", "--date", day))
            spent = sum(step["cpu"] + step["imports"] for step in nights[-1]["steps"])
            print(f"{self.history_days} days of history, {day}: {spent:.1f} CPU s", file=sys.stderr)
        return Loads(self.customers, self.history_days, made["rows"], copied, nights)


def main() -> None:
    """Run both stores, print every step's figures and whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 customers, one night")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--nights", type=int, default=2, help="nights after the initial load")
    parser.add_argument("--history-days", type=int, default=730)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--no-half", action="store_true", help="leave out half the history")
    parser.add_argument("--write", action="store_true", help="put the figures into the README")
    options = parser.parse_args()
    customers, nights = (2_000, 1) if options.quick else (options.customers, options.nights)
    days = (
        [options.history_days]
        if options.no_half
        else [options.history_days, options.history_days // 2]
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stores = [Store(Path(folder, str(d)), customers, nights, d, options.seed) for d in days]
        loads = [store.run() for store in stores]
    text = f"{describe_machine(PACKAGES)}\n\n{render_report(loads)}"
    print(text)
    if options.write:
        readme = HERE / "README.md"
        kept, _, _ = readme.read_text(encoding="utf-8").partition(MARK)
        readme.write_text(f"{kept}{MARK}\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
