"""Ways to forecast what customers will do: fitted models, and rules that anybody could apply.

Each takes the customers as they were known on a past day and says how often and for how much each
will buy. Who may enter belongs here; holding them against the outcome belongs to ``backtest``.

==================  ==============================================================================
<model>             a purchase model and gamma-gamma, in calendar time
<model>, seasonal   the same in the time of the season's clock
last_horizon        as often, and for as much, as in the days before
last_year           as often as in the same days a year ago, at the customer's mean amount
purchase_rate       repeat visits over age, carried on, at the customer's mean amount
average_customer    everybody what a customer did on average in the days before
==================  ==============================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cdp_pipeline.features.btyd import WhileAlive, expected_visits, p_alive, while_alive
from cdp_pipeline.features.cases import Cases
from cdp_pipeline.features.certainty import parameter_variance, relative_variance
from cdp_pipeline.features.fitting import BtydFit, ModelName, fit_purchases
from cdp_pipeline.features.histories import Vector, pair_up
from cdp_pipeline.features.seasons import SeasonClock
from cdp_pipeline.features.spend import SpendFit, expected_spend, fit_spend, squared_spend

SEASONAL = ", seasonal"
LAST_HORIZON = "last_horizon"
LAST_YEAR = "last_year"
RATE = "purchase_rate"
AVERAGE = "average_customer"

_YEAR_DAYS = 364
_FEWEST_OPEN_DAYS = 14.0


@dataclass(frozen=True)
class Rival:
    """What one way of forecasting says of each customer.

    Attributes:
        name: As in the table above.
        visits: Expected visits within the horizon.
        amount: Expected amount of them.
        active: Chance of a visit; None for rules.
        fit: Purchase model; None for rules.
        clock: The time it was fitted in; None for rules.
    """

    name: str
    visits: Vector
    amount: Vector
    active: Vector | None = None
    fit: BtydFit | None = None
    clock: SeasonClock | None = None

    @property
    def is_naive(self) -> bool:
        """Whether it is a rule that anybody could apply."""
        return self.fit is None


@dataclass(frozen=True)
class Moments:
    """Mean and variance of what each customer does within a horizon.

    Attributes:
        visits: Expected visits.
        visits_variance: Variance of the visits.
        amount: Expected amount.
        amount_variance: Variance of the amount.
        active: Chance of a visit.
    """

    visits: Vector
    visits_variance: Vector
    amount: Vector
    amount_variance: Vector
    active: Vector


def entrant_name(model: ModelName, clock: SeasonClock) -> str:
    """Return the name under which a model enters."""
    return model + (SEASONAL if clock.is_seasonal else "")


def fit_cases(cases: Cases, model: ModelName, clock: SeasonClock) -> BtydFit:
    """Return a draft of a purchase model, fitted to customers as they were known."""
    return fit_purchases(*cases.measured(clock), model=model, is_draft=True)


def fit_case_spend(cases: Cases) -> SpendFit:
    """Return the spend model of customers as they were known."""
    usable = (cases.x > 0) & (cases.mean_amount > 0)
    return fit_spend(cases.x[usable], cases.mean_amount[usable])


def forecast_moments(cases: Cases, fit: BtydFit, clock: SeasonClock, spend: SpendFit) -> Moments:
    """Return what a model says of each customer within the horizon of the cases.

    The amount of a visit varies around the customer's own mean, which is itself uncertain.
    """
    x, last, age = cases.measured(clock)
    ahead = clock.ahead(np.array([float(cases.horizon_days)]))
    pair_x, pair_age, position = pair_up(x, age)
    (pairs,) = while_alive(fit, pair_x, pair_age, ahead.tolist())
    each = WhileAlive(*(column[position] for column in pairs))
    alive = p_alive(fit, x, last, age)
    visits = alive * each.visits
    squared = alive * (each.pairs + each.visits)
    mean = expected_spend(spend, x, cases.mean_amount)
    mean_squared = squared_spend(spend, x, cases.mean_amount)
    within = visits * mean_squared / spend.params["p"] if spend.params else visits * np.nan
    amount = visits * mean
    return Moments(
        visits=visits,
        visits_variance=squared - visits**2,
        amount=amount,
        amount_variance=squared * mean_squared + within - amount**2,
        active=alive * each.active,
    )


def enter_models(
    cases: Cases, models: Sequence[ModelName], clocks: Sequence[SeasonClock], spend: SpendFit
) -> Iterator[Rival]:
    """Yield the forecast of each model in each time; models that cannot be fitted are left out."""
    for clock in clocks:
        for model in models:
            fit = fit_cases(cases, model, clock)
            if fit.status == "not_enough_data" or (fit.model != model and models[0] != model):
                continue  # a fallback enters once, under the name of the default
            said = forecast_moments(cases, fit, clock, spend)
            name = entrant_name(model, clock)
            yield Rival(name, said.visits, said.amount, said.active, fit, clock)


def enter_rules(cases: Cases, clock: SeasonClock, kept_share: float = 1.0) -> Iterator[Rival]:
    """Yield the forecasts of the rules that anybody could apply.

    They know what the models know: on which days the store is closed, and how much of what is
    bought is given back later.

    Args:
        cases: Customers as they were known.
        clock: Calendar time, in which closed days count for nothing.
        kept_share: Share of the amounts of visits that is not given back on later days.
    """
    own = np.where(cases.x > 0, cases.mean_amount, _mean(cases.mean_amount[cases.x > 0]))
    own = own * kept_share
    days = float(cases.horizon_days)
    ahead = float(clock.ahead(np.array([days]))[0])
    again = _carry(ahead, clock, 0.0, days)
    yield Rival(LAST_HORIZON, cases.recent_visits * again, cases.recent_amount * again)
    if len(cases.first_ago) and cases.first_ago.max() >= _YEAR_DAYS:
        visits = cases.last_year_visits * _carry(ahead, clock, _YEAR_DAYS - days, float(_YEAR_DAYS))
        yield Rival(LAST_YEAR, visits, visits * own)
    rate = cases.x / np.maximum(clock.since(cases.first_ago), 1.0) * ahead
    yield Rival(RATE, rate, rate * own)
    everybody = np.ones(cases.customers)
    yield Rival(
        AVERAGE,
        everybody * _mean(cases.recent_visits) * again,
        everybody * _mean(cases.recent_amount) * again,
    )


def _carry(ahead: float, clock: SeasonClock, latest: float, earliest: float) -> float:
    """Return what a count over past days becomes ahead, where other days were open.

    Args:
        ahead: Open days ahead.
        clock: Calendar time.
        latest: Days ago of the last of the past days; may lie ahead.
        earliest: Days ago of the day before the first of them.
    """
    if latest < 0:  # a horizon beyond a year: only the days that have passed were counted
        return 1.0
    spans = clock.since(np.array([earliest, latest]))
    was_open = float(spans[0] - spans[1])
    # What a few open days saw is not multiplied many times over.
    return ahead / max(was_open, min(_FEWEST_OPEN_DAYS, earliest - latest))


def model_variances(cases: Cases, rival: Rival, spend: SpendFit) -> Mapping[str, float]:
    """Return the variance of the logarithm of both totals by chance and estimation."""
    if rival.fit is None or rival.clock is None:
        return {"visits": math.nan, "amount": math.nan}
    clock = rival.clock
    said = forecast_moments(cases, rival.fit, clock, spend)

    history = cases.measured(clock)
    ahead = float(clock.ahead(np.array([float(cases.horizon_days)]))[0])

    def total(fit: BtydFit) -> float:
        return float(expected_visits(fit, *history, ahead).sum())

    estimation = parameter_variance(rival.fit, total)
    usable = cases.mean_amount[cases.x > 0]
    mean = float(usable.mean()) if len(usable) else 0.0
    spend_variance = float(usable.var()) / len(usable) / mean**2 if mean > 0 else 0.0
    return {
        "visits": estimation + _spread(said.visits, said.visits_variance),
        "amount": estimation + spend_variance + _spread(said.amount, said.amount_variance),
    }


def _spread(mean: Vector, variance: Vector) -> float:
    return relative_variance(float(mean.sum()), variance)


def _mean(values: Vector) -> float:
    return float(values.mean()) if len(values) else 0.0
