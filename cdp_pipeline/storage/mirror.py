"""The Parquet mirror of a version: one file a table; one a month for facts that grow for ever.

Tables with personal data are not in it: their files are the version's vault (``vault``).

Months lie in hive folders, ``core/fct_sales/month=2026-11/part.parquet``, which every engine reads.
A month, or a whole table, whose rows are those of the version before is not written again but
linked: a night costs what it touched, and both versions share the bytes. Of a month that has the
rows of before, some of them with other values, only the columns of these are encoded
(``splicing``). Which tables are split is declared in their headers, as ``partition_by:``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.project.loader import LAYERS
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.differences import hash_of_row
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.fingerprints import (
    NO_DATE,
    WHOLE,
    Month,
    add_difference,
    list_changed_columns,
    measure_months,
)
from cdp_pipeline.storage.splicing import splice_columns
from cdp_pipeline.storage.warehouse import (
    fetch_value,
    quote_column,
    quote_identifier,
    quote_literal,
)

FOLDER = "parquet"
PART = "part.parquet"
FORMAT = "format parquet, compression zstd, compression_level 1, dictionary_size_limit 4000"
"""How DuckDB writes the files of a version.

A dictionary of more values than that, such as ids, makes no file smaller, but to collect it costs
much of the writing; so does a higher level.
"""

Months = dict[str, dict[str, str]]


@dataclass
class Mirror:
    """What was written.

    Attributes:
        rows: Rows by table.
        months: Fingerprint of each month's rows, by table; of all rows if it is not split.
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
        is_base: Whether it is the one that the night builds upon, against which changes are noted.
    """

    folder: Path
    manifest: Mapping[str, Any]
    is_base: bool = False

    def months(self, table: str) -> dict[str, str]:
        """Return the fingerprints of a table's months; none that cannot be compared."""
        facts = self.manifest.get("mirror", {})
        if facts.get("engine") != duckdb.__version__:  # another engine may hash otherwise
            return {}
        found: dict[str, str] = facts.get("months", {}).get(table, {})
        return found

    def lies_as(self, table: str, month: str, layout: str) -> bool:
        """Return whether a month's rows lie in a file as a layout says, as far as is known."""
        known = self.months(table).get(month)
        return known is None or known.endswith(f":{layout}")

    def facts_of(self, file: Path) -> dict[str, Any] | None:
        """Return what the manifest says of a file; None if it is not there as it was published."""
        facts: dict[str, Any] | None = self.manifest.get("files", {}).get(file.as_posix())
        there = self.folder / file
        if facts is None or not there.is_file() or sha256_of(there) != facts["sha256"]:
            return None
        return facts


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
    place = _Place(build, [earlier] if earlier else [], mirror)
    made = con.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = 'cdp' order by all"
    ).fetchall()
    for schema, table in made:
        if schema not in LAYERS:
            continue
        full_name = f"{schema}.{table}"
        source = quote_identifier(full_name)
        _write_table(con, full_name, source, tables.get(full_name), place)
    return mirror


