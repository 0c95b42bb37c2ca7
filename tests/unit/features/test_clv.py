from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.btyd import (
    ModelName,
    alive_table,
    expected_visits,
    fit_purchases,
    p_active,
    p_alive,
)
from cdp_pipeline.features.clv import predict
from cdp_pipeline.features.clv_fit import fit_models, measure_histories
from cdp_pipeline.features.scoring import score_customers
from cdp_pipeline.features.seasons import SeasonClock
from cdp_pipeline.features.sharpness import Sharpness
from cdp_pipeline.features.spend import expected_spend
from cdp_pipeline.storage.warehouse import describe, fetch_dicts, open_build

AS_OF = date(1998, 6, 30)
CDNOW = Path(__file__).resolve().parents[2] / "data" / "cdnow_sample.csv.gz"
MODELS: tuple[ModelName, ...] = ("mbg/nbd", "bg/nbd", "pareto/nbd", "nbd")

PURCHASES = """
create or replace table features.customer_purchases as
with visits as (
    select
        *,
        min(purchased_on) over (partition by customer_id) as first_on,
    from features.customer_day
    where is_visit
)
select
    customer_id,
    (count(*) - 1)::integer as x,
    (max(purchased_on) - any_value(first_on))::integer as t_x,
    (date '1998-06-30' - any_value(first_on))::integer as t_days,
    (avg(net_amount) filter (where purchased_on > first_on))::decimal(18, 2)
        as mean_repeat_amount,
    avg(net_amount)::decimal(18, 2) as mean_amount,
from visits
group by customer_id
"""


