"""Named queries as views of the published file: every client finds them, without the project.

Their schema is ``queries``; meaning, asker and grain are comments of the view, what each column
says are comments of its columns. A view holds no rows: it answers when it is asked.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.project.lineage import find_tables
from cdp_pipeline.project.loader import Project
from cdp_pipeline.project.queries import QuerySpec
from cdp_pipeline.storage.warehouse import (
    has_table,
    place_of,
    quote_column,
    quote_identifier,
    quote_literal,
)

SCHEMA = "queries"


def create_query_views(con: duckdb.DuckDBPyConnection, project: Project) -> list[str]:
    """Make a view of every named query whose tables are there for analysts; return their names.

    Args:
        con: Connection whose catalog takes the views; an earlier try's are replaced.
        project: The declarations.
    """
    con.execute(f"drop schema if exists {SCHEMA} cascade")
    con.execute(f"create schema {SCHEMA}")
    made = []
    for query in project.queries.values():
        reads = find_tables(query.sql, where=str(query.path), first_line=query.sql_line)
        is_personal = any(place_of(con, table) != table for table in reads)
        if not is_personal and all(has_table(con, table) for table in reads):
            _create_view(con, query)
            made.append(query.name)
    return made


def view_comment(query: QuerySpec) -> str:
    """Return what the published file says about a view: question, note, grain, asker, owner."""
    header = query.header
    note = f" {header.note}" if header.note else ""
    return (
        f"{header.question}{note} Grain: {header.grain}. Asked by: {header.role}. "
        f"Owner: {header.owner}."
    )


def _create_view(con: duckdb.DuckDBPyConnection, query: QuerySpec) -> None:
    view = quote_identifier(f"{SCHEMA}.{query.name}")
    con.execute(f"create view {view} as {query.sql}")
    con.execute(f"comment on view {view} is {quote_literal(view_comment(query))}")
    for name, meaning in query.header.columns.items():
        con.execute(f"comment on column {view}.{quote_column(name)} is {quote_literal(meaning)}")
