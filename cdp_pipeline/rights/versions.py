"""Erasing people from a published version: a clean copy takes the place of the old one.

Versions never change otherwise. DuckDB keeps deleted bytes in its file, so what is published is a
fresh copy; the two folders change places at once and keep the version's name, on which the ledger,
the links and the next night rely. Which rows are somebody's is told in ``tables``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.rights.files import clean_exports, clean_tree
from cdp_pipeline.rights.mentions import redact_tables
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.tables import emptied_columns, erase_people_of, same_turnover
from cdp_pipeline.rights.traces import Traces
from cdp_pipeline.storage.cipher import read_vault_key
from cdp_pipeline.storage.disk import share_unchanged
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
    fetch_value,
    has_table,
    lay_out_vault,
    quote_identifier,
    quote_literal,
    use_catalogs,
)

CLEAN_PREFIX = ".clean-"

Keep = Callable[[duckdb.DuckDBPyConnection, Collection[str]], None]
"""Writes down what tables that lost something leave to be made anew."""


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


def clean_version(  # noqa: PLR0913 - what of, whom, what else may be known, who is told
    context: RunContext,
    version: Version,
    traces: Traces,
    searcher: Searcher,
    *,
    has_mentions: bool = False,
    cleaned: Version | None = None,
    keep: Keep | None = None,
) -> Cleaning:
    """Put a clean copy in the place of a version that holds the people.

    Args:
        context: Settings and project; the erasure's date.
        version: Any published version.
        traces: The people.
        searcher: Looks for them in files.
        has_mentions: Whether rows that are not about them hold their words, as a search found.
        cleaned: Another version, without them by now: what is the same is shared again.
        keep: Writes down what changes, before the clean copy takes its place.

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
    shared = [Earlier(cleaned.path, cleaned.manifest)] if cleaned else []
    mentioned = searcher if has_mentions else None
    changed = _clean_database(
        context, version, clean, traces, done, shared=shared, mentioned=mentioned, keep=keep
    )
    left_out = frozenset(clean / n for n in ("parquet", VAULT, "exports", MANIFEST_FILE))
    for name, count in clean_tree(clean, searcher, excluded=left_out).items():
        done.files[name] = done.files.get(name, 0) + count
    done.files = {name: count for name, count in done.files.items() if count}
    if not (changed or done.files):
        shutil.rmtree(clean)
        return done
    _seal(context, clean, done.months, shared)
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


def _clean_database(  # noqa: PLR0913 - what of, whom, and what else may be known
    context: RunContext,
    version: Version,
    clean: Path,
    traces: Traces,
    done: Cleaning,
    *,
    shared: Sequence[Earlier],
    mentioned: Searcher | None,
    keep: Keep | None,
) -> bool:
    """Write the clean database, Parquet and vault; returns whether anything changed."""
    con = connect(context.settings.engine, spill=DataPaths.of(context).ensure(clean / ".spill"))
    project = load_project(context.project_root)
    try:
        _lay_out_copies(con, version, clean, context.settings.keys)
        create_macros(con, context)
        done.rows = erase_people_of(con, context, project, traces)
        for name, count in redact_tables(con, mentioned).items() if mentioned else ():
            done.rows[name] = done.rows.get(name, 0) + count
        done.turnover = same_turnover(con)
        if keep and done.rows:
            keep(con, done.rows)
        mended = _tell_exports(con, clean)
        done.rows |= {"ops.exports": mended} if mended else {}
        changed = {name: project.tables.get(name) for name in sorted(done.rows)}
        personal = _write_vault(con, clean, changed, context.settings.keys)
        # Idle blocks of a file that nights copied on may tell the id of who went since. Words of
        # others, which alone are looked for later, never stood in it.
        if done.rows and not (mentioned and done.rows.keys() <= personal):
            target = clean / DATABASE_FILE
            options = f"storage_version '{STORAGE_VERSION}'"
            con.execute(f"attach {quote_literal(str(target))} as clean ({options})")
            con.execute("reset force_compression")
            with ThreadPoolExecutor(1) as pool:  # either leaves much of a core idle
                copied = pool.submit(_copy_tables, con.cursor())
                tables = sorted(done.rows.keys() - personal)
                done.months = _write_parquet(con, project, clean, tables, shared)
                copied.result()
        else:
            os.link(version.path / DATABASE_FILE, clean / DATABASE_FILE)
    finally:
        con.close()
        for path in clean.glob(".scratch.duckdb*"):
            path.unlink()
        shutil.rmtree(clean / ".spill", ignore_errors=True)
    return bool(done.rows)


def _copy_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Write all tables into the clean file, which holds nothing but them."""
    with con:
        con.execute("copy from database cdp to clean")
        con.execute("checkpoint clean")


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
    scratch = quote_literal(str(clean / ".scratch.duckdb.cdp"))
    con.execute(f"attach {scratch} as cdp (storage_version '{STORAGE_VERSION}')")
    con.execute(f"attach ':memory:' as {VAULT}")  # what it has no room for is spilled
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
    con: duckdb.DuckDBPyConnection,
    project: Project,
    folder: Path,
    tables: list[str],
    shared: Sequence[Earlier],
) -> Months:
    """Write what changed of tables that the version mirrors; return fingerprints of their months.

    A month without anything of the people stays one file on disk that versions share.
    """
    months: Months = {}
    earlier = [Earlier(folder, read_json(folder / MANIFEST_FILE)), *shared]
    for name in tables:
        place = folder / FOLDER / Path(*name.split("."))
        if place.is_dir() or place.with_name(f"{place.name}.parquet").is_file():
            source = f"cdp.{quote_identifier(name)}"
            spec = project.tables.get(name)
            months[name] = rewrite_table(
                con,
                name,
                spec,
                folder,
                source=source,
                earlier=earlier,
                emptied=emptied_columns(con, name, spec),
            )
    return months


def _seal(context: RunContext, folder: Path, months: Months, shared: Sequence[Earlier]) -> None:
    """Bring the manifest in line with files and rows; what another version holds too is shared."""
    document = read_json(folder / MANIFEST_FILE)
    listed = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / MANIFEST_FILE:
            name = str(path.relative_to(folder))
            listed[name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    for other in shared:
        share_unchanged(folder, listed, other.folder, other.manifest.get("files", {}))
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
