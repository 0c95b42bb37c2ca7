"""The vault at rest: Parquet encrypted with AES-256-GCM, which DuckDB reads in place.

Written by pyarrow, since DuckDB writes encrypted files only with an extension that needs the
internet, or unsafely. Each file has a key of its own, derived from the store's master key, the salt
of the version and the table's name. Which master key that is stands beside the files, in
``keys.json``; a vault without it lies in clear. Of such a file DuckDB 2.0 reads only chunks of one
page and no nested columns, and only without filters: so files are written and read in that way.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError, WarehouseError
from cdp_pipeline.core.keys import Key, load_keyring, new_salt
from cdp_pipeline.storage.files import read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa

KEYS_FILE = "keys.json"

_ROWS = 122_880
_ONE_PAGE = 1 << 30
_ALL_ROWS = 1 << 62


@dataclass(frozen=True)
class VaultKey:
    """What opens the files of one vault.

    Attributes:
        key: The master key.
        salt: Of this vault alone, in hex.
    """

    key: Key = field(repr=False)
    salt: str

    def of(self, table: str) -> bytes:
        """Return the 32 bytes that open the file of a table."""
        return bytes.fromhex(self.key.sign("vault", f"{self.salt}/{table}".encode()))

    def note(self, folder: Path) -> None:
        """Write beside the files which key opens them; the name gives nothing of it away."""
        write_json(folder / KEYS_FILE, {"key": self.key.id, "salt": self.salt})
        (folder / KEYS_FILE).chmod(0o600)


def new_vault_key(settings: KeySettings) -> VaultKey | None:
    """Return a key for a new vault; None if no key is set, so that it lies in clear."""
    ring = load_keyring(settings)
    return None if ring.is_public else VaultKey(ring.current, new_salt())


def read_vault_key(folder: Path, settings: KeySettings) -> VaultKey | None:
    """Return what opens a vault; None if it lies in clear.

    Raises:
        ConfigError: The ring lacks the key that the vault names, or it names none.
    """
    path = folder / KEYS_FILE
    if not path.is_file():
        return None
    document = read_json(path)
    try:
        name, salt = str(document["key"]), str(document["salt"])
    except KeyError as error:
        raise ConfigError(
            f"says not which key opens the vault: {error} is missing",
            where=str(path),
            hint="`cdp verify` says whether the version was changed; `cdp rollback` leaves it.",
        ) from error
    return VaultKey(load_keyring(settings).find(name), salt)


def scan_of(con: duckdb.DuckDBPyConnection, path: Path, key: VaultKey | None) -> str:
    """Return SQL that reads a file of a vault; the connection learns its key, under a name.

    Args:
        con: Connection that is to read.
        path: ``<vault>/<schema>/<table>.parquet``.
        key: What opens the vault; None if it lies in clear.
    """
    place = "'" + str(path).replace("'", "''") + "'"
    if key is None:
        return f"read_parquet({place})"
    table = _table_of(path)
    name = f"{key.salt}_{table}"
    secret = base64.b64encode(key.of(table)).decode()
    con.execute(f"pragma add_parquet_key('{name}', '{secret}')")
    # No filter goes past a limit: DuckDB 2.0 loses its place in a page of which it skips rows.
    scan = f"read_parquet({place}, encryption_config = {{footer_key: '{name}'}})"
    return f"(from {scan} limit {_ALL_ROWS})"


def write_encrypted(rows: pa.RecordBatchReader, path: Path, key: VaultKey) -> None:
    """Write rows as an encrypted file of a vault.

    Raises:
        WarehouseError: A column is nested: DuckDB could not read it again.
    """
    # Imported late: files of DAGs are read without it, and not every build has the encryption.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415
    from pyarrow.parquet import encryption  # noqa: PLC0415

    for column in rows.schema:
        if pa.types.is_nested(column.type):
            raise WarehouseError(
                f"{_table_of(path)}.{column.name} is {column.type}, which cannot be encrypted "
                "so that DuckDB reads it again",
                where=str(path),
                hint="Make it a column of plain values, or JSON text.",
            )
    secret = encryption.create_encryption_properties(footer_key=key.of(_table_of(path)))
    with parquet.ParquetWriter(
        path,
        rows.schema,
        compression="zstd",
        use_dictionary=False,
        max_rows_per_page=_ONE_PAGE,
        data_page_size=_ONE_PAGE,
        encryption_properties=secret,
    ) as writer:
        for batch in rows:
            writer.write_batch(batch, row_group_size=_ROWS)


def _table_of(path: Path) -> str:
    return f"{path.parent.name}.{path.stem}"
