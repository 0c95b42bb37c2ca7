"""Fixtures of the quality tests: a project with one source, staged rows, a finished warehouse."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

with warnings.catch_warnings():
    # Great Expectations 1.24 imports two modules that Python renamed; nothing to mend here.
    warnings.filterwarnings("ignore", r"module 'sre_\w+' is deprecated", DeprecationWarning)
    import great_expectations  # noqa: F401 - only so that its import warns here and not in tests

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.storage.paths import DataPaths

TILLS = """\
title: Tills
owner: retail
delivery: {path: tills/*.csv, format: csv}
load: {mode: append, key: [sale_id]}
columns:
  sale_id: {required: true}
  email: {}
  amount: {type: decimal}
checks:
  - {expect: not_null, column: amount}
  - {expect: matches, column: email, pattern: '^[^@]+@[^@]+$', severity: warn}
feeds:
  - {entity: sale_lines, columns: {sale_id: sale_id}}
"""

StageRows = Callable[..., Path]


@pytest.fixture
def tills(project_root: Path) -> Path:
    """Return a project whose only source is ``tills``."""
    path = project_root / "expectations" / "tills.yml"
    path.write_text(TILLS, encoding="utf-8")
    return path


@pytest.fixture
def stage_rows(context: RunContext) -> StageRows:
    """Return a function that stages rows as the ingest step would."""

    def stage(
        values: str, *, source: str = "tills", file_id: str = "f1", plan_status: str = "new"
    ) -> Path:
        paths = DataPaths.of(context)
        rows = paths.staging / source / f"{file_id}.parquet"
        rows.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as con:
            con.execute(
                "copy (select sale_id::varchar as sale_id, email::varchar as email, "
                f"amount::decimal(18,2) as amount from (values {values}) "
                f"as t(sale_id, email, amount)) to '{rows}'"
            )
            accepted = con.execute(f"select count(*) from '{rows}'").fetchall()[0][0]
        entry = {
            "plan_status": plan_status,
            "status": "loaded",
            "records": accepted,
            "accepted": accepted,
            "rows_path": str(rows),
            "file_name": f"{source}/{file_id}.csv",
        }
        notes = paths.staged / f"{source}.json"
        before = json.loads(notes.read_text())["deliveries"] if notes.is_file() else []
        notes.parent.mkdir(parents=True, exist_ok=True)
        notes.write_text(json.dumps({"source": source, "deliveries": [*before, entry]}))
        return rows

    return stage
