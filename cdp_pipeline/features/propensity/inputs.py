"""What a model of a propensity knows of a person, and how to say it.

The inputs' names and words belong here, and those that a purchase model gives; how the others are
read as of a day belongs to ``windows``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cdp_pipeline.features.btyd import BtydFit, expected_visits, p_alive
from cdp_pipeline.features.histories import Vector

PRIOR_VISITS = 4.0
"""Visits of everybody that a person's own share is mixed with."""

INPUTS = {
    "visits_before": "visits before, ever",
    "first_ago": "days since the first visit",
    "last_ago": "days since the last visit",
    "usual_gap": "usual days between visits",
    "silence": "silence against the usual gap",
    "visits_recent": "visits in the last days",
    "visits_90d": "visits in 90 days",
    "visits_365d": "visits in a year",
    "visits_last_year": "visits in the same days a year ago",
    "amount_90d": "money spent in 90 days",
    "amount_365d": "money spent in a year",
    "mean_amount": "money a visit",
    "units_a_visit": "units a visit",
    "promoted_share": "share bought in promotions",
    "web_share": "share of visits on the web",
    "returned_share": "share given back",
    "events_recent": "{event} in the last days",
    "events_365d": "{event} in a year",
    "events_ever": "{event}, ever",
    "event_last_ago": "days since {event} last",
    "events_last_year": "{event} in the same days a year ago",
    "chances_recent": "chances given in the last days",
    "looks_30d": "product pages seen in 30 days",
    "carts_30d": "articles put into the cart in 30 days",
    "web_last_ago": "days since the last web event",
    "emails_90d": "e-mails sent in 90 days",
    "opens_90d": "e-mails opened in 90 days",
    "clicks_90d": "links of e-mails followed in 90 days",
    "p_alive": "chance of not having left for good",
    "p_active": "chance of a visit",
    "expected_visits": "visits expected",
    "p_event": "chance of {event}, from visits expected and their share so far",
}
"""What a model knows of a person, and how to say it."""

BTYD_INPUTS = ("p_alive", "p_active", "expected_visits", "p_event")
READ_INPUTS = tuple(name for name in INPUTS if name not in BTYD_INPUTS)


def purchase_inputs(
    fit: BtydFit, known: Mapping[str, Vector], horizon_days: int
) -> dict[str, Vector]:
    """Return what a purchase model says of people; NaN for those who never bought.

    The chance of the deed thins the visits expected by the share of visits that came with it, each
    person's own mixed with that of all: a Poisson stream thinned is a slower Poisson stream.
    """
    visits = known["visits_before"] + 1.0
    is_known = np.isfinite(visits)
    said = {name: np.full(len(visits), math.nan) for name in BTYD_INPUTS}
    if not fit.params or not is_known.any():
        return said
    x, age = visits[is_known] - 1.0, known["first_ago"][is_known]
    history = (x, age - known["last_ago"][is_known], age)
    events = np.minimum(known["events_ever"][is_known], visits[is_known])
    overall = math.fsum(events) / math.fsum(visits[is_known])
    share = (events + PRIOR_VISITS * overall) / (visits[is_known] + PRIOR_VISITS)
    alive = p_alive(fit, *history)
    since = fit.params["alpha"] + age
    rate = fit.params["r"] + x
    said["p_alive"][is_known] = alive
    said["p_active"][is_known] = -alive * np.expm1(-rate * np.log1p(horizon_days / since))
    said["expected_visits"][is_known] = expected_visits(fit, *history, float(horizon_days))
    said["p_event"][is_known] = -alive * np.expm1(-rate * np.log1p(share * horizon_days / since))
    return said
