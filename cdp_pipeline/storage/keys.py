"""How many different keys a table has, at the cost of their hashes."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value, quote_column, quote_identifier


def count_keys(
    con: duckdb.DuckDBPyConnection, full_name: str, key: Sequence[str], *, rows: int
) -> int:
    """Return the number of different keys of a table, exactly.

    Equal keys have equal hashes: as many hashes as rows prove that no key repeats, with eight bytes
    a row to remember. Only where there are fewer are the keys themselves compared.

    Args:
        con: Connection that has the table.
        full_name: ``schema.table``.
        key: Its columns; NULL is a value like others.
        rows: Number of its rows.
    """
    columns, table = ", ".join(map(quote_column, key)), quote_identifier(full_name)
    hashes = fetch_value(con, f"select count(distinct hash({columns})) from {table}")  # noqa: S608 - quoted
    if hashes == rows:
        return rows
    sql = f"select count(*) from (select distinct {columns} from {table})"  # noqa: S608 - quoted
    return int(fetch_value(con, sql))
