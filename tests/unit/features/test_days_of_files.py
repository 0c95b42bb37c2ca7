"""Days of a file's customers: a window leaves out what lies before it, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.features.files.days import LINES_A_SPAN, Window, build_days
from cdp_pipeline.features.files.transactions import Columns, read_transactions

LAST = date(2026, 11, 20)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.integers(-5, 40).map(lambda ago: LAST - timedelta(days=ago)),
        st.decimals("-10.0000", "10.0000", places=4) | st.none(),
    ),
    max_size=30,
)


def _days(con: duckdb.DuckDBPyConnection, window: Window | None = None) -> list[tuple[Any, ...]]:
    build_days(con, LAST, window=window)
    return con.execute("from features.customer_day order by customer_id, purchased_on").fetchall()


@settings(deadline=None)
@given(
    lines=LINES,
    window_days=st.integers(1, 60),
    told=st.sampled_from([None, min]),
    spans=st.sampled_from([0, 1, 2, 7, 100]),
)
def test_a_window_holds_its_own_days_and_the_first_of_all_in_any_number_of_spans(
    lines: list[tuple[str | None, date, Decimal | None]], window_days: int, told: Any, spans: int
) -> None:
    with duckdb.connect() as con:
        con.execute(
            "create table file_lines (customer_id varchar, bought_on date, amount decimal(18, 4))"
        )
        for line in lines:
            con.execute("insert into file_lines values (?, ?, ?)", line)
        whole = _days(con)
        first = min((day for _, day, *_ in whole), default=None)
        begin = LAST - timedelta(days=window_days)
        kept = [row for row in whole if row[1] > begin or row[1] == first]
        first_on = told([day for _, day, _ in lines], default=None) if told else None
        window = Window(window_days, first_on, spans * LINES_A_SPAN)
        assert _days(con, window) == kept


def test_amounts_are_netted_exactly_and_rounded_once() -> None:
    with duckdb.connect() as con:
        con.execute(
            "create table file_lines as select 'a' as customer_id, $day::date as bought_on, "
            "unnest(['0.0049', '0.0001', '-99999999999.9900']::decimal(18, 4)[]) as amount",
            {"day": LAST},
        )
        assert _days(con) == [("a", LAST, Decimal("-99999999999.99"), False)]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("number // 50", "by day"),
        ("number // 50 + number % 3", "by day"),
        ("hash(number)", "in no order"),
        ("number % 20", "in no order"),
    ],
    ids=["by day", "some days late", "in no order", "by customer"],
)
def test_files_that_follow_day_by_day_are_told_from_others(
    order: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "lines.parquet"
    with duckdb.connect() as con:
        con.execute(
            "copy (select 'c' || number % 20 as who, date '2025-01-01' + (number // 50)::integer "
            f"as day, 1.00 as paid from range(10000) as numbers (number) order by {order}, number) "
            f"to '{file}' (format parquet)"
        )
        read = read_transactions(con, file, Columns("who", "day", "paid"))
        assert read.is_by_day == (told == "by day")
