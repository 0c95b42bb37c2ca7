from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clv.stores import christmas_peak, even, write_store
from cdp_pipeline.features.backtest import backtest
from cdp_pipeline.features.btyd import fit_purchases
from cdp_pipeline.features.certainty import (
    Drift,
    Interval,
    PastForecast,
    measure_drift,
    parameter_variance,
    relative_variance,
    total_interval,
)
from cdp_pipeline.features.outcomes import BacktestPlan
from cdp_pipeline.features.seasons import DailyVisits, SeasonClock

SEEN = Drift(0.0, 8.0)


@given(
    st.floats(1.0, 1e9),
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.5),
    st.lists(st.floats(-3.0, 3.0), max_size=6),
)
def test_the_forecast_lies_within_its_interval(
    total: float, chance: float, drift: float, errors: list[float]
) -> None:
    past = [PastForecast(error, 0.01) for error in errors]
    interval = total_interval(total, chance, Drift(drift, 4.0), past)
    assert 0 <= interval.low <= total <= interval.high < math.inf


def test_a_store_that_strayed_gets_a_wider_interval() -> None:
    steady = total_interval(100.0, 0.001, SEEN, [PastForecast(0.01, 0.001)] * 4)
    strayed = total_interval(100.0, 0.001, SEEN, [PastForecast(0.5, 0.001)] * 4)
    assert steady.high - steady.low < strayed.high - strayed.low


def test_an_unknown_season_widens_the_interval() -> None:
    seen = total_interval(100.0, 0.001, SEEN, [])
    unseen = total_interval(100.0, 0.001, Drift(0.0, 2.0, unseen_share=1.0), [])
    assert unseen.high > 1.05 * seen.high
    assert unseen.low < seen.low


def test_calm_weeks_do_not_prove_a_season_away() -> None:
    """However long and steady the history, what it has not shown stays unknown."""
    calm = [PastForecast(0.0, 0.001)] * 20
    unseen = total_interval(100.0, 0.0, Drift(0.0, 50.0, unseen_share=1.0), calm, "amount")
    assert unseen.high > 115.0
    assert unseen.low < 87.0


def test_a_store_of_one_day_has_seen_no_season() -> None:
    today = date(2024, 3, 1)
    visits = DailyVisits(today, np.array([50.0]), np.array([0.0]))
    fit = fit_purchases([2.0, 0.0] * 50, [50.0, 0.0] * 50, [90.0, 80.0] * 50, model="nbd")
    assert measure_drift(visits, fit, SeasonClock(today), 90).unseen_share == 1.0


def test_a_first_christmas_raises_the_upper_end_alone() -> None:
    """Nine months of even trade, then the end of the year; with a year behind it is no surprise."""

    def interval(days: int, as_of: date) -> Interval:
        trade = np.full(days, 20.0)
        fit = fit_purchases([2.0, 0.0] * 50, [50.0, 0.0] * 50, [90.0, 80.0] * 50, model="nbd")
        visits = DailyVisits(as_of, trade, trade)
        drift = measure_drift(visits, fit, SeasonClock(as_of), 90)
        return total_interval(100.0, 0.001, replace(drift, variance=0.0, windows=3.0), [])

    spring, autumn = interval(270, date(2024, 3, 1)), interval(270, date(2024, 9, 30))
    assert autumn.low == spring.low
    assert autumn.high > 1.5 * spring.high
    later = interval(700, date(2024, 9, 30))
    assert later.high < spring.high


def test_variance_of_parameters_matches_refitting() -> None:
    """Totals of stores drawn again spread as the delta method says."""
    draw = np.random.default_rng(4)

    def fit_again() -> float:
        rate = draw.gamma(0.7, 1 / 60.0, 1_500)
        x = draw.poisson(rate * 300.0)
        t_x = np.where(x > 0, 300.0 * draw.random(1_500), 0.0)
        fit = fit_purchases(x, t_x, np.full(1_500, 300.0), model="nbd")
        means.append(parameter_variance(fit, lambda one: one.params["r"] / one.params["alpha"]))
        return math.log(fit.params["r"] / fit.params["alpha"])

    means: list[float] = []
    spread = np.var([fit_again() for _ in range(60)])
    assert spread == pytest.approx(np.mean(means), rel=0.5)


def test_relative_variance_of_poisson_customers() -> None:
    assert relative_variance(100.0, np.ones(100)) == pytest.approx(0.01)


@pytest.mark.slow
def test_nine_in_ten_totals_lie_within_their_interval() -> None:
    """Rolling windows of stores with and without a season, short and long histories."""
    held = asked = 0
    for seed in range(5):
        for season, days in ((even, 365), (even, 730), (christmas_peak, 760)):
            con = duckdb.connect()
            store = write_store(con, seed=100 + seed, days=days, season=season, customers=3_000)
            plan = BacktestPlan(folds=7, challengers=(), minimum_customers=100)
            hits, windows = backtest(con, as_of=store.last_day, plan=plan).coverage
            held, asked = held + hits, asked + windows
    assert 0.85 <= held / asked <= 0.97


def test_next_to_nothing_is_as_uncertain_as_can_be() -> None:
    assert relative_variance(1e-200, np.array([1.0])) == math.inf
    interval = total_interval(1.0, 1e9, SEEN, [])
    assert 0 < interval.low < interval.high < math.inf
