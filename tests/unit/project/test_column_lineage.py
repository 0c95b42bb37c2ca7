"""Columns are traced through every shape of query that models use."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.column_lineage import trace_columns, trace_expression

TABLES = {"x.t": ["id", "a", "b"], "x.u": ["id", "c", "l"]}


def trace(select: str) -> dict[str, set[str]]:
    found = trace_columns(select, TABLES, where="test")
    assert found.unresolved == ()
    return {
        name: {f"{table}.{column}" for table, column in origins}
        for name, origins in found.columns.items()
    }


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("select a from x.t", {"a": {"x.t.a"}}),
        ("select t.a as n, 1 as one from x.t as t", {"n": {"x.t.a"}, "one": set()}),
        ("select a as p, p + b as q from x.t", {"p": {"x.t.a"}, "q": {"x.t.a", "x.t.b"}}),
        ("select * exclude (id) from x.t", {"a": {"x.t.a"}, "b": {"x.t.b"}}),
        ("select * replace (b as a) from x.t",
         {"id": {"x.t.id"}, "a": {"x.t.b"}, "b": {"x.t.b"}}),
        ("select count(*) as n from x.t where a > 1", {"n": set()}),
        ("select sum(a) filter (where b > 0) as s from x.t", {"s": {"x.t.a", "x.t.b"}}),
        ("select row_number() over (partition by a order by b) as r from x.t",
         {"r": {"x.t.a", "x.t.b"}}),
        ("with f as (select a + b as s from x.t), g as (select * from f) select s from g",
         {"s": {"x.t.a", "x.t.b"}}),
        ("with f(k) as (select a from x.t) select k from f", {"k": {"x.t.a"}}),
        ("select id from x.t inner join x.u using (id)", {"id": {"x.t.id", "x.u.id"}}),
        ("select a from x.t semi join x.u on t.id = u.id", {"a": {"x.t.a"}}),
        ("select a as v from x.t union all select c from x.u", {"v": {"x.t.a", "x.u.c"}}),
        ("select a, b from x.t union all by name select c as b from x.u",
         {"a": {"x.t.a"}, "b": {"x.t.b", "x.u.c"}}),
        ("select (select max(c) from x.u where u.id = t.id) as m from x.t", {"m": {"x.u.c"}}),
        ("select list_transform(l, lambda e: e + c) as m from x.u", {"m": {"x.u.l", "x.u.c"}}),
        ("select e from x.u, unnest(l) as n(e)", {"e": {"x.u.l"}}),
        ("select s.z from (select a as z from x.t) as s", {"z": {"x.t.a"}}),
        ("select v from (values (1), (2)) as w(v)", {"v": set()}),
        ("select b.a from base.x.t as b", {"a": {"base.x.t.a"}}),
        (("with recursive r as (select a as n from x.t union all select n + c from r, x.u) "
         "select n from r"), {"n": {"x.t.a", "x.u.c"}}),
        ("select case when a > 0 then b end as v from x.t", {"v": {"x.t.a", "x.t.b"}}),
    ],
)  # fmt: skip
def test_origins(select: str, expected: dict[str, set[str]]) -> None:
    assert trace(select) == expected


def test_what_nobody_has_is_named() -> None:
    found = trace_columns("select t.nope, z from x.t as t, y.v", TABLES, where="test")
    assert found.unresolved == ("t.nope", "y.v", "z")


def test_two_statements_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 statements"):
        trace_columns("select 1; select 2", TABLES, where="test")


def test_expressions_of_contracts() -> None:
    traced = trace_expression("case when a = 'x' then b end -- why", "x.t", ["a", "b"], where="t")
    assert traced.columns == {"value": frozenset({("x.t", "a"), ("x.t", "b")})}


@settings(deadline=None)  # the first query of a process starts the parser
@given(st.permutations(["id", "a", "b"]), st.integers(1, 4))
def test_wrapping_a_query_changes_no_origin(order: list[str], depth: int) -> None:
    select = f"select {', '.join(order)} from x.t"
    wrapped = select
    for _ in range(depth):
        wrapped = f"with w as ({wrapped}) select * from (select * from w) as v"
    assert trace(wrapped) == trace(select)
    assert list(trace(wrapped)) == order
