"""What tells whether the rows of a month are those of an earlier version: their number and hashes.

The hashes of rows are added up, so that the sum of a table that is brought up to date follows from
the sum of the version it builds upon and the rows that differ (``differences``): a night hashes
what it brings. How many rows a month has is counted each night all the same; where that does not
add up, all rows are hashed. Which file holds a month belongs in ``mirror``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import duckdb

from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import changes_of, has_changes
from cdp_pipeline.storage.differences import IS_NOW, hash_of_row
from cdp_pipeline.storage.warehouse import quote_column

NO_DATE = "unknown"
"""Month of rows without a date, and of a table without rows."""

WHOLE = "all"
"""Stands for the month of a table that is not split."""

_MONTH = '"month of row"'


@dataclass(frozen=True)
class Month:
    """The rows of a month, or of a whole table.

    Attributes:
        name: ``2026-11``, ``NO_DATE`` or ``WHOLE``.
        rows: Their number.
        total: Sum of their hashes.
        first: First date; None without dates.
        last: Last date.
    """

    name: str
    rows: int
    total: int
    first: date | None = None
    last: date | None = None

    def fingerprint(self, layout: str) -> str:
        """Return what the manifest says of the month.

        >>> Month("2026-11", 2, 17).fingerprint("c0ffee")
        '2:17:c0ffee'
        """
        return f"{self.rows}:{self.total}:{layout}"


def measure_months(
    con: duckdb.DuckDBPyConnection,
    source: str,
    column: str | None,
    columns: Mapping[str, str],
    before: Mapping[str, tuple[int, int]] | None = None,
) -> list[Month]:
    """Return the months of a relation, in order.

    Args:
        con: Connection that has it.
        source: Its quoted name.
        column: Date or time by whose months it is split; None if it is not.
        columns: DuckDB type of each column.
        before: Rows and sums of hashes by month that follow from the version built upon, if known.
    """
    if before is not None:
        found = _list_months(con, source, column, "0")
        if {month.name: month.rows for month in found} == {n: r for n, (r, _) in before.items()}:
            return [replace(month, total=before[month.name][1]) for month in found]
    return _list_months(con, source, column, f"sum({hash_of_row(columns)}::hugeint)")


def add_difference(
    con: duckdb.DuckDBPyConnection,
    spec: TableSpec | None,
    columns: Mapping[str, str],
    layout: str,
    published: Mapping[str, str],
) -> dict[str, tuple[int, int]] | None:
    """Return rows and sums of hashes by month, from published ones and what has changed since.

    Args:
        con: Connection to the build.
        spec: The table. Only of one that a step brings up to date is all that changes noted.
        columns: DuckDB type of each of its columns.
        layout: What its fingerprints must end in.
        published: Fingerprints of the version that the night builds upon.

    Returns:
        None if it does not follow.
    """
    if spec is None or not (spec.header.incremental and published):
        return None
    if not has_changes(con, spec.full_name):
        return None
    sums = {}
    for name, fingerprint in published.items():
        rows, total, kind = fingerprint.split(":")
        if kind != layout:
            return None
        sums[name] = (int(rows), int(total))
    cast = ", ".join(
        f"cast({quote_column(name)} as {kind}) as {quote_column(name)}"
        for name, kind in columns.items()
    )
    changed = f"(select {cast}, if({IS_NOW}, 1, -1) as sign from {changes_of(spec.full_name)})"  # noqa: S608 - quoted
    month, _ = _month_of(spec.header.partition_by)
    found = con.execute(
        f"select {month} as month, sum(sign), sum(sign * {hash_of_row(columns)}::hugeint) "  # noqa: S608 - quoted
        f"from {changed} group by month"
    ).fetchall()
    for name, rows, total in found:
        known_rows, known_total = sums.get(name, (0, 0))
        sums[name] = (known_rows + int(rows), known_total + int(total))
    return {name: (rows, total) for name, (rows, total) in sums.items() if rows or total}


def list_changed_columns(
    con: duckdb.DuckDBPyConnection, spec: TableSpec, columns: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the columns with other values, by month with the rows of before in their order.

    Args:
        con: Connection to the build, where the changes of the table are noted.
        spec: A table whose rows are stored in the order of its key.
        columns: Its columns.

    Returns:
        Nothing of months that have gained or lost a row, or in which one has another place.
    """
    key = ", ".join(map(quote_column, spec.header.key))
    places = [*spec.header.stored_by]
    others = [name for name in columns if name not in places]
    stays = " and ".join(
        f"n.{quote_column(name)} is not distinct from b.{quote_column(name)}" for name in places
    )
    differ = [
        f"bool_or(n.{quote_column(name)} is distinct from b.{quote_column(name)})"
        for name in others
    ]
    now, before = (
        f"(select *, {_month_of(spec.header.partition_by)[0]} as {_MONTH} "  # noqa: S608 - quoted
        f"from {changes_of(spec.full_name)} where {is_side})"
        for is_side in (IS_NOW, f"not {IS_NOW}")
    )
    is_same = f"n.{_MONTH} is not null and b.{_MONTH} is not null and {stays}"
    told = ", ".join([f"coalesce(n.{_MONTH}, b.{_MONTH})", f"bool_and({is_same})", *differ])
    found = con.execute(
        f"select {told} from {now} as n full join {before} as b using ({key}, {_MONTH}) "  # noqa: S608 - quoted
        f"group by coalesce(n.{_MONTH}, b.{_MONTH})"
    ).fetchall()
    return {
        month: tuple(name for name, is_other in zip(others, told, strict=True) if is_other)
        for month, has_same_rows, *told in found
        if has_same_rows
    }


def _month_of(column: str | None) -> tuple[str, str]:
    """Return SQL of the name of a row's month, and of its first day."""
    start = f"date_trunc('month', {quote_column(column)})" if column else "null::date"
    name = f"coalesce(strftime({start}, '%Y-%m'), '{NO_DATE}')" if column else f"'{WHOLE}'"
    return name, start


def _list_months(
    con: duckdb.DuckDBPyConnection, source: str, column: str | None, total: str
) -> list[Month]:
    split = quote_column(column) if column else "null::date"
    name, start = _month_of(column)
    # Grouped by a number: a text for each row would cost as much as the hash of all its columns.
    name = name.replace(start, "start")
    found = con.execute(
        f"select {name} as month, rows, total, first, last from ("  # noqa: S608 - quoted
        f"select {start} as start, count(*) as rows, {total} as total, min({split}) as first, "
        f"max({split}) as last from {source} group by start) order by month"
    ).fetchall()
    return [Month(*row) for row in found]
