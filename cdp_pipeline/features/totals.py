"""What all customers together will do, with the interval that holds it nine times in ten.

Summing scores and asking ``certainty`` how sure the sum is belong here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import duckdb

from cdp_pipeline.features.backtest import (
    BacktestReport,
    model_variances,
    sample_stride,
)
from cdp_pipeline.features.cases import fetch_cases, fetch_daily_visits
from cdp_pipeline.features.certainty import Interval, PastForecast, measure_drift, total_interval
from cdp_pipeline.features.clv_fit import ClvFit
from cdp_pipeline.features.rivals import Rival
from cdp_pipeline.features.seasons import LEAST_HISTORY_DAYS
from cdp_pipeline.storage.warehouse import fetch_dicts

_SUMS = """
select
    coalesce(sum(expected_visits_90d::decimal(18, 6)), 0)::double as visits_90d,
    coalesce(sum(expected_visits_365d::decimal(18, 6)), 0)::double as visits_365d,
    coalesce(sum(clv_12m_amount), 0)::double as clv_12m_amount,
from features.clv
"""


@dataclass(frozen=True)
class Total:
    """A forecast total.

    Attributes:
        quantity: ``visits_90d``, ``visits_365d`` or ``clv_12m_amount``.
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
    as_of: date,
    horizon_days: int,
    relation: str = "features.customer_day",
) -> list[Total]:
    """Return the totals of ``features.clv`` with their intervals.

    Args:
        con: Connection that knows the scores and the table of customer days.
        fit: Models behind the scores.
        report: How such totals turned out on past days.
        as_of: Last day of complete data.
        horizon_days: Days that the value covers.
        relation: Table of customer days.
    """
    sums = fetch_dicts(con, _SUMS)[0]
    visits = fetch_daily_visits(con, relation, as_of)
    basis = describe_season(fit, visits.days)
    stride = sample_stride(con, relation)
    found = []
    for quantity, days, past in (
        ("visits_90d", 90, report.past_visits),
        ("visits_365d", 365, report.past_visits),
        ("clv_12m_amount", horizon_days, report.past_amounts),
    ):
        expected = float(sums[quantity])
        interval = None
        if fit.purchases.params and expected > 0:
            cases = fetch_cases(con, relation, as_of, days, stride)
            nothing = cases.x * 0.0
            rival = Rival("served", nothing, nothing, None, fit.purchases, fit.clock)
            variances = model_variances(cases, rival, fit.spend)
            variance = variances["amount" if quantity.startswith("clv") else "visits"]
            if math.isfinite(variance):
                drift = measure_drift(visits, fit.purchases, fit.clock, days)
                interval = total_interval(expected, variance, drift, _as_far(past, report, days))
        found.append(Total(quantity, days, expected, interval, basis))
    return found


def describe_season(fit: ClvFit, history_days: int) -> str:
    """Return what is known of the season, in words."""
    if fit.clock.is_seasonal:
        return "the season of the store is part of the forecast"
    if history_days < LEAST_HISTORY_DAYS:
        return "less than a year of history: no season can be known, the interval allows for one"
    return "no season that helps the forecast was found"


def _as_far(
    past: tuple[PastForecast, ...], report: BacktestReport, days: int
) -> tuple[PastForecast, ...]:
    # Errors over a quarter say little of a year, in which a season evens out.
    return past if days <= 2 * report.horizon_days else ()
