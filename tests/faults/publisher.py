"""A publication small enough to be killed at every one of its calls.

Two nights: yesterday's is published, tonight's is built and waits.
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.storage import versions
from cdp_pipeline.storage.files import write_json
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_value, open_build, open_published
from tests.dying import DURABLE, die_at
from tests.faults import mutants

YESTERDAY = date(2026, 11, 20)
TONIGHT = YESTERDAY + timedelta(days=1)
ROWS = {YESTERDAY: 3, TONIGHT: 5}

SETTINGS = (
    '[tool.cdp]\ntime_zone = "Europe/London"\nkeep_versions = 2\n[tool.cdp.engine]\nthreads = 1\n'
)


def context_of(root: Path, day: date) -> RunContext:
    return RunContext(day, f"night-{day}", root, load_settings(root))


def prepare(root: Path) -> DataPaths:
    """Publish yesterday's night and build tonight's."""
    for name in ("expectations", "sql", "reports"):  # own and empty: what ships takes time to read
        (root / name).mkdir(parents=True)
    (root / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    build(root, YESTERDAY, ROWS[YESTERDAY])
    publish(root, YESTERDAY)
    return build(root, TONIGHT, ROWS[TONIGHT])


def build(root: Path, day: date, rows: int) -> DataPaths:
    """Make what the steps before the publication make: a plan, a table, an export."""
    context = context_of(root, day)
    paths = DataPaths.of(context)
    base = versions.find_base(paths, day)
    plan = {
        "fingerprint": f"{day} {rows}",
        "base_version": base.name if base else None,
        "base_path": str(base / "cdp.duckdb") if base else None,
    }
    write_json(paths.plan, plan)
    with open_build(context) as con:
        con.execute(f"create or replace table core.numbers as select range as n from range({rows})")
    export = paths.tree / "exports" / "crm" / "audience.csv"
    export.parent.mkdir(parents=True, exist_ok=True)
    export.write_text(f"n\n{rows}\n")
    return paths


def publish(root: Path, day: date = TONIGHT, *, waiting: float = 0.0) -> None:
    """Publish a night under the lock, as the runner does."""
    context = context_of(root, day)
    with hold_lock(DataPaths.of(context).lock, f"night of {day}", wait_seconds=waiting):
        versions.run(context)


def night(root: Path) -> None:
    """Build tonight's night anew and publish it, whatever an earlier try has left."""
    shutil.rmtree(DataPaths.of(context_of(root, TONIGHT)).work, ignore_errors=True)
    build(root, TONIGHT, ROWS[TONIGHT])
    publish(root)


def publish_and_die(root: Path, at: int, mutant: str = "") -> None:
    """Publish and die at the n-th durable call, perhaps as a broken publisher."""
    if mutant:
        mutants.MUTANTS[mutant]()
    die_at(at, (*DURABLE, "write"))
    publish(root)


def story(root: Path) -> int:
    """Return the rows of the current version, whose parts must agree."""
    paths = DataPaths.of(context_of(root, TONIGHT))
    version = versions.current_version(paths)
    assert version is not None, "readers find nothing"
    assert versions.verify(version) == []
    with open_published(paths.data_dir) as con:
        rows = int(fetch_value(con, "select count(*) from core.numbers"))
        parquet = version.path / "parquet" / "core" / "numbers.parquet"
    assert version.manifest["rows"] == {"core.numbers": rows}
    assert parquet.is_file()
    export = version.path / "exports" / "crm" / "audience.csv"
    assert export.read_text() == f"n\n{rows}\n", "files of two nights"
    assert ROWS.get(version.business_date, 5) == rows, "a night under the name of another"
    return rows
