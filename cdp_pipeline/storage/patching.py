"""Tables that are last night's but for a few rows, made without writing what stays.

Personal tables are published as Parquet, and reading that costs a fraction of writing a table. So
such a table is a view until it is published: rows of the version before, without those that are
replaced, and the new ones, which lie in ``staging``. Which rows these are is up to the caller; for
models that read the table, the difference to last night's is among them (``differences``).
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.differences import (
    forget_difference,
    is_made_as,
    note_removal,
    patch_of,
)
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_value,
    place_of,
    quote_column,
    quote_identifier,
)

LARGEST_SHARE = 0.25
"""Replaced rows, as a share of last night's, from which the table is written whole."""


def write_patched(
    con: duckdb.DuckDBPyConnection, full_name: str, *, key: str, replaced: str, anew: str
) -> None:
    """Make ``schema.table`` of rows of the version before and new ones.

    Args:
        con: Build connection; the version before has the table.
        full_name: The table, ``schema.table``.
        key: Column by which rows are replaced, or several with commas between; never null.
        replaced: SELECT of the keys whose rows do not stay.
        anew: SELECT of the new rows, with all columns.
    """
    gone, new = patch_of(full_name)
    con.execute(f"create or replace table {gone} as select distinct {key} from ({replaced})")  # noqa: S608 - own names
    con.execute(f"create or replace table {new} as {anew}")
    columns = ", ".join(map(quote_column, describe(con, new)))
    rows = (
        f"select {columns} from base.{full_name} anti join {gone} using ({key}) "  # noqa: S608 - own names
        f"union all select {columns} from {new}"
    )
    clear_place(con, full_name)
    kind = "view" if _can_lie(con, full_name, gone) else "table"
    con.execute(f"create {kind} {place_of(con, full_name)} as {rows}")


def remove_rows(
    con: duckdb.DuckDBPyConnection, full_name: str, condition: str, params: dict[str, object]
) -> None:
    """Delete rows of ``schema.table`` that is made; one that is still a view becomes a table.

    Args:
        con: Build connection.
        full_name: The table, ``schema.table``.
        condition: SQL over its columns; rows stay for which it is NULL.
        params: What the condition is given.
    """
    table = quote_identifier(full_name)
    if not fetch_value(con, f"select count(*) from {table} where {condition}", params):  # noqa: S608 - quoted
        return  # and most nights nothing is
    if not is_made_as(con, full_name, "view"):
        note_removal(con, full_name, condition, params)
        con.execute(f"delete from {table} where {condition}", params)  # noqa: S608 - quoted
        return
    forget_difference(con, full_name)
    kept = f"staging.{full_name.replace('.', '_')}_kept"
    con.execute(
        f"create or replace table {kept} as from {table} where not coalesce({condition}, false)",
        params,
    )
    place = quote_identifier(place_of(con, full_name))
    # both or nothing: a step that is tried again finds no view of what another one made
    con.execute(
        f"begin transaction; drop view {place}; create table {place} as from {kept}; commit"
    )
    con.execute(f"drop table {kept}")


def clear_place(con: duckdb.DuckDBPyConnection, full_name: str) -> None:
    """Drop ``schema.table``, whether an earlier try of the step left it as a table or as a view.

    What was noted of its changes goes with it.
    """
    forget_difference(con, full_name)
    for kind in ("view", "table"):
        if is_made_as(con, full_name, kind):
            con.execute(f"drop {kind} {place_of(con, full_name)}")


def _can_lie(con: duckdb.DuckDBPyConnection, full_name: str, gone: str) -> bool:
    """Return whether last night's rows are read where they lie: most of them stay, and in clear."""
    schema, name = full_name.split(".")
    is_sealed = fetch_value(
        con,
        "select count(*) from duckdb_views() where database_name = 'base' "
        "and schema_name = $schema and view_name = $name and contains(sql, 'encryption_config')",
        {"schema": schema, "name": name},
    )
    before, replaced = (
        int(fetch_value(con, f"select count(*) from {rows}"))  # noqa: S608 - own names
        for rows in (f"base.{full_name}", gone)
    )
    return not is_sealed and replaced <= LARGEST_SHARE * before
