"""Days of a file's customers: a window leaves out what lies before it, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.features.files.days import build_days

LAST = date(2026, 11, 20)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.integers(-5, 40).map(lambda ago: LAST - timedelta(days=ago)),
        st.decimals("-10.0000", "10.0000", places=4) | st.none(),
    ),
    max_size=30,
)


def _days(con: duckdb.DuckDBPyConnection, **options: Any) -> list[tuple[Any, ...]]:
    build_days(con, LAST, **options)
    return con.execute("from features.customer_day order by customer_id, purchased_on").fetchall()


@settings(deadline=None)
@given(lines=LINES, window_days=st.integers(1, 60), told=st.sampled_from([None, min]))
def test_a_window_holds_its_own_days_and_the_first_of_all(
    lines: list[tuple[str | None, date, Decimal | None]], window_days: int, told: Any
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
        assert _days(con, window_days=window_days, first_on=first_on) == kept


def test_amounts_are_netted_exactly_and_rounded_once() -> None:
    with duckdb.connect() as con:
        con.execute(
            "create table file_lines as select 'a' as customer_id, $day::date as bought_on, "
            "unnest(['0.0049', '0.0001', '-99999999999.9900']::decimal(18, 4)[]) as amount",
            {"day": LAST},
        )
        assert _days(con) == [("a", LAST, Decimal("-99999999999.99"), False)]
