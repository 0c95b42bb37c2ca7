"""The report tables of the CLV step: parameters, backtest and calibration as rows.

Only layout belongs here: one typed table per function, NaN written as NULL.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import duckdb

from cdp_pipeline.features.backtest import BacktestReport, Fold
from cdp_pipeline.features.btyd import BtydFit
from cdp_pipeline.features.spend import SpendFit

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
    cut_on date,
    horizon_days integer,
    customer_count bigint,
    active_share double,
    predicted_visit_count double,
    actual_visit_count bigint,
    bias_share double,
    mean_absolute_error double,
    root_mean_squared_error double,
    spearman double,
    gini double,
    top_tenth_lift double,
    active_auc double,
    active_log_loss double
)
"""
_CALIBRATION = """
create or replace table features.clv_calibration (
    fold integer,
    tenth integer,
    cut_on date,
    horizon_days integer,
    customer_count double,
    predicted_visits double,
    actual_visits double
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
    ``log_likelihood``, each parameter by name, and ``visits_amount_correlation`` for spend.
    Ordering: purchases first, quantities as listed.
    """
    spend_extra = {"visits_amount_correlation": correlation}
    rows = [
        *_model_rows("purchases", purchases.model, purchases, {}),
        *_model_rows("spend", "gamma-gamma", spend, spend_extra),
    ]
    _create(con, _MODEL, "features.clv_model", rows)


def write_backtest(con: duckdb.DuckDBPyConnection, report: BacktestReport) -> None:
    """Create ``features.clv_backtest`` and ``features.clv_calibration``.

    Grain of the first: one row per fold and rival, or a single row with fold 0 and status
    ``not_enough_data``. Grain of the second: one row per fold and tenth. Ordering: as the grain.
    """
    rows = [row for fold in report.folds for row in _fold_rows(fold, report.horizon_days)]
    if not rows:
        rows = [(0, "model", report.status, None, report.horizon_days, *[None] * 12)]
    _create(con, _BACKTEST, "features.clv_backtest", rows)
    tenths = [
        (
            fold.fold,
            tenth.tenth,
            fold.cut_on,
            report.horizon_days,
            *_numbers(tenth.customers, tenth.predicted, tenth.actual),
        )
        for fold in report.folds
        for tenth in fold.tenths
    ]
    _create(con, _CALIBRATION, "features.clv_calibration", tenths)


def _model_rows(
    part: str, model: str, fit: BtydFit | SpendFit, extra: dict[str, float]
) -> Iterable[tuple[object, ...]]:
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


def _fold_rows(fold: Fold, horizon_days: int) -> Iterable[tuple[object, ...]]:
    for rival in fold.rivals:
        accuracy = rival.accuracy
        # A fold whose model fell back says so; the rivals have nothing to fall back from.
        status = fold.fit.status if rival.name == "model" else "ok"
        yield (
            fold.fold,
            rival.name,
            status,
            fold.cut_on,
            horizon_days,
            round(fold.customers),
            *_numbers(fold.active_share, rival.predicted_visits),
            round(fold.actual_visits),
            *_numbers(
                accuracy.bias,
                accuracy.mae,
                accuracy.rmse,
                accuracy.spearman,
                accuracy.gini,
                accuracy.top_tenth_lift,
                rival.active_auc,
                rival.active_log_loss,
            ),
        )


def _numbers(*values: float) -> tuple[float | None, ...]:
    return tuple(float(value) if math.isfinite(value) else None for value in values)


def _create(
    con: duckdb.DuckDBPyConnection, ddl: str, table: str, rows: Sequence[tuple[object, ...]]
) -> None:
    con.execute(ddl)
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        con.executemany(f"insert into {table} values ({marks})", rows)  # noqa: S608 - our own names
