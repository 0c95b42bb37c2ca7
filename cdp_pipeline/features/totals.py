"""What all customers together will do, with the interval that holds it nine times in ten.

Summing scores and asking ``certainty`` how sure the sum is belong here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from cdp_pipeline.features.backtest import sample_stride
from cdp_pipeline.features.cases import fetch_cases
from cdp_pipeline.features.certainty import (
    Interval,
    PastForecast,
    measure_drift,
    times_variance,
    total_interval,
)
from cdp_pipeline.features.clv_fit import ClvFit
from cdp_pipeline.features.outcomes import BacktestReport
from cdp_pipeline.features.rivals import Rival, model_variances
from cdp_pipeline.features.seasons import LEAST_HISTORY_DAYS, DailyVisits

CUSTOMER_DAYS = "features.customer_day"


@dataclass(frozen=True)
class Question:
    """A total to forecast.

    Attributes:
        quantity: Name of the total.
        column: Column of ``features.clv`` that it sums.
        horizon_days: Days ahead.
        is_amount: Whether it is money rather than visits.
    """

    quantity: str
    column: str
    horizon_days: int
    is_amount: bool = False


def nightly_questions(horizon_days: int) -> tuple[Question, ...]:
    """Return what every night asks; the value covers ``horizon_days``."""
    return (
        Question("visits_90d", "expected_visits_90d", 90),
        Question("visits_365d", "expected_visits_365d", 365),
        Question("clv_12m_amount", "clv_12m_amount", horizon_days, is_amount=True),
    )


@dataclass(frozen=True)
class Total:
    """A forecast total.

    Attributes:
        quantity: As asked.
        horizon_days: Days ahead.
        expected: The total.
        interval: What holds it nine times in ten; None where nothing could be forecast.
        basis: What is known of the season, in words.
    """

    quantity: str
    horizon_days: int
    expected: float
    interval: Interval | None
    basis: str


def forecast_totals(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    report: BacktestReport,
    *,
    visits: DailyVisits,
    questions: Sequence[Question],
) -> list[Total]:
    """Return the totals of ``features.clv`` with their intervals.

    Args:
        con: Connection that knows the scores and the table of customer days.
        fit: Models behind the scores.
        report: How such totals turned out on past days.
        visits: Those of each day up to the last of complete data.
        questions: Totals to forecast.
    """
    # Amounts are decimals, whose sum is exact; visits become some for that.
    sums = ", ".join(
        f"coalesce(sum({question.column}{'' if question.is_amount else '::decimal(18, 6)'}), 0)"
        "::double"
        for question in questions
    )
    expected_sums = con.execute(f"select {sums} from features.clv").fetchall()[0]  # noqa: S608 - our own names
    basis = describe_season(fit, visits.days)
    stride = sample_stride(con, CUSTOMER_DAYS)
    found = []
    known: dict[int, Mapping[str, float]] = {}
    for question, expected in zip(questions, expected_sums, strict=True):
        days = question.horizon_days
        quantity = "amount" if question.is_amount else "visits"
        past = report.past_amounts if question.is_amount else report.past_visits
        interval = None
        if fit.purchases.params and expected > 0:
            if days not in known:
                cases = fetch_cases(con, CUSTOMER_DAYS, visits.as_of, days, stride)
                nothing = cases.x * 0.0
                rival = Rival("served", nothing, nothing, None, fit.purchases, fit.clock)
                known[days] = model_variances(cases, rival, fit.spend)
            variance = known[days][quantity]
            if math.isfinite(variance):
                drift = measure_drift(visits, fit.purchases, fit.clock, days)
                past = _as_far(past, report, days)
                interval = total_interval(expected, variance, drift, past, quantity)
        found.append(Total(question.quantity, days, expected, interval, basis))
    return found


def measure_times(fit: ClvFit, report: BacktestReport, visits: DailyVisits, days: int) -> float:
    """Return how much changing times add to the variance of the logarithm of customers' amounts.

    A customer who comes often is hardly left to chance; what is uncertain there is the times.

    Args:
        fit: Models that score.
        report: How totals turned out on past days.
        visits: Those of each day up to the last of complete data.
        days: Days ahead.
    """
    drift = measure_drift(visits, fit.purchases, fit.clock, days)
    return times_variance(drift, _as_far(report.past_amounts, report, days), "amount")


def describe_season(fit: ClvFit, history_days: int) -> str:
    """Return what is known of the season, in words."""
    is_told = history_days >= 2 * LEAST_HISTORY_DAYS
    if fit.clock.is_seasonal and is_told:
        return "the season of the store is part of the forecast"
    if fit.clock.is_seasonal:
        return "a season seen once is part of the forecast, the interval allows for another"
    if history_days < LEAST_HISTORY_DAYS:
        return "less than a year of history: no season can be known, the interval allows for one"
    if not is_told:
        return "less than two years of history: a season cannot be told from growth"
    return "no season that helps the forecast was found"


def _as_far(
    past: tuple[PastForecast, ...], report: BacktestReport, days: int
) -> tuple[PastForecast, ...]:
    # Errors over a quarter say little of a year, in which a season evens out.
    return past if days <= 2 * report.horizon_days else ()
