"""The Parquet mirror of a version: one file a table; one a month for facts that grow for ever.

Tables with personal data are not in it: their files are the version's vault (``vault``).

Months lie in hive folders, ``core/fct_sales/month=2026-11/part.parquet``, which every engine reads.
A month whose rows are those of the version before is not written again but linked: a night costs
the months it touched, and both versions share the bytes. Which tables are split is declared in
their headers, as ``partition_by:``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.project.loader import LAYERS
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.warehouse import (
    fetch_value,
    quote_column,
    quote_identifier,
    quote_literal,
)

FOLDER = "parquet"
PART = "part.parquet"
NO_DATE = "unknown"
"""Month of rows without a date, and of a table without rows."""

Months = dict[str, dict[str, str]]


@dataclass
class Mirror:
    """What was written.

    Attributes:
        rows: Rows by table.
        months: Fingerprint of each month's rows, by table that is split.
        linked: ``sha256`` and ``bytes`` of files taken over from the version before, by name below
            the version's folder.
    """

    rows: dict[str, int] = field(default_factory=dict)
    months: Months = field(default_factory=dict)
    linked: dict[str, dict[str, Any]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return what the next night must know, for the manifest."""
        return {"engine": duckdb.__version__, "months": self.months}


@dataclass(frozen=True)
class Earlier:
    """The version before.

    Attributes:
        folder: Its folder.
        manifest: Its manifest.
    """

    folder: Path
    manifest: Mapping[str, Any]

    def month(self, table: str, month: str) -> str | None:
        """Return the fingerprint of a month; None if it cannot be compared with tonight's."""
        facts = self.manifest.get("mirror", {})
        if facts.get("engine") != duckdb.__version__:  # another engine may hash otherwise
            return None
        found: str | None = facts.get("months", {}).get(table, {}).get(month)
        return found


def write_mirror(
    con: duckdb.DuckDBPyConnection,
    tables: Mapping[str, TableSpec],
    build: Path,
    earlier: Earlier | None,
) -> Mirror:
    """Write every table of the catalog ``cdp`` below ``build/parquet``.

    Args:
        con: Connection to the finished build.
        tables: Declarations by name.
        build: Folder of the version.
        earlier: The version before, on the same disk; None to write everything.
    """
    mirror = Mirror()
    made = con.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = 'cdp' order by all"
    ).fetchall()
    for schema, table in made:
        if schema not in LAYERS:
            continue
        full_name = f"{schema}.{table}"
        spec = tables.get(full_name)
        if spec and spec.header.partition_by:
            _write_months(con, quote_identifier(full_name), spec, build, earlier, mirror)
        else:
            folder = build / FOLDER
            mirror.rows[full_name] = copy_table(con, full_name, folder, order=order_of(spec))
    return mirror


def rewrite_table(
    con: duckdb.DuckDBPyConnection,
    full_name: str,
    spec: TableSpec | None,
    build: Path,
    *,
    source: str,
) -> dict[str, str]:
    """Write one table of a version again, whole; files of other versions stay as they are.

    Args:
        con: Connection that has the rows.
        full_name: The table, ``schema.table``.
        spec: Its declaration, if there is one.
        build: Folder of the version, in which files may be hard links.
        source: Quoted name of the table to read, such as ``clean.core.fct_sales``.

    Returns:
        Fingerprint of each month, for ``mirror.months`` of the manifest; empty if the table is not
        split.
    """
    place = build / FOLDER / Path(*full_name.split("."))
    single = place.with_name(f"{place.name}.parquet")
    single.unlink(missing_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    if spec and spec.header.partition_by:
        mirror = Mirror()
        _write_months(con, source, spec, build, None, mirror)
        return mirror.months[full_name]
    _copy(con, f"select * from {source}", single, order_of(spec))  # noqa: S608 - quoted
    return {}


def copy_table(
    con: duckdb.DuckDBPyConnection, full_name: str, folder: Path, *, order: Sequence[str] | None
) -> int:
    """Write a table to ``folder/schema/table.parquet`` and return its number of rows."""
    schema, table = full_name.split(".")
    source = quote_identifier(full_name)
    _copy(con, f"select * from {source}", folder / schema / f"{table}.parquet", order)  # noqa: S608 - quoted
    return int(fetch_value(con, f"select count(*) from {source}"))  # noqa: S608 - same


def month_folder(full_name: str, month: str) -> Path:
    """Return where a month of a table lies, below the folder of the version.

    >>> month_folder("core.fct_sales", "2026-11").as_posix()
    'parquet/core/fct_sales/month=2026-11'
    """
    return Path(FOLDER, *full_name.split("."), f"month={month}")


def order_of(spec: TableSpec | None) -> Sequence[str] | None:
    """Return what to sort by: SQL models are stored in their key's order, others may not be."""
    return spec.header.key if spec and spec.sql is None else None


def _write_months(
    con: duckdb.DuckDBPyConnection,
    source: str,
    spec: TableSpec,
    build: Path,
    earlier: Earlier | None,
    mirror: Mirror,
) -> None:
    """Write the months of a table whose rows are new; link the others."""
    name = spec.full_name
    column = quote_column(str(spec.header.partition_by))
    found = con.execute(
        f"select coalesce(strftime({column}, '%Y-%m'), '{NO_DATE}') as month, count(*), "  # noqa: S608 - quoted
        f"sum(hash(facts)::hugeint), min({column}), max({column}) from {source} as facts "
        "group by month order by month"
    ).fetchall()
    mirror.rows[name] = sum(count for _, count, *_ in found)
    mirror.months[name] = {month: f"{count}:{total}" for month, count, total, *_ in found}
    for month, _, _, first, last in found:
        file = month_folder(name, month) / PART
        if earlier and earlier.month(name, month) == mirror.months[name][month]:
            facts = _link(earlier, build, file)
            if facts:
                mirror.linked[file.as_posix()] = facts
                continue
        between = f"{column} between date '{first}' and date '{last}'"
        rows = f"{column} is null" if first is None else between
        _copy(con, f"select * from {source} where {rows}", build / file, spec.header.key)  # noqa: S608 - quoted
    if not found:  # an empty table is a table all the same
        _copy(con, f"select * from {source}", build / month_folder(name, NO_DATE) / PART, None)  # noqa: S608 - quoted


def _link(earlier: Earlier, build: Path, file: Path) -> dict[str, Any] | None:
    """Take a file over from the version before; return its hash and size, or None if damaged."""
    there = earlier.folder / file
    facts: dict[str, Any] | None = earlier.manifest.get("files", {}).get(file.as_posix())
    if facts is None or not there.is_file() or sha256_of(there) != facts["sha256"]:
        return None
    target = build / file
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(there, target)
    return facts


def _copy(
    con: duckdb.DuckDBPyConnection, select: str, target: Path, order: Sequence[str] | None
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(quote_column(column) for column in order or ())
    ordered = f" order by {columns}" if columns else ""
    con.execute(
        f"copy ({select}{ordered}) to {quote_literal(str(target))} "
        "(format parquet, compression zstd)"
    )
