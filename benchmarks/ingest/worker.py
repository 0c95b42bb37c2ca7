"""One system on one file in a process of its own: ``python -m benchmarks.ingest.worker``."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.ingest.watch import Watch, peak_megabytes

PEERS = ("duckdb", "polars", "pyarrow", "pandas")
OURS = "ours"


def main() -> None:
    """Run what the command line names and write its result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=(OURS, *PEERS))
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True)
    target, watch = options.scratch / "rows.parquet", Watch()
    found: dict[str, int] = {}
    note = ""
    if options.system == OURS:
        land = importlib.import_module("benchmarks.ingest.ours").land
        found = land(options.source, target, watch, memory_limit=options.memory_limit)
    else:
        peers = importlib.import_module("benchmarks.ingest.peers")
        importlib.import_module(options.system)  # imports do not count, for anybody
        copy = getattr(peers, f"copy_with_{options.system}")
        with watch.phase("copy"):
            note = copy(options.source, target)
    result = {
        "system": options.system,
        "cpu": watch.total("cpu"),
        "wall": watch.total("wall"),
        "others": watch.total("others"),
        "peak_megabytes": peak_megabytes(),
        "phases": watch.phases,
        "written_megabytes": target.stat().st_size / 1e6,
        "found": found,
        "note": note,
    }
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
