"""Great Expectations judges in the database: no row of data comes to Python, hostile or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.predicates import row_predicate
from cdp_pipeline.quality import dialect
from cdp_pipeline.quality.checkpoints import open_checkpoints
from cdp_pipeline.quality.dialect import MOST_ROWS, lend

"""Each suite needs a name of its own."""

DAY = date(2026, 11, 20)
TYPES = {"name": "varchar", "amount": "decimal(18,2)", "sold_on": "date"}
CHECKS = [
    Check(expect="not_null", column="name", name="missing"),
    Check(expect="in_set", column="name", values=("Ann", "o'); drop table t; --", ""), name="set"),
    Check(expect="matches", column="name", pattern=r"^[^\n:{}%?]*$", name="pattern"),
    Check(expect="length_between", column="name", max=5, name="length"),
    Check(expect="between", column="amount", min=0, max="99.99", name="range"),
    Check(expect="between", column="sold_on", min="2026-01-01", name="recent"),
    Check(expect="true", where="amount >= 0 or name is null", name="sign"),
]
HOSTILE = [
    "",
    " ",
    "o'); drop table t; --",
    "{batch}",
    ":name",
    "%s",
    "?",
    "a\nb",
    "\x00",
    "😀" * 3,
]
TEXTS = st.none() | st.sampled_from(HOSTILE) | st.text(max_size=8)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.none() | st.decimals(-100, 1000, places=2),
        st.none() | st.dates(date(1900, 1, 1), date(2199, 12, 31)),
    ),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def fill(con: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> None:
    con.execute("create or replace table t (name varchar, amount decimal(18,2), sold_on date)")
    con.executemany("insert into t values (?, ?, ?)", rows)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_great_expectations_and_staging_judge_hostile_rows_alike(
    con: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]
) -> None:
    fill(con, rows)
    with open_checkpoints(con, business_date=DAY) as checkpoints:
        subject = checkpoints.look_at("t", "from t", where="tests")
        results = checkpoints.run([(subject, CHECKS)], stage="sources")
    found = {result.rule: result.unexpected_rows for result in results}
    for check in CHECKS:
        predicate = row_predicate(check, TYPES[check.column or "name"])
        broken = con.execute(f"select count(*) from t where not {predicate}").fetchall()
        assert [(found[check.rule],)] == broken


def test_no_row_comes_to_python_when_every_row_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 50 * MOST_ROWS
    fetched: list[int] = []
    execute = dialect._Cursor.execute  # noqa: SLF001 - the boundary that all rows must pass

    def count_rows(self: Any, sql: str, parameters: Any = ()) -> None:
        execute(self, sql, parameters)
        fetched.append(self.rowcount)

    def refuse(*_: object, **__: object) -> None:
        message = "a frame of data"
        raise AssertionError(message)

    monkeypatch.setattr(dialect._Cursor, "execute", count_rows)  # noqa: SLF001 - as above
    monkeypatch.setattr(pd.DataFrame, "__init__", refuse)
    with duckdb.connect() as con, open_checkpoints(con, business_date=DAY) as checkpoints:
        con.execute(
            "create table t as select 'much too long: ' || n as name, "
            "cast(-1 as decimal(18,2)) as amount, date '1999-01-01' as sold_on "
            f"from range({rows}) as r (n)"
        )
        subject = checkpoints.look_at("t", "from t", where="tests")
        checks = [*CHECKS[1:], Check(expect="unique", column="amount", name="unique")]
        found = checkpoints.run([(subject, checks)], stage="sources")
    assert {result.unexpected_rows for result in found} == {rows}
    assert max(fetched) <= MOST_ROWS + 1


def test_a_check_that_asks_for_all_rows_is_refused() -> None:
    with duckdb.connect() as con, lend(con, "loan") as url:
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            text = sa.text(f"select * from range({MOST_ROWS + 1})")
            assert len(connection.execute(text).fetchmany(200)) == 200
            with pytest.raises(sa.exc.DBAPIError, match=f"more than {MOST_ROWS} rows"):
                connection.execute(text).fetchall()
            few = sa.text(f"select * from range({MOST_ROWS})")
            assert len(connection.execute(few).fetchall()) == MOST_ROWS
        engine.dispose()
