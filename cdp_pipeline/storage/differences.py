"""Which rows of a table differ from the published version: new, gone or with another content.

Whoever brings a table up to date notes it on the way; of any other table it is found by comparing
it with the published one, once a night however many models ask. Which entity rows have changed,
``ingest.touched`` notes: there, only their keys are known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import duckdb

from cdp_pipeline.storage.basis import CHANGES, changes_of, has_changes
from cdp_pipeline.storage.compression import uncompressed
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_value,
    has_base_table,
    quote_column,
    quote_identifier,
)

IS_NOW = '"is now"'
"""Column of changed rows: whether tonight has the row; else the published version had it."""

_HASH = '"hash of row"'
_OF_ENTITIES = "staging."
_COMPARED = "found by comparing"
"""Comment on changed rows that nobody noted on the way."""


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
        columns = ", ".join(map(quote_column, describe(con, table)))
        if is_made_as(con, table, "view"):  # of last night's rows and new ones: others are the same
            gone, new = patch_of(table)
            key = ", ".join(map(quote_column, describe(con, gone)))
            now = f"select {columns} from {new}"  # noqa: S608 - quoted
            before = f"select {columns} from base.{name} semi join {gone} using ({key})"  # noqa: S608 - quoted
            write_difference(con, table, select_difference(now=now, before=before))
        else:
            row = hash_of_row(describe(con, table))
            now, before = (
                _lacking(columns, row, *ends)
                for ends in ((name, f"base.{name}"), (f"base.{name}", name))
            )
            note_rows(con, table, now=now, before=before)
        con.execute(f"comment on table {changes_of(table)} is '{_COMPARED}'")
    return changes_of(table)


def hash_of_row(columns: Mapping[str, str]) -> str:
    """Return SQL of a row's hash; to that of DuckDB, [], [NULL] and NULL are one value.

    Args:
        columns: DuckDB type of each column.
    """
    told = [quote_column(name) for name in columns]
    told += [
        f"cast({quote_column(name)} as varchar)"
        for name, kind in columns.items()
        if any(mark in kind for mark in "[(") and not kind.startswith("DECIMAL")
    ]
    return f"hash({', '.join(told)})"


def _lacking(columns: str, row: str, table: str, other: str) -> str:
    """Return a SELECT of the rows of a table that another one lacks.

    Rows are told by 64-bit hashes, which costs a third of comparing them.
    """
    return (
        f"select {columns} from (select {columns}, {row} as {_HASH} from {table}) "  # noqa: S608 - quoted
        f"anti join (select {row} as {_HASH} from {other}) using ({_HASH})"
    )


def patch_of(table: str) -> tuple[str, str]:
    """Return where the keys of replaced rows and the new rows of a table lie (``patching``)."""
    place = f"staging.{table.replace('.', '_')}"
    return f"{place}_gone", f"{place}_new"


def is_made_as(con: duckdb.DuckDBPyConnection, table: str, kind: str) -> bool:
    """Return whether tonight's build has ``schema.table`` as a ``view`` or as a ``table``."""
    schema, name = table.split(".")
    found = fetch_value(
        con,
        f"select count(*) from duckdb_{kind}s() where schema_name = $schema "  # noqa: S608 - constants
        f"and {kind}_name = $name and database_name in ('cdp', 'vault')",
        {"schema": schema, "name": name},
    )
    return bool(found)


def select_difference(*, now: str, before: str) -> str:
    """Return a SELECT of the rows that stand in one of two queries and not in the other."""
    return (
        f"select *, true as {IS_NOW} from (({now}) except ({before})) "  # noqa: S608 - quoted
        f"union all by name select *, false as {IS_NOW} from (({before}) except ({now}))"
    )


def write_difference(con: duckdb.DuckDBPyConnection, table: str, select: str) -> None:
    """Note what ``select_difference`` gives as the changed rows of a table."""
    with uncompressed(con):
        con.execute(f"create or replace table {changes_of(table)} as {select}")


def note_rows(con: duckdb.DuckDBPyConnection, table: str, *, now: str, before: str) -> None:
    """Note which rows of a table may have changed: all that differ, and perhaps others.

    Args:
        con: Connection to the build.
        table: The table.
        now: SELECT of rows that tonight has, with all columns.
        before: SELECT of rows that the published version had.
    """
    rows = (
        f"select *, true as {IS_NOW} from ({now}) "  # noqa: S608 - quoted
        f"union all by name select *, false as {IS_NOW} from ({before})"
    )
    write_difference(con, table, rows)


def forget_difference(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Forget the changed rows of a table that is about to be made, as an earlier try found them."""
    if has_changes(con, table):
        con.execute(f"drop table {changes_of(table)}")


def note_removal(
    con: duckdb.DuckDBPyConnection, table: str, condition: str, params: Mapping[str, object]
) -> None:
    """Note, before the deed, that rows of a table go.

    What was noted on the way is kept true, as only by it an earlier try is undone
    (``warehouse.retrying``); what was found by comparing is forgotten, and found again if asked.

    Args:
        con: Connection to the build.
        table: A table that is made.
        condition: SQL over its columns that is true of the rows that go.
        params: What the condition is given.
    """
    if not has_changes(con, table) or table in _compared(con) or not has_base_table(con, table):
        forget_difference(con, table)
        return
    rows = (
        f"select * from {changes_of(table)} where not coalesce({IS_NOW} and ({condition}), false) "  # noqa: S608 - quoted
        f"union by name select *, false as {IS_NOW} from base.{quote_identifier(table)} "
        f"where {condition}"
    )
    con.execute(f"create or replace table {changes_of(table)} as {rows}", params)


def forget_differences(con: duckdb.DuckDBPyConnection, *, kept: Collection[str]) -> None:
    """Forget what was found by comparing: an earlier step may have been run again since.

    Args:
        con: Connection to the build.
        kept: Models, which forget their own when they are made.
    """
    for table in _compared(con):
        if table not in kept:
            con.execute(f"drop table {changes_of(table)}")


def _compared(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return tables whose changed rows were found by comparing."""
    catalog, schema = CHANGES.split(".")
    found = con.execute(
        "select table_name from duckdb_tables() "
        "where database_name = ? and schema_name = ? and comment = ?",
        [catalog, schema, _COMPARED],
    ).fetchall()
    return [table for (table,) in found]


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
