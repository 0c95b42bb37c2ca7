"""Whether a night fits the model again or looks only at what is new, and why.

A fit is good until it is ``identity.refit_days`` old, until declarations, settings or software
change, until much of the store is new, or until new pairs look unlike those it was fitted on. What
an incremental night does is told in ``arrivals`` and ``increment``; here it is only decided, and
written down for the steps that follow and for the nights to come.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import date

import duckdb

from cdp_pipeline import __version__
from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.standard.nicknames import name_roots
from cdp_pipeline.identity.standard.spelling import (
    building_sql,
    fold_sql,
    street_key_sql,
    street_words_sql,
)
from cdp_pipeline.project.linkage import LinkageSpec
from cdp_pipeline.project.loader import Project
from cdp_pipeline.storage.warehouse import base_columns, fetch_dicts, fetch_value, has_table

LARGEST_NEW_SHARE = 0.2
"""New or changed records, as a share of yesterday's, from which all pairs are compared again: the
frequencies of names and the shares of strangers are no longer those of the fit."""

NEEDED_TABLES = (
    "records",
    "hubs",
    "edges",
    "customer_map",
    "scored_pairs",
    "model_parameters",
    "model_frequencies",
    "model_fit",
)
"""What an incremental night takes from the version before."""

_IMMATERIAL = {"refit_days", "return_days", "id_secrets"}


@dataclass(frozen=True)
class Night:
    """How tonight's identities are made.

    Attributes:
        is_refit: Fit the model again and compare all pairs.
        reason: Why, for people.
        fitted_on: Business date of the fit that holds tonight.
        signature: Hash of what a fit depends on besides records.
    """

    is_refit: bool
    reason: str
    fitted_on: date
    signature: str = ""

    def refitted(self, reason: str, *, on: date) -> Night:
        """Return a night that fits again after all."""
        return replace(self, is_refit=True, reason=reason, fitted_on=on)

    @property
    def message(self) -> str:
        """One sentence for people."""
        if self.is_refit:
            return f"the model is fitted again: {self.reason}"
        return f"only what is new is compared: {self.reason}"


def plan_night(con: duckdb.DuckDBPyConnection, context: RunContext, project: Project) -> Night:
    """Return how tonight's identities are made, as far as that shows before the records do."""
    today = context.business_date
    night = Night(is_refit=True, reason="", fitted_on=today, signature=sign(context, project))
    lacking = _lacking(con, project)
    if lacking:
        return replace(night, reason=lacking)
    fit = fetch_dicts(con, "select fitted_on, signature from base.identity.model_fit")
    if not fit or not fetch_value(con, "select count(*) from base.identity.model_parameters"):
        return replace(night, reason="the version before has no model")
    fitted_on = fit[0]["fitted_on"]
    if fit[0]["signature"] != night.signature:
        return replace(night, reason="declarations, settings or software have changed")
    age = (today - fitted_on).days
    if age >= context.settings.identity.refit_days:
        return replace(night, reason=f"the last fit is {age} days old")
    return replace(
        night, is_refit=False, reason=f"the model of {fitted_on} holds", fitted_on=fitted_on
    )


def _lacking(con: duckdb.DuckDBPyConnection, project: Project) -> str:
    """Return what keeps tonight from building upon the version before; empty if nothing."""
    if not base_columns(con, "identity.records"):
        return "there is no version before"
    for name in NEEDED_TABLES:
        if base_columns(con, f"identity.{name}") != set(
            project.table(f"identity.{name}").header.columns
        ):
            return f"identity.{name} of the version before has another shape"
    return ""


def sign(context: RunContext, project: Project) -> str:
    """Return a hash of everything but records that a fit depends on."""
    settings = {
        name: value
        for name, value in context.settings.identity.model_dump(mode="json").items()
        if name not in _IMMATERIAL and not name.startswith("gate_")
    }
    macros = [path.read_text(encoding="utf-8") for path in project.macros]
    sources = {name: c.model_dump(mode="json") for name, c in sorted(project.sources.items())}
    linkage = project.linkage.model_dump(mode="json")
    material: list[object] = [__version__, duckdb.__version__, settings, macros, sources, linkage]
    material += _meanings(project.linkage)
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def _meanings(linkage: LinkageSpec) -> list[object]:
    """Return what the declared words mean: pairs weighed under another meaning are not kept."""
    levels = [
        asdict(level.agreement(spec.compares))
        for spec in linkage.comparisons.values()
        for level in (*spec.levels, *spec.silent_if, *spec.no_conflict_if)
    ]
    streets = (street_words_sql, street_key_sql, building_sql)
    spellings = [fold_sql("name"), *(spell("street") for spell in streets)]
    return [levels, name_roots(), spellings]


def keep_night(con: duckdb.DuckDBPyConnection, night: Night) -> None:
    """Write ``staging.identity_night`` for the steps that follow."""
    con.execute(
        "create or replace table staging.identity_night as "
        "select $1 as is_refit, $2 as reason, cast($3 as date) as fitted_on, $4 as signature",
        [night.is_refit, night.reason, night.fitted_on, night.signature],
    )


def read_night(con: duckdb.DuckDBPyConnection, *, today: date) -> Night:
    """Return what ``keep_night`` wrote; without it, everything is compared."""
    if not has_table(con, "identity_night", catalog="staging"):
        return Night(is_refit=True, reason="nothing was decided", fitted_on=today)
    return Night(**fetch_dicts(con, "from staging.identity_night")[0])
