"""How many different keys a table has, and which values repeat, at the cost of their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value, quote_column, quote_identifier


@dataclass(frozen=True)
class KeyCounts:
    """How often a table's key repeats, and how often it is missing.

    Attributes:
        rows: Rows of the table.
        different: Different keys, exactly; NULL is a value like others.
        incomplete: Rows that miss a part of their key.
    """

    rows: int
    different: int
    incomplete: int


def count_keys(con: duckdb.DuckDBPyConnection, full_name: str, key: Sequence[str]) -> KeyCounts:
    """Count the keys of a table, in one pass over it if none repeats.

    Equal keys have equal hashes: as many hashes as rows prove that no key repeats, with eight bytes
    a row to remember. Only where there are fewer are the keys themselves compared.

    Args:
        con: Connection that has the table.
        full_name: ``schema.table``.
        key: Its columns.
    """
    rows, hashes, incomplete = _count_hashes(con, full_name, key)
    if hashes == rows:
        return KeyCounts(rows, rows, incomplete)
    columns, table = ", ".join(map(quote_column, key)), quote_identifier(full_name)
    sql = f"select count(*) from (select distinct {columns} from {table})"  # noqa: S608 - quoted
    return KeyCounts(rows, int(fetch_value(con, sql)), incomplete)


def count_repeating(
    con: duckdb.DuckDBPyConnection, full_name: str, columns: Sequence[str]
) -> tuple[int, int]:
    """Return the rows of a table and how many of them share their values with another row.

    Rows that miss one of the values share nothing.

    Args:
        con: Connection that has the table.
        full_name: ``schema.table``.
        columns: Columns that are to be unique together.
    """
    rows, hashes, _ = _count_hashes(con, full_name, columns)
    if hashes == rows:
        return rows, 0
    listed, table = ", ".join(map(quote_column, columns)), quote_identifier(full_name)
    sql = (
        f"select coalesce(sum(times), 0) from (select count(*) as times from {table} "  # noqa: S608 - quoted
        f"where not ({_is_incomplete(columns)}) group by {listed} having count(*) > 1)"
    )
    return rows, int(fetch_value(con, sql))


def _count_hashes(
    con: duckdb.DuckDBPyConnection, full_name: str, columns: Sequence[str]
) -> tuple[int, int, int]:
    """Return rows, different hashes of their values, and rows that miss one."""
    rows, hashes, incomplete = con.execute(
        f"select count(*), count(distinct hash({', '.join(map(quote_column, columns))})), "  # noqa: S608 - quoted
        f"count(*) filter (where {_is_incomplete(columns)}) from {quote_identifier(full_name)}"
    ).fetchall()[0]
    return rows, hashes, incomplete


def _is_incomplete(columns: Sequence[str]) -> str:
    return " or ".join(f"{quote_column(column)} is null" for column in columns)
