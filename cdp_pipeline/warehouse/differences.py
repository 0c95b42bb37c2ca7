"""Which rows of a table differ from the published version: new, gone or with another content.

A model that is brought up to date notes it itself; of any other table it is found by comparing it
with the published one, once a night however many models ask. Which entity rows have changed,
``ingest.touched`` notes: there, only their keys are known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import duckdb

from cdp_pipeline.storage.basis import CHANGES, changes_of, has_changes
from cdp_pipeline.storage.warehouse import quote_column, quote_identifier

IS_NOW = '"is now"'
"""Column of changed rows: whether tonight has the row; else the published version had it."""

_OF_ENTITIES = "staging."


def has_keys_only(table: str) -> bool:
    """Return whether nothing but the keys of a table's changed rows is known."""
    return table.startswith(_OF_ENTITIES)


def note_difference(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return the table of rows that are new, gone or different; made if it is not there.

    Args:
        con: Connection to the build.
        table: A finished table that the published version has as well.
    """
    if not has_changes(con, table):
        name = quote_identifier(table)
        write_difference(con, table, now=f"from {name}", before=f"from base.{name}")
    return changes_of(table)


def write_difference(con: duckdb.DuckDBPyConnection, table: str, *, now: str, before: str) -> None:
    """Note the rows of a table that stand in one of two queries and not in the other."""
    made, lost = f"({now}) except ({before})", f"({before}) except ({now})"
    con.execute(
        f"create or replace table {changes_of(table)} as select *, true as {IS_NOW} from ({made}) "  # noqa: S608 - quoted
        f"union all select *, false as {IS_NOW} from ({lost})"
    )


def forget_difference(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Forget the changed rows of a table that is about to be made, as an earlier try found them."""
    if has_changes(con, table):
        con.execute(f"drop table {changes_of(table)}")


def forget_differences(con: duckdb.DuckDBPyConnection, *, kept: Collection[str]) -> None:
    """Forget what was found by comparing: an earlier step may have been run again since.

    Args:
        con: Connection to the build.
        kept: Models, which forget their own when they are made.
    """
    for table in _noted(con):
        if not (has_keys_only(table) or table in kept):
            con.execute(f"drop table {changes_of(table)}")


def _noted(con: duckdb.DuckDBPyConnection) -> Iterable[str]:
    catalog, schema = CHANGES.split(".")
    rows = con.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ? "
        "and contains(table_name, '.')",
        [catalog, schema],
    ).fetchall()
    return [name for (name,) in rows]


def project_rows(source: str, columns: Iterable[str], where: str) -> str:
    """Return a SELECT of changed rows in which only some columns and some rows count.

    Args:
        source: Table of changed rows.
        columns: Columns whose change counts; empty: all.
        where: SQL that is true of rows that count; empty: all.
    """
    condition = f" where {where}" if where else ""
    listed = ", ".join(map(quote_column, columns))
    if not listed:
        return f"select * from {source}{condition}"  # noqa: S608 - declared
    return (
        f"select {listed}, bool_and({IS_NOW}) as {IS_NOW} from {source}{condition} "  # noqa: S608 - declared
        f"group by {listed} having bool_and({IS_NOW}) = bool_or({IS_NOW})"
    )
