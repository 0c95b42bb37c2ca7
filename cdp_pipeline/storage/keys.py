"""How many different keys a table has, and which values repeat, at the cost of their hashes.

Keys are told by 64-bit hashes, which are sorted: that takes a fraction of the time and memory of a
table of all keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.storage.warehouse import fetch_value, quote_column, quote_identifier

_ROWS_AT_ONCE = 32_000_000
"""Rows whose hashes are held together: 256 MB; of more rows a share after the other."""

Hashes = npt.NDArray[np.uint64]


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
    """Count the keys of a table, by their hashes if none repeats.

    Equal keys have equal hashes: as many hashes as rows prove that no key repeats. Only where there
    are fewer are the keys themselves compared.

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


def sorted_hashes(
    con: duckdb.DuckDBPyConnection, rows: str, key: str, *, count: int
) -> Iterator[Hashes]:
    """Yield the sorted hashes of a key, a share of them after the other; equal ones come together.

    Args:
        con: Connection to the rows.
        rows: Relation.
        key: SQL of the key's columns, with commas between them.
        count: Number of rows.
    """
    shares = 1 + count // _ROWS_AT_ONCE
    for share in range(shares):
        chosen = f"where hash({key}) % {shares} = {share}" if shares > 1 else ""
        found = con.execute(f"select hash({key}) as hash from {rows} {chosen}")  # noqa: S608 - quoted
        hashes = np.asarray(found.fetchnumpy()["hash"])
        hashes.sort()
        yield hashes


def _count_hashes(
    con: duckdb.DuckDBPyConnection, full_name: str, columns: Sequence[str]
) -> tuple[int, int, int]:
    """Return rows, different hashes of their values, and rows that miss one."""
    table, quoted = quote_identifier(full_name), [quote_column(column) for column in columns]
    # What DuckDB knows of a column without NULL answers this, so that it need not be read.
    filled = ", ".join(f"count({column})" for column in quoted)
    rows, *held = con.execute(f"select count(*), {filled} from {table}").fetchall()[0]  # noqa: S608 - quoted
    incomplete = 0
    if any(count < rows for count in held):
        missing = f"select count(*) from {table} where {_is_incomplete(columns)}"  # noqa: S608 - quoted
        incomplete = int(fetch_value(con, missing))
    different = sum(
        int(hashes.size > 0) + int(np.count_nonzero(hashes[1:] != hashes[:-1]))
        for hashes in sorted_hashes(con, table, ", ".join(quoted), count=rows)
    )
    return rows, different, incomplete


def _is_incomplete(columns: Sequence[str]) -> str:
    return " or ".join(f"{quote_column(column)} is null" for column in columns)
