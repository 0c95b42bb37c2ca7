"""Idle blocks: what dropped tables and replaced rows leave in a DuckDB file that nights copy on.

DuckDB uses such blocks again but never gives them back, so a file that is copied from night to
night grows beyond what it holds. How much of it is idle is measured here, and written off; when a
night's file is begun is decided in ``basis``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.storage.warehouse import (
    STORAGE_VERSION,
    connect,
    quote_identifier,
    quote_literal,
)

MOST_IDLE = 0.25
"""Share of idle blocks above which the tables are written into a new file."""


def measure_idle(path: Path) -> float:
    """Return the share of a DuckDB file's blocks that hold nothing, 0 to 1.

    Args:
        path: A file that nobody writes.
    """
    con = connect(EngineSettings())
    try:
        con.execute(f"attach {quote_literal(str(path))} as measured (read_only)")
        found = con.execute(
            "select free_blocks, total_blocks from pragma_database_size() "
            "where database_name = 'measured'"
        ).fetchall()
    finally:
        con.close()
    return float(sum(free for free, _ in found) / max(1, sum(total for _, total in found)))


def write_whole(build: Path, base: Path, carried: Collection[str]) -> None:
    """Write some tables of a file into a new one, which has no idle blocks.

    Args:
        build: The new file.
        base: The file that has the tables.
        carried: Names of tables; those that are not there are left out. Rows keep their order.
    """
    con = connect(EngineSettings())
    try:
        con.execute(f"attach {quote_literal(str(base))} as base (read_only)")
        con.execute(
            f"attach {quote_literal(str(build))} as cdp (storage_version '{STORAGE_VERSION}')"
        )
        for name in _tables(con):
            if name in carried:
                con.execute(
                    f"create schema if not exists cdp.{quote_identifier(name.split('.')[0])}"
                )
                quoted = quote_identifier(name)
                con.execute(f"create table cdp.{quoted} as from base.{quoted}")
        con.execute("checkpoint cdp")
    finally:
        con.close()
    build.chmod(0o640)


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where database_name = 'base' order by 1"
    ).fetchall()
    return [str(name) for (name,) in found]
