"""Connections to the warehouse, and the few SQL statements that every stage needs.

Three doors: ``open_build`` writes the private files of a run, ``open_published`` reads the current
version behind DuckDB's sandbox as analysts do, ``open_whole`` with the personal data of its vault.
Whichever holds it, a table is called ``schema.table``. The storage version is pinned so that
clients from 1.2 open the published file. No model belongs here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, WarehouseError
from cdp_pipeline.core.settings import EngineSettings, Settings
from cdp_pipeline.project.loader import LAYERS, load_project
from cdp_pipeline.project.tables import PERSONAL_LAYER, TableSpec
from cdp_pipeline.storage.cipher import read_vault_key, scan_of
from cdp_pipeline.storage.comments import column_comment, table_comment
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths

STORAGE_VERSION = "v1.2.0"
"""Oldest DuckDB line that opens the published file (2.0's default opens in 2.0 only)."""

DATABASE_FILE = "cdp.duckdb"

VAULT = "vault"
"""Catalog of tables with personal data, and the folder of a version that holds their Parquet."""


def quote_identifier(name: str) -> str:
    """Return a quoted SQL identifier; dots separate catalog, schema and table.

    >>> quote_identifier('core.o"dd')
    '"core"."o""dd"'
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def quote_column(name: str) -> str:
    """Return a quoted column name, in which a dot is only a character.

    >>> quote_column('a.b')
    '"a.b"'
    """
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """Return a quoted SQL string.

    >>> quote_literal("o'clock")
    "'o''clock'"
    """
    return "'" + value.replace("'", "''") + "'"


def connect(engine: EngineSettings, *, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with our limits and no extensions.

    Args:
        engine: Memory and threads.
        spill: Folder for temporary files; default: no spilling.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": engine.memory_limit,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "temp_directory": str(spill) if spill else "",
    }
    if engine.threads:
        config["threads"] = engine.threads
    con = duckdb.connect(":memory:", config=config)
    con.execute("set timezone = 'UTC'")
    return con


@contextmanager
def open_build(
    context: RunContext, *, is_compressed: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse that a run is building.

    The main catalog is ``cdp``; ``vault`` takes the tables with personal data, which no file for
    analysts ever holds; ``staging`` holds the run's entity tables; ``base`` is the published
    version that this night builds upon, whole and read-only, if there is one.

    Args:
        context: The run.
        is_compressed: Off for tables that live for a night only, as entities do, or that are
            published as Parquet, as the vault is: compressing those would be work done twice.

    Raises:
        WarehouseError: A macro of ``sql/macros`` does not compile.
    """
    paths = DataPaths.of(context)
    paths.ensure(paths.work)
    con = connect(context.settings.engine, spill=paths.ensure(paths.work / "spill"))
    try:
        con.execute(f"set force_compression = '{'auto' if is_compressed else 'uncompressed'}'")
        for path, catalog in ((paths.build_db, "cdp"), (paths.vault_db, VAULT)):
            con.execute(
                f"attach {quote_literal(str(path))} as {catalog} "
                f"(storage_version '{STORAGE_VERSION}')"
            )
            for schema in LAYERS:
                if catalog == VAULT or schema != PERSONAL_LAYER:
                    con.execute(f"create schema if not exists {catalog}.{schema}")
        con.execute(f"attach {quote_literal(str(paths.staging_db))} as staging")
        base = read_plan(context).get("base_path")
        if base:
            attach_whole(con, Path(base), "base", context.settings.keys)
        personal = [
            s.full_name for s in load_project(context.project_root).tables.values() if s.is_personal
        ]
        con.execute("set variable personal_tables = ?", [personal])
        use_catalogs(con)
        create_macros(con, context)
        yield con
    finally:
        con.close()


@contextmanager
def open_published(
    data_dir: Path,
    *,
    version: Path | None = None,
    engine: EngineSettings | None = None,
    sandboxed: bool = True,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the current version for reading, as analysts have it: without its vault.

    Args:
        data_dir: Data folder.
        version: Folder of another version to open instead.
        engine: Memory and threads.
        sandboxed: Refuse every other file; off only for our own comparisons with files.

    Raises:
        ConfigError: Nothing has been published yet.
    """
    path = (version or _current_folder(data_dir)) / DATABASE_FILE
    con = connect(engine or EngineSettings())
    try:
        con.execute(f"attach {quote_literal(str(path))} as cdp (read_only)")
        con.execute("use cdp")
        if sandboxed:
            con.execute("set enable_external_access = false")
            con.execute("set lock_configuration = true")
        yield con
    finally:
        con.close()


@contextmanager
def open_whole(
    settings: Settings, *, version: Path | None = None, sandboxed: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the current version with the personal data of its vault; whoever asks notes the deed.

    Args:
        settings: Data folder, keys, memory and threads.
        version: Folder of another version to open instead.
        sandboxed: Refuse every file outside the vault; off only for our own comparisons with files.

    Raises:
        ConfigError: Nothing has been published yet, or the key of the vault is missing.
    """
    folder = version or _current_folder(settings.data_dir)
    con = connect(settings.engine)
    try:
        con.execute(f"attach {quote_literal(str(folder / DATABASE_FILE))} as cdp (read_only)")
        con.execute(f"attach ':memory:' as {VAULT}")
        lay_out_vault(con, folder / VAULT, VAULT, settings.keys)
        use_catalogs(con)
        if sandboxed:
            con.execute(f"set allowed_directories = [{quote_literal(str(folder / VAULT))}]")
            con.execute("set enable_external_access = false")
            con.execute("set lock_configuration = true")
        yield con
    finally:
        con.close()


def _current_folder(data_dir: Path) -> Path:
    link = data_dir / "warehouse" / "current"
    if not link.exists():
        raise ConfigError(
            "nothing has been published yet",
            where=str(link),
            hint="Run `cdp run` (or `cdp demo`) first.",
        )
    return link.resolve()


def attach_whole(
    con: duckdb.DuckDBPyConnection, database: Path, name: str, keys: KeySettings
) -> None:
    """Attach a published version, vault included, as views of one catalog.

    Args:
        con: Any connection.
        database: The version's DuckDB file; versions of before the vault hold everything in it.
        name: Name of the catalog.
        keys: What opens the vault.
    """
    con.execute(f"attach {quote_literal(str(database))} as {name}_file (read_only)")
    con.execute(f"attach ':memory:' as {name}")
    sql = "select schema_name || '.' || table_name from duckdb_tables() where database_name = ?"
    found = sorted(con.execute(sql, [f"{name}_file"]).fetchall())
    views = {table: f"from {quote_identifier(f'{name}_file.{table}')}" for (table,) in found}
    _create_views(con, name, views)
    lay_out_vault(con, database.parent / VAULT, name, keys)


def lay_out_vault(
    con: duckdb.DuckDBPyConnection, folder: Path, catalog: str, keys: KeySettings
) -> None:
    """Make a view of each table of a version's vault.

    Raises:
        ConfigError: The key that opens it is missing.
    """
    key = read_vault_key(folder, keys)
    paths = sorted(folder.glob("*/*.parquet"))
    views = {f"{p.parent.name}.{p.stem}": f"from {scan_of(con, p, key)}" for p in paths}
    _create_views(con, catalog, views)


def _create_views(con: duckdb.DuckDBPyConnection, catalog: str, views: dict[str, str]) -> None:
    schemas = [f"{catalog}.{name}" for name in sorted({view.split(".")[0] for view in views})]
    made = [f"create schema if not exists {quote_identifier(name)}" for name in schemas]
    made += [f"create view {quote_identifier(f'{catalog}.{n}')} as {q}" for n, q in views.items()]
    _execute_all(con, made)


def _execute_all(con: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> None:
    """Run statements as one transaction: a commit for each costs more than they do."""
    con.execute("; ".join(["begin transaction", *statements, "commit"]))


def use_catalogs(con: duckdb.DuckDBPyConnection) -> None:
    """Let ``schema.table`` mean the table wherever it lies, in ``cdp`` or else in ``vault``."""
    found = con.execute(
        "select database_name || '.' || schema_name from duckdb_schemas() "
        "where database_name in ('cdp', 'vault') and not internal "
        "order by database_name, schema_name"
    ).fetchall()
    path = ",".join(["cdp.main", *(name for (name,) in found if not name.endswith(".main"))])
    con.execute(f"set search_path = {quote_literal(path)}")


def place_of(con: duckdb.DuckDBPyConnection, full_name: str) -> str:
    """Return where a build makes ``schema.table``: ``vault.schema.table`` if it is personal."""
    sql = "select coalesce(list_contains(getvariable('personal_tables')::varchar[], ?), false)"
    return f"{VAULT}.{full_name}" if fetch_value(con, sql, [full_name]) else full_name


def read_plan(context: RunContext) -> dict[str, Any]:
    """Return what the run's discovery decided; empty before it ran."""
    return read_json(DataPaths.of(context).plan)


def create_macros(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Create every macro of ``sql/macros`` as a temporary macro of this connection."""
    macros = load_project(context.project_root).macros
    create_macros_of(con, macros, time_zone=context.settings.time_zone)


def create_macros_of(
    con: duckdb.DuckDBPyConnection, macros: Sequence[Path], *, time_zone: str
) -> None:
    """Create the macros of some files, for those who need no project.

    Raises:
        WarehouseError: A macro does not compile.
    """
    zone = quote_literal(time_zone)
    for path in macros:
        body = path.read_text(encoding="utf-8").replace("{{ time_zone }}", zone)
        try:
            con.execute(body)
        except duckdb.Error as error:
            raise WarehouseError(
                f"macro does not compile: {first_line(error)}", where=str(path), hint="Mend it."
            ) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def fetch_value(
    con: duckdb.DuckDBPyConnection, sql: str, params: Sequence[object] | dict[str, object] = ()
) -> Any:  # noqa: ANN401 - whatever the column holds
    """Return the first column of the first row; None without rows.

    The result is read to its end: DuckDB 2 blocks a connection with a half-read result.
    """
    rows = con.execute(sql, params or None).fetchall()
    return rows[0][0] if rows else None


def fetch_dicts(
    con: duckdb.DuckDBPyConnection, sql: str, params: Sequence[object] | dict[str, object] = ()
) -> list[dict[str, Any]]:
    """Return all rows as dictionaries, in the query's order."""
    cursor = con.execute(sql, params or None)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def has_table(con: duckdb.DuckDBPyConnection, full_name: str, *, catalog: str = "cdp") -> bool:
    """Return whether ``schema.table`` exists in a catalog; ``cdp`` means its vault too."""
    schema, table = full_name.split(".") if "." in full_name else ("main", full_name)
    count = fetch_value(
        con,
        "select count(*) from (select database_name, schema_name, table_name from duckdb_tables() "
        "union all select database_name, schema_name, view_name from duckdb_views()) "
        "where database_name in ($1, if($1 = 'cdp', 'vault', $1)) "
        "and schema_name = $2 and table_name = $3",
        [catalog, schema, table],
    )
    return bool(count)


def has_base_table(con: duckdb.DuckDBPyConnection, full_name: str) -> bool:
    """Return whether the version this night builds upon has ``schema.table``."""
    return has_table(con, full_name, catalog="base")


def base_columns(con: duckdb.DuckDBPyConnection, full_name: str) -> frozenset[str]:
    """Return the columns that ``schema.table`` had in the version this night builds upon."""
    if not has_base_table(con, full_name):
        return frozenset()
    return frozenset(describe(con, f"base.{full_name}"))


def describe(con: duckdb.DuckDBPyConnection, full_name: str) -> dict[str, str]:
    """Return column names and DuckDB types of a table, in order."""
    rows = con.execute(f"describe {quote_identifier(full_name)}").fetchall()
    return {row[0]: row[1] for row in rows}


def create_table(con: duckdb.DuckDBPyConnection, full_name: str, select: str) -> int:
    """Create or replace a table from a SELECT, in its place, and return its row count."""
    con.execute(f"create or replace table {quote_identifier(place_of(con, full_name))} as {select}")
    return int(fetch_value(con, f"select count(*) from {quote_identifier(full_name)}"))  # noqa: S608 - quoted


def declare_table(con: duckdb.DuckDBPyConnection, spec: TableSpec) -> None:
    """Hold a finished table against its header, then write the header as comments.

    Raises:
        WarehouseError: Columns are missing, undocumented or of another type.
    """
    made = describe(con, spec.full_name)
    documented = spec.header.columns
    undocumented = [name for name in made if name not in documented]
    missing = [name for name in documented if name not in made]
    if undocumented or missing:
        what = (
            f"makes {undocumented[0]!r}, which its header lacks"
            if undocumented
            else (f"header documents {missing[0]!r}, which it does not make")
        )
        raise WarehouseError(
            f"{spec.full_name} {what}", where=str(spec.path), hint="Bring the two in line."
        )
    for name, column in documented.items():
        if column.type and _plain(column.type) != _plain(made[name]):
            raise WarehouseError(
                f"{spec.full_name}.{name} is {made[name]}, its header says {column.type}",
                where=str(spec.path),
                hint="Cast the column or mend the header.",
            )
    _comment(con, spec, made)


def _plain(sql_type: str) -> str:
    return re.sub(r"\s+", "", sql_type.lower())


def _comment(con: duckdb.DuckDBPyConnection, spec: TableSpec, types: dict[str, str]) -> None:
    table = quote_identifier(spec.full_name)
    notes = {f"table {table}": table_comment(spec)}
    for name in spec.header.columns:
        notes[f"column {table}.{quote_column(name)}"] = column_comment(spec, name, types[name])
    _execute_all(con, [f"comment on {what} is {quote_literal(n)}" for what, n in notes.items()])
