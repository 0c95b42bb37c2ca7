"""Rows whose key stands more than once among the staged rows of a source.

Keys are compared by 64-bit hashes, which are sorted: that takes a fraction of the time and memory
of a table of all keys. Rows that only share a hash are found, too; ``loading`` looks at the keys
themselves and decides what becomes of each row.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_pipeline.storage.warehouse import fetch_value

_ROWS_AT_ONCE = 32_000_000
"""Rows whose hashes are held together: 256 MB; of more rows a share after the other."""

Hashes = npt.NDArray[np.uint64]


def find_candidates(con: duckdb.DuckDBPyConnection, rows: str, *, key: str, table: str) -> None:
    """Make a table of the places of all rows that share the hash of their key with another.

    Args:
        con: Connection to the rows.
        rows: Relation with ``_seq`` and ``_line``, which name a row.
        key: SQL of the key's columns, with commas between them.
        table: Name of the table (_seq, _line) to make.
    """
    hashed = f"hash({key})"
    shares = 1 + int(fetch_value(con, f"select count(*) from {rows}")) // _ROWS_AT_ONCE  # noqa: S608 - plain name
    found = [_repeated(con, rows, hashed, share, shares) for share in range(shares)]
    repeated = pa.table({"_hash": np.concatenate(found)})
    con.register("repeated_hashes", repeated)
    try:
        con.execute(
            f"create or replace table {table} as select _seq, _line from {rows} "  # noqa: S608 - plain names
            f"where {hashed} in (select _hash from repeated_hashes)"
        )
    finally:
        con.unregister("repeated_hashes")


def _repeated(
    con: duckdb.DuckDBPyConnection, rows: str, hashed: str, share: int, shares: int
) -> Hashes:
    """Return the hashes that stand more than once, in one of several shares of them all."""
    chosen = f"where {hashed} % {shares} = {share}" if shares > 1 else ""
    query = f"select {hashed} as hash from {rows} {chosen}"  # noqa: S608 - plain names
    hashes = np.asarray(con.execute(query).fetchnumpy()["hash"])
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
