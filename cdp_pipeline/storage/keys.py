"""How many different keys a table has, at the cost of their hashes."""

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
    columns, table = ", ".join(map(quote_column, key)), quote_identifier(full_name)
    missing = " or ".join(f"{quote_column(column)} is null" for column in key)
    rows, hashes, incomplete = con.execute(
        f"select count(*), count(distinct hash({columns})), count(*) filter (where {missing}) "  # noqa: S608 - quoted
        f"from {table}"
    ).fetchall()[0]
    if hashes == rows:
        return KeyCounts(rows, rows, incomplete)
    sql = f"select count(*) from (select distinct {columns} from {table})"  # noqa: S608 - quoted
    return KeyCounts(rows, int(fetch_value(con, sql)), incomplete)
