"""One night, or the bare copy, in a process of its own: ``python -m benchmarks.night.worker``.

A night's steps run one after the other, as Airflow runs them, so that each has its own figures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.ingest.watch import peak_megabytes

ROOT = Path(__file__).resolve().parents[2]
_CLEAR_REFS = Path("/proc/self/clear_refs")
_READERS = {".csv": "read_csv", ".jsonl": "read_json", ".json": "read_json"}


@dataclass(frozen=True)
class StepCost:
    """What one step cost.

    Attributes:
        step: Its name.
        stage: Its group.
        imports: CPU seconds of importing it.
        cpu: CPU seconds of running it, all threads.
        wall: Seconds.
        peak: Largest resident set while it ran, MB.
    """

    step: str
    stage: str
    imports: float
    cpu: float
    wall: float
    peak: float


def main() -> None:
    """Run what the command line names and write its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("generate", "night", "copy"))
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--date", type=date.fromisoformat)
    parser.add_argument("--customers", type=int, default=0)
    parser.add_argument("--nights", type=int, default=0)
    parser.add_argument("--history-days", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = {"generate": _generate, "night": _night, "copy": _copy}[options.what](options)
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _generate(options: argparse.Namespace) -> dict[str, Any]:
    from cdp_pipeline.sample.generate import StoreSpec, generate_store  # noqa: PLC0415 - own process

    spec = StoreSpec(
        customers=options.customers,
        nights=options.nights,
        seed=options.seed,
        history_days=options.history_days,
    )
    store = generate_store(spec, options.data_dir / "landing", options.data_dir / "truth")
    return {"dates": [day.isoformat() for day in store.dates], "rows": store.rows_by_source}


def _night(options: argparse.Namespace) -> dict[str, Any]:
    from cdp_pipeline.core.context import RunContext  # noqa: PLC0415 - own process
    from cdp_pipeline.core.settings import load_settings  # noqa: PLC0415 - as above
    from cdp_pipeline.orchestration.runner import execute_step  # noqa: PLC0415 - as above
    from cdp_pipeline.orchestration.steps import nightly_graph  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.lock import hold_lock  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.paths import DataPaths  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.renewal import CERTIFICATES  # noqa: PLC0415 - as above

    settings = load_settings(ROOT, data_dir=options.data_dir)
    context = RunContext(options.date, f"night-{options.date}", ROOT, settings)
    graph = nightly_graph(ROOT, check=True)
    costs = []
    with hold_lock(DataPaths.of(context).lock, "benchmark"):
        for step in graph.order:
            imports, *_ = _cost(step.load)
            cpu, wall, peak = _cost(lambda step=step: execute_step(context, step))
            costs.append(StepCost(step.name, step.stage, imports, cpu, wall, peak))
    return {
        "startup": time.process_time() - sum(c.cpu + c.imports for c in costs),
        "steps": [asdict(cost) for cost in costs],
        "erased": _count_erased(DataPaths.of(context).privacy / CERTIFICATES, options.date),
    }


def _count_erased(certificates: Path, day: date) -> int:
    """Return how many people were erased on a date."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in certificates.glob("*.json")]
    return sum(c["people"] for c in found if c["business_date"] == day.isoformat())


def _cost(action: Callable[[], object]) -> tuple[float, float, float]:
    _CLEAR_REFS.write_text("5", encoding="ascii")  # the kernel's high-water mark begins anew
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall, peak_megabytes()


def _copy(options: argparse.Namespace) -> dict[str, Any]:
    """Copy the files delivered on a date to Parquet with nothing but DuckDB."""
    import duckdb  # noqa: PLC0415 - own process

    con = duckdb.connect()
    paths = sorted((options.data_dir / "landing").glob(f"*/{options.date}/*"))
    target = options.data_dir.with_name("copied")  # an erasure searches all of the data folder
    target.mkdir(exist_ok=True)

    def copy_all() -> None:
        for path in paths:
            read, out = _READERS[path.suffix], target / f"{path.stem}.parquet"
            con.execute(
                f"copy (from {read}('{path}', ignore_errors = true)) to '{out}' (format parquet)"
            )

    cpu, wall, peak = _cost(copy_all)
    size = sum(path.stat().st_size for path in paths)
    return {"cpu": cpu, "wall": wall, "peak": peak, "bytes": size}


if __name__ == "__main__":
    main()
