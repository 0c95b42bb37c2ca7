"""What the audit log says of a query: the tables it names, however it is written."""

from __future__ import annotations

import duckdb
import pytest

from cdp_pipeline.storage.asked_tables import list_asked_tables


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("from core.a", ["core.a"]),
        ("select n from core.a join core.b using (n)", ["core.a", "core.b"]),
        ("with c as (from core.b) select now(), n from core.a, c", ["core.a", "core.b"]),
        ("from cdp.core.a", ["cdp.core.a"]),
        ("selec n from core.a", ["tables unknown"]),
    ],
)
def test_tables_are_found(sql: str, tables: list[str]) -> None:
    con = duckdb.connect()
    con.execute("attach ':memory:' as cdp")
    con.execute("use cdp")
    con.execute("create schema core")
    for name in ("a", "b"):
        con.execute(f"create table core.{name} as select 1 as n")
    assert list_asked_tables(con, sql) == tables
