"""The lifetime-value models in the registry: as documents, through their gate, and back.

What makes a version of these models, when one may serve and what of it is watched belong here; the
registry itself belongs to ``registry``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np

from cdp_pipeline.core.settings import ClvSettings
from cdp_pipeline.features.btyd import expected_visits
from cdp_pipeline.features.certainty import PastForecast
from cdp_pipeline.features.clv_fit import ClvFit, read_histories, with_models
from cdp_pipeline.features.contest import Verdict
from cdp_pipeline.features.fitting import BtydFit
from cdp_pipeline.features.outcomes import BacktestReport
from cdp_pipeline.features.registry import Check, Version, train
from cdp_pipeline.features.rivals import LAST_YEAR
from cdp_pipeline.features.seasons import DailyVisits, SeasonClock, find_closures
from cdp_pipeline.features.sharpness import Sharpness
from cdp_pipeline.features.spend import SpendFit
from cdp_pipeline.features.stability import compare_picture, take_picture
from cdp_pipeline.storage.warehouse import fetch_dicts

PREDICTION = "clv"
LARGEST_LOSS = 1.1
"""Times the loss of the best rule that a model may have on past days and still be admitted."""

WATCHED: Mapping[str, tuple[str, str]] = {
    "repeat visits": ("features.customer_purchases", "x"),
    "days since the first visit": ("features.customer_purchases", "t_days"),
    "days between first and last visit": ("features.customer_purchases", "t_x"),
    "mean amount": ("features.customer_purchases", "mean_amount"),
    "chance of a visit in 90 days": ("features.clv", "p_active_90d"),
    "value": ("features.clv", "clv_12m_amount"),
}

_QUARTER = np.array([90.0])
_DRIFT = """
create or replace table features.model_drift (
    prediction varchar,
    quantity varchar,
    version varchar,
    stability_index double,
    status varchar
)
"""


def make_version(
    con: duckdb.DuckDBPyConnection, fit: ClvFit, report: BacktestReport, *, as_of: date
) -> Version:
    """Return the models as a version, with a picture of the customers they were trained on."""
    oldest = int(fit.t_days.max(initial=0.0))
    document = {
        "purchases": fit.purchases.as_dict(),
        "spend": fit.spend.as_dict(),
        "season": list(fit.clock.index),
        "closed": [[day.isoformat() for day in span] for span in fit.clock.closed],
        "sharpness": asdict(fit.sharpness),
        "correlation": fit.correlation if math.isfinite(fit.correlation) else None,
        "loss": {
            standing.entrant: round(standing.relative_loss, 6)
            for standing in report.verdict.standings
        },
        "picture": take_picture(con, WATCHED),
        "test": {
            "status": report.status,
            "reason": report.reason,
            "horizon_days": report.horizon_days,
            "winner": report.verdict.winner,
            "past_visits": [[each.error, each.variance] for each in report.past_visits],
            "past_amounts": [[each.error, each.variance] for each in report.past_amounts],
        },
    }
    season = ", seasonal" if fit.clock.is_seasonal else ""
    return train(
        PREDICTION,
        model=f"{fit.purchases.model}{season} and gamma-gamma",
        status=fit.status,
        window=(as_of - timedelta(days=oldest), as_of),
        customer_count=round(fit.purchases.n),
        document=document,
    )


def recall(
    con: duckdb.DuckDBPyConnection, version: Version | None, visits: DailyVisits
) -> ClvFit | None:
    """Return tonight's histories under the models of a version; None if it holds none.

    Which days the store was closed is read anew.
    """
    if version is None or not version.document["purchases"]["params"]:
        return None
    known = read_histories(con)
    purchases = version.document["purchases"]
    covariance = tuple(tuple(row) for row in purchases["covariance"])
    # A closure may have begun since, or late files may have shown that it was none.
    closed = find_closures(visits)
    clock = SeasonClock(visits.as_of, tuple(version.document["season"]), closed)
    fit = with_models(
        known,
        BtydFit(**purchases | {"covariance": covariance}),
        SpendFit(**version.document["spend"]),
        clock,
    )
    return replace(fit, sharpness=Sharpness(**version.document.get("sharpness", {})))


def recall_report(version: Version) -> BacktestReport | None:
    """Return what tonight's totals need of the test of a version; None if it kept none."""
    kept = version.document.get("test")
    if kept is None:
        return None
    past_visits, past_amounts = (
        tuple(PastForecast(*each) for each in kept[name])
        for name in ("past_visits", "past_amounts")
    )
    return BacktestReport(
        status=kept["status"],
        reason=kept["reason"],
        horizon_days=kept["horizon_days"],
        folds=(),
        verdict=Verdict(kept["winner"], ()),
        past_visits=past_visits,
        past_amounts=past_amounts,
    )


def judge(
    con: duckdb.DuckDBPyConnection,
    fit: ClvFit,
    serving: ClvFit | None,
    report: BacktestReport,
    settings: ClvSettings,
) -> list[Check]:
    """Return the conditions under which models may serve."""
    scored = fetch_dicts(
        con,
        "select count(*) as customers, count(clv_12m_amount) as valued, "
        "coalesce(bool_and(isfinite(clv_12m_amount::double)), true) as is_finite from features.clv",
    )[0]
    losses = {s.entrant: s.relative_loss for s in report.verdict.standings}
    rules = {s.entrant: s.relative_loss for s in report.verdict.standings if s.is_naive}
    best = min(rules, key=lambda name: (rules[name], name)) if rules else LAST_YEAR
    own = losses.get(report.verdict.winner, 1.0)
    checks = [
        Check(fit.status != "not_enough_data", "there was not enough data to fit a model"),
        Check(
            scored["valued"] == scored["customers"] and scored["is_finite"],
            f"{scored['customers'] - scored['valued']} customers have no finite value",
        ),
        Check(
            not rules or own <= LARGEST_LOSS * rules[best],
            f"on past days the rule {best} was better by more than a tenth",
        ),
    ]
    if serving is not None and fit.purchases.params:
        change = _total(fit, fit) / max(_total(serving, fit), 1e-9)
        allowed = 1.0 + settings.gate_total_share
        checks.append(
            Check(
                1.0 / allowed <= change <= allowed,
                f"the total forecast would change by {change - 1.0:+.0%} against the model before",
            )
        )
    return checks


def watch_stability(con: duckdb.DuckDBPyConnection, serving: Version | None) -> None:
    """Create ``features.model_drift``: one row per watched quantity of the serving version."""
    con.execute(_DRIFT)
    if serving is None:
        return
    picture: Mapping[str, Any] = serving.document["picture"]
    rows = [
        (
            PREDICTION,
            found.quantity,
            serving.version,
            found.index if math.isfinite(found.index) else None,
            found.status,
        )
        for found in compare_picture(con, WATCHED, picture)
    ]
    con.executemany("insert into features.model_drift values (?, ?, ?, ?, ?)", sorted(rows))


def _total(models: ClvFit, histories: ClvFit) -> float:
    clocked = with_models(histories, models.purchases, models.spend, models.clock)
    end = float(models.clock.ahead(_QUARTER)[0])
    each = expected_visits(models.purchases, *clocked.measured, end)
    return float((each * histories.customers).sum())
