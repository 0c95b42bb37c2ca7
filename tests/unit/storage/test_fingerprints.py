"""Fingerprints that follow from the rows that differ are those of all rows hashed anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.storage.basis import decide
from cdp_pipeline.storage.differences import select_difference, write_difference
from cdp_pipeline.storage.fingerprints import (
    NO_DATE,
    WHOLE,
    add_difference,
    list_changed_columns,
    measure_months,
)
from cdp_pipeline.storage.warehouse import describe

TABLE = "core.sales"
LAYOUT = "c0ffee"

Rows = dict[int, tuple[str | None, int | None, list[str] | None]]

days = st.sampled_from(["2026-09-30", "2026-10-01", "2026-10-31", None])
tables = st.dictionaries(
    st.integers(1, 6),
    st.tuples(days, st.sampled_from([1, 2, None]), st.sampled_from([["a"], [], None])),
)


def declare(column: str | None) -> TableSpec:
    header = TableHeader.model_validate(
        {
            "name": "sales",
            "description": "Sales.",
            "grain": "one row per id",
            "key": ["id"],
            "owner": "tests",
            "partition_by": column,
            "incremental": {"unit": {"id": "id"}, "inputs": {"core.lines": {"unit": {"id": "id"}}}},
            "columns": {"id": "Number", "sold_on": "Day", "amount": "Money", "tags": "Words"},
        }
    )
    return TableSpec("core", "sales", header, Path("sql/core/sales.sql"), "select 1", 1)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb.connect()
    for name in ("cdp", "staging"):
        opened.execute(f"attach ':memory:' as {name}")
    opened.execute("use cdp")
    opened.execute("create schema core")
    opened.execute(f"create table {TABLE} (id integer, sold_on date, amount integer, tags text[])")
    opened.execute(f"create table was as from {TABLE}")
    yield opened
    opened.close()


def fill(con: duckdb.DuckDBPyConnection, name: str, rows: Rows) -> None:
    con.execute(f"delete from {name}")
    for number, values in rows.items():
        con.execute(f"insert into {name} values (?, ?, ?, ?)", [number, *values])


def measure(con: duckdb.DuckDBPyConnection, name: str, column: str | None) -> dict[str, str]:
    found = measure_months(con, name, column, describe(con, TABLE))
    return {month.name: month.fingerprint(LAYOUT) for month in found}


def follow(
    con: duckdb.DuckDBPyConnection, column: str | None, published: dict[str, str]
) -> dict[str, str]:
    columns, spec = describe(con, TABLE), declare(column)
    before = add_difference(con, spec, columns, LAYOUT, published)
    found = measure_months(con, TABLE, column, columns, before)
    return {month.name: month.fingerprint(LAYOUT) for month in found}


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(was=tables, now=tables, column=st.sampled_from(["sold_on", None]))
def test_what_follows_is_what_hashing_all_rows_gives(
    con: duckdb.DuckDBPyConnection, was: Rows, now: Rows, column: str | None
) -> None:
    fill(con, "was", was)
    fill(con, TABLE, now)
    decide(con, "")
    write_difference(con, TABLE, select_difference(now=f"from {TABLE}", before="from was"))
    assert follow(con, column, measure(con, "was", column)) == measure(con, TABLE, column)


def test_a_month_that_nothing_touched_is_not_hashed(con: duckdb.DuckDBPyConnection) -> None:
    rows: Rows = {1: ("2026-09-30", 1, None), 2: ("2026-10-01", 2, ["a"])}
    fill(con, TABLE, rows)
    decide(con, "")
    write_difference(
        con, TABLE, select_difference(now=f"from {TABLE} where id = 2", before="from was limit 0")
    )
    published = {"2026-09": f"1:17:{LAYOUT}"}
    assert follow(con, "sold_on", published)["2026-09"] == f"1:17:{LAYOUT}"


@pytest.mark.parametrize(
    "published",
    [
        {"2026-09": f"2:17:{LAYOUT}"},  # more rows than there are
        {"2026-09": f"1:17:{LAYOUT}", NO_DATE: f"1:3:{LAYOUT}"},  # a month that is gone
        {"2026-09": "1:17:another"},
        {WHOLE: f"1:17:{LAYOUT}"},  # the table was not split then
        {},
    ],
)
def test_what_does_not_add_up_is_hashed(
    con: duckdb.DuckDBPyConnection, published: dict[str, str]
) -> None:
    fill(con, TABLE, {1: ("2026-09-30", 1, None)})
    decide(con, "")
    nothing = select_difference(now="from was limit 0", before="from was limit 0")
    write_difference(con, TABLE, nothing)
    assert follow(con, "sold_on", published) == measure(con, TABLE, "sold_on")


def test_without_noted_changes_all_rows_are_hashed(con: duckdb.DuckDBPyConnection) -> None:
    fill(con, TABLE, {1: ("2026-09-30", 1, None)})
    decide(con, "")
    published = {"2026-09": f"1:17:{LAYOUT}"}
    assert follow(con, "sold_on", published) == measure(con, TABLE, "sold_on")


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ({1: ("2026-09-30", 2, None)}, {"2026-09": ("amount",)}),
        ({1: ("2026-09-30", None, ["a"])}, {"2026-09": ("amount", "tags")}),
        ({1: ("2026-09-30", 1, [])}, {"2026-09": ("tags",)}),
        ({1: ("2026-10-01", 2, None)}, {}),  # it went to another month
        ({1: ("2026-09-29", 2, None)}, {}),  # it lies elsewhere in its month
        ({}, {}),
        ({1: ("2026-09-30", 2, None), 3: ("2026-09-30", 2, None)}, {}),
        ({1: ("2026-09-30", 1, None), 2: (None, 7, [])}, {NO_DATE: ("amount",)}),
    ],
)
def test_which_columns_have_changed_where_rows_keep_their_places(
    con: duckdb.DuckDBPyConnection, now: Rows, found: dict[str, tuple[str, ...]]
) -> None:
    was: Rows = {1: ("2026-09-30", 1, None), 2: (None, 2, [])}
    fill(con, "was", was)
    fill(con, TABLE, {2: was[2]} | now)
    decide(con, "")
    write_difference(con, TABLE, select_difference(now=f"from {TABLE}", before="from was"))
    assert list_changed_columns(con, declare("sold_on"), describe(con, TABLE)) == found
