"""The report tables of the CLV step: parameters, backtest, contest and totals as rows.

Only layout belongs here: one typed table per function, NaN written as NULL.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import duckdb

from cdp_pipeline.features.accuracy import Tenth
from cdp_pipeline.features.carrying import carry_rows, carry_table
from cdp_pipeline.features.certainty import LEVEL, Interval
from cdp_pipeline.features.contest import Verdict
from cdp_pipeline.features.fitting import BtydFit
from cdp_pipeline.features.outcomes import BacktestReport, Fold, Result
from cdp_pipeline.features.spend import SpendFit
from cdp_pipeline.features.totals import Total

Row = tuple[object, ...]

BACKTEST = "features.clv_backtest"
CALIBRATION = "features.clv_calibration"
CONTEST = "features.model_contest"
TESTED = (BACKTEST, CALIBRATION, CONTEST)
"""Tables that a test writes."""

_MODEL = """
create or replace table features.clv_model (
    part varchar,
    quantity varchar,
    model varchar,
    status varchar,
    estimate double,
    standard_error double
)
"""
_BACKTEST = """
create or replace table features.clv_backtest (
    fold integer,
    rival varchar,
    status varchar,
    is_naive boolean,
    is_serving boolean,
    cut_on date,
    horizon_days integer,
    customer_count bigint,
    active_share double,
    predicted_visit_count double,
    low_visit_count double,
    high_visit_count double,
    actual_visit_count bigint,
    bias_share double,
    mean_absolute_error double,
    root_mean_squared_error double,
    spearman double,
    gini double,
    top_tenth_lift double,
    active_auc double,
    active_log_loss double,
    active_brier double,
    predicted_amount double,
    low_amount double,
    high_amount double,
    actual_amount double,
    amount_bias_share double,
    amount_mean_absolute_error double,
    amount_root_mean_squared_error double,
    amount_top_tenth_lift double,
    contest_loss double
)
"""
_BACKTEST_BLANKS = 25
_CALIBRATION = """
create or replace table features.clv_calibration (
    fold integer,
    quantity varchar,
    tenth integer,
    cut_on date,
    horizon_days integer,
    customer_count double,
    predicted double,
    actual double
)
"""
_TOTAL = """
create or replace table features.clv_total (
    quantity varchar,
    horizon_days integer,
    expected double,
    low double,
    high double,
    level_share double,
    chance_share double,
    drift_share double,
    basis varchar
)
"""
_CONTEST = """
create or replace table features.model_contest (
    prediction varchar,
    place integer,
    entrant varchar,
    is_naive boolean,
    is_serving boolean,
    fold_count integer,
    relative_loss double,
    reason varchar
)
"""


def write_model(
    con: duckdb.DuckDBPyConnection,
    purchases: BtydFit,
    spend: SpendFit,
    *,
    correlation: float = math.nan,
) -> None:
    """Create ``features.clv_model``.

    Grain: one row per part (``purchases``, ``spend``) and quantity: ``customers``, ``histories``,
    ``log_likelihood``, each parameter by name, and for spend ``visits_amount_correlation`` and
    ``amount_scale``. Ordering: purchases first, quantities as listed.
    """
    spend_extra = {"visits_amount_correlation": correlation, "amount_scale": spend.scale}
    rows = [
        *_model_rows("purchases", purchases.model, purchases, {}),
        *_model_rows("spend", "gamma-gamma", spend, spend_extra),
    ]
    _create(con, _MODEL, "features.clv_model", rows)


def create_tests(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty tables that a test writes."""
    for ddl in (_BACKTEST, _CALIBRATION, _CONTEST):
        con.execute(ddl)


