"""Rolling backtest: every way to forecast, held against what happened after a few past days.

For each of these days the models are fitted on what was known then, and all rivals look ahead.
Choosing the days, judging the forecasts and the contest between them belong here; who takes part
belongs to ``rivals``, the measures to ``accuracy``, the choice to ``contest``. Too little history
is a result, not an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import duckdb
import numpy as np

from cdp_pipeline.features.accuracy import (
    brier,
    calibrate,
    log_loss,
    measure,
    rank_probability,
)
from cdp_pipeline.features.baskets import read_baskets
from cdp_pipeline.features.cases import (
    LARGEST_SAMPLE,
    Cases,
    count_customers,
    fetch_cases,
    fetch_daily_visits,
    first_visit,
)
from cdp_pipeline.features.certainty import (
    Drift,
    Interval,
    PastForecast,
    measure_drift,
    total_interval,
)
from cdp_pipeline.features.contest import Entry, Verdict, decide
from cdp_pipeline.features.outcomes import BacktestPlan, BacktestReport, Fold, Result
from cdp_pipeline.features.rivals import (
    SEASONAL,
    Rival,
    enter_models,
    enter_rules,
    fit_case_spend,
    fit_cases,
    model_variances,
)
from cdp_pipeline.features.seasons import (
    LEAST_HISTORY_DAYS,
    SeasonClock,
    Spans,
    find_closures,
    find_season,
)
from cdp_pipeline.features.sharpness import find_sharpness
from cdp_pipeline.features.spend import SpendFit

_TOLD_APART_DAYS = 2 * LEAST_HISTORY_DAYS
_DOUBT = 0.1
_LEAST_OPEN_SHARE = 0.5


@dataclass
class _Day:
    """A past day while it is judged."""

    number: int
    cases: Cases
    spend: SpendFit
    rivals: dict[str, Rival] = field(default_factory=dict)


def backtest(con: duckdb.DuckDBPyConnection, *, as_of: date, plan: BacktestPlan) -> BacktestReport:
    """Return how each way to forecast would have done on past days, and who should serve.

    The first fold looks ahead to ``as_of``, the next to one horizon before, and so on; a fold
    counts when enough history lies before its day, enough customers had bought by then and the
    store was open for most of what it looks ahead to.

    Args:
        con: Connection that knows the plan's table.
        as_of: Last day of complete data.
        plan: What to test, and on what.
    """
    first = first_visit(con, plan.relation)
    closed = find_closures(fetch_daily_visits(con, plan.relation, as_of)) if first else ()
    days = list(_run_days(con, as_of, plan, first, closed)) if first else []
    default = Verdict(plan.model, ())
    if not days:
        reason = (
            f"a backtest needs {plan.history_days + plan.horizon_days} days of purchases by "
            f"{plan.minimum_customers} customers or more, not followed by a closure; the first "
            f"purchase is of {first}"
            if first
            else "no purchase has been seen"
        )
        return BacktestReport(
            "not_enough_data", reason, plan.horizon_days, (), default, closed=closed
        )
    folds = [_judge(day, plan) for day in days]
    entries = [
        Entry(result.name, fold.fold, result.loss, result.is_naive)
        for fold in folds
        for result in fold.results
    ]
    is_told_apart = _is_season_told_apart(first, as_of, days)
    verdict = decide(
        entries,
        default=plan.model,
        allowed=[name for name in days[0].rivals if not is_told_apart or _has_season(name, plan)],
        preferred=(plan.model + SEASONAL,),
        doubt=_DOUBT if is_told_apart else 0.0,
    )
    return replace(_with_intervals(con, plan, days, folds, verdict), closed=closed)


def _is_season_told_apart(first: date | None, as_of: date, days: list[_Day]) -> bool:
    """Return whether today sees the season twice and past days saw it once.

    What one year shows is a season, a growing store and people who leave in one; only the second
    tells them apart. Such past days say little of a forecast with the season, too much for one
    without, and favour customers who never leave.
    """
    has_season = any(name.endswith(SEASONAL) for name in days[0].rivals)
    if first is None or not has_season or (as_of - first).days < _TOLD_APART_DAYS:
        return False
    return (days[0].cases.cut_on - first).days < _TOLD_APART_DAYS


def _has_season(name: str, plan: BacktestPlan) -> bool:
    return name == plan.model or (name.endswith(SEASONAL) and name != "nbd" + SEASONAL)


def find_clock(
    con: duckdb.DuckDBPyConnection, cases: Cases, plan: BacktestPlan, closed: Spans = ()
) -> SeasonClock:
    """Return the season's clock as it could be known on a past day.

    Args:
        con: Connection that knows the plan's table.
        cases: Customers as they were known on that day.
        plan: What is tested.
        closed: Days on which the store was closed, later ones too: they are no season.
    """
    plain = SeasonClock(cases.cut_on, closed=closed)
    if not plan.is_seasonal or not cases.customers:
        return plain
    if cases.first_ago.max() + 1 < LEAST_HISTORY_DAYS:
        return plain
    visits = fetch_daily_visits(con, plan.relation, cases.cut_on)
    return find_season(visits, lambda clock: fit_cases(cases, plan.model, clock), closed)


def sample_stride(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Return of how many customers one is taken, so that past days stay affordable."""
    return max(1, round(count_customers(con, relation) / LARGEST_SAMPLE))


