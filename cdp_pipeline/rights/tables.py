"""Erasing people from the tables of a version's copy.

Which rows are somebody's follows from names of columns, so that a new table is covered without
being listed; sales stay without the person (``erasure: detach``), so that turnover is the same.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.identity.erasure.tables import erase_rows
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.rights.traces import Traces, load_values, records_of_values
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_value,
    has_table,
    quote_column,
    quote_identifier,
)

OWN_COLUMNS = ("customer_id", "owner_id", "old_customer_id")
"""Columns whose row is about the person."""

TURNOVER = (("core.fct_sales", "net_amount"), ("core.fct_orders", "order_amount"))
"""Sums that must be the same to the cent before and after."""


def erase_people_of(
    con: duckdb.DuckDBPyConnection, context: RunContext, project: Project, traces: Traces
) -> dict[str, int]:
    """Take people out of every table of a connection's catalogs; sales stay without them.

    Args:
        con: Connection to a copy of a version, writable, with the macros of ``sql/macros``.
        context: Settings; the erasure's date.
        project: Headers of the tables.
        traces: The people.

    Returns:
        Rows deleted or left without the person, by table.
    """
    load_people(con, traces)
    everybody = traces.everybody
    if has_table(con, "identity.records"):
        records = {*everybody.records, *records_of_values(con, "erased_values")}
        everybody = replace(everybody, records=tuple(sorted(records)))
    rows: dict[str, int] = {}
    if has_table(con, "identity.records"):
        memory = Memory.of(context.settings.identity)
        erased = erase_rows(
            con, everybody, business_date=context.business_date.isoformat(), memory=memory
        )
        rows = {f"identity.{table}": count for table, count in erased.items()}
    tables = con.execute(
        "select schema_name || '.' || table_name as name from duckdb_tables() "
        "where database_name in ('cdp', 'vault') and schema_name <> 'identity' order by name"
    ).fetchall()
    for (name,) in tables:
        count = _erase_table(con, name, project.tables.get(name))
        if count:
            rows[name] = count
    if has_table(con, "core.dim_household") and has_table(con, "core.dim_customer"):
        empty = _run(
            con,
            "delete from core.dim_household where household_id not in "
            "(select household_id from core.dim_customer where household_id is not null)",
        )
        rows |= {"core.dim_household": rows.get("core.dim_household", 0) + empty} if empty else {}
    return rows


def load_people(con: duckdb.DuckDBPyConnection, traces: Traces) -> None:
    """Make the temporary tables that ``rows_about`` reads."""
    load_values(con, traces, "erased_values")
    ids = pa.table({"id": pa.array(list(traces.customers), pa.string())})
    con.register("erased_id_rows", ids)
    con.execute("create or replace temp table erased_ids as from erased_id_rows")
    con.unregister("erased_id_rows")


def rows_about(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """Return the condition on rows of a table that are about the people; empty if none can be."""
    columns = describe(con, name)
    theirs = [
        f"{column} in (select id from erased_ids)"  # noqa: S608 - constants
        for column in OWN_COLUMNS
        if column in columns
    ]
    if "cookie_id" in columns:
        theirs.append("cookie_id in (select value from erased_values where kind = 'cookie')")
    if {"source", "record_key"} <= set(columns):
        theirs.append(
            "source || '/' || record_key in (select value from erased_values where kind = 'record')"
        )
    return " or ".join(theirs)


def emptied_columns(
    con: duckdb.DuckDBPyConnection, name: str, spec: TableSpec | None
) -> dict[str, str]:
    """Return on which condition each column of a table loses its value; none where rows go.

    Args:
        con: Connection that has the table and ``load_people``.
        name: The table, ``schema.table``.
        spec: Its declaration, if there is one.
    """
    if rows_about(con, name) and not _is_kept(spec):
        return {}
    found: dict[str, str] = {}
    for columns, condition in _emptyings(con, name, spec):
        for column in columns:
            found[column] = f"{found[column]} or {condition}" if column in found else condition
    return found


def _is_kept(spec: TableSpec | None) -> bool:
    return spec is not None and spec.header.erasure == "detach"


def _emptyings(
    con: duckdb.DuckDBPyConnection, name: str, spec: TableSpec | None
) -> list[tuple[list[str], str]]:
    """Return columns that are emptied together, and the condition on which they are."""
    columns = describe(con, name)
    own = [column for column in OWN_COLUMNS if column in columns]
    theirs = rows_about(con, name)
    found = []
    if theirs and spec and _is_kept(spec):
        personal = [n for n, c in spec.header.columns.items() if c.pii]
        found.append(([c for c in dict.fromkeys([*own, *personal]) if c in columns], theirs))
    others = [c for c in columns if c.endswith("_customer_id") and c not in own]
    return found + [([c], f"{quote_column(c)} in (select id from erased_ids)") for c in others]  # noqa: S608 - quoted


def _erase_table(con: duckdb.DuckDBPyConnection, name: str, spec: TableSpec | None) -> int:
    """Delete a table's rows about the people, or take the people out of them."""
    table = quote_identifier(name)
    theirs = rows_about(con, name)
    count = 0
    if theirs and not _is_kept(spec):
        count += _run(con, f"delete from {table} where {theirs}")  # noqa: S608 - quoted
    for columns, condition in _emptyings(con, name, spec):
        assigned = ", ".join(f"{quote_column(column)} = null" for column in columns)
        count += _run(con, f"update {table} set {assigned} where {condition}")  # noqa: S608 - quoted
    return count


def _run(con: duckdb.DuckDBPyConnection, statement: str) -> int:
    return int(fetch_value(con, statement) or 0)


def same_turnover(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return sums that are the same before (catalog ``published``) and after.

    Raises:
        PrivacyError: One is not.
    """
    sums = {}
    for table, column in TURNOVER:
        if not has_table(con, table):
            continue
        before, after = (
            fetch_value(con, f"select coalesce(sum({column}), 0) from {catalog}.{table}")  # noqa: S608 - constants
            for catalog in ("published", "cdp")
        )
        if Decimal(before) != Decimal(after):
            raise PrivacyError(
                f"erasure would change the sum of {column} from {before} to {after}",
                where=table,
                hint="This is a fault of the program: nothing was changed; report it.",
            )
        sums[f"{table}.{column}"] = str(after)
    return sums
