from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from benchmarks.clv.stores import TABLE, christmas_peak, write_store
from cdp_pipeline.features.backtest import backtest
from cdp_pipeline.features.cases import Cases
from cdp_pipeline.features.outcomes import BacktestPlan, Fold, Result
from cdp_pipeline.features.rivals import enter_rules
from cdp_pipeline.features.seasons import SeasonClock

AS_OF = date(1998, 6, 30)
LONG = BacktestPlan(horizon_days=273, history_days=270, folds=3)


def results_of(fold: Fold) -> dict[str, Result]:
    return {result.name: result for result in fold.results}


def test_holdout_accuracy_on_cdnow(cdnow_days: duckdb.DuckDBPyConnection) -> None:
    report = backtest(cdnow_days, as_of=AS_OF, plan=LONG)
    assert report.status == "ok"
    (fold,) = report.folds
    assert (fold.fold, fold.cut_on, fold.customers) == (1, date(1997, 9, 30), 2349)
    assert fold.active_share == pytest.approx(0.291, abs=1e-3)
    found = results_of(fold)
    assert list(found) == [
        "mbg/nbd",
        "bg/nbd",
        "pareto/nbd",
        "nbd",
        "last_horizon",
        "purchase_rate",
        "average_customer",
    ]
    model = found["mbg/nbd"]
    assert model.accuracy.mae == pytest.approx(0.767, abs=1e-3)
    assert model.accuracy.rmse == pytest.approx(1.610, abs=1e-3)
    assert model.accuracy.bias == pytest.approx(-0.163, abs=1e-3)
    assert model.active_auc == pytest.approx(0.7595, abs=1e-4)
    assert found["pareto/nbd"].accuracy.mae == pytest.approx(0.757, abs=1e-3)
    assert found["pareto/nbd"].accuracy.rmse == pytest.approx(1.605, abs=1e-3)
    assert found["last_horizon"].accuracy.mae == pytest.approx(1.598, abs=1e-3)
    assert found["last_horizon"].accuracy.bias == pytest.approx(1.55, abs=0.01)
    assert found["purchase_rate"].accuracy.mae == pytest.approx(1.027, abs=1e-3)
    assert found["purchase_rate"].accuracy.rmse == pytest.approx(2.216, abs=1e-3)


def test_model_beats_the_rules_and_is_calibrated_in_every_fold(
    cdnow_days: duckdb.DuckDBPyConnection,
) -> None:
    report = backtest(cdnow_days, as_of=AS_OF, plan=BacktestPlan(horizon_days=91))
    assert [fold.cut_on for fold in report.folds] == [
        date(1998, 3, 31),
        date(1997, 12, 30),
        date(1997, 9, 30),
        date(1997, 7, 1),
    ]
    winner = report.verdict.winner
    for fold in report.folds:
        found = results_of(fold)
        model = found.get(winner, found["mbg/nbd"])
        rules = [result.accuracy for result in fold.results if result.is_naive]
        assert model.accuracy.rmse < min(rule.rmse for rule in rules)
        assert model.accuracy.mae < 1.06 * min(rule.mae for rule in rules)
        assert abs(model.accuracy.bias) < 0.25
        said = sum(tenth.predicted * tenth.customers for tenth in fold.tenths)
        assert said == pytest.approx(model.predicted_visits)
        done = sum(tenth.actual * tenth.customers for tenth in fold.tenths)
        assert done == pytest.approx(fold.actual_visits)
        assert fold.tenths[-1].actual > 5 * fold.tenths[0].actual
        came = sum(tenth.actual * tenth.customers for tenth in fold.active_tenths)
        assert came == pytest.approx(fold.active_share * fold.customers)
        assert fold.visits_interval is not None
        assert fold.visits_interval.holds(fold.actual_visits)
    held, asked = report.coverage
    assert (held, asked) == (8, 8)


def test_a_season_that_came_twice_is_found_and_serves() -> None:
    con = duckdb.connect()
    store = write_store(con, seed=20, days=730, season=christmas_peak, start=date(2022, 10, 1))
    known = BacktestPlan(horizon_days=90)
    report = backtest(con, as_of=store.last_day, plan=known)
    assert report.verdict.winner.endswith(", seasonal")
    found = results_of(report.folds[0])
    plain, seasonal = found["mbg/nbd"], found[report.verdict.winner]
    assert abs(seasonal.accuracy.bias) < 0.1
    assert seasonal.loss < plain.loss


