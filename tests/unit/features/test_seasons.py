from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clv.stores import TABLE, christmas_peak, write_store
from cdp_pipeline.features.backtest import find_clock
from cdp_pipeline.features.btyd import expected_visits
from cdp_pipeline.features.cases import fetch_cases, fetch_daily_visits
from cdp_pipeline.features.outcomes import BacktestPlan
from cdp_pipeline.features.rivals import fit_cases
from cdp_pipeline.features.seasons import (
    WEEKS,
    DailyVisits,
    SeasonClock,
    find_closures,
    week_of_year,
)


@given(st.integers(0, 400), st.integers(0, 400), st.dates(date(2001, 1, 1), date(2040, 1, 1)))
def test_time_adds_up_whatever_the_day_it_is_read_on(back: int, ahead: int, day: date) -> None:
    clock = SeasonClock(day, tuple(np.linspace(0.2, 1.8, WEEKS)))
    later = clock.at(day + timedelta(days=ahead))
    whole = later.since(np.array([float(back + ahead)]))[0]
    parts = clock.since(np.array([float(back)]))[0] + clock.ahead(np.array([float(ahead)]))[0]
    assert whole == pytest.approx(parts)


def test_a_plain_clock_counts_days() -> None:
    days = np.array([0.0, 3.0, 90.5])
    clock = SeasonClock(date(2026, 1, 1))
    assert clock.since(days).tolist() == clock.ahead(days).tolist() == days.tolist()


def test_the_last_days_of_a_leap_year_are_in_its_last_week() -> None:
    assert week_of_year(date(2024, 12, 31), np.array([0, 1])).tolist() == [51, 0]


@pytest.mark.parametrize(("start", "seed"), [(date(2022, 10, 1), 7), (date(2023, 1, 1), 8)])
def test_two_seasonal_years_bring_the_total_within_a_tenth(start: date, seed: int) -> None:
    """The plain model is off by a factor of two: half before the peak, double after it."""
    con = duckdb.connect()
    store = write_store(con, seed=seed, days=730, season=christmas_peak, start=start)
    cases = fetch_cases(con, TABLE, store.last_day, 180)
    clock = find_clock(con, cases, BacktestPlan())
    assert clock.is_seasonal
    forecasts = []
    for one in (SeasonClock(store.last_day), clock):
        fit = fit_cases(cases, "mbg/nbd", one)
        end = float(one.ahead(np.array([180.0]))[0])
        forecasts.append(float(expected_visits(fit, *cases.measured(one), end).sum()))
    plain, seasonal = (forecast / store.future_visits for forecast in forecasts)
    assert not 0.6 < plain < 1.7
    assert seasonal == pytest.approx(1.0, abs=0.1)


def test_chance_is_not_taken_for_a_season() -> None:
    con = duckdb.connect()
    store = write_store(con, seed=9, days=730)
    cases = fetch_cases(con, TABLE, store.last_day, 90)
    assert not find_clock(con, cases, BacktestPlan()).is_seasonal


def test_less_than_a_year_gives_no_season() -> None:
    con = duckdb.connect()
    store = write_store(con, seed=10, days=300, season=christmas_peak)
    cases = fetch_cases(con, TABLE, store.last_day, 90)
    assert not find_clock(con, cases, BacktestPlan()).is_seasonal


@pytest.mark.parametrize("known_after_days", [0, 60])
def test_nobody_counts_as_lost_by_a_closure(known_after_days: int) -> None:
    """Closed for three months before the last day, or until two months ago."""
    con = duckdb.connect()
    store = write_store(con, seed=11, days=500, customers=3_000)
    last_open = store.last_day - timedelta(days=known_after_days)
    con.execute(
        f"update {TABLE} set purchased_on = purchased_on + 90 where purchased_on > ?",
        [last_open],
    )
    today = store.last_day + timedelta(days=90)
    cases = fetch_cases(con, TABLE, today, 180)
    closed = find_closures(fetch_daily_visits(con, TABLE, today))
    assert closed == ((last_open + timedelta(days=1), last_open + timedelta(days=90)),)
    forecasts = []
    for clock in (SeasonClock(today), SeasonClock(today, closed=closed)):
        fit = fit_cases(cases, "mbg/nbd", clock)
        end = float(clock.ahead(np.array([180.0]))[0])
        forecasts.append(float(expected_visits(fit, *cases.measured(clock), end).sum()))
    wrong, right = (abs(forecast / store.future_visits - 1.0) for forecast in forecasts)
    assert right < 0.08
    assert right < wrong


def test_a_store_that_books_once_a_month_is_never_closed() -> None:
    totals = np.zeros(400)
    totals[::30] = 500.0
    visits = DailyVisits(date(2026, 1, 1), totals, totals)
    assert find_closures(visits) == ()


def test_few_visits_fewer_days_and_a_store_that_runs_dry_are_no_closure() -> None:
    day, none = date(2026, 1, 1), np.zeros(200)
    quiet = np.where(np.arange(200) < 140, np.arange(200) % 5 == 0, 0.0)
    dwindling = np.where(np.arange(200) < 170, np.floor(8 * 0.97 ** np.arange(200)), 0.0)
    short = np.where((np.arange(200) < 100) | (np.arange(200) > 112), 20.0, 0.0)
    for totals in (quiet, dwindling, short, none):
        assert find_closures(DailyVisits(day, totals, none)) == ()
