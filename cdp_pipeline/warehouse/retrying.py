"""What an earlier try of a step has left of a table that is brought up to date.

A step may be tried again after something was decided otherwise in between, as when people were told
apart by hand. What changes against the published version is then something else, so the table must
be as published before it is brought up to date again. Notes of a night lie beside its changed rows
(``storage.basis``) and go with them.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import CHANGES, changes_of, has_changes, rebuild_reason
from cdp_pipeline.storage.differences import IS_NOW
from cdp_pipeline.storage.warehouse import fetch_value, quote_column, quote_identifier

_SCANNED = "_built_in_one_scan"


def note_scan(con: duckdb.DuckDBPyConnection, spec: TableSpec) -> None:
    """Note that a table was built in one scan, on a night that builds upon others."""
    if rebuild_reason(con):
        return
    con.execute(f"create table if not exists {CHANGES}.{_SCANNED} (name varchar)")
    sql = f"insert into {CHANGES}.{_SCANNED} values (?)"  # noqa: S608 - fixed
    con.execute(sql, [spec.full_name])


def why_scanned(con: duckdb.DuckDBPyConnection, spec: TableSpec) -> str:
    """Return why a table is built in one scan because an earlier try did so; or nothing.

    Such a try cannot be undone. A personal table is always made of the published one.
    """
    if spec.is_personal or not has_changes(con, _SCANNED):
        return ""
    sql = f"select count(*) from {CHANGES}.{_SCANNED} where name = ?"  # noqa: S608 - fixed
    is_noted = fetch_value(con, sql, [spec.full_name])
    return "an earlier try of the step has built it in one scan" if is_noted else ""


def undo_try(con: duckdb.DuckDBPyConnection, spec: TableSpec) -> None:
    """Give a table back the published rows that an earlier try has replaced."""
    name = spec.full_name
    if spec.is_personal or not (spec.header.incremental and has_changes(con, name)):
        return
    take_out(con, spec, changes_of(name))
    put_in(con, spec, changes_of(name), f"not {IS_NOW}")


def take_out(con: duckdb.DuckDBPyConnection, spec: TableSpec, changed: str) -> None:
    """Delete the rows of a table whose keys are among those of changed rows."""
    table = quote_identifier(spec.full_name)
    key = ", ".join(map(quote_column, spec.header.key))
    rows = f"select t.rowid from {table} as t semi join {changed} using ({key})"  # noqa: S608 - quoted
    con.execute(f"delete from {table} where rowid in ({rows})")  # noqa: S608 - same


def put_in(con: duckdb.DuckDBPyConnection, spec: TableSpec, changed: str, which: str) -> None:
    """Append changed rows to a table, in its order.

    Args:
        con: Connection to the build.
        spec: The table.
        changed: Table of changed rows.
        which: SQL that is true of those to append.
    """
    order = ", ".join(map(quote_column, spec.header.stored_by))
    con.execute(
        f"insert into {quote_identifier(spec.full_name)} by name "  # noqa: S608 - quoted
        f"select * exclude ({IS_NOW}) from {changed} where {which} order by {order}"
    )
