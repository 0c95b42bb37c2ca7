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

from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.mirror import order_of
from cdp_pipeline.storage.warehouse import (
    VAULT,
    fetch_value,
    quote_column,
    quote_identifier,
    quote_literal,
)

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def write_vault(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, TableSpec], build: Path
) -> dict[str, int]:
    """Write every table of the catalog ``vault`` below the folder of a version.

    Args:
        con: Connection to the finished build.
        tables: Declarations by name.
        build: Folder of the version.

    Returns:
        Rows by table.
    """
    open_folder(build)
    made = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = ? "
        "order by all",
        [VAULT],
    ).fetchall()
    rows = {}
    for (name,) in made:
        source = quote_identifier(f"{VAULT}.{name}")
        write_personal(con, f"select * from {source}", build, name, order_of(tables.get(name)))  # noqa: S608 - quoted
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
    order: Sequence[str] | None = None,
) -> None:
    """Write one table of a vault; a file of that name, perhaps a hard link, gives way.

    Args:
        con: Connection that has the rows.
        select: The rows.
        build: Folder of the version.
        full_name: The table, ``schema.table``.
        order: Columns to sort by; None to keep the order.
    """
    path = file_of(build, full_name)
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(FOLDER_MODE)
    path.unlink(missing_ok=True)
    path.touch(mode=FILE_MODE)
    columns = ", ".join(quote_column(column) for column in order or ())
    ordered = f" order by {columns}" if columns else ""
    con.execute(
        f"copy ({select}{ordered}) to {quote_literal(str(path))} "
        "(format parquet, compression zstd, use_tmp_file false)"
    )
