"""Landing a till file beside bare copies by DuckDB, polars, pyarrow and pandas, in one run.

    make bench-ingest                                      one file of 1 GB, three rounds
    make bench-ingest OPTIONS="--megabytes 250 1000 2000 --systems ours duckdb --rounds 1"

Every system runs in a process of its own on the same files; with several rounds they take turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.ingest.report import write_report
from benchmarks.ingest.till_file import Truth, write_till_file
from benchmarks.ingest.worker import OURS, PEERS
from benchmarks.measured import write_measured

QUICK_MEGABYTES = 50
PAGE = Path(__file__).with_name("README.md")
Results = dict[int, dict[str, dict[str, Any]]]


def main() -> None:
    """Run the comparison that the command line asks for and print its report."""
    options = _parse()
    sizes = options.megabytes or [QUICK_MEGABYTES if options.quick else 1000]
    wanted = options.systems or (OURS, *PEERS)
    systems = [name for name in wanted if name == OURS or importlib.util.find_spec(name)]
    for name in wanted:
        if name not in systems:
            print(f"{name} is not installed and left out; make bench-ingest installs all peers")
    truths: dict[int, Truth] = {}
    results: Results = {}
    with ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(parents=True, exist_ok=True)
        for size in sizes:
            source = work / f"till_{size}.csv"
            print(f"{size} MB: writing the file", flush=True)
            truths[size] = write_till_file(source, size)
            results[size] = run_all(systems, source, options)
            source.unlink()
    command = "python -m benchmarks ingest " + " ".join(sys.argv[1:])
    report, kept = write_report(results, truths, rounds=options.rounds, command=command.strip())
    print("\n" + report)
    if options.write:
        write_measured(PAGE, report)
        print(f"written into {PAGE}")
    if options.check and not kept:
        sys.exit(1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_MEGABYTES} MB only")
    parser.add_argument("--megabytes", nargs="*", type=int, help="sizes of the file; default: 1000")
    parser.add_argument("--systems", nargs="*", choices=(OURS, *PEERS), help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; medians are shown")
    parser.add_argument("--memory-limit", default="1GB", help="what DuckDB may use in ours")
    parser.add_argument("--work", type=Path, help="folder for files; default: a temporary one")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    return parser.parse_args()


def run_all(
    systems: Sequence[str], source: Path, options: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Run every system on a file, taking turns; return medians by system."""
    runs: dict[str, list[dict[str, Any]]] = {system: [] for system in systems}
    for _ in range(options.rounds):
        for system in systems:
            done = run_one(system, source, memory_limit=options.memory_limit)
            if done:
                runs[system].append(done)
    return {system: _median(found) for system, found in runs.items() if found}


def run_one(system: str, source: Path, *, memory_limit: str) -> dict[str, Any] | None:
    """Run a system in a process of its own; a failure is told and leaves no result."""
    scratch = source.parent / "scratch"
    out = source.parent / "result.json"
    command = [sys.executable, "-m", "benchmarks.ingest.worker", system, "--source", str(source)]
    command += ["--scratch", str(scratch), "--out", str(out), "--memory-limit", memory_limit]
    try:
        ended = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own worker
        if ended.returncode:
            print(f"{system} failed\n{ended.stderr[-2000:]}", flush=True)
            return None
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        out.unlink(missing_ok=True)
    print(
        f"{system} {result['cpu']:.1f} CPU s, {result['wall']:.1f} s, "
        f"{result['peak_megabytes']:,.0f} MB",
        flush=True,
    )
    return result


def _median(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    costs = ("cpu", "wall", "others", "peak_megabytes")
    middle = {name: statistics.median(one[name] for one in found) for name in costs}
    phases = {
        phase: {
            kind: statistics.median(one["phases"][phase][kind] for one in found)
            for kind in ("cpu", "wall")
        }
        for phase in found[0]["phases"]
    }
    return found[0] | middle | {"phases": phases}


if __name__ == "__main__":
    main()
