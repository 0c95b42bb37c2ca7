"""Propensities in the registry: as documents, through their gate, and back into chances.

What makes a version and when it may serve belong here; the registry itself belongs to ``registry``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np

from cdp_pipeline.features.fitting import BtydFit
from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.propensity.contest import Trial, learn
from cdp_pipeline.features.propensity.forest import Forest
from cdp_pipeline.features.propensity.inputs import INPUTS
from cdp_pipeline.features.propensity.rules import FOREST, TITLES, apply_btyd, average_chance
from cdp_pipeline.features.propensity.windows import (
    Asked,
    Question,
    Window,
    fit_window,
    lay_out_window,
    read_batches,
)
from cdp_pipeline.features.registry import Check, Version, train
from cdp_pipeline.features.stability import take_picture
from cdp_pipeline.project.propensities import PropensitySpec
from cdp_pipeline.storage.warehouse import fetch_dicts

SCORED = "propensity_scored"


@dataclass(frozen=True)
class Scored:
    """What a version says of everybody.

    Attributes:
        people: How many were scored.
        expected: How many of them are expected to do it.
        is_sound: Whether every chance lies between 0 and 1.
    """

    people: int
    expected: float
    is_sound: bool


def prediction_of(spec: PropensitySpec) -> str:
    """Return the name of a propensity in the registry."""
    return f"propensity_{spec.name}"


def declaration_of(spec: PropensitySpec) -> str:
    """Return a hash of all that decides what is learned: a changed propensity is another one."""
    text = json.dumps([spec.sql, spec.header.horizon_days, spec.header.eligible_days, list(INPUTS)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_version(
    con: duckdb.DuckDBPyConnection,
    spec: PropensitySpec,
    question: Question,
    trial: Trial,
    *,
    as_of: date,
) -> Version:
    """Return the winner, learned from the latest past days, as a version."""
    lay_out_window(con, question, as_of)
    forest = learn(trial.learned) if trial.verdict.winner == FOREST else None
    document = {
        "declaration": declaration_of(spec),
        "horizon_days": spec.header.horizon_days,
        "inputs": list(INPUTS),
        "purchases": fit_window(con, question, as_of).as_dict(),
        "average": average_chance(trial.learned),
        "trees": forest.as_document() if forest else [],
        "loss": {s.entrant: round(s.relative_loss, 6) for s in trial.verdict.standings},
    }
    oldest = trial.learned[-1].cut_on
    return train(
        prediction_of(spec),
        model=TITLES[trial.verdict.winner],
        status="ok",
        window=(oldest, as_of),
        customer_count=sum(window.people for window in trial.learned),
        document=document,
    )


def score_everybody(
    con: duckdb.DuckDBPyConnection, version: Version, question: Question, *, as_of: date
) -> Scored:
    """Create the temporary table of everybody's chance by a version."""
    table = lay_out_window(con, question, as_of)
    con.execute(f"create or replace temp table {SCORED} (customer_id varchar, chance double)")
    asked = Asked(question, as_of, recall_fit(version))
    forest = Forest.from_document(version.document["trees"])
    people, is_sound = 0, True
    for batch in read_batches(con, table, asked):
        chance = _chances(version.document, forest, batch)
        is_sound = is_sound and bool(np.isfinite(chance).all())
        people += batch.people
        con.register("scored_batch", {"customer_id": np.array(batch.names, object), "c": chance})
        con.execute(f"insert into {SCORED} select customer_id, round(c, 6) from scored_batch")  # noqa: S608 - own name
        con.unregister("scored_batch")
    total = fetch_dicts(con, f"select sum(chance::decimal(18, 6))::double as n from {SCORED}")  # noqa: S608 - own name
    return Scored(people, float(total[0]["n"] or 0.0), is_sound)


def recall_fit(version: Version) -> BtydFit:
    """Return the purchase model of a version."""
    purchases: dict[str, Any] = dict(version.document["purchases"])
    covariance = tuple(tuple(row) for row in purchases["covariance"])
    return BtydFit(**purchases | {"covariance": covariance})


def judge(
    trial: Trial, new: Scored, before: Scored | None, *, largest_change: float
) -> list[Check]:
    """Return the conditions under which a version may serve."""
    checks = [
        Check(trial.has_winner, trial.reason),
        Check(new.is_sound, "somebody has no chance between 0 and 1"),
    ]
    if before is not None and before.expected > 0:
        change = new.expected / before.expected
        allowed = 1.0 + largest_change
        checks.append(
            Check(
                1.0 / allowed <= change <= allowed,
                f"the expected total would change by {change - 1.0:+.0%} against the model before",
            )
        )
    return checks


def picture_of(con: duckdb.DuckDBPyConnection, question: Question, as_of: date) -> dict[str, Any]:
    """Return a picture of tonight's inputs and chances, to keep with a version."""
    return take_picture(con, watched(question, as_of))


def watched(question: Question, as_of: date) -> Mapping[str, tuple[str, str]]:
    """Return table and column of what is watched."""
    window = question.window(as_of)
    return {
        "days since the last visit": (window, "last_ago"),
        "visits in a year": (window, "visits_365d"),
        "deeds in a year": (window, "events_365d"),
        "days since the last deed": (window, "event_last_ago"),
        "chance": (SCORED, "chance"),
    }


def _chances(document: Mapping[str, Any], forest: Forest, batch: Window) -> Vector:
    if forest.members:
        return forest.score(batch.values)
    return apply_btyd(document["average"], batch)
