"""Rows whose key stands more than once among the staged rows of a source.

Keys are told by their hashes. Rows that only share one are found, too; ``loading`` looks at the
keys themselves and decides what becomes of each row.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.storage.keys import sorted_hashes
from cdp_pipeline.storage.warehouse import fetch_value


def find_candidates(con: duckdb.DuckDBPyConnection, rows: str, *, key: str, table: str) -> None:
    """Make a table of the places of all rows that share the hash of their key with another.

    Args:
        con: Connection to the rows.
        rows: Relation with ``_seq`` and ``_line``, which name a row.
        key: SQL of the key's columns, with commas between them.
        table: Name of the table (_seq, _line) to make.
    """
    count = int(fetch_value(con, f"select count(*) from {rows}"))  # noqa: S608 - plain name
    found = [
        np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        for hashes in sorted_hashes(con, rows, key, count=count)
    ]
    con.register("repeated_hashes", pa.table({"_hash": np.concatenate(found)}))
    try:
        con.execute(
            f"create or replace table {table} as select _seq, _line from {rows} "  # noqa: S608 - plain names
            f"where hash({key}) in (select _hash from repeated_hashes)"
        )
    finally:
        con.unregister("repeated_hashes")
