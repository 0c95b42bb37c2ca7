"""What the customers of a file are worth: ``cdp clv`` and its Python interface.

The models are the night's; which horizon is tested, what is asked of them and how the result reads
as plain data belong here, the page to ``value_report``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.backtest import BacktestPlan, BacktestReport, Fold, Result, backtest
from cdp_pipeline.features.certainty import LEVEL, Interval
from cdp_pipeline.features.clv import MODELS, train_winner
from cdp_pipeline.features.clv_fit import ClvFit
from cdp_pipeline.features.files.transactions import Transactions
from cdp_pipeline.features.fitting import BtydFit, ModelName, fit_purchases
from cdp_pipeline.features.scoring import score_customers
from cdp_pipeline.features.spend import SpendFit, fit_spend
from cdp_pipeline.features.totals import Question, Total, forecast_totals, measure_times

SOUND_CUSTOMERS = 500
SHORTEST_TEST_DAYS = 28
_PAST_WINDOWS = 4
_FOLDS = 6

# People who gave back all they bought are customers too, without a forecast.
_CUSTOMERS = """
with people as (
    select distinct customer_id from features.customer_day
),
usual as (
    select coalesce(quantile_disc(usual_gap_days, 0.5) filter (where x > 0), 60) as gap_days
    from features.customer_purchases
),
borders as (
    select quantile_disc(nullif(clv_12m_amount, 0), [0.5, 0.8, 0.95]) as steps
    from features.clv
)
select
    people.customer_id,
    bought.first_on as first_visit_on,
    bought.last_on as last_visit_on,
    coalesce(bought.visit_count, 0) as visit_count,
    bought.net_amount,
    bought.mean_amount as mean_visit_amount,
    clv.p_alive,
    clv.p_active_90d,
    clv.p_active_horizon,
    clv.expected_visits_horizon as expected_visits,
    clv.expected_spend_amount as expected_visit_amount,
    clv.expected_amount,
    clv.expected_low_amount,
    clv.expected_high_amount,
    clv.clv_12m_amount as clv_amount,
    clv.clv_tenth,
    value_tier(nullif(clv.clv_12m_amount, 0), borders.steps) as value_tier,
    lifecycle_stage(
        bought.t_days - bought.t_x, patience_days(bought.usual_gap_days, usual.gap_days)
    ) as lifecycle,
    lifecycle_words(bought.t_days - bought.t_x, bought.usual_gap_days) as lifecycle_reason,
    coalesce(clv.model_status, 'nothing_kept') as model_status,
from people
cross join usual
cross join borders
left join features.customer_purchases as bought on people.customer_id = bought.customer_id
left join features.clv as clv on people.customer_id = clv.customer_id
order by people.customer_id
"""


_RAW_AMOUNTS = """
with visits as (
    select
        days.customer_id,
        days.net_amount,
        days.purchased_on > bought.first_on as is_repeat,
    from features.customer_day as days
    inner join features.customer_purchases as bought on days.customer_id = bought.customer_id
    where days.is_visit
)
select
    (count(*) - 1)::double as x,
    sum(net_amount) filter (where is_repeat)::double / (count(*) - 1) as amount,
from visits
group by customer_id
having count(*) > 1 and sum(net_amount) filter (where is_repeat) > 0
order by x, amount
"""


@dataclass(frozen=True)
class ValueOptions:
    """What is asked of a file.

    Attributes:
        horizon_days: Days ahead.
        model: Model that must serve; None: the one that did best on past days.
        monthly_discount: Discount per 30 days of ``clv_amount``, as a share.
        minimum_customers: Fewest customers for a model.
        unit_days: Days of the unit in which parameters are shown.
    """

    horizon_days: int = 365
    model: ModelName | None = None
    monthly_discount: float = 0.01
    minimum_customers: int = 100
    unit_days: int = 1

    @property
    def settings(self) -> ClvSettings:
        """Return the night's settings that mean the same."""
        return ClvSettings(
            model=self.model or "mbg/nbd",
            horizon_days=self.horizon_days,
            monthly_discount_share=self.monthly_discount,
            minimum_customers=self.minimum_customers,
        )


