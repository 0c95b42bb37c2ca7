"""Linkage beside Splink, recordlinkage, custmatch and exact rules, in one run.

    python -m benchmarks linkage --quick           FEBRL and a store of 20,000, as without options
    make bench-linkage OPTIONS="--full --write"    everything, up to a million records

Each system runs in a process of its own on the same files. Results lie in the working folder, and
a run that was stopped goes on where it was with ``--resume``. Systems that are not installed are
named.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.linkage.bars import BARS, OURS, Results
from benchmarks.linkage.datasets import FEBRL, SIZES, DataSet, prepare
from benchmarks.linkage.report import write_report
from benchmarks.linkage.worker import STORES_ONLY, SYSTEMS
from benchmarks.measured import write_measured

NEEDS = {
    "splink": "splink",
    "splink_lean": "splink",
    "recordlinkage": "recordlinkage",
    "custmatch": "custmatch",
}
QUICK = (*FEBRL, "store_20k")
FULL = (*FEBRL, "retail_200k", "retail_held_out_200k", "store_100k", "retail_1m")
PAGE = Path(__file__).with_name("README.md")


def main() -> None:
    """Run the comparison that the command line asks for and print its report."""
    options = _parse()
    data = options.data or (FULL if options.full else QUICK)
    systems, missing = _installed(options.systems or tuple(SYSTEMS))
    for name in missing:
        print(f"{name} is not installed and left out; make bench-linkage installs all peers")
    with ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        results = run_all(systems, data, work, rounds=options.rounds, resume=options.resume)
    command = "python -m benchmarks linkage " + " ".join(sys.argv[1:])
    report = write_report(results, data, rounds=options.rounds, command=command.strip())
    print("\n" + report)
    if options.write:
        write_measured(PAGE, report)
        print(f"written into {PAGE}")
    if options.check and any(judged and not judged[1] for judged in _judged(results)):
        sys.exit(1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="FEBRL and a store of 20,000; default")
    size.add_argument("--full", action="store_true", help="up to a million records")
    parser.add_argument("--data", nargs="*", choices=(*FEBRL, *SIZES), help="data sets")
    parser.add_argument("--systems", nargs="*", choices=tuple(SYSTEMS), help="systems")
    parser.add_argument("--work", type=Path, help="folder kept for data and results")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each; medians are shown")
    parser.add_argument("--resume", action="store_true", help="keep results that are in --work")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    return parser.parse_args()


def _installed(systems: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the systems that can run, and the packages that are missing."""
    lacking = {
        package
        for system in systems
        if (package := NEEDS.get(system)) and importlib.util.find_spec(package) is None
    }
    return [s for s in systems if NEEDS.get(s) not in lacking], sorted(lacking)


def run_all(
    systems: Sequence[str], data: Sequence[str], work: Path, *, rounds: int, resume: bool
) -> Results:
    """Run every system on every data set, taking turns; return medians by system and data set."""
    results: Results = {}
    for name in data:
        print(f"{name}: preparing", flush=True)
        prepared = prepare(name, work)
        able = [s for s in systems if not (prepared.is_febrl and s in STORES_ONLY)]
        runs: dict[str, list[dict[str, Any]]] = {system: [] for system in able}
        for turn in range(rounds):
            for system in able:
                done = run_one(system, prepared, work, turn=turn, resume=resume)
                if done:
                    runs[system].append(done)
        results |= {(system, name): _median(found) for system, found in runs.items() if found}
    return results


def run_one(
    system: str, data: DataSet, work: Path, *, turn: int, resume: bool
) -> dict[str, Any] | None:
    """Run a system in a process of its own; a failure is told and leaves no result."""
    out = work / "results" / f"{data.name}-{system}-{turn}.json"
    scratch = work / "scratch" / f"{data.name}-{system}"
    out.parent.mkdir(parents=True, exist_ok=True)
    if not (resume and out.is_file()):
        out.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.linkage.worker", system, data.name]
        command += ["--folder", str(data.folder), "--scratch", str(scratch), "--out", str(out)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own worker
        if ended.returncode:
            print(f"{data.name}: {system} failed\n{ended.stderr[-2000:]}", flush=True)
            return None
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    print(
        f"{data.name}: {system} {result['cpu']:.1f} CPU s, {result['wall']:.1f} s, "
        f"{result['peak_megabytes']:,.0f} MB",
        flush=True,
    )
    return result


def _median(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    costs = ("cpu", "wall", "peak_megabytes")
    return found[0] | {name: statistics.median(one[name] for one in found) for name in costs}


def _judged(results: Results) -> list[tuple[float, bool] | None]:
    return [bar.judge(results, ours) for bar in BARS for ours in OURS]


if __name__ == "__main__":
    main()
