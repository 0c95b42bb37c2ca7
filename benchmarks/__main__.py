"""Run every benchmark of this folder, one after the other: ``make bench``.

    python -m benchmarks                    all, as they are without options
    python -m benchmarks linkage --quick    one, with its options

Each prints what it measured beside the named peer, with machine and versions. A peer that is not
installed is named, not silently left out.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from benchmarks.machine import describe_machine

HERE = Path(__file__).parent
PACKAGES = (
    "duckdb",
    "numpy",
    "scipy",
    "recordlinkage",
    "splink",
    "custmatch",
    "lifetimes",
    "pandas",
    "polars",
    "implicit",
    "mlxtend",
)


def main() -> None:
    """Run the benchmarks whose names are given, with the options that follow, or all."""
    scripts = sorted(HERE.glob("*/compare_*.py"))
    names = {script.parent.name for script in scripts}
    wanted = [word for word in sys.argv[1:] if word in names]
    options = [word for word in sys.argv[1:] if word not in names]
    print(describe_machine(PACKAGES))
    for script in scripts:
        if wanted and script.parent.name not in wanted:
            continue
        print(f"\n== {script.parent.name}/{script.name}")
        sys.argv = [str(script), *options]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