def _run_days(
    con: duckdb.DuckDBPyConnection, as_of: date, plan: BacktestPlan, first: date, closed: Spans
) -> Iterator[_Day]:
    stride = sample_stride(con, plan.relation)
    horizon = np.array([float(plan.horizon_days)])
    judged = 0
    for number in range(1, plan.folds + 1):
        cut_on = as_of - timedelta(days=number * plan.horizon_days)
        if (cut_on - first).days < plan.history_days:
            return
        plain = SeasonClock(cut_on, closed=closed)
        if plain.ahead(horizon)[0] < _LEAST_OPEN_SHARE * plan.horizon_days:
            continue  # nothing could be right
        cases = fetch_cases(con, plan.relation, cut_on, plan.horizon_days, stride)
        if cases.customers < plan.minimum_customers:
            return
        clock = find_clock(con, cases, plan, closed)
        clocks = [plain, *([clock] if clock.is_seasonal else [])]
        baskets = read_baskets(con, plan.relation, cut_on, plan.horizon_days)
        spend = replace(fit_case_spend(cases), scale=baskets.scale)
        judged += 1
        day = _Day(judged, cases, spend)
        rivals = (
            *enter_models(cases, plan.models, clocks, day.spend),
            *enter_rules(cases, plain, baskets.kept_share),
        )
        day.rivals = {rival.name: rival for rival in rivals}
        if plan.model not in day.rivals:
            return
        yield day


def _judge(day: _Day, plan: BacktestPlan) -> Fold:
    cases = day.cases
    fit = day.rivals[plan.model].fit
    if fit is None:
        raise TypeError(plan.model)
    return Fold(
        fold=day.number,
        cut_on=cases.cut_on,
        customers=cases.customers,
        actual_visits=float(cases.actual_visits.sum()),
        actual_amount=float(cases.actual_amount.sum()),
        active_share=float((cases.actual_visits > 0).mean()),
        fit=fit,
        results=tuple(_compare(rival, cases) for rival in day.rivals.values()),
    )


def _compare(rival: Rival, cases: Cases) -> Result:
    ones = np.ones(cases.customers)
    has_bought = (cases.actual_visits > 0).astype(np.float64)
    accuracy = measure(rival.visits, cases.actual_visits, ones)
    chance = rival.active
    off = abs(float((rival.visits - cases.actual_visits).mean()))
    return Result(
        name=rival.name,
        is_naive=rival.is_naive,
        status=rival.fit.status if rival.fit else "ok",
        predicted_visits=float(rival.visits.sum()),
        predicted_amount=float(rival.amount.sum()),
        accuracy=accuracy,
        amount_accuracy=measure(rival.amount, cases.actual_amount, ones),
        active_auc=rank_probability(rival.visits if chance is None else chance, has_bought, ones),
        active_log_loss=math.nan if chance is None else log_loss(chance, has_bought, ones),
        active_brier=math.nan if chance is None else brier(chance, has_bought, ones),
        loss=accuracy.rmse + off,
    )


def _with_intervals(
    con: duckdb.DuckDBPyConnection,
    plan: BacktestPlan,
    days: list[_Day],
    folds: list[Fold],
    verdict: Verdict,
) -> BacktestReport:
    """Return the report; each fold's interval knows only folds that had ended by its day."""
    finished: list[Fold] = []
    visits_errors: list[PastForecast] = []
    amount_errors: list[PastForecast] = []
    before = ""
    served = [(day, day.rivals.get(verdict.winner, day.rivals[plan.model])) for day in days]
    for (day, rival), fold in reversed(list(zip(served, folds, strict=True))):
        if rival.name != before:
            # How another model erred says nothing of this one.
            before, visits_errors, amount_errors = rival.name, [], []
        drift = _drift(con, plan, day.cases, rival)
        variances = model_variances(day.cases, rival, day.spend)
        intervals: dict[str, Interval | None] = {}
        for name, errors, said, actual in (
            ("visits", visits_errors, rival.visits, fold.actual_visits),
            ("amount", amount_errors, rival.amount, fold.actual_amount),
        ):
            total, variance = float(said.sum()), variances[name]
            is_sound = total > 0 and math.isfinite(variance)
            intervals[name] = None
            if is_sound:
                intervals[name] = total_interval(total, variance, drift, errors, name)
                # More may be given back than bought: how much more has no logarithm.
                error = math.log((max(actual, 0.0) + 0.5) / (total + 0.5))
                errors.insert(0, PastForecast(error, variance))
        finished.insert(0, _finish(fold, day.cases, rival, intervals))
    return BacktestReport(
        status="ok",
        reason="",
        horizon_days=plan.horizon_days,
        folds=tuple(finished),
        verdict=verdict,
        past_visits=tuple(visits_errors),
        past_amounts=tuple(amount_errors),
        sharpness=find_sharpness(
            [
                (rival.visits, rival.active, day.cases.actual_visits)
                for day, rival in served
                if rival.active is not None
            ]
        ),
    )


def _drift(con: duckdb.DuckDBPyConnection, plan: BacktestPlan, cases: Cases, rival: Rival) -> Drift:
    visits = fetch_daily_visits(con, plan.relation, cases.cut_on)
    if rival.fit is None or rival.clock is None:
        return Drift(0.0, 0.0)
    return measure_drift(visits, rival.fit, rival.clock, cases.horizon_days)


def _finish(
    fold: Fold, cases: Cases, rival: Rival, intervals: Mapping[str, Interval | None]
) -> Fold:
    ones = np.ones(cases.customers)
    has_bought = (cases.actual_visits > 0).astype(np.float64)
    chance = np.zeros(cases.customers) if rival.active is None else rival.active
    return replace(
        fold,
        tenths=calibrate(rival.visits, cases.actual_visits, ones),
        active_tenths=calibrate(chance, has_bought, ones),
        visits_interval=intervals["visits"],
        amount_interval=intervals["amount"],
    )
