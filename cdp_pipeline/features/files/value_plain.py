"""A forecast of customers' value as plain data: what ``cdp clv --json`` prints of its parts."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from cdp_pipeline.features.certainty import LEVEL, Interval
from cdp_pipeline.features.fitting import BtydFit
from cdp_pipeline.features.outcomes import BacktestReport, Fold, Result
from cdp_pipeline.features.totals import Total


def describe_backtest(report: BacktestReport) -> dict[str, Any]:
    """Return a backtest as plain data."""
    held, asked = report.coverage
    return {
        "status": report.status,
        "reason": report.reason,
        "horizon_days": report.horizon_days,
        "winner": report.verdict.winner if report.folds else None,
        "beaten_by": report.verdict.beaten_by,
        "intervals_held": held,
        "intervals": asked,
        "contest": [asdict(standing) for standing in report.verdict.standings],
        "windows": [_describe_fold(fold, report.horizon_days) for fold in report.folds],
    }


def _describe_fold(fold: Fold, horizon_days: int) -> dict[str, Any]:
    return {
        "known_until": fold.cut_on.isoformat(),
        "ends_on": (fold.cut_on + timedelta(days=horizon_days)).isoformat(),
        "customers": fold.customers,
        "actual_visits": round(fold.actual_visits),
        "actual_amount": round(fold.actual_amount, 2),
        "active_share": plain_number(fold.active_share),
        "visits_interval": _describe_interval(fold.visits_interval, fold.actual_visits),
        "amount_interval": _describe_interval(fold.amount_interval, fold.actual_amount),
        "forecasts": [_describe_result(result) for result in fold.results],
        "calibration": [asdict(tenth) for tenth in fold.tenths],
        "active_calibration": [asdict(tenth) for tenth in fold.active_tenths],
    }


def _describe_result(result: Result) -> dict[str, Any]:
    figures = {
        "predicted_visits": result.predicted_visits,
        "predicted_amount": result.predicted_amount,
        **asdict(result.accuracy),
        **{f"amount_{name}": value for name, value in asdict(result.amount_accuracy).items()},
        "active_auc": result.active_auc,
        "active_log_loss": result.active_log_loss,
        "active_brier": result.active_brier,
        "loss": result.loss,
    }
    return {
        "name": result.name,
        "is_naive": result.is_naive,
        "status": result.status,
        **{name: plain_number(value) for name, value in figures.items()},
    }


def _describe_interval(interval: Interval | None, actual: float) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {
        "low": plain_number(interval.low),
        "high": plain_number(interval.high),
        "level": LEVEL,
        "held": interval.holds(actual),
    }


def describe_total(total: Total) -> dict[str, Any]:
    """Return a total and its range; None where nothing could be forecast."""
    interval = total.interval
    return {
        "quantity": total.quantity,
        "horizon_days": total.horizon_days,
        "expected": plain_number(total.expected) if interval else None,
        "low": plain_number(interval.low) if interval else None,
        "high": plain_number(interval.high) if interval else None,
        "level": LEVEL,
        "basis": total.basis,
    }


def describe_fit(fit: BtydFit, unit_days: int) -> dict[str, Any]:
    """Return a purchase model, its times in units of so many days."""
    scaled = {name: 1.0 / unit_days if name in {"alpha", "beta"} else 1.0 for name in fit.params}
    purchases = fit.purchases_count * math.log(unit_days)
    return {
        **describe_parameters(
            {name: value * scaled[name] for name, value in fit.params.items()},
            {name: value * scaled[name] for name, value in fit.se.items()},
        ),
        "log_likelihood": plain_number(fit.loglik + purchases),
        "fit_status": fit.status,
    }


def describe_parameters(params: dict[str, float], errors: dict[str, float]) -> dict[str, Any]:
    """Return parameters and their standard errors."""
    return {
        "parameters": {name: plain_number(value) for name, value in params.items()},
        "standard_errors": {name: plain_number(value) for name, value in errors.items()},
    }


def plain_number(value: float) -> float | None:
    """Return a number to ten digits; None where it is not finite."""
    return float(f"{value:.10g}") if math.isfinite(value) else None
