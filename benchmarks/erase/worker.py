"""One part of the measurement in a process of its own: ``python -m benchmarks.erase.worker``."""

from __future__ import annotations

import argparse
import csv
import functools
import json
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from benchmarks.erase.searching import Needles, search
from benchmarks.ingest.watch import Watch, peak_megabytes

ROOT = Path(__file__).resolve().parents[2]
_LINES_A_COPY = 1000

BESIDE = "clean_raw"
"""A stage of one thread beside ``clean_version``, in whose seconds its own are, too."""

_LOADING = (
    *("discover", "load_staging", "collect_person_records", "score_pairs", "resolve_customers"),
    *("build_core", "publish"),
)
"""Steps of a night after which deliveries, identity and sales are published, beside ``stage_*``."""

CHOSEN = """
with held as (
    select distinct m.customer_id, unnest([r.email, r.phone, r.loyalty_id]) as value
    from identity.records as r
    inner join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
),

shared as (select value from held where value is not null group by value having count(*) > 1)

select customer_id
from core.customer_contact
where
    email is not null
    and customer_id not in (select customer_id from held semi join shared using (value))
order by md5(customer_id)
limit ?
"""
# People who share neither mailbox, number nor card, so that all of it must be gone afterwards.

TURNOVER = """
select
    (select sum(net_amount) from core.fct_sales),
    (select sum(order_amount) from core.fct_orders),
    (select count(*) from core.fct_sales)
"""


def main() -> None:
    """Do what the command line names and write its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("multiply", "load", "erase"))
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--date", type=date.fromisoformat, required=True)
    parser.add_argument("--receipts", type=int, default=1, help="copies of every receipt")
    parser.add_argument("--lines", type=int, default=1, help="copies of every line of a receipt")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = {"multiply": _multiply, "load": _load, "erase": _erase}[options.what](options)
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _multiply(options: argparse.Namespace) -> dict[str, Any]:
    """Let every customer buy more, on more receipts: further copies under numbers of their own."""
    count = 0
    for path in sorted((options.data_dir / "landing" / "pos_sales").glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream))
        returned = header.index("original_receipt_id")
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            for row in rows:
                is_whole = len(row) == len(header)
                copies = _copies(row, returned, options) if is_whole else [row]
                for copy in copies:
                    writer.writerow(copy)
                    count += 1
    return {"lines": count}


def _copies(row: list[str], returned: int, options: argparse.Namespace) -> Iterator[list[str]]:
    for receipt in range(options.receipts):
        end = f"-{receipt}" if receipt else ""
        for line in range(options.lines):
            copy = [row[0] + end, str(int(row[1]) + line * _LINES_A_COPY), *row[2:]]
            if copy[returned].startswith("S"):
                copy[returned] += end
            yield copy


def _load(options: argparse.Namespace) -> dict[str, Any]:
    """Run the steps of a night that make what is erased from; no features, exports or reports."""
    from cdp_pipeline.core.context import RunContext  # noqa: PLC0415 - own process
    from cdp_pipeline.core.settings import load_settings  # noqa: PLC0415 - as above
    from cdp_pipeline.orchestration.runner import execute_step  # noqa: PLC0415 - as above
    from cdp_pipeline.orchestration.steps import nightly_graph  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.lock import hold_lock  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.paths import DataPaths  # noqa: PLC0415 - as above

    settings = load_settings(ROOT, data_dir=options.data_dir)
    context = RunContext(options.date, f"night-{options.date}", ROOT, settings)
    steps = [
        step
        for step in nightly_graph(ROOT, check=False).order
        if step.name in _LOADING or step.name.startswith("stage_")
    ]
    with hold_lock(DataPaths.of(context).lock, "benchmark"):
        for step in steps:
            execute_step(context, step)
    return {"steps": [step.name for step in steps], "cpu": time.process_time()}


def _erase(options: argparse.Namespace) -> dict[str, Any]:
    from cdp_pipeline.core.context import RunContext  # noqa: PLC0415 - own process
    from cdp_pipeline.core.settings import load_settings  # noqa: PLC0415 - as above
    from cdp_pipeline.rights import erasure  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.lock import hold_lock  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.paths import DataPaths  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.versions import published_versions, verify  # noqa: PLC0415 - as above

    settings = load_settings(ROOT, data_dir=options.data_dir)
    context = RunContext(options.date, "benchmark", ROOT, settings)
    paths = DataPaths.of(context)
    with erasure.open_resolver(context) as con:
        asked = [str(customer) for (customer,) in con.execute(CHOSEN, [options.people]).fetchall()]
        before = _turnover(con)
        needles = Needles.of(con, asked)
    held = search(options.data_dir, needles)
    watch = _watched(erasure)
    with hold_lock(paths.lock, "benchmark"):
        cpu, wall = time.process_time(), time.perf_counter()
        with erasure.open_resolver(context) as con, watch.phase("find_people"):
            subjects = erasure.find_people(con, context, asked)
        certificate = erasure.erase_people(context, subjects, reason="benchmark")
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = peak_megabytes()
    with erasure.open_resolver(context) as con:
        after = _turnover(con)
    left = search(options.data_dir, needles)
    damaged = [text for version in published_versions(paths) for text in verify(version)]
    return {
        "people": len(subjects),
        "needles": len(needles),
        "cpu": cpu,
        "wall": wall,
        "peak": peak,
        "phases": watch.phases,
        "turnover": {"before": before, "after": after},
        "facts": {name: value for name, value in certificate.facts.items() if name != "versions"},
        "held": {"files": len(held), "traces": sum(map(len, held.values()))},
        "left": {name: sorted(found) for name, found in left.items()},
        "damaged": damaged,
    }  # fmt: skip


def _turnover(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return sums of receipts and of orders, and the number of sales."""
    return [str(value) for row in con.execute(TURNOVER).fetchall() for value in row]


def _watched(module: ModuleType) -> Watch:
    """Let the stages of an erasure count their seconds."""
    watch = Watch()
    setattr(module, BESIDE, _counted_beside(watch, BESIDE, getattr(module, BESIDE)))
    for name in (
        *("find_all_traces", "find_removals", "add_tombstones", "clean_staged", "own_spellings"),
        *("add_words", "erase_lines", "clean_version", "clean_files", "scan_folder"),
    ):
        setattr(module, name, _counted(watch, name, getattr(module, name)))
    return watch


def _counted(watch: Watch, name: str, stage: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stage)
    def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the stage
        with watch.phase(name):
            return stage(*args, **kwargs)

    return counted


def _counted_beside(watch: Watch, name: str, stage: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stage)
    def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the stage
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            return stage(*args, **kwargs)
        finally:
            spent = watch.phases.setdefault(name, {"wall": 0.0, "cpu": 0.0, "others": 0.0})
            spent["wall"] += time.perf_counter() - wall
            spent["cpu"] += time.thread_time() - cpu

    return counted


if __name__ == "__main__":
    main()
