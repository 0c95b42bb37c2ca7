"""What is given back later and what baskets were worth a year ago change amounts."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from benchmarks.clv.stores import TABLE, write_store
from cdp_pipeline.features.baskets import LONGEST_SEASON_DAYS, Baskets, read_baskets

HORIZON_DAYS = 90


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def draw_store(con: duckdb.DuckDBPyConnection, *, days: int = 760) -> date:
    return write_store(con, seed=21, days=days, customers=3_000).last_day


def multiply_a_year_ago(con: duckdb.DuckDBPyConnection, today: date, factor: float) -> None:
    """Change the baskets of the days that are to be forecast, in every year known."""
    for years in (1, 2):
        eve = today - timedelta(days=364 * years)
        con.execute(
            f"update {TABLE} set net_amount = (net_amount * {factor})::decimal(18, 2) "
            "where purchased_on > ? and purchased_on <= ?",
            [eve, eve + timedelta(days=HORIZON_DAYS)],
        )


def usual_share(con: duckdb.DuckDBPyConnection, today: date) -> float:
    """Share of the visits of customers who came in those days and in others."""
    (share,) = con.execute(
        f"with days as (select customer_id, date_diff('day', purchased_on, $1::date) % 364 >= "
        f"364 - {HORIZON_DAYS} as is_season from {TABLE}), both_kinds as (select customer_id from "
        "days group by all having bool_or(is_season) and not bool_and(is_season)) "
        "select avg(is_season::integer) from days semi join both_kinds using (customer_id)",
        [today],
    ).fetchall()[0]
    return float(share)


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_baskets_of_the_days_ahead_are_those_of_a_year_ago(
    con: duckdb.DuckDBPyConnection, factor: float
) -> None:
    today = draw_store(con)
    multiply_a_year_ago(con, today, factor)
    share = usual_share(con, today)
    expected = factor / (share * factor + 1.0 - share)
    found = read_baskets(con, TABLE, today, HORIZON_DAYS)
    assert found.season == pytest.approx(expected, rel=0.05)
    assert found.kept_share == 1.0


def test_alike_baskets_stay_as_they_are(con: duckdb.DuckDBPyConnection) -> None:
    today = draw_store(con)
    assert read_baskets(con, TABLE, today, HORIZON_DAYS).season == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("yearly", [0.9, 1.1, 1.25])
@pytest.mark.parametrize("days", [500, 760, 1_100])
def test_prices_that_change_over_the_years_are_no_season(
    con: duckdb.DuckDBPyConnection, yearly: float, days: int
) -> None:
    today = draw_store(con, days=days)
    plain = read_baskets(con, TABLE, today, HORIZON_DAYS).season
    con.execute(
        f"update {TABLE} set net_amount = greatest(net_amount * "
        f"pow({yearly}, -date_diff('day', purchased_on, $1::date) / 364), 0.05)::decimal(18, 2)",
        [today],
    )
    found = read_baskets(con, TABLE, today, HORIZON_DAYS).season
    assert found == pytest.approx(plain, abs=0.005)


def test_nothing_is_known_of_days_that_were_not_lived_through(
    con: duckdb.DuckDBPyConnection,
) -> None:
    today = draw_store(con, days=270)
    assert read_baskets(con, TABLE, today, HORIZON_DAYS) == Baskets()
    today = draw_store(con)
    multiply_a_year_ago(con, today, 1.4)
    assert read_baskets(con, TABLE, today, LONGEST_SEASON_DAYS + 1).season == 1.0


def test_returns_of_later_days_lower_amounts_and_a_giant_one_hardly_does(
    con: duckdb.DuckDBPyConnection,
) -> None:
    today = draw_store(con)
    (visited,) = con.execute(f"select sum(net_amount)::double from {TABLE}").fetchall()[0]
    con.execute(
        f"insert into {TABLE} select customer_id, ?, (-0.2 * sum(net_amount))::decimal(18, 2), "
        "false from " + TABLE + " group by customer_id",
        [today + timedelta(days=1)],
    )
    tomorrow = today + timedelta(days=1)
    assert read_baskets(con, TABLE, today, 365).kept_share == 1.0
    assert read_baskets(con, TABLE, tomorrow, 365).kept_share == pytest.approx(0.8, abs=0.02)
    con.execute(f"delete from {TABLE} where not is_visit")
    for amount, is_visit in ((visited, True), (-visited, False)):
        con.execute(f"insert into {TABLE} values ('giant', ?, ?, ?)", [today, amount, is_visit])
    con.execute(f"insert into {TABLE} values ('giant', ?, 5, true)", [tomorrow])
    assert read_baskets(con, TABLE, tomorrow, 365).kept_share > 0.99


def test_the_order_of_rows_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    today = draw_store(con)
    multiply_a_year_ago(con, today, 1.2)
    found = read_baskets(con, TABLE, today, HORIZON_DAYS)
    con.execute(f"create or replace table {TABLE} as from {TABLE} order by hash(customer_id)")
    assert read_baskets(con, TABLE, today, HORIZON_DAYS) == found
    assert np.isfinite(found.scale)
