"""What the customers of a file are worth: ``cdp clv`` and its Python interface.

The models are the night's; which horizon is tested, what is asked of them and how the result reads
as plain data belong here, the page to ``value_report``.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.backtest import backtest
from cdp_pipeline.features.cases import fetch_daily_visits
from cdp_pipeline.features.clv import MODELS, train_winner
from cdp_pipeline.features.clv_fit import ClvFit
from cdp_pipeline.features.files.transactions import Transactions
from cdp_pipeline.features.files.value_plain import (
    describe_backtest,
    describe_fit,
    describe_parameters,
    describe_total,
    plain_number,
)
from cdp_pipeline.features.fitting import BtydFit, ModelName, fit_purchases
from cdp_pipeline.features.outcomes import BacktestPlan, BacktestReport
from cdp_pipeline.features.scoring import score_customers
from cdp_pipeline.features.seasons import describe_closures
from cdp_pipeline.features.spend import SpendFit, fit_spend
from cdp_pipeline.features.totals import (
    CUSTOMER_DAYS,
    Question,
    Total,
    forecast_totals,
    measure_times,
)

SOUND_CUSTOMERS = 500
SHORTEST_TEST_DAYS = 28
_PAST_WINDOWS = 4
_FAR = 3
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
            "closed": [[day.isoformat() for day in span] for span in self.fit.clock.closed],
            "sharpness": asdict(self.fit.sharpness),
            "unit": "days" if unit == 1 else f"{unit} days",
            **describe_fit(self.fit.purchases, unit),
            "spend": {
                "model": "gamma-gamma",
                **describe_parameters(self.fit.spend.params, self.fit.spend.se),
                "log_likelihood": plain_number(self.fit.spend.loglik),
                "customers": round(self.fit.spend.n),
                "status": self.fit.spend.status,
                "scale": self.fit.spend.scale,
                "visits_amount_correlation": plain_number(self.fit.correlation),
            },
            "raw_spend": {
                **describe_parameters(self.raw_spend.params, self.raw_spend.se),
                "log_likelihood": plain_number(self.raw_spend.loglik),
                "status": self.raw_spend.status,
            },
            "models": {name: describe_fit(fit, unit) for name, fit in self.fits.items()},
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
            "totals": [describe_total(total) for total in self.totals],
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
    if read.history_days < SHORTEST_TEST_DAYS:
        # What was seen on a day or two would be carried on for the whole horizon.
        settings = settings.model_copy(update={"minimum_customers": sys.maxsize})
    plan = plan_backtest(read, options)
    report = backtest(con, as_of=read.as_of, plan=plan)
    fit = train_winner(con, settings, plan, report, as_of=read.as_of)
    days = options.horizon_days
    visits = fetch_daily_visits(con, CUSTOMER_DAYS, read.as_of)
    times = measure_times(fit, report, visits, days)
    score_customers(con, fit, settings, has_horizon=True, times_variance=times)
    questions = (
        Question("visits", "expected_visits_horizon", days),
        Question("amount", "expected_amount", days, is_amount=True),
        Question("clv_amount", "clv_12m_amount", days, is_amount=True),
    )
    totals = forecast_totals(con, fit, report, visits=visits, questions=questions)
    customers = con.sql(_CUSTOMERS).to_arrow_table()
    found = ValueResult(
        customers=customers,
        read=read,
        options=options,
        fit=fit,
        fits=fit_all(fit, settings.minimum_customers),
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


def _notes(found: ValueResult) -> list[str]:
    notes = []
    status = found.fit.status
    buyers = round(float(found.fit.customers.sum()))
    if status == "not_enough_data":
        least, history = found.options.minimum_customers, found.read.history_days
        asked = f"{least:,} are needed" if buyers < least else "too few of them came on another day"
        if history < SHORTEST_TEST_DAYS:
            asked = f"within {counted(history, 'day')}, {SHORTEST_TEST_DAYS} are needed"
        notes.append(
            f"not enough data for a forecast: {counted(buyers, 'customer')} kept a purchase, "
            f"{asked}"
        )
    elif buyers < SOUND_CUSTOMERS:
        notes.append(f"{buyers:,} customers are few: below {SOUND_CUSTOMERS} figures are rough")
    if status != "not_enough_data" and found.options.horizon_days > _FAR * found.read.history_days:
        notes.append(
            f"{found.options.horizon_days} days ahead are more than {_FAR} times the "
            f"{found.read.history_days} days of history: who stays so long has not been seen yet"
        )
    if empty := found.customers.column("visit_count").to_pylist().count(0):
        notes.append(
            f"{counted(empty, 'customer')} kept no purchase, as all was given back or cost "
            "nothing: no forecast for them"
        )
    return [*notes, *_notes_of_model(found)]


def _notes_of_model(found: ValueResult) -> list[str]:
    notes = []
    status = found.fit.status
    if status == "nbd_fallback":
        notes.append(
            "nobody can be seen to leave, so everybody counts as a customer for good; "
            "chances of being alive are left out"
        )
    if status == "pooled_mean":
        notes.append("mean amounts hardly differ: everybody is expected to spend the same")
    notes += describe_closures(found.fit.clock.closed)
    more = found.fit.spend.scale - 1.0
    if round(more, 2):
        notes.append(
            f"forecast amounts are {abs(more):.0%} {'above' if more > 0 else 'below'} what visits "
            "are usually worth, by what is given back on later days and by the baskets of the "
            "days ahead a year ago"
        )
    if not found.fit.sharpness.is_plain:
        notes.append(
            "customers who come often came oftener on past days than the model says: forecasts are "
            f"drawn apart (power {found.fit.sharpness.power:.2f}), which changed the mean error of "
            f"a customer there by {found.fit.sharpness.error_change:+.1%}"
        )
    if rule := found.report.verdict.beaten_by:
        notes.append(f"on past days the rule {rule} was better than every model")
    if not found.report.folds and status != "not_enough_data":
        notes.append(f"no backtest: {found.report.reason}")
    return notes
