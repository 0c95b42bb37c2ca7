"""Columns of a version's database that hold what its Parquet mirror holds, value for value.

Both are files on disk and both are looked into. Where a column of texts is large, to prove that it
equals the mirror's costs a tenth of looking for people in it a second time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
from pyarrow import parquet

from cdp_pipeline.storage.mirror import files_of
from cdp_pipeline.storage.warehouse import fetch_value, quote_column, quote_literal

_LARGE = 1 << 24
"""Bytes of a column from which it is compared; what is smaller is sooner searched."""


def columns_of_mirror(
    con: duckdb.DuckDBPyConnection, relation: str, folder: Path, full_name: str
) -> frozenset[str]:
    """Return large columns of texts of which the mirror has the same values, each as often.

    Args:
        con: Connection that has the table.
        relation: Its quoted name.
        folder: Folder of the version.
        full_name: The table, ``schema.table``.
    """
    files = files_of(folder, full_name)
    listed = ", ".join(quote_literal(str(path)) for path in files)
    mirror = f"read_parquet([{listed}], hive_partitioning = false)"
    held = {row[0]: row[1] for row in con.execute(f"describe {relation}").fetchall()}
    try:
        return frozenset(
            name
            for name in _large_texts(files)
            if held.get(name) == "VARCHAR"
            and _fingerprint(con, relation, name) == _fingerprint(con, mirror, name)
        )
    except (duckdb.Error, OSError, ValueError):  # a broken mirror proves nothing
        return frozenset()


def _large_texts(files: list[Path]) -> list[str]:
    """Return columns of texts that take much room in the files together."""
    sizes: Counter[str] = Counter()
    for path in files:
        metadata = parquet.read_metadata(path)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for place in range(metadata.num_columns):
                chunk = group.column(place)
                if chunk.physical_type == "BYTE_ARRAY":
                    sizes[chunk.path_in_schema] += chunk.total_uncompressed_size
    return sorted(name for name, size in sizes.items() if size > _LARGE)


def _fingerprint(con: duckdb.DuckDBPyConnection, relation: str, column: str) -> str:
    """Return what tells the values of a column, in whatever order; NULL is one of them."""
    value = quote_column(column)
    sums = (
        f"count(*) || ':' || sum(hash({value})::hugeint) || ':' || sum(hash({value}, 1)::hugeint)"
    )
    return str(fetch_value(con, f"select {sums} from {relation}"))  # noqa: S608 - quoted