def write_backtest(con: duckdb.DuckDBPyConnection, report: BacktestReport) -> None:
    """Fill ``features.clv_backtest`` and ``features.clv_calibration``.

    Grain of the first: one row per fold and rival, or a single row with fold 0 and status
    ``not_enough_data``. Grain of the second: one row per fold, quantity and tenth. Ordering: as
    the grain.
    """
    rows = [_result_row(fold, result, report) for fold in report.folds for result in fold.results]
    if not rows:
        blanks: list[object] = [None] * _BACKTEST_BLANKS
        rows = [(0, "model", report.status, False, False, None, report.horizon_days, *blanks[1:])]
    _insert(con, BACKTEST, rows)
    tenths = [
        row
        for fold in report.folds
        for quantity, found in (("visits", fold.tenths), ("active", fold.active_tenths))
        for row in _tenth_rows(fold, report.horizon_days, quantity, found)
    ]
    _insert(con, CALIBRATION, tenths)


def carry_tests(con: duckdb.DuckDBPyConnection, prediction: str) -> None:
    """Fill the same tables with the test of an earlier night."""
    for table in (BACKTEST, CALIBRATION):
        carry_table(con, table)
    carry_rows(con, CONTEST, "prediction", [prediction])


def add_contest(con: duckdb.DuckDBPyConnection, prediction: str, verdict: Verdict) -> None:
    """Add the entrants of one prediction to ``features.model_contest``, best first."""
    rows: list[Row] = [
        (
            prediction,
            standing.place,
            standing.entrant,
            standing.is_naive,
            standing.serves,
            standing.folds,
            standing.relative_loss,
            standing.reason,
        )
        for standing in verdict.standings
    ]
    _insert(con, CONTEST, rows)


def write_totals(con: duckdb.DuckDBPyConnection, totals: Sequence[Total]) -> None:
    """Create ``features.clv_total``: one row per quantity, in the order given."""
    rows: list[Row] = [
        (
            total.quantity,
            total.horizon_days,
            total.expected if total.interval else None,
            *_ends(total.interval),
            LEVEL,
            *(
                _numbers(total.interval.model_sd, total.interval.drift_sd)
                if total.interval
                else (None, None)
            ),
            total.basis,
        )
        for total in totals
    ]
    _create(con, _TOTAL, "features.clv_total", rows)


def _model_rows(
    part: str, model: str, fit: BtydFit | SpendFit, extra: dict[str, float]
) -> Iterable[Row]:
    figures = {
        "customers": fit.n,
        "histories": float(fit.rows),
        "log_likelihood": fit.loglik,
        **fit.params,
        **extra,
    }
    for quantity, estimate in figures.items():
        error = fit.se.get(quantity, math.nan)
        yield (part, quantity, model, fit.status, *_numbers(estimate, error))


def _result_row(fold: Fold, result: Result, report: BacktestReport) -> Row:
    visits, amounts = result.accuracy, result.amount_accuracy
    is_serving = result.name == report.verdict.winner
    return (
        fold.fold,
        result.name,
        result.status,
        result.is_naive,
        is_serving,
        fold.cut_on,
        report.horizon_days,
        fold.customers,
        *_numbers(fold.active_share, result.predicted_visits),
        *_ends(fold.visits_interval if is_serving else None),
        round(fold.actual_visits),
        *_numbers(visits.bias, visits.mae, visits.rmse, visits.spearman, visits.gini),
        *_numbers(visits.top_tenth_lift, result.active_auc, result.active_log_loss),
        *_numbers(result.active_brier, result.predicted_amount),
        *_ends(fold.amount_interval if is_serving else None),
        *_numbers(fold.actual_amount, amounts.bias, amounts.mae, amounts.rmse),
        *_numbers(amounts.top_tenth_lift, result.loss),
    )


def _tenth_rows(
    fold: Fold, horizon_days: int, quantity: str, tenths: Sequence[Tenth]
) -> Iterable[Row]:
    for tenth in tenths:
        numbers = _numbers(tenth.customers, tenth.predicted, tenth.actual)
        yield (fold.fold, quantity, tenth.tenth, fold.cut_on, horizon_days, *numbers)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)


def _numbers(*values: float) -> tuple[float | None, ...]:
    return tuple(float(value) if math.isfinite(value) else None for value in values)


def _create(con: duckdb.DuckDBPyConnection, ddl: str, table: str, rows: Sequence[Row]) -> None:
    con.execute(ddl)
    _insert(con, table, rows)


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        con.executemany(f"insert into {table} values ({marks})", rows)  # noqa: S608 - our own names