def test_a_store_without_a_season_keeps_the_plain_model() -> None:
    con = duckdb.connect()
    store = write_store(con, seed=21, days=730)
    report = backtest(con, as_of=store.last_day, plan=BacktestPlan(horizon_days=90))
    assert not report.verdict.winner.endswith(", seasonal")
    assert abs(results_of(report.folds[0])["mbg/nbd"].accuracy.bias) < 0.1


def test_nothing_after_the_cut_reaches_the_model(cdnow_days: duckdb.DuckDBPyConnection) -> None:
    before = backtest(cdnow_days, as_of=AS_OF, plan=LONG).folds[0]
    cdnow_days.execute("delete from features.customer_day where purchased_on > date '1997-09-30'")
    after = backtest(cdnow_days, as_of=AS_OF, plan=LONG).folds[0]
    assert after.fit == before.fit
    assert after.results[0].predicted_visits == before.results[0].predicted_visits
    assert after.actual_visits == 0


def test_names_and_row_order_do_not_matter(cdnow_days: duckdb.DuckDBPyConnection) -> None:
    before = backtest(cdnow_days, as_of=AS_OF, plan=LONG)
    cdnow_days.execute(
        """
        create or replace table features.customer_day as
        select md5(customer_id) as customer_id, purchased_on, net_amount, is_visit
        from features.customer_day
        order by md5(customer_id || purchased_on::varchar)
        """
    )
    assert backtest(cdnow_days, as_of=AS_OF, plan=LONG) == before


@pytest.mark.parametrize(
    "plan",
    [
        BacktestPlan(horizon_days=400),
        BacktestPlan(minimum_customers=5_000),
        BacktestPlan(history_days=600),
    ],
)
def test_too_little_history_is_a_result(
    cdnow_days: duckdb.DuckDBPyConnection, plan: BacktestPlan
) -> None:
    if plan.horizon_days == 400:
        plan = BacktestPlan(horizon_days=400, history_days=400)
    report = backtest(cdnow_days, as_of=AS_OF, plan=plan)
    assert (report.status, report.folds) == ("not_enough_data", ())
    assert "1997-01-01" in report.reason


def test_empty_and_one_time_customers_are_a_result() -> None:
    con = duckdb.connect()
    con.execute("create schema features")
    con.execute(
        "create table features.customer_day as select 'C1' as customer_id, "
        "date '2020-01-01' as purchased_on, 1.00 as net_amount, true as is_visit limit 0"
    )
    plan = BacktestPlan(minimum_customers=1)
    assert backtest(con, as_of=AS_OF, plan=plan).status == "not_enough_data"
    con.execute(
        "insert into features.customer_day "
        "select 'C' || range, date '1997-01-01' + range::integer, 1.00, true from range(50)"
    )
    assert backtest(con, as_of=AS_OF, plan=plan).status == "not_enough_data"


def test_whoever_gave_everything_back_is_left_out(cdnow_days: duckdb.DuckDBPyConnection) -> None:
    before = backtest(cdnow_days, as_of=AS_OF, plan=LONG)
    cdnow_days.execute(
        "insert into features.customer_day values "
        "('cancelled', date '1997-03-01', 500.00, true), "
        "('cancelled', date '1997-03-02', -500.00, false)"
    )
    assert backtest(cdnow_days, as_of=AS_OF, plan=LONG) == before


def test_more_may_be_given_back_within_the_days_looked_ahead_to_than_is_bought() -> None:
    con = duckdb.connect()
    last_day = write_store(con, seed=3, days=400, customers=800).last_day
    cut_on = last_day - timedelta(days=90)
    con.execute(f"update {TABLE} set net_amount = 1 where purchased_on > ?", [cut_on])
    con.execute(
        f"insert into {TABLE} select customer_id, ?, -0.4 * sum(net_amount), false from {TABLE} "
        "where purchased_on <= ? group by all",
        [last_day, cut_on],
    )
    report = backtest(con, as_of=last_day, plan=BacktestPlan())
    assert report.folds[0].actual_amount < 0
    assert all(fold.amount_interval for fold in report.folds)