@dataclass(frozen=True)
class ValueResult:
    """What was found.

    Attributes:
        customers: One row a customer, by customer_id; ``expected_*`` covers the horizon,
            undiscounted, ``clv_amount`` is the same discounted.
        read: What the file held.
        options: What was asked.
        fit: Models that served.
        fits: All purchase models on the same histories, by name.
        raw_spend: Spend model on mean amounts as they are, neither capped nor binned.
        report: How models and rules did on past days.
        totals: What all customers will do together.
        notes: What people should know.
    """

    customers: pa.Table
    read: Transactions
    options: ValueOptions
    fit: ClvFit
    fits: dict[str, BtydFit]
    raw_spend: SpendFit
    report: BacktestReport
    totals: tuple[Total, ...]
    notes: tuple[str, ...]

    @property
    def model_in_words(self) -> str:
        """The model that serves, or why none does."""
        if self.fit.status == "not_enough_data":
            return "none, as there is not enough data for a forecast"
        season = ", in the time of the store's season" if self.fit.clock.is_seasonal else ""
        return f"{self.fit.purchases.model}{season}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: model, parameters, counts, totals, backtest."""
        unit = self.options.unit_days
        return {
            "file": self.read.file,
            "as_of": self.read.as_of.isoformat(),
            "horizon_days": self.options.horizon_days,
            "status": self.fit.status,
            "model": self.fit.purchases.model,
            "is_seasonal": self.fit.clock.is_seasonal,
            "season": [round(worth, 4) for worth in self.fit.clock.index] or None,
            "unit": "days" if unit == 1 else f"{unit} days",
            **_describe_fit(self.fit.purchases, unit),
            "spend": {
                "model": "gamma-gamma",
                **_describe_parameters(self.fit.spend.params, self.fit.spend.se),
                "log_likelihood": _plain(self.fit.spend.loglik),
                "customers": round(self.fit.spend.n),
                "status": self.fit.spend.status,
                "visits_amount_correlation": _plain(self.fit.correlation),
            },
            "raw_spend": {
                **_describe_parameters(self.raw_spend.params, self.raw_spend.se),
                "log_likelihood": _plain(self.raw_spend.loglik),
                "status": self.raw_spend.status,
            },
            "models": {name: _describe_fit(fit, unit) for name, fit in self.fits.items()},
            "counts": {
                "rows": self.read.rows,
                "used_rows": self.read.used_rows,
                "rows_without_customer": self.read.without_customer,
                "unreadable_rows": self.read.unreadable,
                "rows_after_last_day": self.read.after_last_day,
                "customers": self.customers.num_rows,
                "fitted_customers": round(self.fit.purchases.n),
                "repeat_customers": round(self.fit.spend.n),
            },
            "totals": [_describe_total(total) for total in self.totals],
            "backtest": describe_backtest(self.report),
            "notes": list(self.notes),
        }


def value_customers(
    con: duckdb.DuckDBPyConnection, read: Transactions, options: ValueOptions
) -> ValueResult:
    """Return the forecast for the customers of ``features.customer_purchases``.

    Args:
        con: Connection with that table, ``features.customer_day`` and the macros.
        read: What the file held.
        options: What is asked.
    """
    settings = options.settings
    plan = plan_backtest(read, options)
    report = backtest(con, as_of=read.as_of, plan=plan)
    fit = train_winner(con, settings, plan, report, as_of=read.as_of)
    days = options.horizon_days
    times = measure_times(con, fit, report, as_of=read.as_of, days=days)
    score_customers(con, fit, settings, has_horizon=True, times_variance=times)
    questions = (
        Question("visits", "expected_visits_horizon", days),
        Question("amount", "expected_amount", days, is_amount=True),
        Question("clv_amount", "clv_12m_amount", days, is_amount=True),
    )
    totals = forecast_totals(con, fit, report, as_of=read.as_of, questions=questions)
    customers = con.sql(_CUSTOMERS).to_arrow_table()
    found = ValueResult(
        customers=customers,
        read=read,
        options=options,
        fit=fit,
        fits=fit_all(fit, options.minimum_customers),
        raw_spend=fit_raw_spend(con),
        report=report,
        totals=tuple(totals),
        notes=(),
    )
    return replace(found, notes=(*read.notes, *_notes(found)))