@pytest.fixture
def con(cdnow_days: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    cdnow_days.execute(PURCHASES)
    return cdnow_days


def columns_of(con: duckdb.DuckDBPyConnection, *names: str) -> list[Any]:
    listed = ", ".join(f"{name}::double as {name}" for name in names)
    found = con.execute(
        f"select {listed} from features.clv inner join features.customer_purchases "
        "using (customer_id) order by customer_id"
    ).fetchnumpy()
    return [np.ma.filled(found[name], np.nan) for name in names]


@pytest.mark.parametrize("model", MODELS)
def test_scores_in_sql_equal_those_of_the_models(
    con: duckdb.DuckDBPyConnection, model: ModelName
) -> None:
    settings = ClvSettings(model=model)
    fit = fit_models(con, settings)
    score_customers(con, fit, settings)
    x, t_x, age, amount = columns_of(con, "x", "t_x", "t_days", "mean_repeat_amount")
    history = (fit.purchases, x, t_x, age)
    alive, active, visits_90d, visits_365d, spend, value = columns_of(
        con,
        "p_alive",
        "p_active_90d",
        "expected_visits_90d",
        "expected_visits_365d",
        "expected_spend_amount",
        "clv_12m_amount",
    )
    assert fit.status == "ok"
    assert active == pytest.approx(p_active(*history, 90), abs=1e-6)
    assert visits_90d == pytest.approx(expected_visits(*history, 90), abs=1e-6)
    assert visits_365d == pytest.approx(expected_visits(*history, 365), abs=1e-6)
    capped = np.minimum(amount, float(str(fit.amount_cap)))
    expected = expected_spend(fit.spend, x, capped)
    assert spend == pytest.approx(expected, abs=0.0051)
    table = alive_table(
        fit.purchases, x, age, months=12, month_days=365 / 12, monthly_discount=0.01
    )
    rows = {pair: i for i, pair in enumerate(zip(table["x"], table["T"], strict=True))}
    discounted = table["discounted_visits"][[rows[pair] for pair in zip(x, age, strict=True)]]
    assert value == pytest.approx(p_alive(*history) * discounted * expected, abs=0.0051)
    if model == "nbd":
        assert np.isnan(alive).all()
    else:
        assert alive == pytest.approx(p_alive(*history), abs=1e-6)


@pytest.mark.parametrize("model", ["mbg/nbd", "bg/nbd", "pareto/nbd"])
def test_scores_know_the_season_and_closures(
    con: duckdb.DuckDBPyConnection, model: ModelName
) -> None:
    """The fit is that of the histories measured by the clock, one by one, and so are the scores."""
    settings = ClvSettings(model=model)
    index = tuple(1.0 + 0.5 * math.cos(2 * math.pi * week / 52) for week in range(52))
    closed = ((date(1997, 6, 1), date(1997, 6, 30)),)
    clock = SeasonClock(date(1998, 6, 30), index, closed)
    fit = fit_models(con, settings, clock=clock)
    score_customers(con, fit, settings)
    x, t_x, t_days = columns_of(con, "x", "t_x", "t_days")
    history = measure_histories(clock, x, t_x, t_days)
    alone = fit_purchases(*history, model=model)
    assert fit.purchases.loglik == pytest.approx(alone.loglik, abs=1e-6)
    assert fit.purchases.n == alone.n
    alive, visits = columns_of(con, "p_alive", "expected_visits_90d")
    assert alive == pytest.approx(p_alive(fit.purchases, *history), abs=1e-6)
    ahead = float(clock.ahead(np.array([90.0]))[0])
    assert visits == pytest.approx(expected_visits(fit.purchases, *history, ahead), abs=1e-6)


def test_tenths_follow_value_and_ties_share_one(con: duckdb.DuckDBPyConnection) -> None:
    settings = ClvSettings()
    score_customers(con, fit_models(con, settings), settings)
    rows = con.execute(
        "select clv_tenth, count(*), min(clv_12m_amount), max(clv_12m_amount) "
        "from features.clv group by clv_tenth order by clv_tenth"
    ).fetchall()
    assert [row[0] for row in rows] == list(range(1, 11))
    assert sum(row[1] for row in rows) == 2349
    assert all(earlier[3] < later[2] for earlier, later in pairwise(rows))


def test_same_customers_in_another_order_give_the_same_table(
    con: duckdb.DuckDBPyConnection,
) -> None:
    settings = ClvSettings()
    score_customers(con, fit_models(con, settings), settings)
    first = con.execute("select * from features.clv").fetchall()
    con.execute(
        "create or replace table features.customer_purchases as "
        "select * from features.customer_purchases order by md5(customer_id)"
    )
    score_customers(con, fit_models(con, settings), settings)
    assert con.execute("select * from features.clv").fetchall() == first


def test_gamma_gamma_on_binned_amounts_stays_close(con: duckdb.DuckDBPyConnection) -> None:
    fit = fit_models(con, ClvSettings())
    assert fit.spend.status == "ok"
    assert -0.2 < fit.correlation < 0.3
    assert fit.purchases.n == 2349


def prepare(
    make_context: Callable[..., RunContext], root: Path, repository: Path, customers: str
) -> RunContext:
    """Return the context of a night whose warehouse holds some CDNOW customers."""
    headers = root / "sql" / "features"
    headers.mkdir(parents=True)
    for pattern in ("clv*.yml", "model*.yml"):
        for path in (repository / "sql" / "features").glob(pattern):
            shutil.copy(path, headers)
    context = make_context(AS_OF)
    with open_build(context) as con:
        con.execute(
            "create table features.customer_day as select customer::varchar as customer_id, "
            "date as purchased_on, sum(amount) as net_amount, sum(amount) > 0 as is_visit "
            "from read_csv(?, header = true, columns = {'customer': 'integer', 'date': 'date', "
            f"'amount': 'decimal(18,2)'}}) where {customers} group by all",
            [str(CDNOW)],
        )
        con.execute(PURCHASES)
    return context


def test_step_writes_documented_tables(
    make_context: Callable[..., RunContext], project_root: Path, repository: Path
) -> None:
    context = prepare(make_context, project_root, repository, "true")
    with open_build(context) as con:
        result = predict(con, context)
    assert (result.rows_in, result.rows_out) == (2349, 2349)
    assert result.facts["model_status"] == "ok"
    assert result.facts["scored_customers"] == 2349
    assert result.facts["backtest_folds"] == 4
    assert "mean error" in result.messages[1]
    assert "nine times in ten" in result.messages[2]
    with open_build(context) as con:
        model = {
            (row["part"], row["quantity"]): row["estimate"]
            for row in fetch_dicts(con, "select * from features.clv_model")
        }
        assert model["purchases", "customers"] == 2349
        assert {quantity for part, quantity in model if part == "spend"} >= {"p", "q", "v"}
        rivals = fetch_dicts(con, "select * from features.clv_backtest")
        assert len({row["rival"] for row in rivals if row["fold"] == 1}) == 12
        assert {row["active_log_loss"] is None for row in rivals if row["is_naive"]} == {True}
        assert len(fetch_dicts(con, "select * from features.clv_calibration")) == 80
        totals = fetch_dicts(con, "select * from features.clv_total")
        assert all(row["low"] < row["expected"] < row["high"] for row in totals)
        (version,) = fetch_dicts(con, "select * from features.model_registry")
        assert (version["gate"], version["is_serving"]) == ("passed", True)
        assert {
            row["status"] for row in fetch_dicts(con, "select * from features.model_drift")
        } == {"stable"}
        (serving,) = fetch_dicts(con, "select * from features.model_contest where is_serving")
        assert serving["place"] == 1
        assert describe(con, "features.clv")["clv_12m_amount"] == "DECIMAL(18,2)"


def test_intervals_hold_what_customers_did(con: duckdb.DuckDBPyConnection) -> None:
    """Scores as of 1997-09-30 against the 273 days that followed."""
    known = PURCHASES.replace("1998-06-30", "1997-09-30").replace(
        "where is_visit", "where is_visit and purchased_on <= date '1997-09-30'"
    )
    con.execute(known)
    settings = ClvSettings(horizon_days=273, monthly_discount_share=0.0)
    score_customers(con, fit_models(con, settings), settings)
    held, above = con.execute(
        """
        with outcomes as (
            select customer_id, sum(net_amount) as amount
            from features.customer_day
            where is_visit and purchased_on > date '1997-09-30'
            group by customer_id
        )
        select
            avg((coalesce(amount, 0) between clv_12m_low_amount and clv_12m_high_amount)::int),
            avg((coalesce(amount, 0) > clv_12m_high_amount)::int),
        from features.clv
        left join outcomes using (customer_id)
        """
    ).fetchall()[0]
    assert 0.86 < held < 0.95
    assert above < 0.15


def test_a_range_leaves_out_a_tenth_whether_or_not_it_begins_at_nothing(
    con: duckdb.DuckDBPyConnection,
) -> None:
    settings = ClvSettings(horizon_days=360, monthly_discount_share=0.0)
    score_customers(con, fit_models(con, settings), settings, has_horizon=True)
    active, low, high = columns_of(
        con, "p_active_horizon", "expected_low_amount", "expected_high_amount"
    )
    np.testing.assert_array_equal(low[active <= 0.95], 0.0)
    np.testing.assert_array_equal(high[active <= 0.1 - 1e-6], 0.0)
    assert (high[active > 0.12] > 0.0).all()


def test_changing_times_widen_the_ranges_of_those_who_come_often(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """The mean stays; a range in which chance hardly counts is the times' own."""
    settings = ClvSettings()
    fit = fit_models(con, settings)
    widths, values = [], []
    for variance in (0.0, 0.09):
        score_customers(con, fit, settings, times_variance=variance)
        x, value, low, high = columns_of(
            con, "x", "clv_12m_amount", "clv_12m_low_amount", "clv_12m_high_amount"
        )
        widths.append(high - low)
        values.append(value)
    np.testing.assert_array_equal(*values)
    often, seldom = (np.flatnonzero(chosen & (widths[0] > 0)) for chosen in (x >= 12, x < 2))
    wider = [float((widths[1][some] / widths[0][some]).mean()) for some in (often, seldom)]
    assert wider[0] > 1.08
    assert wider[1] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("model", ["mbg/nbd", "pareto/nbd"])
def test_drawn_apart_scores_keep_total_and_chances(
    con: duckdb.DuckDBPyConnection, model: ModelName
) -> None:
    settings = ClvSettings()
    fit = fit_models(con, settings, model=model)
    names = ("p_active_90d", "expected_visits_90d", "p_active_horizon", "expected_visits_horizon")
    scores = []
    for power in (1.0, 1.2):
        drawn = replace(fit, sharpness=Sharpness(power))
        score_customers(con, drawn, settings, has_horizon=True)
        scores.append(columns_of(con, *names))
    (quarter, expected, _, plain), (same, visits, chance, drawn_apart) = scores
    np.testing.assert_array_equal(quarter, same)
    assert drawn_apart.sum() == pytest.approx(plain.sum(), rel=1e-3)
    assert visits.sum() == pytest.approx(expected.sum(), rel=1e-3)
    assert drawn_apart.max() > 1.1 * plain.max()
    assert (drawn_apart >= chance - 2e-6).all()
    assert (visits >= same - 2e-6).all()


@pytest.mark.parametrize("customers", ["false", "customer < 200", "date = date '1997-01-01'"])
def test_step_survives_days_with_too_little_data(
    make_context: Callable[..., RunContext],
    project_root: Path,
    repository: Path,
    customers: str,
) -> None:
    context = prepare(make_context, project_root, repository, customers)
    with open_build(context) as con:
        result = predict(con, context)
    assert result.facts["model_status"] == "not_enough_data"
    assert result.facts["scored_customers"] == 0
    assert "No backtest" in result.messages[1]
    with open_build(context) as con:
        scores = fetch_dicts(con, "select * from features.clv")
        assert len(scores) == result.rows_out
        assert {row["model_status"] for row in scores} <= {"not_enough_data"}
        assert all(row["p_active_90d"] is None and row["clv_tenth"] is None for row in scores)
        (fold,) = fetch_dicts(con, "select * from features.clv_backtest")
        assert (fold["fold"], fold["status"]) == (0, "not_enough_data")
