"""Which column of a file names its records."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.files.recognition import NUMBER_ROLES, Column
from cdp_pipeline.project.column_names import is_number_name
from cdp_pipeline.storage.tabular import ROW, Loaded
from cdp_pipeline.storage.warehouse import quote_column


def settle_ids(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: list[Column], id_column: str | None
) -> list[Column]:
    """Keep one record id: the column that people name, or the first recognised unique one."""
    source = next((c.name for c in columns if c.role == "source" and c.is_used), None)
    chosen = id_column
    if id_column:
        _require_unique(con, loaded, id_column, source)
    for column in columns:
        is_free = chosen is None and column.role == "record_id" and column.is_used
        if is_free and not _duplicate(con, loaded, column.name, source):
            chosen = column.name
    if chosen is None:
        chosen = _natural_key(con, loaded, columns, source)
        columns = _as_key(columns, chosen)
    settled = []
    for column in columns:
        kept = column
        if column.role == "record_id" and column.name != chosen:
            kept = replace(column, is_used=False, why="an id that is not unique, or a second id")
        elif column.role == "source" and (
            chosen is None or _duplicate(con, loaded, chosen, None) is None
        ):
            distinct_few = column.distinct <= 50  # noqa: PLR2004 - systems, not records
            kept = column if distinct_few else replace(column, is_used=False, why="too many values")
        settled.append(kept)
    return settled


def _natural_key(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: list[Column], source: str | None
) -> str | None:
    """Return the first number that names every record: orders are known by order numbers.

    What a file's first column is called does not matter, if it holds codes.
    """
    for place, column in enumerate(columns):
        is_number = column.role in NUMBER_ROLES or is_number_name(column.name)
        if place == 0 and column.role is None and not is_number:
            is_number = _holds_codes(con, column.name)
        is_full = is_number and column.role != "truth" and column.filled == 1
        if is_full and not _duplicate(con, loaded, column.name, source):
            return column.name
    return None


def _holds_codes(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether all sampled values of a column are codes such as R000123 or 17."""
    return bool(
        con.execute(
            "select coalesce(bool_and(regexp_full_match(cast(v as varchar), "  # noqa: S608 - quoted
            "'[A-Za-z]{0,6}[-_/#]?[0-9]{1,18}')), false) "
            f"from (select trim({quote_column(name)}) as v from link_sample)"
        ).fetchall()[0][0]
    )


def _as_key(columns: list[Column], name: str | None) -> list[Column]:
    """Return columns in which one is the record id; a card number stays evidence beside it."""
    settled = []
    for column in columns:
        if column.name == name:
            settled.append(
                replace(column, role="record_id", is_used=True, why="names every record")
            )
        if column.name != name or column.role in NUMBER_ROLES:
            settled.append(column)
    return settled


def _duplicate(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, column: str, source: str | None
) -> str | None:
    """Return a value that stands twice, or an empty one; None when the column is a key."""
    keys = ", ".join(quote_column(c) for c in ([source, column] if source else [column]))
    counts = con.execute(
        f"select count(*), count({quote_column(column)}), count(distinct hash({keys})) "  # noqa: S608 - quoted
        f"from {loaded.table}"
    ).fetchall()
    if len(set(counts[0])) == 1:  # numbers are counted much faster than texts
        return None
    rows = con.execute(
        f"select any_value({quote_column(column)}), count(*) as n, min({ROW}) from {loaded.table} "  # noqa: S608 - quoted
        f"group by {keys} having count(*) > 1 or any_value({quote_column(column)}) is null "
        "order by n desc, 3 limit 1"
    ).fetchall()
    if not rows:
        return None
    return "an empty id" if rows[0][0] is None else f"{rows[0][0]} ({rows[0][1]} times)"


def _require_unique(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, column: str, source: str | None
) -> None:
    twice = _duplicate(con, loaded, column, source)
    if twice:
        raise ConfigError(
            f"column {column!r} does not name records: it holds {twice}",
            where=loaded.where,
            hint="Name a column with one value a record, or leave --id out to number the rows.",
        )
