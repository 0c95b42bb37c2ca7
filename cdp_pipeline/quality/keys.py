"""Keys of finished tables: unique and never NULL, whatever else a header declares.

Every table has a key, so this is plain SQL, one statement a table: the same through Great
Expectations costs a suite of Python work for each of them. Declared checks are its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.quality.results import CheckResult
from cdp_pipeline.storage.keys import count_keys

KIND = "key"


def check_keys(con: duckdb.DuckDBPyConnection, specs: Iterable[TableSpec]) -> list[CheckResult]:
    """Return two results per table with a key: rows that repeat one, rows that miss a part of it.

    Args:
        con: Connection whose current catalog holds the tables.
        specs: Tables that exist.
    """
    results: list[CheckResult] = []
    for spec in specs:
        if spec.header.key:
            results += _check_key(con, spec)
    return results


def _check_key(con: duckdb.DuckDBPyConnection, spec: TableSpec) -> list[CheckResult]:
    keys = count_keys(con, spec.full_name, spec.header.key)
    return [
        _result(spec, "key_unique", keys.rows, keys.rows - keys.different),
        _result(spec, "key_not_null", keys.rows, keys.incomplete),
    ]


def _result(spec: TableSpec, rule: str, evaluated: int, unexpected: int) -> CheckResult:
    return CheckResult(
        suite=spec.full_name,
        rule=rule,
        stage="warehouse",
        kind=KIND,
        columns=", ".join(spec.header.key),
        severity=Severity.STOP,
        success=unexpected == 0,
        evaluated_rows=evaluated,
        unexpected_rows=unexpected,
    )
