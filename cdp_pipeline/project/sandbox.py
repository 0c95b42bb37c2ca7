"""An empty DuckDB that can reach nothing: it parses and binds what people write in declarations.

Only expressions without any table are evaluated here, such as a format or a pattern that is tried.
"""

from __future__ import annotations

import threading
from functools import lru_cache

import duckdb


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "threads": 1,
        },
    )
    con.execute("set timezone = 'UTC'")
    con.execute("create macro business_date(moment) as cast(moment as date)")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
    return con


_LOCAL = threading.local()


def sandbox() -> duckdb.DuckDBPyConnection:
    """Return this thread's connection to the parser."""
    if not hasattr(_LOCAL, "cursor"):
        _LOCAL.cursor = _database().cursor()
    cursor: duckdb.DuckDBPyConnection = _LOCAL.cursor
    return cursor


def refusal_of(sql: str) -> str:
    """Return why DuckDB refuses to evaluate an expression of ours; empty if it does not.

    For parts that people write and we quote, such as formats and patterns.
    """
    try:
        sandbox().execute(f"select {sql}").fetchall()
    except duckdb.Error as error:
        return str(error).strip().splitlines()[0].partition(": ")[2]
    return ""