def test_past_days_that_look_ahead_to_a_closure_are_passed_over() -> None:
    """What was bought in it was given back, so that the store counts as closed all the same."""
    con = duckdb.connect()
    last_day = write_store(con, seed=3, days=400, customers=800).last_day
    con.execute(f"delete from {TABLE} where purchased_on > ?", [last_day - timedelta(days=60)])
    con.execute(
        f"delete from {TABLE} where purchased_on > ? and purchased_on <= ?",
        [last_day - timedelta(days=200), last_day - timedelta(days=175)],
    )
    rows = [("test", 190, 10, True), ("test", 185, 10, True), ("test", 70, -20, False)]
    for customer, ago, amount, is_visit in rows:
        day = last_day - timedelta(days=ago)
        con.execute(f"insert into {TABLE} values (?, ?, ?, ?)", [customer, day, amount, is_visit])
    folds = backtest(con, as_of=last_day, plan=BacktestPlan(minimum_customers=100)).folds
    assert [(fold.fold, (last_day - fold.cut_on).days) for fold in folds] == [(1, 180), (2, 270)]


def cases_of(**columns: list[float]) -> Cases:
    names = ("recent_visits", "last_year_visits", "mean_amount", "recent_amount")
    given = {"x": [4.0], "first_ago": [500.0], "last_ago": [30.0]} | columns
    rest = {name: [0.0] for name in (*names, "actual_visits", "actual_amount")}
    filled = {name: np.array(values) for name, values in (rest | given).items()}
    return Cases(date(2026, 6, 30), 90, **filled)


def test_rules_know_the_closures_that_models_know() -> None:
    """Forty of the last ninety days were closed, thirty of the next, and ten a year before."""
    cut_on = date(2026, 6, 30)
    closed = tuple(
        (cut_on + timedelta(days=first), cut_on + timedelta(days=last))
        for first, last in ((-49, -10), (11, 40), (-353, -344))
    )
    clock = SeasonClock(cut_on, closed=closed)
    cases = cases_of(recent_visits=[5.0], last_year_visits=[8.0], recent_amount=[50.0])
    found = {rule.name: rule for rule in enter_rules(cases, clock)}
    assert found["last_horizon"].visits == pytest.approx([5 * 60 / 50], rel=1e-5)
    assert found["last_horizon"].amount == pytest.approx([50 * 60 / 50], rel=1e-5)
    assert found["average_customer"].visits == pytest.approx([5 * 60 / 50], rel=1e-5)
    assert found["last_year"].visits == pytest.approx([8 * 60 / 80], rel=1e-5)
    assert found["purchase_rate"].visits == pytest.approx([4 / 450 * 60], rel=1e-5)
    plain = {rule.name: rule for rule in enter_rules(cases, SeasonClock(cut_on))}
    assert plain["last_horizon"].visits == [5.0]
    assert plain["last_year"].visits == [8.0]
    assert plain["purchase_rate"].visits == pytest.approx([4 / 500 * 90])


def test_what_a_few_open_days_saw_is_not_multiplied_many_times() -> None:
    cut_on = date(2026, 6, 30)
    clock = SeasonClock(cut_on, closed=((cut_on - timedelta(days=88), cut_on),))
    found = {rule.name: rule for rule in enter_rules(cases_of(recent_visits=[1.0]), clock)}
    assert found["last_horizon"].visits == pytest.approx([90 / 14])


def test_amounts_of_rules_are_net_of_later_returns_as_those_of_models() -> None:
    cases = cases_of(last_year_visits=[8.0], mean_amount=[20.0], recent_amount=[70.0])
    clock = SeasonClock(cases.cut_on)
    found = {rule.name: rule for rule in enter_rules(cases, clock, 0.75)}
    assert found["last_year"].amount == pytest.approx([8 * 15.0])
    assert found["purchase_rate"].amount == pytest.approx([4 / 500 * 90 * 15.0])
    assert found["last_horizon"].amount == [70.0]  # what was given back is taken off already
