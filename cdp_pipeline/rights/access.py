"""Everything that is held on a person: what access (GDPR, Article 15) and portability give out.

The same resolver and the same conditions as erasure, so that what is shown is what would be erased.
Rows of every table of the current version, the rows as they were delivered, the recipients, the
requests. How it looks as a page is decided in ``access_page``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.ingest.suppressing import find_staged
from cdp_pipeline.privacy.suppression import KINDS, create_normalisers
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.rights.erasure import open_resolver
from cdp_pipeline.rights.ignored import load_ignored
from cdp_pipeline.rights.tables import load_people, rows_about
from cdp_pipeline.rights.traces import Traces, find_traces, load_values
from cdp_pipeline.storage.at_rest import plain_file
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import (
    connect,
    fetch_dicts,
    has_table,
    quote_identifier,
    quote_literal,
)

FORMAT = "cdp-access/1"
"""Name of the JSON document's shape."""

SCHEMA_FILE = Path(__file__).with_name("access.schema.json")
"""That shape as JSON Schema, by which whoever gets the document can read it."""


def collect_access(context: RunContext, subject: Subject) -> dict[str, Any]:
    """Gather everything that is held on a person.

    Args:
        context: Settings and project; the date of the answer.
        subject: The person, by ``erasure.find_people``.

    Returns:
        Plain data, ready for JSON.
    """
    project = load_project(context.project_root)
    with open_resolver(context) as con:
        load_ignored(con, context)
        traces = find_traces(con, [subject])
        tables = _tables(con, project, traces)
        recipients = _recipients(con, project, subject)
    return {
        "format": FORMAT,
        "store": context.settings.store_name,
        "as_of": context.business_date.isoformat(),
        "customer_ids": list(subject.customers),
        "identifiers": [
            {"kind": kind, "value": value}
            for kind, value in sorted(traces.values)
            if kind in KINDS and kind != "record"
        ],
        "records": [{"source": source, "record_key": key} for source, key in subject.records],
        "recipients": recipients,
        "tables": tables,
        "delivered": _delivered(context, project, traces),
    }


def _tables(
    con: duckdb.DuckDBPyConnection, project: Project, traces: Traces
) -> list[dict[str, Any]]:
    load_people(con, traces)
    names = con.execute(
        "select schema_name || '.' || table_name as name from duckdb_tables() "
        "where database_name = 'cdp' union all "
        "select schema_name || '.' || view_name from duckdb_views() "
        "where database_name = 'vault' and not internal order by name"
    ).fetchall()
    found = []
    for (name,) in names:
        condition = rows_about(con, name)
        if not condition:
            continue
        rows = fetch_dicts(con, f"select * from {quote_identifier(name)} where {condition}")  # noqa: S608 - own SQL
        if rows:
            found.append(_described(name, project.tables.get(name), rows))
    return found


def _described(name: str, spec: TableSpec | None, rows: list[dict[str, Any]]) -> dict[str, Any]:
    header = spec.header if spec else None
    columns = header.columns if header else {}
    return {
        "table": name,
        "description": header.description if header else "",
        "retention": header.retention.words if header and header.retention else None,
        "columns": {n: c.description for n, c in columns.items() if n in rows[0]},
        "rows": [{n: _plain(value) for n, value in row.items()} for row in rows],
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - any SQL value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _recipients(
    con: duckdb.DuckDBPyConnection, project: Project, subject: Subject
) -> list[dict[str, Any]]:
    """Return who was told about the person, for what."""
    if not has_table(con, "ops.export_members"):
        return []
    rows = fetch_dicts(
        con,
        "select destination, segment, identifiers from ops.export_members "
        "where customer_id in (select unnest($customers::varchar[])) order by all",
        {"customers": list(subject.customers)},
    )
    titles = {name: spec.title for name, spec in project.destinations.items()}
    return [{**row, "title": titles.get(row["destination"], "")} for row in rows]


def _delivered(context: RunContext, project: Project, traces: Traces) -> list[dict[str, Any]]:
    """Return the rows about the person as they were delivered, source by source."""
    staging = DataPaths.of(context).staging
    con = connect(context.settings.engine)
    found = []
    try:
        create_normalisers(con)
        known = load_values(con, traces, "erased_values")
        for name, contract in project.sources.items():
            rows: list[dict[str, Any]] = []
            for path in sorted((staging / name).glob("[!.]*.parquet")):
                with plain_file(path, context.settings.keys, DataPaths.of(context).work) as plain:
                    rows += _rows_of(con, plain, find_staged(con, contract, plain, known=known))
            if rows:
                found.append({"source": name, "title": contract.title, "rows": rows})
    finally:
        con.close()
    return found


def _rows_of(con: duckdb.DuckDBPyConnection, path: Path, condition: str) -> list[dict[str, Any]]:
    if condition == "false":
        return []
    rows = fetch_dicts(
        con,
        f"select * exclude (file_row_number) from read_parquet({quote_literal(str(path))}, "  # noqa: S608 - own SQL
        f"file_row_number = true) where {condition} order by file_row_number",
    )
    return [{n: _plain(v) for n, v in row.items() if not n.startswith("_")} for row in rows]