def plan_backtest(read: Transactions, options: ValueOptions) -> BacktestPlan:
    """Return a backtest that looks as far ahead as the history allows several times over."""
    history = (read.as_of - read.first_on).days
    days = min(options.horizon_days, max(history // _PAST_WINDOWS, SHORTEST_TEST_DAYS))
    return BacktestPlan(
        horizon_days=days,
        folds=_FOLDS,
        model=options.model or "mbg/nbd",
        challengers=MODELS if options.model is None else (),
        history_days=min(90, max(days, SHORTEST_TEST_DAYS)),
        minimum_customers=options.minimum_customers,
    )


def fit_all(fit: ClvFit, minimum_customers: int) -> dict[str, BtydFit]:
    """Return every purchase model fitted to the same histories, in calendar days."""
    if fit.customers.sum() < minimum_customers:
        return {}
    histories = (fit.x, fit.t_x, fit.t_days, fit.customers)
    return {model: fit_purchases(*histories, model=model, is_draft=True) for model in MODELS}


def fit_raw_spend(con: duckdb.DuckDBPyConnection) -> SpendFit:
    """Return the spend model of mean amounts as they are, as papers fit it."""
    found = con.execute(_RAW_AMOUNTS).fetchnumpy()
    return fit_spend(found["x"], found["amount"])


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
        "active_share": _plain(fold.active_share),
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
        **{name: _plain(value) for name, value in figures.items()},
    }


def _describe_interval(interval: Interval | None, actual: float) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {
        "low": _plain(interval.low),
        "high": _plain(interval.high),
        "level": LEVEL,
        "held": interval.holds(actual),
    }


def _describe_total(total: Total) -> dict[str, Any]:
    interval = total.interval
    return {
        "quantity": total.quantity,
        "horizon_days": total.horizon_days,
        "expected": _plain(total.expected) if interval else None,
        "low": _plain(interval.low) if interval else None,
        "high": _plain(interval.high) if interval else None,
        "level": LEVEL,
        "basis": total.basis,
    }


def _describe_fit(fit: BtydFit, unit_days: int) -> dict[str, Any]:
    scaled = {name: 1.0 / unit_days if name in {"alpha", "beta"} else 1.0 for name in fit.params}
    purchases = fit.purchases_count * math.log(unit_days)
    return {
        **_describe_parameters(
            {name: value * scaled[name] for name, value in fit.params.items()},
            {name: value * scaled[name] for name, value in fit.se.items()},
        ),
        "log_likelihood": _plain(fit.loglik + purchases),
        "fit_status": fit.status,
    }


def _describe_parameters(params: dict[str, float], errors: dict[str, float]) -> dict[str, Any]:
    return {
        "parameters": {name: _plain(value) for name, value in params.items()},
        "standard_errors": {name: _plain(value) for name, value in errors.items()},
    }


def _notes(found: ValueResult) -> list[str]:
    notes = []
    status = found.fit.status
    buyers = round(float(found.fit.customers.sum()))
    if status == "not_enough_data":
        least = found.options.minimum_customers
        asked = f"{least:,} are needed" if buyers < least else "too few of them came on another day"
        notes.append(
            f"not enough data for a forecast: {counted(buyers, 'customer')} kept a purchase, "
            f"{asked}"
        )
    elif buyers < SOUND_CUSTOMERS:
        notes.append(f"{buyers:,} customers are few: below {SOUND_CUSTOMERS} figures are rough")
    if empty := found.customers.column("visit_count").to_pylist().count(0):
        notes.append(
            f"{counted(empty, 'customer')} kept no purchase, as all was given back or cost "
            "nothing: no forecast for them"
        )
    if status == "nbd_fallback":
        notes.append(
            "nobody can be seen to leave, so everybody counts as a customer for good; "
            "chances of being alive are left out"
        )
    if status == "pooled_mean":
        notes.append("mean amounts hardly differ: everybody is expected to spend the same")
    if rule := found.report.verdict.beaten_by:
        notes.append(f"on past days the rule {rule} was better than every model")
    if not found.report.folds and status != "not_enough_data":
        notes.append(f"no backtest: {found.report.reason}")
    return notes


def _plain(value: float) -> float | None:
    return float(f"{value:.10g}") if math.isfinite(value) else None
