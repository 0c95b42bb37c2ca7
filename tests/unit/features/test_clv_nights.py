"""Which model serves from night to night: trained, recalled, held back by its gate."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest

from benchmarks.clv.stores import TABLE, write_store
from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.clv import Night, forecast
from cdp_pipeline.features.clv_tables import (
    TESTED,
    add_contest,
    carry_tests,
    create_tests,
    write_backtest,
)
from cdp_pipeline.features.clv_versions import PREDICTION, watch_stability
from cdp_pipeline.features.registry import Version, find_serving, write_registry
from cdp_pipeline.features.seasons import describe_closures

FIRST = date(2024, 6, 30)
SETTINGS = ClvSettings(has_contest=False)

PURCHASES = """
create or replace table features.customer_purchases as
with visits as (
    select *, min(purchased_on) over (partition by customer_id) as first_on
    from features.customer_day
    where purchased_on <= $as_of::date
)
select
    customer_id,
    (count(*) - 1)::integer as x,
    (max(purchased_on) - any_value(first_on))::integer as t_x,
    ($as_of::date - any_value(first_on))::integer as t_days,
    (avg(net_amount) filter (where purchased_on > first_on))::decimal(18, 2)
        as mean_repeat_amount,
    avg(net_amount)::decimal(18, 2) as mean_amount,
from visits
group by customer_id
"""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("attach ':memory:' as cdp; use cdp")
    write_store(con, seed=30, days=640, customers=2_000)
    return con


def night(
    con: duckdb.DuckDBPyConnection, as_of: date, settings: ClvSettings = SETTINGS
) -> tuple[Night, Version]:
    """Run a night upon the one before, which becomes the base of the next."""
    con.execute(PURCHASES, {"as_of": as_of})
    create_tests(con)
    found = forecast(con, settings, as_of=as_of)
    write_registry(con, found.versions)
    watch_stability(con, find_serving(found.versions, PREDICTION))
    con.execute("attach if not exists ':memory:' as base")
    con.execute("create schema if not exists base.features")
    if found.is_tested:
        write_backtest(con, found.report)
        add_contest(con, PREDICTION, found.report.verdict)
    else:
        carry_tests(con, PREDICTION)
    for table in (*TESTED, "features.model_registry"):
        con.execute(f"create or replace table base.{table} as from {table}")
    serving = find_serving(found.versions, PREDICTION)
    assert serving is not None
    return found, serving


def scores(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return con.execute("select * from features.clv order by customer_id").fetchall()


def test_a_model_serves_for_a_week_and_is_then_trained_again(
    con: duckdb.DuckDBPyConnection,
) -> None:
    first, serving = night(con, FIRST)
    assert (first.is_trained, serving.gate) == (True, "passed")
    second, same = night(con, FIRST + timedelta(days=1))
    assert (second.is_trained, same.version) == (False, serving.version)
    assert second.fit.purchases == first.fit.purchases
    later, fresh = night(con, FIRST + timedelta(days=7))
    assert later.is_trained
    assert fresh.trained_on == FIRST + timedelta(days=7)
    assert len(later.versions) == 2


def test_a_test_is_held_when_models_are_trained_and_kept_until_the_next(
    con: duckdb.DuckDBPyConnection,
) -> None:
    def tested() -> list[list[tuple[object, ...]]]:
        return [con.execute(f"from {table} order by all").fetchall() for table in TESTED]

    first, _ = night(con, FIRST)
    rows = tested()
    assert first.is_tested
    assert all(rows)
    second, _ = night(con, FIRST + timedelta(days=1))
    assert not second.is_tested
    assert tested() == rows
    assert second.report.past_visits == first.report.past_visits
    con.execute("drop table base.features.clv_backtest")
    assert night(con, FIRST + timedelta(days=2))[0].is_tested, "what was not kept is held again"
    assert night(con, FIRST + timedelta(days=7))[0].is_tested


def test_a_recalled_model_scores_as_the_one_that_was_trained(
    con: duckdb.DuckDBPyConnection,
) -> None:
    night(con, FIRST)
    trained = scores(con)
    again, _ = night(con, FIRST)
    assert not again.is_trained
    assert scores(con) == trained


def test_a_model_that_fails_its_gate_leaves_yesterdays_serving(
    con: duckdb.DuckDBPyConnection,
) -> None:
    _, serving = night(con, FIRST)
    strict = SETTINGS.model_copy(update={"gate_total_share": 1e-9, "refit_days": 0})
    failed, still = night(con, FIRST + timedelta(days=7), strict)
    assert failed.is_trained
    assert still.version == serving.version
    newest = failed.versions[0]
    assert (newest.gate, newest.is_serving) == ("failed", False)
    assert "total forecast would change" in newest.reason
    assert failed.fit.purchases.params == still.document["purchases"]["params"]


def test_customers_unlike_those_of_the_training_are_seen(
    con: duckdb.DuckDBPyConnection,
) -> None:
    night(con, FIRST)
    statuses = con.execute("select distinct status from features.model_drift").fetchall()
    assert statuses == [("stable",)]
    con.execute("update features.customer_day set net_amount = net_amount * 10")
    night(con, FIRST + timedelta(days=1))
    drifted = con.execute(
        "select quantity from features.model_drift where status = 'drifted' order by quantity"
    ).fetchall()
    assert ("mean amount",) in drifted


def test_closures_are_known_the_night_they_show_and_forgotten_when_files_come_late(
    con: duckdb.DuckDBPyConnection,
) -> None:
    missing = [FIRST - timedelta(days=20), FIRST + timedelta(days=2)]
    con.execute(f"create table late as from {TABLE} where purchased_on between ? and ?", missing)
    con.execute(f"delete from {TABLE} where purchased_on between ? and ?", missing)
    first, _ = night(con, FIRST)
    assert first.fit.clock.closed == ((missing[0], FIRST),)
    (sentence,) = describe_closures(first.fit.clock.closed)
    assert sentence.startswith("nobody came from 2024-06-10 to 2024-06-30: the store counts as")
    second, _ = night(con, FIRST + timedelta(days=1))
    assert not second.is_trained
    assert second.fit.clock.closed == ((missing[0], FIRST + timedelta(days=1)),)
    con.execute(f"insert into {TABLE} from late")
    third, _ = night(con, FIRST + timedelta(days=2))
    assert not third.is_trained
    assert third.fit.clock.closed == ()
    assert all(row[3] is not None for row in scores(con))
