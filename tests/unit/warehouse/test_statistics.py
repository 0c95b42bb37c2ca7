"""Aggregates of days whose rows have gone stay as they were last counted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from cdp_pipeline.project.tables import TableHeader, TableSpec
from cdp_pipeline.warehouse.statistics import with_earlier_days

SPEC = TableSpec(
    "marts",
    "by_day",
    TableHeader.model_validate(
        {
            "name": "by_day",
            "description": "Sales by day.",
            "grain": "one row per day",
            "key": ["day"],
            "owner": "tests",
            "statistics": {"day": "day", "of": ["sales"]},
            "columns": {"day": "Day", "amount": "Sum"},
        }
    ),
    Path("by_day.sql"),
)
ANEW = "select unnest([date '2026-01-02', date '2026-01-03']) as day, 7 as amount"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("attach ':memory:' as base; create schema base.marts")
    return made


def test_days_before_the_first_that_is_whole_are_carried(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table base.marts.by_day as select unnest([date '2026-01-01', date '2026-01-02', "
        "date '2026-01-03']) as day, 100 as amount"
    )
    select = with_earlier_days(con, SPEC, ANEW, date(2026, 1, 3))
    assert con.execute(f"select * from ({select}) order by day").fetchall() == [
        (date(2026, 1, 1), 100),
        (date(2026, 1, 2), 100),
        (date(2026, 1, 3), 7),
    ]


def test_without_a_version_before_what_is_there_counts(con: duckdb.DuckDBPyConnection) -> None:
    select = with_earlier_days(con, SPEC, ANEW, date(2026, 1, 3))
    assert len(con.execute(select).fetchall()) == 2


def test_without_a_period_everything_is_counted_anew(con: duckdb.DuckDBPyConnection) -> None:
    assert with_earlier_days(con, SPEC, ANEW, None) == ANEW
