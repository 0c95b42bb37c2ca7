"""A night that looks only at what is new, beside a full run: cost, accuracy and ids kept.

Three nights over one population: the first without 1 % of the records, the second upon it with all
of them, and a full run of all of them from nothing. Each runs the stages as the nightly run does,
with a warehouse on disk. How new records are found and compared belongs in ``cdp_pipeline``.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.linkage.datasets import DataSet
from benchmarks.linkage.scoring import read_truth, score_groups
from benchmarks.linkage.wordlists import Integers
from benchmarks.linkage.worker import Outcome, Watch, cpu_seconds
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.loader import starter_folder
from cdp_pipeline.storage.journal import snapshot_journals
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build, quote_literal

STAGES = ("standard.records", "scoring.model", "grouping.cluster")
FIRST, SECOND = date(2026, 11, 2), date(2026, 11, 3)
NEW_OF_A_HUNDRED = 1
"""Records of a hundred that the first night has not seen, chosen by their key."""


@dataclass(frozen=True)
class Night:
    """One night that has run.

    Attributes:
        warehouse: What it made.
        cpu: CPU seconds of its stages.
    """

    warehouse: Path
    cpu: float


def link(data: DataSet, scratch: Path, watch: Watch) -> Outcome:
    """Run the three nights; the groups are those of the incremental one."""
    shutil.rmtree(scratch, ignore_errors=True)
    project = scratch / "project"
    for layer in ("macros", "identity"):
        shutil.copytree(starter_folder("sql") / layer, project / "sql" / layer)
    for path in (project / "sql" / "macros").iterdir():
        if not path.name.startswith("identity_"):
            path.unlink()
    old = f"hash(source, record_key) % 100 >= {NEW_OF_A_HUNDRED}"
    before = _run(data, scratch / "first", project, FIRST, rows=old)
    with watch.phase("incremental night"):
        after = _run(data, scratch / "second", project, SECOND, base=before.warehouse)
    full = _run(data, scratch / "full", project, SECOND)
    groups = _groups(after.warehouse)
    truth = read_truth(data.folder)
    f1 = [score_groups(g, truth)["f1"] for g in (groups, _groups(full.warehouse))]
    figures = {
        "cpu_ratio": after.cpu / full.cpu,
        "full_cpu": full.cpu,
        "f1_difference": abs(f1[0] - f1[1]),
        **_ids(before.warehouse, after.warehouse),
    }
    notes = [f"{name} {value:.6g}" for name, value in figures.items()]
    return Outcome({"0.5": groups}, notes=notes, figures=figures)


def _run(
    data: DataSet, folder: Path, project: Path, day: date, *, rows: str = "true",
    base: Path | None = None,
) -> Night:  # fmt: skip
    context = RunContext(day, day.isoformat(), project, Settings(data_dir=folder))
    paths = DataPaths.of(context)
    paths.ensure(paths.work)
    if base:
        paths.plan.write_text(json.dumps({"base_path": str(base)}), encoding="utf-8")
    snapshot_journals(paths)
    with open_build(context) as con:
        con.execute(
            "create or replace table staging.person_records as "
            f"from read_parquet(?) where {rows} order by source, record_key",
            [str(data.folder / "records.parquet")],
        )
    steps = [import_module(f"cdp_pipeline.identity.{stage}") for stage in STAGES]
    begin = cpu_seconds()
    for step in steps:
        for message in step.run(context).messages:
            print(f"{folder.name}: {message}", flush=True)
    return Night(paths.vault_db, cpu_seconds() - begin)


def _groups(warehouse: Path) -> Integers:
    with duckdb.connect() as con:
        con.execute(f"attach {quote_literal(str(warehouse))} as cdp (read_only)")
        found = con.execute(_CUSTOMERS).fetchnumpy()
    return np.asarray(found["cluster"], np.int64)


def _ids(before: Path, after: Path) -> dict[str, float]:
    with duckdb.connect() as con:
        con.execute(f"attach {quote_literal(str(before))} as before (read_only)")
        con.execute(f"attach {quote_literal(str(after))} as after (read_only)")
        kept = con.execute(_KEPT).fetchall()[0][0]
        unresolved = con.execute(_UNRESOLVED).fetchall()[0][0]
    return {"ids_kept": float(kept), "redirects_unresolved": float(unresolved)}


_CUSTOMERS = """
select dense_rank() over (
    order by coalesce(m.customer_id, 'nobody/' || r.source || '/' || r.record_key)
) as cluster
from cdp.identity.records as r
left join cdp.identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
order by r.source, r.record_key
"""

_KEPT = """
select avg(cast(a.customer_id = b.customer_id as integer))
from before.identity.customer_map as b
inner join after.identity.customer_map as a
    on a.source = b.source and a.record_key = b.record_key
"""

_UNRESOLVED = """
select count(*)
from after.identity.redirects as r
anti join after.identity.customer_map as m on m.customer_id = r.customer_id
"""
