"""The part of a night that turns purchase histories into a forecast per customer.

When models are trained, who serves, and which tables come of it belong here; the models themselves
belong to ``clv_fit``, scoring to ``scoring``, the test on past days to ``backtest``.

=========================  =====================================================================
features.clv               one row per customer: forecast of visits, spend and value
features.clv_model         parameters, standard errors and figures of both models
features.clv_backtest      one row per fold and rival: error and ranking on past days
features.clv_calibration   one row per fold and tenth: forecast against outcome
features.clv_total         totals of the forecast with their intervals
features.model_contest     who serves each prediction, and how everybody else did
features.model_registry    every version of every model, and which serves
features.model_drift       whether inputs and scores look like those of the training
=========================  =====================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.backtest import backtest, find_clock, sample_stride
from cdp_pipeline.features.baskets import read_baskets
from cdp_pipeline.features.carrying import can_carry
from cdp_pipeline.features.cases import fetch_cases, fetch_daily_visits
from cdp_pipeline.features.clv_fit import ClvFit, fit_models
from cdp_pipeline.features.clv_tables import (
    TESTED,
    add_contest,
    carry_tests,
    create_tests,
    write_backtest,
    write_model,
    write_totals,
)
from cdp_pipeline.features.clv_versions import (
    PREDICTION,
    judge,
    make_version,
    recall,
    recall_report,
    watch_stability,
)
from cdp_pipeline.features.fitting import ModelName
from cdp_pipeline.features.outcomes import BacktestPlan, BacktestReport
from cdp_pipeline.features.registry import (
    Version,
    admit,
    find_serving,
    is_due,
    read_registry,
    write_registry,
)
from cdp_pipeline.features.rivals import SEASONAL
from cdp_pipeline.features.scoring import score_customers
from cdp_pipeline.features.seasons import DailyVisits, SeasonClock, describe_closures
from cdp_pipeline.features.totals import (
    CUSTOMER_DAYS,
    Total,
    forecast_totals,
    measure_times,
    nightly_questions,
)
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.warehouse import declare_table, fetch_dicts

CHURN_DAYS = 90
TABLES = (
    "clv",
    "clv_model",
    "clv_backtest",
    "clv_calibration",
    "clv_total",
    "model_contest",
    "model_registry",
    "model_drift",
)

MODELS: tuple[ModelName, ...] = ("mbg/nbd", "bg/nbd", "pareto/nbd", "nbd")
_SUMMARY = """
select
    count(*) as customers,
    count(clv_12m_amount) as scored,
    coalesce(sum(clv_12m_amount), 0) as clv_12m_amount,
    coalesce(sum(expected_visits_365d::decimal(18, 6)), 0) as expected_visits_365d,
from features.clv
"""


@dataclass(frozen=True)
class Night:
    """What a night's forecast came from.

    Attributes:
        fit: Models that scored.
        report: How all rivals did on past days.
        versions: The registry as it stands now.
        visits: Visits of each day until then.
        is_trained: Whether models were trained tonight.
        is_tested: Whether the rivals were compared tonight; otherwise on the night of the training.
    """

    fit: ClvFit
    report: BacktestReport
    versions: tuple[Version, ...]
    visits: DailyVisits
    is_trained: bool
    is_tested: bool = True


def predict(con: duckdb.DuckDBPyConnection, context: RunContext) -> StepResult:
    """Train or recall the models, score and backtest; write the tables of this module.

    Args:
        con: Connection to the build, with the basic features finished.
        context: The night.

    Raises:
        DataQualityError: ``features.customer_purchases`` holds an impossible history.
        WarehouseError: A table differs from its header.
    """
    settings = context.settings.clv
    project = load_project(context.project_root)
    create_tests(con)
    night = forecast(con, settings, as_of=context.business_date)
    fit, report = night.fit, night.report
    totals = forecast_totals(
        con,
        fit,
        report,
        visits=night.visits,
        questions=nightly_questions(settings.horizon_days),
    )
    write_model(con, fit.purchases, fit.spend, correlation=fit.correlation)
    _write_tests(con, night)
    write_totals(con, totals)
    write_registry(con, night.versions)
    watch_stability(con, find_serving(night.versions, PREDICTION))
    for name in TABLES:
        declare_table(con, project.table(f"features.{name}"))
    summary = fetch_dicts(con, _SUMMARY)[0]
    return StepResult(
        rows_in=summary["customers"],
        rows_out=summary["customers"],
        messages=_tell(night, totals),
        facts={
            "model": fit.purchases.model,
            "model_status": fit.status,
            "is_seasonal": fit.clock.is_seasonal,
            "is_trained": night.is_trained,
            "scored_customers": summary["scored"],
            "clv_12m_amount": str(summary["clv_12m_amount"]),
            "expected_visits_365d": str(summary["expected_visits_365d"]),
            "backtest_status": report.status,
            "backtest_folds": len(report.folds),
            "is_tested": night.is_tested,
        },
    )


def _write_tests(con: duckdb.DuckDBPyConnection, night: Night) -> None:
    if night.is_tested:
        write_backtest(con, night.report)
        add_contest(con, PREDICTION, night.report.verdict)
    else:
        carry_tests(con, PREDICTION)


def forecast(con: duckdb.DuckDBPyConnection, settings: ClvSettings, *, as_of: date) -> Night:
    """Return the models of the night, with ``features.clv`` scored by them.

    They are those of the serving version unless that is due; a new one serves only after its gate.
    Rivals are compared when models are trained, and again if that test was not kept.
    """
    versions = read_registry(con)
    visits = fetch_daily_visits(con, CUSTOMER_DAYS, as_of)
    serving = find_serving(versions, PREDICTION)
    if serving is not None and not is_due(serving, as_of, settings.refit_days):
        fit, kept = recall(con, serving, visits), recall_report(serving)
        if fit is not None:
            is_tested = kept is None or not can_carry(con, TESTED)
            if is_tested or kept is None:
                kept = backtest(con, as_of=as_of, plan=make_plan(settings))
            _score(con, fit, kept, settings, visits)
            return Night(fit, kept, versions, visits, is_trained=False, is_tested=is_tested)
    return _train(con, settings, versions, visits)


def _score(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    report: BacktestReport,
    settings: ClvSettings,
    visits: DailyVisits,
) -> None:
    times = measure_times(fit, report, visits, settings.horizon_days)
    score_customers(con, fit, settings, times_variance=times)


def make_plan(settings: ClvSettings) -> BacktestPlan:
    """Return what a night's test runs."""
    return BacktestPlan(
        horizon_days=CHURN_DAYS,
        model=settings.model,
        challengers=MODELS if settings.has_contest else (),
        is_seasonal=settings.has_season,
        minimum_customers=settings.minimum_customers,
    )


