from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build
from cdp_pipeline.warehouse.build import run

from .conftest import WriteModel

MakeContext = Callable[..., RunContext]

HEADER = """/*
question: How many are there, it's asked?
role: analyst
grain: one row
owner: tests
columns:
  n_count: Rows
*/
"""


def write_query(root: Path, name: str, select: str) -> None:
    path = root / "sql" / "queries" / f"{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + select + "\n", encoding="utf-8")


def test_queries_are_views_that_explain_themselves(
    write_model: WriteModel, make_context: MakeContext, project_root: Path
) -> None:
    write_model("marts.numbers", "select unnest([2, 1]) as n")
    write_query(project_root, "how_many", "select count(*) as n_count from marts.numbers")
    write_query(project_root, "of_nothing", "select count(*) as n_count from marts.nothing")
    context = make_context()
    for _ in range(2):  # a step may be repeated
        result = run(context, "marts")
        assert result.messages == ("1 tables of marts", "1 named queries as views")
    with open_build(context) as con:
        con.execute("checkpoint cdp")
    # As another client has it: attached under a name of its own.
    con = duckdb.connect()
    con.execute(f"attach '{DataPaths.of(context).build_db}' as mine (read_only)")
    assert con.execute("from mine.queries.how_many").fetchall() == [(2,)]
    assert con.execute(
        "select view_name, comment from duckdb_views() "
        "where database_name = 'mine' and not internal"
    ).fetchall() == [
        (
            "how_many",
            "How many are there, it's asked? Grain: one row. Asked by: analyst. Owner: tests.",
        )
    ]
    assert con.execute(
        "select comment from duckdb_columns() where table_name = 'how_many'"
    ).fetchall() == [("Rows",)]


def test_other_layers_have_none(write_model: WriteModel, make_context: MakeContext) -> None:
    write_model("core.numbers", "select 1 as n")
    assert run(make_context(), "core").messages == ("1 tables of core",)
