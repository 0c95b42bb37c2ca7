"""What is unique in finished tables: their keys, never NULL either, and what headers declare so.

Every table has a key, so this is plain SQL, one statement a table: the same through Great
Expectations costs a suite of Python work for each of them, and a group for every row where a hash
tells as much. Other declared checks are its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from cdp_pipeline.core.types import Severity
from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.predicates import unique_columns
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.quality.results import CheckResult
from cdp_pipeline.quality.suites import Subject
from cdp_pipeline.storage.keys import count_keys, count_repeating
from cdp_pipeline.storage.warehouse import describe

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


def is_uniqueness(check: Check) -> bool:
    """Return whether a declared check is that no row shares its values with another one."""
    return check.expect == "unique" and check.mostly == 1


def check_uniqueness(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, checks: Iterable[Check]
) -> list[CheckResult]:
    """Return a result per declared check of uniqueness; rows that miss a value are left out.

    Args:
        con: As for ``check_keys``.
        spec: A table that exists.
        checks: Those of its checks for which ``is_uniqueness`` holds.

    Raises:
        ConfigError: A check names a column that the table lacks.
    """
    results: list[CheckResult] = []
    subject = Subject(spec.full_name, "", describe(con, spec.full_name), str(spec.path))
    for check in checks:
        columns = [subject.column_of(check, name)[0] for name in unique_columns(check)]
        rows, repeating = count_repeating(con, spec.full_name, columns)
        results.append(
            CheckResult(
                suite=spec.full_name,
                rule=check.rule,
                stage="warehouse",
                kind=check.expect,
                columns=", ".join(columns),
                severity=check.severity,
                success=repeating == 0,
                evaluated_rows=rows,
                unexpected_rows=repeating,
            )
        )
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