def rewrite_table(  # noqa: PLR0913 - what it was, and what went
    con: duckdb.DuckDBPyConnection,
    full_name: str,
    spec: TableSpec | None,
    build: Path,
    *,
    source: str,
    earlier: Sequence[Earlier] = (),
    emptied: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Write one table of a version of which rows were deleted; files of others stay as they are.

    Where rows only lost values, the columns that did not are copied as bytes.

    Args:
        con: Connection that has the rows.
        full_name: The table, ``schema.table``.
        spec: Its declaration, if there is one.
        build: Folder of the version, in which files may be hard links.
        source: Quoted name of the table to read, such as ``clean.core.fct_sales``.
        earlier: The version as it was, and others: of what holds the same rows, the file is taken.
        emptied: On which condition each column lost its value; None if rows went.

    Returns:
        Fingerprint of each month, for ``mirror.months`` of the manifest.
    """
    mirror = Mirror()
    _write_table(
        con, full_name, source, spec, _Place(build, earlier, mirror, emptied or {}, has_gaps=True)
    )
    months = mirror.months[full_name]
    kept = {build / _file_of(full_name, month) for month in months or (NO_DATE,)}
    for part in (build / FOLDER / Path(*full_name.split("."))).glob(f"*/{PART}"):
        if part not in kept:
            shutil.rmtree(part.parent)
    whole = build / _file_of(full_name, WHOLE)
    if whole not in kept:
        whole.unlink(missing_ok=True)  # the version may be from before the table was split
    return months


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


def files_of(version: Path, full_name: str) -> list[Path]:
    """Return the files that hold a table of a version; none of a table that is not mirrored."""
    whole = version / _file_of(full_name, WHOLE)
    parts = sorted(whole.with_suffix("").glob(f"*/{PART}"))
    return parts + [whole] * whole.is_file()


def order_of(spec: TableSpec | None) -> Sequence[str] | None:
    """Return what to sort by; None for SQL models that lie so: made whole each night, in one file.

    The rows that a night has made anew lie behind all others of an incremental model. What was
    deleted leaves gaps, at which row groups would end elsewhere with each number of threads.
    """
    if spec is None:
        return None
    header = spec.header
    lies_so = spec.sql and not (header.incremental or header.partition_by or header.retention)
    return None if lies_so else header.stored_by


@dataclass(frozen=True)
class _Place:
    """Where files go, what they may be linked to, where that is noted, and what went."""

    build: Path
    earlier: Sequence[Earlier]
    mirror: Mirror
    emptied: Mapping[str, str] = field(default_factory=dict)
    has_gaps: bool = False


def _write_table(
    con: duckdb.DuckDBPyConnection,
    name: str,
    source: str,
    spec: TableSpec | None,
    place: _Place,
) -> None:
    """Write the months of a table, or all of it, whose rows are new; link what is not."""
    column = spec.header.partition_by if spec else None
    split = quote_column(column) if column else "null::date"
    columns = {row[0]: row[1] for row in con.execute(f"describe {source}").fetchall()}
    order = order_of(spec)
    layout, before = _layout(columns, order), None
    base = next((version for version in place.earlier if version.is_base), None)
    if base:
        before = add_difference(con, spec, columns, layout, base.months(name))
    months = measure_months(con, source, column, columns, before)
    changed = list_changed_columns(con, spec, columns) if spec and before else {}
    if not (months or column):
        months = [Month(WHOLE, 0, 0)]
    if spec and place.has_gaps:
        order = spec.header.stored_by
    place.mirror.rows[name] = sum(month.rows for month in months)
    place.mirror.months[name] = {month.name: month.fingerprint(layout) for month in months}
    for month in months:
        file = _file_of(name, month.name)
        if _keep(place, name, month.name, file):
            continue
        lies_so = all(was.lies_as(name, month.name, layout) for was in place.earlier[:1])
        if lies_so and _splice(con, place, file, month, columns, order):
            continue
        between = f"{split} between '{month.first}' and '{month.last}'"
        is_dated = f"{split} is null" if month.first is None else between
        rows = "true" if month.name == WHOLE else is_dated
        if base and before and before.get(month.name) == (month.rows, month.total):
            part = _Part(source, rows, changed.get(month.name, ()), order)
            if _renew(con, base, place.build / file, file, part):
                continue
        _copy(con, f"select * from {source} where {rows}", place.build / file, order)  # noqa: S608 - quoted
    if not months:  # an empty table is a table all the same
        _copy(con, f"select * from {source}", place.build / _file_of(name, NO_DATE), None)  # noqa: S608 - quoted


def _layout(columns: Mapping[str, str], order: Sequence[str] | None) -> str:
    """Return a hash of what the hash of rows leaves out: columns, types, order, format of files."""
    told = repr((list(columns.items()), order, FORMAT))
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _file_of(name: str, month: str) -> Path:
    """Return where a month of a table lies, or the whole of it, below the version's folder."""
    if month == WHOLE:
        schema, table = name.split(".")
        return Path(FOLDER, schema, f"{table}.parquet")
    return month_folder(name, month) / PART


def _keep(place: _Place, name: str, month: str, file: Path) -> bool:
    """Take a file over from another version, if its rows are the same and it is whole."""
    return any(_take(place, earlier, name, month, file) for earlier in place.earlier)


def _take(place: _Place, earlier: Earlier, name: str, month: str, file: Path) -> bool:
    if earlier.months(name).get(month) != place.mirror.months[name][month]:
        return False
    facts = earlier.facts_of(file)
    there, target = earlier.folder / file, place.build / file
    if facts is None:
        return False
    if not (target.exists() and target.samefile(there)):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(there, target)
    place.mirror.linked[file.as_posix()] = facts
    return True


@dataclass(frozen=True)
class _Part:
    """The columns of a file that have changed, of which rows, and in which order they lie."""

    source: str
    rows: str
    columns: tuple[str, ...]
    order: Sequence[str] | None


def _renew(
    con: duckdb.DuckDBPyConnection, base: Earlier, target: Path, file: Path, part: _Part
) -> bool:
    """Write a file of the version before with other values in some columns; say whether it was."""
    if not (part.columns and part.order and base.facts_of(file)):
        return False
    changed = target.with_name(f".{PART}.part")
    columns = ", ".join(map(quote_column, part.columns))
    _copy(con, f"select {columns} from {part.source} where {part.rows}", changed, part.order)  # noqa: S608 - quoted
    target.unlink(missing_ok=True)  # another version may share its bytes
    try:
        splice_columns(base.folder / file, changed, target)
    except ValueError:  # another layout: it is written whole
        return False
    finally:
        changed.unlink()
    return True


def _splice(
    con: duckdb.DuckDBPyConnection,
    place: _Place,
    file: Path,
    month: Month,
    columns: Mapping[str, str],
    order: Sequence[str] | None,
) -> bool:
    """Empty columns of a file where it lies; returns whether it holds the month's rows then."""
    target = place.build / file
    if not place.emptied or not target.is_file() or place.emptied.keys() & set(order or ()):
        return False
    anew, draft = (target.with_name(f".{word}") for word in ("anew.tmp", "spliced.tmp"))
    values = ", ".join(
        f"case when {condition} then null else {column} end as {column}"
        for column, condition in ((quote_column(n), c) for n, c in place.emptied.items())
    )
    try:
        _copy(con, f"select {values} from {_rows_in(target)}", anew, None)  # noqa: S608 - quoted
        splice_columns(target, anew, draft)
        total = f"select count(*) || ':' || sum({hash_of_row(columns)}::hugeint)"
        if fetch_value(con, f"{total} from {_rows_in(draft)}") != f"{month.rows}:{month.total}":
            return False
        draft.replace(target)  # the name alone: another version may share the bytes
    except (ValueError, duckdb.Error):  # of another writer: it is written whole
        return False
    finally:
        for path in (anew, draft):
            path.unlink(missing_ok=True)
    return True


def _rows_in(file: Path) -> str:
    return f"read_parquet({quote_literal(str(file))}, hive_partitioning = false)"


def _copy(
    con: duckdb.DuckDBPyConnection, select: str, target: Path, order: Sequence[str] | None
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # another version may share its bytes
    columns = ", ".join(quote_column(column) for column in order or ())
    ordered = f" order by {columns}" if columns else ""
    # What DuckDB knows of the whole table must not decide the bytes of one of its months.
    con.execute("set disabled_optimizers = 'statistics_propagation'")
    try:
        con.execute(f"copy ({select}{ordered}) to {quote_literal(str(target))} ({FORMAT})")
    finally:
        con.execute("reset disabled_optimizers")
