"""Erasing people from a published version: a clean copy takes the place of the old one.

Versions never change otherwise. DuckDB keeps deleted bytes in its file, so what is published is a
fresh copy; the two folders change places at once and keep the version's name, on which the ledger,
the links and the next night rely. Which rows are somebody's follows from names of columns, so that
a new table is covered without being listed; sales stay without the person (``erasure: detach``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.identity.erasure.tables import erase_rows
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.rights.files import clean_exports, clean_tree
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, load_values, records_of_values
from cdp_pipeline.storage.cipher import read_vault_key
from cdp_pipeline.storage.exchange import exchange
from cdp_pipeline.storage.files import fsync_tree, read_json, sha256_of, write_json
from cdp_pipeline.storage.mirror import FOLDER, Earlier, Months, rewrite_table
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.sealing import SEAL, seal
from cdp_pipeline.storage.vault import write_personal
from cdp_pipeline.storage.versions import MANIFEST_FILE, Version
from cdp_pipeline.storage.warehouse import (
    DATABASE_FILE,
    STORAGE_VERSION,
    VAULT,
    attach_whole,
    connect,
    create_macros,
    describe,
    fetch_value,
    has_table,
    lay_out_vault,
    quote_column,
    quote_identifier,
    quote_literal,
    use_catalogs,
)

CLEAN_PREFIX = ".clean-"
OWN_COLUMNS = ("customer_id", "owner_id", "old_customer_id")
"""Columns whose row is about the person."""

TURNOVER = (("core.fct_sales", "net_amount"), ("core.fct_orders", "order_amount"))
"""Sums that must be the same to the cent before and after."""


@dataclass
class Cleaning:
    """What was taken out of one version.

    Attributes:
        rows: Rows deleted or left without the person, by table.
        files: Rows or words that went, by folder.
        turnover: Sums that stayed the same, by column.
        months: Fingerprints of the months that were written again, by table that is split.
    """

    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    turnover: dict[str, str] = field(default_factory=dict)
    months: Months = field(default_factory=dict)


def clean_version(
    context: RunContext, version: Version, traces: Traces, searcher: Searcher
) -> Cleaning:
    """Put a clean copy in the place of a version that holds the people.

    Args:
        context: Settings and project; the erasure's date.
        version: Any published version.
        traces: The people.
        searcher: Looks for them in files.

    Raises:
        PrivacyError: Turnover would change.
    """
    clean = version.path.with_name(f"{CLEAN_PREFIX}{version.name}")
    _link_tree(version.path, clean)
    done = Cleaning()
    scratch = DataPaths.of(context).work
    for folder in sorted((clean / "exports").glob("*")) if (clean / "exports").is_dir() else []:
        if folder.is_dir():
            gone = clean_exports(folder, searcher, context.settings.keys, scratch)
            done.files["exports"] = done.files.get("exports", 0) + sum(gone.values())
    changed = _clean_database(context, version, clean, traces, done)
    left_out = frozenset(clean / n for n in ("parquet", VAULT, "exports", MANIFEST_FILE))
    for name, count in clean_tree(clean, searcher, excluded=left_out).items():
        done.files[name] = done.files.get(name, 0) + count
    done.files = {name: count for name, count in done.files.items() if count}
    if not (changed or done.files):
        shutil.rmtree(clean)
        return done
    _seal(context, clean, done.months)
    fsync_tree(clean)
    exchange(clean, version.path)
    shutil.rmtree(clean)
    return done


def _link_tree(source: Path, target: Path) -> None:
    """Copy a version by hard links, but for its database; folders keep their modes."""
    shutil.rmtree(target, ignore_errors=True)
    for path in [source, *sorted(source.rglob("*"))]:
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(mode=path.stat().st_mode & 0o777)
        elif path.name != DATABASE_FILE:
            os.link(path, place)


def _clean_database(
    context: RunContext, version: Version, clean: Path, traces: Traces, done: Cleaning
) -> bool:
    """Write the clean database, Parquet and vault; returns whether anything changed."""
    con = connect(context.settings.engine, spill=DataPaths.of(context).ensure(clean / ".spill"))
    project = load_project(context.project_root)
    try:
        _lay_out_copies(con, version, clean, context.settings.keys)
        create_macros(con, context)
        done.rows = _erase(con, context, project, traces)
        done.turnover = _same_turnover(con)
        mended = _tell_exports(con, clean)
        done.rows |= {"ops.exports": mended} if mended else {}
        changed = {name: project.tables.get(name) for name in sorted(done.rows)}
        personal = _write_vault(con, clean, changed, context.settings.keys)
        if done.rows.keys() - personal:
            target = clean / DATABASE_FILE
            options = f"storage_version '{STORAGE_VERSION}'"
            con.execute(f"attach {quote_literal(str(target))} as clean ({options})")
            con.execute("reset force_compression")
            con.execute("copy from database cdp to clean")
            con.execute("checkpoint clean")
            done.months = _write_parquet(con, project, clean, sorted(done.rows.keys() - personal))
        else:
            os.link(version.path / DATABASE_FILE, clean / DATABASE_FILE)
    finally:
        con.close()
        for path in clean.glob(".scratch.duckdb*"):
            path.unlink()
        shutil.rmtree(clean / ".spill", ignore_errors=True)
    return bool(done.rows)


def _lay_out_copies(
    con: duckdb.DuckDBPyConnection, version: Version, clean: Path, keys: KeySettings
) -> None:
    """Attach the version as ``published``, and a copy of it and of its vault to erase from."""
    published = quote_literal(str(version.path / DATABASE_FILE))
    con.execute(f"attach {published} as published (read_only)")
    con.execute("attach ':memory:' as kept")
    lay_out_vault(con, version.path / VAULT, "kept", keys)
    # Bytes are copied, not tables: what is erased here stays behind when the clean file is written.
    shutil.copyfile(version.path / DATABASE_FILE, clean / ".scratch.duckdb.cdp")
    # What lives for minutes is neither compressed nor made tidy in the end.
    con.execute("set force_compression = 'uncompressed'")
    con.execute("pragma disable_checkpoint_on_shutdown")
    for catalog in ("cdp", VAULT):
        scratch = quote_literal(str(clean / f".scratch.duckdb.{catalog}"))
        con.execute(f"attach {scratch} as {catalog} (storage_version '{STORAGE_VERSION}')")
    for name in _tables_of(con, "kept"):
        con.execute(f"create schema if not exists {VAULT}.{quote_identifier(name.split('.')[0])}")
        con.execute(
            f"create table {quote_identifier(f'{VAULT}.{name}')} as "
            f"from {quote_identifier(f'kept.{name}')}"
        )
    use_catalogs(con)


def _write_vault(
    con: duckdb.DuckDBPyConnection,
    clean: Path,
    changed: Mapping[str, TableSpec | None],
    keys: KeySettings,
) -> set[str]:
    """Write changed tables of the vault again; return all its tables."""
    held, key = set(_tables_of(con, VAULT)), read_vault_key(clean / VAULT, keys)
    for name, spec in changed.items():
        if name in held:
            select = f"select * from {quote_identifier(f'{VAULT}.{name}')}"  # noqa: S608 - quoted
            order = spec.header.stored_by if spec else None
            write_personal(con, select, clean, name, key, order)
    return held


def _tables_of(con: duckdb.DuckDBPyConnection, catalog: str) -> list[str]:
    """Return tables and views of a catalog as ``schema.table``."""
    found = con.execute(
        "select schema_name || '.' || table_name as name from duckdb_tables() "
        "where database_name = $1 union all "
        "select schema_name || '.' || view_name from duckdb_views() "
        "where database_name = $1 and not internal order by name",
        [catalog],
    ).fetchall()
    return [str(name) for (name,) in found]


def _erase(
    con: duckdb.DuckDBPyConnection, context: RunContext, project: Project, traces: Traces
) -> dict[str, int]:
    load_people(con, traces)
    everybody = traces.everybody
    if has_table(con, "identity.records"):
        records = {*everybody.records, *records_of_values(con, "erased_values")}
        everybody = replace(everybody, records=tuple(sorted(records)))
    rows: dict[str, int] = {}
    if has_table(con, "identity.records"):
        memory = Memory.of(context.settings.identity)
        erased = erase_rows(
            con, everybody, business_date=context.business_date.isoformat(), memory=memory
        )
        rows = {f"identity.{table}": count for table, count in erased.items()}
    tables = con.execute(
        "select schema_name || '.' || table_name as name from duckdb_tables() "
        "where database_name in ('cdp', 'vault') and schema_name <> 'identity' order by name"
    ).fetchall()
    for (name,) in tables:
        spec = project.tables.get(name)
        is_kept = spec is not None and spec.header.erasure == "detach"
        personal = [n for n, c in spec.header.columns.items() if c.pii] if spec else []
        count = _erase_table(con, name, is_kept=is_kept, personal=personal)
        if count:
            rows[name] = count
    if has_table(con, "core.dim_household") and has_table(con, "core.dim_customer"):
        empty = _run(
            con,
            "delete from core.dim_household where household_id not in "
            "(select household_id from core.dim_customer where household_id is not null)",
        )
        rows |= {"core.dim_household": rows.get("core.dim_household", 0) + empty} if empty else {}
    return rows


def load_people(con: duckdb.DuckDBPyConnection, traces: Traces) -> None:
    """Make the temporary tables that ``rows_about`` reads."""
    load_values(con, traces, "erased_values")
    ids = pa.table({"id": pa.array(list(traces.customers), pa.string())})
    con.register("erased_id_rows", ids)
    con.execute("create or replace temp table erased_ids as from erased_id_rows")
    con.unregister("erased_id_rows")


def rows_about(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """Return the condition on rows of a table that are about the people; empty if none can be."""
    columns = describe(con, name)
    theirs = [
        f"{column} in (select id from erased_ids)"  # noqa: S608 - constants
        for column in OWN_COLUMNS
        if column in columns
    ]
    if "cookie_id" in columns:
        theirs.append("cookie_id in (select value from erased_values where kind = 'cookie')")
    if {"source", "record_key"} <= set(columns):
        theirs.append(
            "source || '/' || record_key in (select value from erased_values where kind = 'record')"
        )
    return " or ".join(theirs)


def _erase_table(
    con: duckdb.DuckDBPyConnection, name: str, *, is_kept: bool, personal: list[str]
) -> int:
    """Delete a table's rows about the people, or take the people out of them."""
    columns = describe(con, name)
    table = quote_identifier(name)
    own = [column for column in OWN_COLUMNS if column in columns]
    theirs = rows_about(con, name)
    count = 0
    if theirs and is_kept:
        emptied = [c for c in dict.fromkeys([*own, *personal]) if c in columns]
        assigned = ", ".join(f"{quote_column(column)} = null" for column in emptied)
        count += _run(con, f"update {table} set {assigned} where {theirs}")  # noqa: S608 - quoted
    elif theirs:
        count += _run(con, f"delete from {table} where {theirs}")  # noqa: S608 - quoted
    for column in columns:
        if column.endswith("_customer_id") and column not in own:
            count += _run(
                con,
                f"update {table} set {quote_column(column)} = null "  # noqa: S608 - quoted
                f"where {quote_column(column)} in (select id from erased_ids)",
            )
    return count


