from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.lineage import find_tables, sort_by_lineage


@pytest.mark.parametrize(
    ("select", "tables"),
    [
        ("select 1 as one", ()),
        ("from core.fct_sales", ("core.fct_sales",)),
        ("with a as (select * from core.x) select * from a", ("core.x",)),
        ("with x as (select * from core.x) select * from x, X as again", ("core.x",)),
        ("select * from core.b union all select * from core.a", ("core.a", "core.b")),
        ("select * from CORE.Fct_Sales", ("core.fct_sales",)),
        ("select (select max(n) from core.x) as n from core.y", ("core.x", "core.y")),
        (
            "select 1 from core.x where exists (select 1 from base.ops.log)",
            ("base.ops.log", "core.x"),
        ),
        ("select * from core.x semi join core.y using (n)", ("core.x", "core.y")),
        ("select nope, misspelt(n) from core.x", ("core.x",)),
        ("select * from unnest([1, 2]), range(3), (values (1)) as v (n)", ()),
        ("select 'from core.y' as text from core.x -- from core.z", ("core.x",)),
    ],
)
def test_tables_are_found_without_binding(select: str, tables: tuple[str, ...]) -> None:
    assert find_tables(select, where="model.sql") == tables


@pytest.mark.parametrize(
    ("select", "place", "message"),
    [
        ("select *\nfrom sales", "model.sql:11", "'sales' is named without its schema"),
        ("select\n    1,\n    now()", "model.sql:12", "now gives another result"),
        ("select 'é',\n    current_date", "model.sql:11", "current_date gives another result"),
        ("select random()", "model.sql:10", "random gives another result"),
        ("select * from\n    read_csv('x.csv')", "model.sql:11", "read_csv()"),
        ("select 1; select 2", "model.sql:10", "2 statements"),
        ("create table x as select 1", "model.sql:10", "Only SELECT"),
        ("select *\nfrm core.x", "model.sql:11", "syntax error"),
    ],
)
def test_what_a_model_may_not_do_is_refused_with_its_line(
    select: str, place: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        find_tables(select, where="model.sql", first_line=10)
    assert (caught.value.where or "").rpartition(":")[0] == place
    assert message in caught.value.message
    assert caught.value.hint


def test_files_named_like_tables_are_refused() -> None:
    with pytest.raises(ConfigError, match="without its schema"):
        find_tables("select * from 'people.parquet'", where="model.sql")


def test_order_puts_makers_first_and_ties_by_name() -> None:
    reads = {"z": [], "b": ["z", "staging.x"], "a": ["b"], "c": []}
    assert sort_by_lineage(reads, where="sql/core") == ["c", "z", "b", "a"]


def test_circles_are_named() -> None:
    with pytest.raises(ConfigError, match=r"in a circle: a -> c -> b -> a"):
        sort_by_lineage({"a": ["c"], "b": ["a"], "c": ["b"], "d": []}, where="sql/core")


def test_a_model_may_not_read_itself() -> None:
    with pytest.raises(ConfigError, match="a reads itself") as caught:
        sort_by_lineage({"a": ["a"]}, where="sql/core")
    assert "base.a" in (caught.value.hint or "")


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12)), max_size=10).map(
        # Reading only smaller numbers, models cannot form a circle.
        lambda graph: {
            f"m{node:02}": [f"m{need:02}" for need in needs if need < node]
            for node, needs in graph.items()
        }
    )
)
def test_order_respects_every_edge(reads: dict[str, list[str]]) -> None:
    order = sort_by_lineage(reads, where="sql/core")
    assert sorted(order) == sorted(reads)
    for name, needs in reads.items():
        assert all(order.index(need) < order.index(name) for need in needs if need in reads)
