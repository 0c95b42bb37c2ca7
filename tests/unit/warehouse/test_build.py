from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import CdpError, ConfigError, WarehouseError
from cdp_pipeline.orchestration.failures import explain_crash
from cdp_pipeline.storage.basis import changes_of, decide
from cdp_pipeline.storage.differences import note_rows
from cdp_pipeline.storage.warehouse import fetch_value, open_build
from cdp_pipeline.warehouse.build import run

from .conftest import WriteModel

MakeContext = Callable[..., RunContext]


def test_models_are_built_in_the_order_of_what_they_read(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    write_model("core.a", "select n + 1 as n from core.b")
    write_model("core.b", "with c as (select * from core.c) select n * 10 as n from c;")
    write_model("core.c", "select unnest([2, 1]) as n\n")
    context = make_context()
    result = run(context, "core")
    assert list(result.facts["rows"]) == ["core.c", "core.b", "core.a"]
    assert result.rows_out == 6
    assert result.messages == ("3 tables of core",)
    with open_build(context) as con:
        assert con.execute("select n from core.a").fetchall() == [(11,), (21,)]
        comment = fetch_value(
            con,
            "select comment from duckdb_tables() where table_name = 'a' and schema_name = 'core'",
        )
    assert comment == "A model of a test Grain: one row per n. Key: n. Owner: tests."


def test_rows_lie_in_the_order_of_the_key(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    write_model(
        "core.a", "select (i * 7) % 1000 as n, i % 3 as g from range(1000) as t (i)",
        columns="n g", key="g, n",
    )  # fmt: skip
    context = make_context()
    run(context, "core")
    with open_build(context) as con:
        rows = con.execute("select g, n from core.a").fetchall()
    assert rows == sorted(rows)


def test_rows_of_a_table_split_by_months_lie_in_the_order_of_the_date(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    write_model(
        "core.a", "select i as n, date '2026-01-01' + (i * 7 % 90)::int as d from range(99) t(i)",
        columns="n d", header="partition_by: d\n",
    )  # fmt: skip
    context = make_context()
    run(context, "core")
    with open_build(context) as con:
        rows = con.execute("select d, n from core.a").fetchall()
    assert rows == sorted(rows)


def test_only_what_is_published_in_the_database_is_compressed(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    rows = "select i as n, 'k' || i % 5 as word from range(130_000) as t (i)"
    personal = write_model("core.a", rows, columns="n word", header="subject_key: n\n")
    said = "word: {description: Browser cookie, pii: cookie}"
    personal.write_text(personal.read_text().replace("word: A column", said), encoding="utf-8")
    write_model("core.b", "select * from core.a", columns="n word")
    context = make_context()
    run(context, "core")
    with open_build(context) as con:
        places = ("vault.core.a", "cdp.core.b")
        kinds = {place: _first_segments(con, place) for place in places}
        decide(con, "")
        note_rows(con, "core.b", now="from core.b", before="from core.b")
        kinds["changes"] = _first_segments(con, changes_of("core.b"))
        con.execute("create table cdp.core.c as from core.b")
        assert _first_segments(con, "cdp.core.c") == kinds["cdp.core.b"]
    assert kinds["vault.core.a"] == kinds["changes"] == {"Uncompressed"}
    assert "Uncompressed" not in kinds["cdp.core.b"]


def _first_segments(con: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Return how values of the first, full row group lie, other than one value in all rows."""
    found = con.execute(
        "select compression from pragma_storage_info($1) "
        "where row_group_id = 0 and segment_type <> 'VALIDITY' and compression <> 'Constant'",
        [table],
    ).fetchall()
    return {kind for (kind,) in found}


def test_a_repeated_key_stops_the_night(write_model: WriteModel, make_context: MakeContext) -> None:
    path = write_model("core.a", "select unnest([1, 1, 2]) as n")
    with pytest.raises(WarehouseError, match="3 rows but 2 different keys") as caught:
        run(make_context(), "core")
    assert caught.value.where == str(path)


def test_a_model_is_not_blamed_for_too_little_memory(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    write_model("core.a", "select len(list(i)) as n from range(40_000_000) as t (i)")
    with pytest.raises(duckdb.OutOfMemoryException) as caught:
        run(make_context(engine={"memory_limit": "40MB"}), "core")
    found = explain_crash(caught.value, step="build_core", log=Path("log.jsonl"))
    assert found.where == "step build_core, while making core.a"
    assert "engine.memory_limit" in str(found.hint)


def test_a_model_without_key_is_refused(write_model: WriteModel, make_context: MakeContext) -> None:
    write_model("core.a", "select 1 as n", key="")
    with pytest.raises(WarehouseError, match=r"core\.a has no key"):
        run(make_context(), "core")


@pytest.mark.parametrize(
    ("select", "below_header", "message"),
    [
        ("select\n    1 as n\nfrom core.nothing", 3, "nothing does not exist"),
        ("select\n\n    cast('x' as integer) as n", 3, "Could not convert"),
        ("select 1 / as n", 1, "syntax error"),
    ],
)
def test_failures_name_model_line_and_duckdbs_words(
    write_model: WriteModel,
    make_context: MakeContext,
    select: str,
    below_header: int,
    message: str,
) -> None:
    path = write_model("core.a", select)
    with pytest.raises(CdpError, match=message) as caught:
        run(make_context(), "core")
    header_lines = path.read_text(encoding="utf-8").count("\n") - select.count("\n")
    place, _, column = (caught.value.where or "").rpartition(":")
    assert place == f"{path}:{header_lines + below_header}"
    assert int(column) >= 1


def test_columns_must_match_the_header(write_model: WriteModel, make_context: MakeContext) -> None:
    write_model("core.a", "select 1 as n, 2 as extra")
    with pytest.raises(WarehouseError, match="makes 'extra', which its header lacks"):
        run(make_context(), "core")


def test_a_circle_is_refused_before_anything_is_built(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    write_model("core.a", "select * from core.b")
    write_model("core.b", "select * from core.a")
    with pytest.raises(ConfigError, match=r"core\.a -> core\.b -> core\.a"):
        run(make_context(), "core")


def test_what_reads_a_python_table_waits_for_the_rest(
    write_model: WriteModel,
    write_python_table: Callable[[str], Path],
    make_context: MakeContext,
) -> None:
    write_python_table("features.clv")
    write_model("features.days", "select 1 as n")
    write_model("features.wide", "select n from features.clv union select n from features.days")
    write_model("features.wider", "select n + 1 as n from features.wide")
    context = make_context()
    assert list(run(context, "features").facts["rows"]) == ["features.days"]
    with open_build(context) as con:
        con.execute("create table features.clv as select 5 as n")
    rest = run(context, "features", rest=True)
    assert rest.facts["rows"] == {"features.wide": 2, "features.wider": 2}


def test_a_second_run_replaces_the_first(
    write_model: WriteModel, make_context: MakeContext
) -> None:
    context = make_context()
    write_model("core.a", "select 1 as n")
    run(context, "core")
    write_model("core.a", "select unnest([1, 2]) as n")
    assert run(context, "core").facts["rows"] == {"core.a": 2}


def test_an_empty_layer_is_no_error(project_root: Path, make_context: MakeContext) -> None:
    (project_root / "sql").mkdir()
    assert run(make_context(), "marts").rows_out == 0
