"""What a backtest runs and what it finds: plan, past days, and how every rival did on them.

Only what is told of a backtest belongs here; running one belongs to ``backtest``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from cdp_pipeline.features.accuracy import Accuracy, Tenth
from cdp_pipeline.features.certainty import Interval, PastForecast
from cdp_pipeline.features.contest import Verdict
from cdp_pipeline.features.fitting import BtydFit, ModelName
from cdp_pipeline.features.seasons import Spans
from cdp_pipeline.features.sharpness import PLAIN, Sharpness

BacktestStatus = Literal["ok", "not_enough_data"]


@dataclass(frozen=True)
class BacktestPlan:
    """What a backtest runs.

    Attributes:
        relation: Table with customer_id, purchased_on, net_amount and is_visit, one row per
            customer and day.
        horizon_days: Days looked ahead.
        folds: Most folds to run.
        model: Purchase model that serves unless another wins; tested first.
        challengers: Models that may take its place.
        is_seasonal: Whether the season's clock may enter.
        history_days: Fewest days between the first purchase of all and a fold's day.
        minimum_customers: Fewest customers in a fold.
    """

    relation: str = "features.customer_day"
    horizon_days: int = 90
    folds: int = 4
    history_days: int = 90
    model: ModelName = "mbg/nbd"
    challengers: tuple[ModelName, ...] = ("bg/nbd", "pareto/nbd", "nbd")
    is_seasonal: bool = True
    minimum_customers: int = 500

    @property
    def models(self) -> tuple[ModelName, ...]:
        """All models, the default first."""
        return (self.model, *(name for name in self.challengers if name != self.model))


@dataclass(frozen=True)
class Result:
    """How one way of forecasting did in one fold.

    Attributes:
        name: As in ``rivals``.
        is_naive: Whether it is a rule that anybody could apply.
        status: State of its fit; ``ok`` for rules.
        predicted_visits: Forecast total.
        predicted_amount: Forecast total amount.
        accuracy: Error and ranking of the visits.
        amount_accuracy: Error and ranking of the amounts.
        active_auc: Chance that a customer who came back scored above one who did not.
        active_log_loss: Surprise of the forecast probability to come back; NaN without one.
        active_brier: Mean squared error of that probability; NaN without one.
        loss: What the contest compares: error of a customer's visits (RMSE) plus what the total was
            off by, a customer.
    """

    name: str
    is_naive: bool
    status: str
    predicted_visits: float
    predicted_amount: float
    accuracy: Accuracy
    amount_accuracy: Accuracy
    active_auc: float
    active_log_loss: float
    active_brier: float
    loss: float


@dataclass(frozen=True)
class Fold:
    """One past day, from which every rival looked ahead.

    Attributes:
        fold: 1 is the latest.
        cut_on: Last day that the rivals knew.
        customers: Customers who had bought by then, or the sample of them.
        actual_visits: What these customers bought within the horizon.
        actual_amount: For how much.
        active_share: Share of them who bought at all.
        fit: The default's fit on that day.
        results: The default first.
        tenths: Calibration of the visits that the winner forecast, by tenth.
        active_tenths: Calibration of its chances of a visit, by tenth.
        visits_interval: Interval of the total visits that the winner forecast.
        amount_interval: The same for the amount.
    """

    fold: int
    cut_on: date
    customers: int
    actual_visits: float
    actual_amount: float
    active_share: float
    fit: BtydFit
    results: tuple[Result, ...]
    tenths: tuple[Tenth, ...] = ()
    active_tenths: tuple[Tenth, ...] = ()
    visits_interval: Interval | None = None
    amount_interval: Interval | None = None


@dataclass(frozen=True)
class BacktestReport:
    """All folds of a backtest, latest first; none when ``status`` is ``not_enough_data``.

    Attributes:
        status: Whether there was a past day to look ahead from.
        reason: What was lacking, in words.
        horizon_days: Days looked ahead.
        folds: Latest first.
        verdict: Who serves.
        past_visits: Errors of the winner's totals, latest first.
        past_amounts: The same for amounts.
        sharpness: How far the winner's forecasts are drawn apart.
        closed: Days on which the store was closed.
    """

    status: BacktestStatus
    reason: str
    horizon_days: int
    folds: tuple[Fold, ...]
    verdict: Verdict
    past_visits: tuple[PastForecast, ...] = ()
    past_amounts: tuple[PastForecast, ...] = ()
    sharpness: Sharpness = PLAIN
    closed: Spans = ()

    @property
    def coverage(self) -> tuple[int, int]:
        """Return how many totals lay within their interval, of how many."""
        held = [
            interval.holds(actual)
            for fold in self.folds
            for interval, actual in (
                (fold.visits_interval, fold.actual_visits),
                (fold.amount_interval, fold.actual_amount),
            )
            if interval is not None
        ]
        return sum(held), len(held)
