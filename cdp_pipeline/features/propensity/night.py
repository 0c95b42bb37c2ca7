"""The part of a night that scores propensities: learned once a week, recalled in between.

===============================  ===============================================================
features.propensities            one row per person and propensity: chance, rank, audience
features.propensity_model        one row per declared propensity: who serves, or why nobody does
features.propensity_backtest     one row per propensity, past day and way to predict
features.propensity_calibration  one row per propensity and tenth: chance against outcome
features.propensity_inputs       one row per propensity and input that tells, in words
===============================  ===============================================================

It adds to the registry, the contest and the drift that the step of lifetime value has begun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.propensity_settings import PropensitySettings
from cdp_pipeline.features.carrying import can_carry
from cdp_pipeline.features.clv_tables import CONTEST
from cdp_pipeline.features.propensity import tables
from cdp_pipeline.features.propensity.contest import Limits, Trial, hold_contest
from cdp_pipeline.features.propensity.versions import (
    SCORED,
    Scored,
    declaration_of,
    judge,
    make_version,
    picture_of,
    prediction_of,
    score_everybody,
    watched,
)
from cdp_pipeline.features.propensity.windows import Question, count_people, list_events
from cdp_pipeline.features.registry import (
    TABLE,
    Version,
    admit,
    find_newest,
    find_serving,
    is_due,
    read_tonight,
    retire,
    write_registry,
)
from cdp_pipeline.features.stability import compare_picture
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.propensities import PropensitySpec
from cdp_pipeline.storage.warehouse import declare_table

EVENTS = "propensity_events"

REDECLARED = (TABLE, CONTEST, tables.DRIFT)


@dataclass(frozen=True)
class Served:
    """What became of one propensity tonight.

    Attributes:
        spec: Its declaration.
        serving: Version that gave the chances; None if nothing serves.
        newest: Version that was learned last; None if there was never enough data.
        scored: What the serving version says of everybody.
        reason: Why nothing serves, or what the gate found.
    """

    spec: PropensitySpec
    serving: Version | None
    newest: Version | None
    scored: Scored | None
    reason: str

    @property
    def status(self) -> str:
        """``serves``, ``not_enough_data`` or ``no_better_than_rules``."""
        if self.serving is not None:
            return "serves"
        return "not_enough_data" if self.newest is None else "no_better_than_rules"

    @property
    def sentence(self) -> str:
        """What there is to say, for people."""
        if self.serving is None or self.scored is None:
            return f"{self.spec.header.title}: nobody is scored, {self.reason}."
        return (
            f"{self.spec.header.title}: {self.scored.expected:,.0f} of {self.scored.people:,} "
            f"people expected, by {self.serving.model.lower()} of {self.serving.trained_on}."
        )


def predict(con: duckdb.DuckDBPyConnection, context: RunContext, *, refused: str) -> StepResult:
    """Learn or recall every declared propensity and score everybody who is eligible.

    Args:
        con: Connection to the build, with core, the basic features and the value finished.
        context: The night.
        refused: Table of who may not be profiled.

    Raises:
        WarehouseError: A table differs from its header.
    """
    project = load_project(context.project_root)
    settings = context.settings.propensity
    tables.create_tables(con)
    versions = _without_dropped(read_tonight(con), list(project.propensities.values()))
    served: list[Served] = []
    for spec in project.propensities.values():
        night = Night(con, settings, context.business_date, refused)
        found, versions = night.serve(spec, versions)
        served.append(found)
    tables.write_models(con, [_model_row(found) for found in served])
    write_registry(con, versions)
    for name in (*tables.TABLES, *REDECLARED):
        declare_table(con, project.table(name))
    return StepResult(
        rows_out=sum(found.scored.people for found in served if found.scored),
        messages=tuple(found.sentence for found in served),
        facts={prediction_of(found.spec): found.status for found in served},
    )


@dataclass(frozen=True)
class Night:
    """A night that serves propensities.

    Attributes:
        con: Connection to the build.
        settings: Limits and gate.
        as_of: Business date.
        refused: Table of people who may not be profiled.
    """

    con: duckdb.DuckDBPyConnection
    settings: PropensitySettings
    as_of: date
    refused: str

    def serve(
        self, spec: PropensitySpec, versions: tuple[Version, ...]
    ) -> tuple[Served, tuple[Version, ...]]:
        """Score one propensity; return what became of it and the registry as it stands then."""
        prediction = prediction_of(spec)
        newest = find_newest(versions, prediction)
        if newest is not None and newest.document["declaration"] != declaration_of(spec):
            versions, newest = retire(versions, prediction), None
        question = self._ask(spec)
        if is_due(newest, self.as_of, self.settings.refit_days) or not can_carry(
            self.con, tables.LEARNED
        ):
            return self._learn(spec, question, versions)
        tables.carry_over(self.con, propensity=spec.name, prediction=prediction)
        return self._score(spec, question, versions), versions

    def _learn(
        self, spec: PropensitySpec, question: Question, versions: tuple[Version, ...]
    ) -> tuple[Served, tuple[Version, ...]]:
        limits = Limits(self.settings.minimum_customers, self.settings.minimum_events)
        stride = max(1, round(count_people(self.con) / self.settings.maximum_customers))
        sampled = replace(question, stride=stride)
        trial = hold_contest(self.con, sampled, as_of=self.as_of, limits=limits)
        tables.write_trial(
            self.con,
            propensity=spec.name,
            prediction=prediction_of(spec),
            event=spec.header.event,
            trial=trial,
        )
        made = None
        if trial.learned:
            versions, made = self._admit(spec, question, trial, versions)
        return self._score(spec, question, versions, trial.reason, made), versions

    def _admit(
        self,
        spec: PropensitySpec,
        question: Question,
        trial: Trial,
        versions: tuple[Version, ...],
    ) -> tuple[tuple[Version, ...], Scored | None]:
        """Return the registry with a new version, and its scores if it serves from now on."""
        serving = find_serving(versions, prediction_of(spec))
        before = score_everybody(self.con, serving, question, as_of=self.as_of) if serving else None
        candidate = make_version(self.con, spec, question, trial, as_of=self.as_of)
        new = score_everybody(self.con, candidate, question, as_of=self.as_of)
        picture = {"picture": picture_of(self.con, question, self.as_of)}
        candidate = replace(candidate, document={**candidate.document, **picture})
        checks = judge(trial, new, before, largest_change=self.settings.gate_total_share)
        versions = admit(versions, candidate, checks, must_pass=True)
        admitted = find_serving(versions, candidate.prediction)
        serves = admitted is not None and admitted.version == candidate.version
        return versions, new if serves else None

    def _score(
        self,
        spec: PropensitySpec,
        question: Question,
        versions: tuple[Version, ...],
        reason: str = "",
        made: Scored | None = None,
    ) -> Served:
        """Write the scores of who serves; ``made`` says what the table of scores holds already."""
        prediction = prediction_of(spec)
        newest, serving = find_newest(versions, prediction), find_serving(versions, prediction)
        reason = newest.reason if newest else reason
        if serving is None:
            return Served(spec, None, newest, None, reason)
        scored = made or score_everybody(self.con, serving, question, as_of=self.as_of)
        tables.write_scores(self.con, SCORED, propensity=spec.name, version=serving.version)
        self._watch(question, serving)
        return Served(spec, serving, newest, scored, reason)

    def _watch(self, question: Question, serving: Version) -> None:
        quantities = watched(question, self.as_of)
        found = compare_picture(self.con, quantities, serving.document["picture"])
        rows = [
            (
                serving.prediction,
                each.quantity,
                serving.version,
                each.index if math.isfinite(each.index) else None,
                each.status,
            )
            for each in found
        ]
        tables.write_drift(self.con, sorted(rows))

    def _ask(self, spec: PropensitySpec) -> Question:
        list_events(
            self.con, spec.sql, has_chances=spec.has_chances, as_of=self.as_of, table=EVENTS
        )
        return Question(
            events=EVENTS,
            refused=self.refused,
            horizon_days=spec.header.horizon_days,
            eligible_days=spec.header.eligible_days,
            has_chances=spec.has_chances,
        )


def _without_dropped(
    versions: tuple[Version, ...], specs: list[PropensitySpec]
) -> tuple[Version, ...]:
    """Return the registry in which propensities that are no longer declared do not serve."""
    declared = {prediction_of(spec) for spec in specs}
    for prediction in sorted({version.prediction for version in versions}):
        if prediction.startswith("propensity_") and prediction not in declared:
            versions = retire(versions, prediction)
    return versions


def _model_row(found: Served) -> tables.Row:
    header, serving, scored = found.spec.header, found.serving, found.scored
    return (
        found.spec.name,
        header.title,
        header.event,
        header.horizon_days,
        found.status,
        serving.model if serving else None,
        serving.version if serving else None,
        serving.trained_on if serving else None,
        scored.people if scored else 0,
        round(scored.expected, 6) if scored else None,
        found.reason or None,
    )
