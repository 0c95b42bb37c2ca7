"""What a night keeps of the night before: tests that are held once a week, with their rows.

A test takes longer than all scoring and says the same tomorrow. It is held when models are trained,
and its rows, which name the days they speak of, are carried over until the next training.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from cdp_pipeline.storage.warehouse import base_columns, describe, has_table


def can_carry(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> bool:
    """Return whether the version that the night builds upon has these tables, column for column.

    Args:
        con: Connection to the build, in which the tables exist.
        tables: Their names.
    """
    return all(
        has_table(con, table) and frozenset(describe(con, table)) == base_columns(con, table)
        for table in tables
    )


def carry_rows(con: duckdb.DuckDBPyConnection, table: str, column: str, names: list[str]) -> None:
    """Add the rows of an earlier night.

    Args:
        con: Connection to the build.
        table: Table that takes them.
        column: Column that says whose they are.
        names: Whose rows are carried.
    """
    con.execute(
        f"insert into {table} by name select * from base.{table} "  # noqa: S608 - own names
        f"where list_contains($names, {column}) order by all",
        {"names": names},
    )


def carry_table(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Add all rows of an earlier night."""
    con.execute(f"insert into {table} by name select * from base.{table} order by all")  # noqa: S608 - own name
