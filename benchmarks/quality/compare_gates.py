"""The gate over deliveries on ten million rows, beside one scan and Great Expectations on pandas.

    make bench-quality                                    ten million rows; pandas on one million
    make bench-quality OPTIONS="--rows 200000 --peer-rows 100000"

Every system judges the same Parquet file by the checks of ``expectations/pos_sales.yml``, in a
process of its own. CPU seconds and peak memory are the figures to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.ingest.till_file import BYTES_A_LINE, NIGHT, write_till_file
from benchmarks.ingest.watch import Watch, peak_megabytes
from benchmarks.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "pos_sales"
PACKAGES = ("duckdb", "great_expectations", "pandas")
TITLES = {
    "gate": "**the gate**: Great Expectations in DuckDB, with Data Docs",
    "scan": "the same predicates in one scan by hand",
    "pandas": "Great Expectations on a pandas frame",
}


def main() -> None:
    """Stage rows, let each system judge them, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200,000 rows")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000, help="rows for pandas")
    parser.add_argument("--system", choices=("stage", *TITLES), help=argparse.SUPPRESS)
    parser.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.system:
        print(json.dumps(_SYSTEMS[options.system](options.project)))
        return
    rows = 200_000 if options.quick else options.rows
    sizes = list(dict.fromkeys([rows, min(rows, options.peer_rows)]))
    print(describe_machine(PACKAGES) + "\n")
    print("| rows | system | CPU s | wall s | peak MB | rules | broken |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            project = _make_project(Path(folder), size)
            _run("stage", project)
            for system in TITLES if size <= options.peer_rows else ("gate", "scan"):
                _show(system, _run(system, project))


def _make_project(folder: Path, rows: int) -> Path:
    """Make a project of one source with a delivery of about so many lines."""
    (folder / "expectations").mkdir()
    shutil.copy(ROOT / "expectations" / f"{SOURCE}.yml", folder / "expectations")
    table = '[tool.cdp]\ntime_zone = "Europe/London"\n'
    (folder / "pyproject.toml").write_text(table, encoding="utf-8")
    path = folder / "data" / "landing" / SOURCE / NIGHT / f"pos_sales_{NIGHT}.csv"
    path.parent.mkdir(parents=True)
    write_till_file(path, round(rows * BYTES_A_LINE / 1e6))
    return folder


def _run(system: str, project: Path) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.quality.compare_gates"]
    command += ["--system", system, "--project", str(project)]
    environment = {**os.environ, "TQDM_DISABLE": "1"}  # noqa: TID251 - for our own worker
    ended = subprocess.run(  # noqa: S603 - our own worker
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment
    )
    if ended.returncode:
        sys.exit(f"{system} failed\n{ended.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def _show(system: str, found: dict[str, Any]) -> None:
    print(
        f"| {found['rows']:,} | {TITLES[system]} | {found['cpu']:.1f} | {found['wall']:.1f} | "
        f"{found['peak']:,.0f} | {found['rules']} | {found['broken']:,} |",
        flush=True,
    )


def _context(project: Path) -> Any:  # noqa: ANN401 - imported late: imports do not count
    from cdp_pipeline.core.context import RunContext  # noqa: PLC0415 - as above
    from cdp_pipeline.core.settings import load_settings  # noqa: PLC0415 - as above

    return RunContext(date.fromisoformat(NIGHT), "bench", project, load_settings(project))


def _outcome(watch: Watch, *, rows: int, rules: int, broken: int) -> dict[str, Any]:
    cpu, wall = watch.total("cpu"), watch.total("wall")
    found = {"rows": rows, "rules": rules, "broken": broken}
    return {"cpu": cpu, "wall": wall, "peak": peak_megabytes(), **found}


def stage(project: Path) -> dict[str, Any]:
    """Plan and stage the delivery; nothing of it is measured."""
    from cdp_pipeline.ingest import landing, staging  # noqa: PLC0415 - a step's own process

    context = _context(project)
    landing.run(context)
    result = staging.run(context, source=SOURCE)
    return {"rows": result.rows_out}


def judge_by_gate(project: Path) -> dict[str, Any]:
    """Run the step ``check_sources`` as a night does."""
    from cdp_pipeline.quality.gate import run_sources  # noqa: PLC0415 - a step's own process
    from cdp_pipeline.quality.results import read_results  # noqa: PLC0415 - as above
    from cdp_pipeline.storage.paths import DataPaths  # noqa: PLC0415 - as above

    context, watch = _context(project), Watch()
    with watch.phase("gate"):
        run_sources(context)
    results = read_results(DataPaths.of(context).tree)
    rows = max(result.evaluated_rows for result in results)
    broken = sum(result.unexpected_rows for result in results)
    return _outcome(watch, rows=rows, rules=len(results), broken=broken)


def _wanted(project: Path) -> tuple[Any, str]:
    """Return the contract and the FROM clause of its staged rows that are not excluded."""
    from cdp_pipeline.project.loader import load_project  # noqa: PLC0415 - imports do not count

    contract = load_project(project).sources[SOURCE]
    path = next((project / "data" / "staging" / SOURCE).glob("*.parquet"))
    excluded = " or ".join(f"({rule.where})" for rule in contract.exclude)
    return contract, f"from read_parquet('{path}') where ({excluded}) is not true"


def judge_in_one_scan(project: Path) -> dict[str, Any]:
    """Count broken rows of every row check in one SELECT, as one would by hand."""
    import duckdb  # noqa: PLC0415 - imports do not count

    from cdp_pipeline.project.checks import ROW_CHECKS  # noqa: PLC0415 - as above
    from cdp_pipeline.project.predicates import row_predicate  # noqa: PLC0415 - as above

    contract, source = _wanted(project)
    types = {name: column.sql_type for name, column in contract.columns.items()}
    counts = [
        f"count(*) filter (where not {row_predicate(check, types.get(check.column or '', ''))})"
        for check in contract.all_checks()
        if check.expect in ROW_CHECKS
    ]
    watch = Watch()
    with watch.phase("scan"), duckdb.connect(config={"memory_limit": "4GB"}) as con:
        row = con.execute(f"select count(*), {', '.join(counts)} {source}").fetchall()[0]
    return _outcome(watch, rows=row[0], rules=len(counts), broken=sum(row[1:]))


def judge_on_pandas(project: Path) -> dict[str, Any]:
    """Validate the same suite on a frame; rules in SQL are left out, for pandas has none."""
    import duckdb  # noqa: PLC0415 - imports do not count
    import great_expectations as gx  # noqa: PLC0415 - as above

    from cdp_pipeline.quality.checkpoints import COUNTS_ONLY  # noqa: PLC0415 - as above
    from cdp_pipeline.quality.suites import Subject, build_suite  # noqa: PLC0415 - as above

    contract, source = _wanted(project)
    columns = {name: column.sql_type for name, column in contract.columns.items()}
    checks = [check for check in contract.all_checks() if check.expect != "true"]
    suite = build_suite(Subject(SOURCE, SOURCE, columns, str(project)), checks)
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset(SOURCE)
    watch = Watch()
    with watch.phase("load and judge"):
        with duckdb.connect() as con:
            frame = con.execute(f"select * {source}").df()
        definition = asset.add_batch_definition_whole_dataframe("all")
        batch = definition.get_batch(batch_parameters={"dataframe": frame})
        validated = batch.validate(suite, result_format=COUNTS_ONLY)
    broken = sum(int(one.result.get("unexpected_count") or 0) for one in validated.results)
    return _outcome(watch, rows=len(frame), rules=len(checks), broken=broken)


_SYSTEMS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "stage": stage,
    "gate": judge_by_gate,
    "scan": judge_in_one_scan,
    "pandas": judge_on_pandas,
}

if __name__ == "__main__":
    main()
