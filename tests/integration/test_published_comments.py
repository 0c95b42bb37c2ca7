"""The published file explains itself: every table and column carries its header as a comment."""

from __future__ import annotations

from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.comments import column_comment, table_comment
from cdp_pipeline.storage.warehouse import open_published
from cdp_pipeline.warehouse.named_queries import SCHEMA, view_comment
from tests.integration.store import ROOT, Store


def tables_for_analysts() -> dict[str, TableSpec]:
    return {n: spec for n, spec in load_project(ROOT).tables.items() if not spec.is_personal}


def test_every_table_is_explained(store: Store) -> None:
    tables = tables_for_analysts()
    with open_published(store.data) as con:
        rows = con.execute(
            "select schema_name || '.' || table_name, comment from duckdb_tables() "
            "where database_name = 'cdp'"
        ).fetchall()
    assert dict(rows) == {name: table_comment(spec) for name, spec in tables.items()}
    for name, comment in rows:
        assert "Grain: " in comment, name
        assert "Owner: " in comment, name
        assert "Key: " in comment or not tables[name].header.key, name


def test_every_column_is_explained(store: Store) -> None:
    tables = tables_for_analysts()
    with open_published(store.data) as con:
        rows = con.execute(
            "select schema_name || '.' || table_name, column_name, data_type, comment "
            "from duckdb_columns() where database_name = 'cdp' and not internal "
            "and schema_name <> ?",
            [SCHEMA],
        ).fetchall()
    assert {(table, column) for table, column, _, _ in rows} == {
        (name, column) for name, spec in tables.items() for column in spec.header.columns
    }
    for table, column, sql_type, comment in rows:
        assert comment == column_comment(tables[table], column, sql_type), f"{table}.{column}"
    by_name = {(table, column): comment for table, column, _, comment in rows}
    assert "[unit: store currency]" in by_name["core.fct_sales", "net_amount"]
    assert "[unit: UTC]" in by_name["core.fct_sales", "sold_at"]


def test_every_named_query_is_a_view_that_explains_itself(store: Store) -> None:
    queries = load_project(ROOT).queries
    with open_published(store.data) as con:
        views = con.execute(
            "select view_name, comment from duckdb_views() "
            "where database_name = 'cdp' and not internal"
        ).fetchall()
        columns = con.execute(
            "select table_name, column_name, comment from duckdb_columns() "
            "where database_name = 'cdp' and schema_name = ?",
            [SCHEMA],
        ).fetchall()
    assert dict(views) == {name: view_comment(query) for name, query in queries.items()}
    assert {(view, column): comment for view, column, comment in columns} == {
        (name, column): meaning
        for name, query in queries.items()
        for column, meaning in query.header.columns.items()
    }
