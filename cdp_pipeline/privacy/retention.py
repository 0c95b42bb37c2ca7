"""Rows past their time leave the tables of the night, and what was done is written down.

Tables lose the rows that their headers no longer keep, and ``ops.retention`` proves for every table
and source with a period what is left; the step ``build_marts`` begins with it, so that reports show
the proof, since a step of its own would cost Airflow more than it does. Deliveries leave
when they are read (``ingest.expiring``); here they are only counted. Aggregates of days that are
gone stay (``statistics:`` of a header, applied in ``warehouse.build``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb

from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.retention import SourceRetention
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.patching import remove_rows
from cdp_pipeline.storage.warehouse import (
    base_columns,
    create_table,
    declare_table,
    fetch_dicts,
    fetch_value,
    has_base_table,
    has_table,
    quote_column,
    quote_identifier,
)

PROOF = "ops.retention"

_GONE = """
    select count(*) as files, coalesce(sum(before.loaded), 0) as rows
    from base.ops.deliveries as before
    inner join ops.deliveries as now
        on
            before.source = now.source
            and before.file_name = now.file_name
            and before.sha256 = now.sha256
    where now.source = $source and now.status = 'expired' and before.status <> 'expired'
"""
_LEFT_OUT = """
    select coalesce(sum(greatest(now.excluded - before.excluded, 0)), 0)
    from base.ops.deliveries as before
    inner join ops.deliveries as now
        on
            before.source = now.source
            and before.file_name = now.file_name
            and before.sha256 = now.sha256
    where now.source = $source and now.status = 'loaded' and before.status = 'loaded'
"""


def apply_retention(con: duckdb.DuckDBPyConnection, project: Project, night: date) -> int:
    """Apply the retention of every header, write ``ops.retention`` and return the rows that went.

    Args:
        con: Connection to the build, whose tables are made but for the marts.
        project: The declarations.
        night: Business date.

    Raises:
        PrivacyError: A table still holds rows past their time.
    """
    proofs = [*_tables(con, project, night), *_sources(con, project, night)]
    if proofs or PROOF in project.tables:
        _write(con, project.table(PROOF), proofs)
    return sum(proof["rows_removed"] for proof in proofs)


def _tables(
    con: duckdb.DuckDBPyConnection, project: Project, night: date
) -> Iterator[dict[str, Any]]:
    for name, spec in sorted(project.tables.items()):
        if spec.header.retention and has_table(con, name):
            yield keep_within(con, spec, night=night)


def keep_within(con: duckdb.DuckDBPyConnection, spec: TableSpec, *, night: date) -> dict[str, Any]:
    """Delete the rows of a table that are past their time and return the proof.

    Rows removed are those of the version built upon that tonight's no longer holds for their age,
    whether the table's maker left them out or this did; so trying again counts the same.

    Args:
        con: Connection to the build.
        spec: A table whose header has a retention.
        night: Business date.

    Raises:
        PrivacyError: A row is left that should have gone.
    """
    kept = spec.header.retention
    if kept is None:
        raise PrivacyError(
            f"{spec.full_name} keeps its rows for ever",
            where=str(spec.path),
            hint="Give its header `retention: {days: ..., by: ...}`.",
        )
    kept_from = kept.kept_from(night)
    table, day = quote_identifier(spec.full_name), f"cast({quote_column(kept.by)} as date)"
    remove_rows(con, spec.full_name, f"{day} < $day", {"day": kept_from})
    removed = 0
    if kept.by in base_columns(con, spec.full_name):
        removed = fetch_value(
            con,
            f"select count(*) from base.{table} where {day} < $day",  # noqa: S608 - quoted
            {"day": kept_from},
        )
    left = fetch_dicts(con, f"select count(*) as n, min({day}) as oldest from {table}")[0]  # noqa: S608 - quoted
    if left["oldest"] is not None and left["oldest"] < kept_from:
        raise PrivacyError(
            f"{spec.full_name} still holds a row of {left['oldest']}, kept from {kept_from}",
            where=str(spec.path),
            hint="This is a fault of the program: nothing is published; report it.",
        )
    return {
        "kind": "table",
        "name": spec.full_name,
        "days": kept.days,
        "counted_by": kept.by,
        "kept_from": kept_from,
        "oldest_on": left["oldest"],
        "rows_removed": int(removed),
        "files_removed": 0,
        "rows_left": left["n"],
    }


def _sources(
    con: duckdb.DuckDBPyConnection, project: Project, night: date
) -> Iterator[dict[str, Any]]:
    for _, contract in sorted(project.sources.items()):
        if contract.retention:
            yield _source(con, contract, contract.retention, night)


def _source(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, kept: SourceRetention, night: date
) -> dict[str, Any]:
    """Return the proof of a source: deliveries that are still read, and those that went tonight."""
    named: dict[str, object] = {"source": contract.name}
    gone = {"files": 0, "rows": 0}
    if has_base_table(con, "ops.deliveries"):
        gone = fetch_dicts(con, _GONE, named)[0]
        if kept.by:
            gone["rows"] += fetch_value(con, _LEFT_OUT, named)
    left = fetch_dicts(
        con,
        "select coalesce(sum(loaded), 0) as n, min(business_date) as oldest "
        "from ops.deliveries where source = $source and status = 'loaded'",
        named,
    )[0]
    return {
        "kind": "source",
        "name": contract.name,
        "days": kept.days,
        "counted_by": kept.by or "business date of the delivery",
        "kept_from": kept.kept_from(night),
        "oldest_on": left["oldest"],
        "rows_removed": int(gone["rows"]),
        "files_removed": int(gone["files"]),
        "rows_left": int(left["n"]),
    }


def _write(con: duckdb.DuckDBPyConnection, spec: TableSpec, proofs: list[dict[str, Any]]) -> None:
    columns = spec.header.columns
    selected = ", ".join(
        f"cast(unnest(?::varchar[]) as {c.type}) as {quote_column(n)}" for n, c in columns.items()
    )
    values = [[None if p[n] is None else str(p[n]) for p in proofs] for n in columns]
    con.execute(f"create or replace temp table proofs as select {selected}", values)
    create_table(con, spec.full_name, "select * from proofs order by kind, name")
    con.execute("drop table proofs")
    declare_table(con, spec)