def _run(con: duckdb.DuckDBPyConnection, statement: str) -> int:
    return int(fetch_value(con, statement) or 0)


def _same_turnover(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return sums that are the same before and after.

    Raises:
        PrivacyError: One is not.
    """
    sums = {}
    for table, column in TURNOVER:
        if not has_table(con, table):
            continue
        before, after = (
            fetch_value(con, f"select coalesce(sum({column}), 0) from {catalog}.{table}")  # noqa: S608 - constants
            for catalog in ("published", "cdp")
        )
        if Decimal(before) != Decimal(after):
            raise PrivacyError(
                f"erasure would change the sum of {column} from {before} to {after}",
                where=table,
                hint="This is a fault of the program: nothing was changed; report it.",
            )
        sums[f"{table}.{column}"] = str(after)
    return sums


def _tell_exports(con: duckdb.DuckDBPyConnection, clean: Path) -> int:
    """Bring ``ops.exports`` in line with the files that lost rows; returns its changed rows."""
    if not has_table(con, "ops.exports"):
        return 0
    mended = 0
    for manifest in sorted((clean / "exports").glob("*/manifest.json")):
        document: dict[str, Any] = read_json(manifest)
        for entry in document.get("files", []):
            mended += int(
                fetch_value(
                    con,
                    'update ops.exports set "rows" = $rows, bytes = $bytes, '
                    "member_count = case when kind = 'full' then member_count - (\"rows\" - $rows) "
                    "else member_count end, sha256 = $sha256 "
                    "where destination = $destination and file_name = $file_name "
                    "and sha256 <> $sha256",
                    {
                        **{name: entry[name] for name in ("rows", "bytes", "sha256", "file_name")},
                        "destination": manifest.parent.name,
                    },
                )
            )
    return mended


def _write_parquet(
    con: duckdb.DuckDBPyConnection, project: Project, folder: Path, tables: list[str]
) -> Months:
    """Write what changed of tables that the version mirrors; return fingerprints of their months.

    A month without anything of the people stays one file on disk that versions share.
    """
    months: Months = {}
    earlier = Earlier(folder, read_json(folder / MANIFEST_FILE))
    for name in tables:
        place = folder / FOLDER / Path(*name.split("."))
        if place.is_dir() or place.with_name(f"{place.name}.parquet").is_file():
            source = f"clean.{quote_identifier(name)}"
            months[name] = rewrite_table(
                con, name, project.tables.get(name), folder, source=source, earlier=earlier
            )
    return months


def _seal(context: RunContext, folder: Path, months: Months) -> None:
    """Bring the manifest in line with files and rows."""
    document = read_json(folder / MANIFEST_FILE)
    listed = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / MANIFEST_FILE:
            name = str(path.relative_to(folder))
            listed[name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    document["files"] = listed
    if "mirror" in document:  # the next night compares its own with these; older versions lack it
        document["mirror"]["months"] |= months
    con = connect(context.settings.engine)
    try:
        attach_whole(con, folder / DATABASE_FILE, "whole", context.settings.keys)
        for name in document.get("rows", {}):
            sql = f"select count(*) from {quote_identifier(f'whole.{name}')}"  # noqa: S608 - quoted
            document["rows"][name] = int(fetch_value(con, sql))
    finally:
        con.close()
    (folder / MANIFEST_FILE).unlink()  # a hard link: the old version's own manifest stays
    document.pop(SEAL, None)
    key = load_keyring(context.settings.keys).current
    write_json(folder / MANIFEST_FILE, seal(document, key))
    (folder / DATABASE_FILE).chmod(0o640)
