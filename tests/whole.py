"""The two files of a finished build as one, for tests that read it without the pipeline."""

from __future__ import annotations

from pathlib import Path

import duckdb

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import STORAGE_VERSION, attach_whole


def join_build(paths: DataPaths, target: Path | None = None) -> Path:
    """Copy warehouse and vault of a build into one database and return it."""
    whole = target or paths.work / "whole.duckdb"
    whole.unlink(missing_ok=True)
    with duckdb.connect() as con:
        con.execute(f"attach '{paths.build_db}' as cdp (read_only)")
        con.execute(f"attach '{paths.vault_db}' as vault (read_only)")
        if paths.staging_db.is_file():  # some tables of the vault are views of it and of the base
            con.execute(f"attach '{paths.staging_db}' as staging (read_only)")
        base = read_json(paths.plan).get("base_path")
        if base:
            attach_whole(con, Path(base), "base", KeySettings())
        con.execute(f"attach '{whole}' as whole (storage_version '{STORAGE_VERSION}')")
        con.execute("copy from database cdp to whole")
        found = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'vault' "
            "union all select schema_name, view_name from duckdb_views() "
            "where database_name = 'vault' and not internal order by all"
        ).fetchall()
        for schema, table in found:
            con.execute(f"create schema if not exists whole.{schema}")
            con.execute(f"create table whole.{schema}.{table} as from vault.{schema}.{table}")
    return whole
