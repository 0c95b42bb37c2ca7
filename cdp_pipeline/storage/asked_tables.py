"""Which tables a statement asks for: what the audit log says of a query."""

from __future__ import annotations

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.lineage import find_tables


def list_asked_tables(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """Return the tables that a statement names, in name order; what cannot be read is said so.

    DuckDB's own list fails on joins by USING; ours on what models may not do, such as now().
    """
    try:
        return list(find_tables(sql, where="the query"))
    except ConfigError:
        try:
            return sorted(con.get_table_names(sql, qualified=True))
        except duckdb.Error:
            return ["tables unknown"]
