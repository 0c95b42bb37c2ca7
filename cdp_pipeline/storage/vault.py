"""The vault of a version: its tables with personal data, each as one Parquet file.

They lie apart from what analysts read, in a folder that only the account of the pipeline may enter.
Both are gathered in one folder and published by one swap, so they are always of the same night.
Which tables are personal follows from their headers (``TableSpec.is_personal``); who reads them
does so through ``warehouse.open_whole``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.cipher import VaultKey, new_vault_key, write_encrypted
from cdp_pipeline.storage.mirror import FORMAT, order_of
from cdp_pipeline.storage.warehouse import (
    VAULT,
    fetch_value,
    quote_column,
    quote_identifier,
    quote_literal,
)

FOLDER_MODE = 0o700
FILE_MODE = 0o600
BATCH = 122_880
"""Rows at a time."""


def write_vault(
    con: duckdb.DuckDBPyConnection,
    tables: Mapping[str, TableSpec],
    build: Path,
    keys: KeySettings,
) -> dict[str, int]:
    """Write every table and view of the catalog ``vault`` below the folder of a version.

    Args:
        con: Connection to the finished build, with what its views read (``patching``).
        tables: Declarations by name.
        build: Folder of the version.
        keys: With what to encrypt; without a key set, the files lie in clear.

    Returns:
        Rows by table.
    """
    folder, key = open_folder(build), new_vault_key(keys)
    if key:
        key.note(folder)
    made = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = $1 "
        "union all select schema_name || '.' || view_name from duckdb_views() "
        "where database_name = $1 and not internal order by all",
        [VAULT],
    ).fetchall()
    rows = {}
    for (name,) in made:
        source = quote_identifier(f"{VAULT}.{name}")
        order = order_of(tables.get(name))
        write_personal(con, f"select * from {source}", build, name, key, order)  # noqa: S608 - quoted
        rows[name] = int(fetch_value(con, f"select count(*) from {source}"))  # noqa: S608 - same
    return rows


def open_folder(build: Path) -> Path:
    """Make the vault of a version, which nobody else may enter, and return it."""
    folder = build / VAULT
    folder.mkdir(exist_ok=True)
    folder.chmod(FOLDER_MODE)
    return folder


def file_of(build: Path, full_name: str) -> Path:
    """Return where ``schema.table`` lies in the vault of a version.

    >>> file_of(Path("v"), "core.customer_contact").as_posix()
    'v/vault/core/customer_contact.parquet'
    """
    schema, name = full_name.split(".")
    return build / VAULT / schema / f"{name}.parquet"


def write_personal(
    con: duckdb.DuckDBPyConnection,
    select: str,
    build: Path,
    full_name: str,
    key: VaultKey | None,
    order: Sequence[str] | None = None,
) -> None:
    """Write one table of a vault; a file of that name, perhaps a hard link, gives way.

    Args:
        con: Connection that has the rows.
        select: The rows.
        build: Folder of the version.
        full_name: The table, ``schema.table``.
        key: What opens the vault; None if it lies in clear.
        order: Columns to sort by; None to keep the order.
    """
    path = file_of(build, full_name)
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(FOLDER_MODE)
    path.unlink(missing_ok=True)
    path.touch(mode=FILE_MODE)
    columns = ", ".join(quote_column(column) for column in order or ())
    ordered = f" order by {columns}" if columns else ""
    if key:
        write_encrypted(con.sql(f"{select}{ordered}").to_arrow_reader(BATCH), path, key)
        return
    con.execute(
        f"copy ({select}{ordered}) to {quote_literal(str(path))} ({FORMAT}, use_tmp_file false)"
    )
