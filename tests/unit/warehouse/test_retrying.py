"""A step that died or whose people were told apart since, tried again, ends as if nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cdp_pipeline.core.errors import WarehouseError
from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.storage.basis import changes_of, decide
from cdp_pipeline.storage.differences import IS_NOW, forget_differences
from cdp_pipeline.storage.patching import remove_rows
from cdp_pipeline.warehouse import increment
from cdp_pipeline.warehouse.build import bring_up_to_date

NAME, SELECT = "core.sales", "select id, person, sold_on from core.lines"
COLUMNS = {"id": "Number", "person": "Who", "sold_on": "Day"}
SALES = TableSpec(
    "core",
    "sales",
    TableHeader.model_validate(
        {
            "name": "sales",
            "description": "Sales.",
            "grain": "one row per id",
            "key": ["id"],
            "owner": "tests",
            "incremental": {
                "unit": {"who": "person"},
                "inputs": {"core.lines": {"unit": {"who": "person"}}},
            },
            "columns": COLUMNS,
        }
    ),
    Path("sql/core/sales.sql"),
    SELECT,
    1,
)
OLD, TODAY = "2024-03-02", "2026-01-04"

Rows = list[tuple[int, str | None, str]]

WERE: Rows = [(1, "A", OLD), (2, "A", TODAY), (3, "B", OLD), (4, None, TODAY)]
TRIED: Rows = [(2, "A", OLD), (3, "A", OLD), (4, None, TODAY), (5, "A", TODAY)]
DECIDED: Rows = [(1, "A", OLD), (2, "A", TODAY), (3, "B", TODAY), (4, None, TODAY)]


class DeathError(Exception):
    """The process is gone."""


class Dying:
    """A connection whose process dies before the statement of a number that writes something."""

    def __init__(self, con: duckdb.DuckDBPyConnection, *, at: int) -> None:
        self.con, self.left = con, at

    def execute(self, sql: str, *params: Any) -> duckdb.DuckDBPyConnection:
        self.left -= sql.startswith(("create", "insert", "delete", "drop", "comment"))
        if self.left < 0:
            raise DeathError
        return self.con.execute(sql, *params)


@pytest.fixture
def con(monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    monkeypatch.setattr(increment, "MOST_SHARE", 100)  # a few rows are all touched
    opened = duckdb.connect()
    for catalog in ("cdp", "staging", "base"):
        opened.execute(f"attach ':memory:' as {catalog}")
    opened.execute("use cdp")
    yield opened
    opened.close()


def fill(con: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    con.execute(f"create or replace table {table} (id integer, person varchar, sold_on date)")
    con.executemany(f"insert into {table} values (?, ?, ?)", rows)


def begin(con: duckdb.DuckDBPyConnection, now: Rows) -> None:
    for schema in ("cdp.core", "base.core"):
        con.execute(f"create schema if not exists {schema}")
    for table in ("core.sales", "base.core.sales", "base.core.lines"):
        fill(con, table, WERE)
    fill(con, "core.lines", now)
    decide(con, "")


def make(con: Any) -> str:
    forget_differences(con, kept={NAME})
    return bring_up_to_date(con, SALES, SELECT)[1].reason


def dies(con: duckdb.DuckDBPyConnection, *, at: int) -> bool:
    try:
        make(Dying(con, at=at))
    except DeathError:
        con.execute("detach database if exists touched")  # it was in that process's memory
        return True
    return False


def differing(con: duckdb.DuckDBPyConnection, now: str, told: str) -> list[tuple[Any, ...]]:
    return con.execute(f"(({now}) except all ({told})) union all (({told}) except all ({now}))") \
        .fetchall()  # fmt: skip


def assert_made(con: duckdb.DuckDBPyConnection, where: str = "true") -> None:
    """Hold the table against its SELECT, and what was noted against what differs."""
    assert differing(con, f"from {NAME}", f"{SELECT} where {where}") == []
    noted = f"select * exclude ({IS_NOW}) from {changes_of(NAME)} where"
    for now, before, which in (
        (NAME, f"base.{NAME}", IS_NOW),
        (f"base.{NAME}", NAME, f"not {IS_NOW}"),
    ):
        assert differing(con, f"from {now} except all from {before}", f"{noted} {which}") == []


def test_whenever_it_died_it_ends_as_if_nothing_was(con: duckdb.DuckDBPyConnection) -> None:
    deaths = 0
    while True:
        begin(con, TRIED)
        if not dies(con, at=deaths):
            break
        fill(con, "core.lines", DECIDED)
        assert make(con) == ""
        assert_made(con)
        deaths += 1
    assert deaths > 8


def test_whenever_undoing_died_it_ends_as_if_nothing_was(con: duckdb.DuckDBPyConnection) -> None:
    deaths = 0
    while True:
        begin(con, TRIED)
        assert make(con) == ""
        assert_made(con)
        fill(con, "core.lines", DECIDED)
        if not dies(con, at=deaths):
            break
        assert make(con) == ""
        assert_made(con)
        deaths += 1
    assert deaths > 10


@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_went_for_its_age_is_undone_as_well(con: duckdb.DuckDBPyConnection, at: int) -> None:
    params: dict[str, object] = {"day": date(2025, 1, 1)}
    begin(con, TRIED)
    make(con)
    if at < 2:
        with pytest.raises(DeathError):
            remove_rows(Dying(con, at=at), NAME, "sold_on < $day", params)  # type: ignore[arg-type]
    else:
        remove_rows(con, NAME, "sold_on < $day", params)
        assert_made(con, "sold_on > '2025-01-01'")
    fill(con, "core.lines", DECIDED)
    assert make(con) == ""
    assert_made(con)


def test_a_key_that_stands_in_a_unit_nobody_touched_is_refused(
    con: duckdb.DuckDBPyConnection,
) -> None:
    begin(con, [*WERE, (1, "C", TODAY)])
    with pytest.raises(WarehouseError, match="1 keys \\(id\\) stand twice"):
        make(con)
    assert con.execute(f"from {NAME} order by id").fetchall() == \
        con.execute(f"from base.{NAME} order by id").fetchall()  # fmt: skip