def _train(
    con: duckdb.DuckDBPyConnection,
    settings: ClvSettings,
    versions: tuple[Version, ...],
    visits: DailyVisits,
) -> Night:
    plan, as_of = make_plan(settings), visits.as_of
    report = backtest(con, as_of=as_of, plan=plan)
    serving = find_serving(versions, PREDICTION)
    fit = train_winner(con, settings, plan, report, as_of=as_of)
    _score(con, fit, report, settings, visits)
    if fit.status == "not_enough_data" and serving is None:
        return Night(fit, report, versions, visits, is_trained=False)
    candidate = make_version(con, fit, report, as_of=as_of)
    earlier = recall(con, serving, visits) if serving else None
    versions = admit(versions, candidate, judge(con, fit, earlier, report, settings))
    admitted = find_serving(versions, PREDICTION)
    if admitted is not None and admitted.version != candidate.version and earlier is not None:
        _score(con, earlier, report, settings, visits)
        return Night(earlier, report, versions, visits, is_trained=True)
    return Night(fit, report, versions, visits, is_trained=True)


def train_winner(
    con: duckdb.DuckDBPyConnection,
    settings: ClvSettings,
    plan: BacktestPlan,
    report: BacktestReport,
    *,
    as_of: date,
) -> ClvFit:
    """Return the models that won on past days, fitted on all days."""
    winner = report.verdict.winner
    clock = SeasonClock(as_of, closed=report.closed)
    if winner.endswith(SEASONAL):
        stride = sample_stride(con, plan.relation)
        cases = fetch_cases(con, plan.relation, as_of, plan.horizon_days, stride)
        clock = find_clock(con, cases, plan, report.closed)
    model = next((name for name in MODELS if winner.removesuffix(SEASONAL) == name), plan.model)
    fit = fit_models(con, settings, model=model, clock=clock)
    baskets = read_baskets(con, plan.relation, as_of, settings.horizon_days)
    spend = replace(fit.spend, scale=baskets.scale)
    return replace(fit, spend=spend, sharpness=report.sharpness)


def _tell(night: Night, totals: list[Total]) -> tuple[str, ...]:
    return (
        _describe_model(night.fit),
        *(f"{closure.capitalize()}." for closure in describe_closures(night.fit.clock.closed)),
        _describe_backtest(night),
        *_describe_totals(totals),
        *_describe_gate(night),
    )


def _describe_model(fit: ClvFit) -> str:
    season = ", in the time of the store's season" if fit.clock.is_seasonal else ""
    drawn = "" if fit.sharpness.is_plain else ", drawn apart as past days ask"
    sentences = {
        "ok": f"Forecast by {fit.purchases.model} and gamma-gamma{season}{drawn}.",
        "nbd_fallback": "The data show no dropout to estimate: everybody counts as alive.",
        "pooled_mean": "Mean amounts hardly differ: everybody is expected to spend the same.",
        "not_enough_data": "Too few customers or repeat purchases: no forecast.",
    }
    return sentences[fit.status]


def _describe_backtest(night: Night) -> str:
    report = night.report
    if not night.is_tested:
        version = find_serving(night.versions, PREDICTION)
        return f"Trained and tested on {version.trained_on}." if version else ""
    if not report.folds:
        return f"No backtest: {report.reason}."
    latest = report.folds[0]
    by_name = {result.name: result for result in latest.results}
    model = by_name.get(report.verdict.winner, latest.results[0])
    rules = [result for result in latest.results if result.is_naive]
    best = min(rules, key=lambda result: (result.loss, result.name))
    end = latest.cut_on + timedelta(days=report.horizon_days)
    return (
        f"Backtest {latest.cut_on} to {end}: {model.name} was off by {model.accuracy.bias:+.1%} in "
        f"total, mean error {model.accuracy.mae:.3f} visits; the best rule, {best.name}, by "
        f"{best.accuracy.bias:+.1%} and {best.accuracy.mae:.3f}."
    )


def _describe_totals(totals: list[Total]) -> list[str]:
    return [
        f"{total.expected:,.0f} visits in the next {total.horizon_days} days, "
        f"{total.interval.low:,.0f} to {total.interval.high:,.0f} nine times in ten."
        for total in totals
        if total.quantity == "visits_90d" and total.interval
    ]


def _describe_gate(night: Night) -> list[str]:
    newest = night.versions[0] if night.versions and night.is_trained else None
    if newest is None or newest.gate == "passed":
        return []
    return [f"The model trained tonight did not pass its gate: {newest.reason}."]
