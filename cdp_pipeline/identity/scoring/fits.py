"""What a fit leaves for the nights after it: frequencies, design, and what its pairs looked like.

With these, pairs of later nights are weighed exactly as the fit would have weighed them, and it
shows when the store has become another one. Fitting itself belongs in ``model``.
"""

from __future__ import annotations

import json
from dataclasses import replace

import duckdb

from cdp_pipeline.identity.scoring.design import Design
from cdp_pipeline.identity.standard.arrivals import USAGE_FIELDS
from cdp_pipeline.identity.standard.extras import held_columns, held_tags
from cdp_pipeline.identity.standard.night import Night
from cdp_pipeline.identity.standard.nodes import word_fields
from cdp_pipeline.storage.warehouse import (
    describe,
    fetch_dicts,
    fetch_value,
    has_base_table,
    has_table,
)

DRIFT_DISTANCE = 0.25
"""Total variation distance between the levels of new pairs and those of the fit, in any one
comparison, from which the model is fitted again. Random halves of a store differ by .01; a new
source without birth dates, or with other spelling, exceeds it."""

DRIFT_PAIRS = 1000
"""Fewer pairs tell nothing about drift."""

NO_EVIDENCE = {
    "record_id",
    "source",
    "record_key",
    "record_kind",
    "evidence_id",
    "is_comparable",
    "is_usable",
    "printed_given",
    "printed_family",
    "updated_at",
    "first_seen_on",
    "raw_hash",
    "evidence_head",
    "evidence_tail",
}
"""Columns of ``identity.records`` that say nothing about who somebody is."""

Mix = dict[str, dict[str, float]]

CARRIED = ("model_parameters", "model_frequencies", "model_fit")


def keep_fit(con: duckdb.DuckDBPyConnection, night: Night, design: Design, mix: Mix) -> None:
    """Write ``identity.model_fit`` and ``identity.model_frequencies`` after a fit.

    Args:
        con: Build connection in which ``nodes.build_nodes`` has counted words.
        night: The night of the fit.
        design: What was compared.
        mix: Share of each level among the compared pairs.
    """
    con.execute(
        "create or replace table identity.model_fit as select cast($1 as date) as fitted_on, "
        "$2 as reason, $3 as signature, "
        "(select count(*) from identity.records) as records, "
        "$4 as rules, $5 as evidence, $6 as levels",
        [
            night.fitted_on,
            night.reason,
            night.signature,
            json.dumps([rule.name for rule in design.rules]),
            json.dumps(held_evidence(con)),
            json.dumps(mix, sort_keys=True),
        ],
    )
    _keep_frequencies(con)


def _keep_frequencies(con: duckdb.DuckDBPyConnection) -> None:
    fields = word_fields(held_tags(con, "identity.records"))
    parts = [
        f"select '{field}' as field, word_hash as value_hash, max(seen) as seen "  # noqa: S608 - column names
        f"from identity_{field}_words group by word_hash"
        for field in fields
    ]
    if has_table(con, "identity_name_usage", catalog="staging"):
        parts += [
            f"select '{field}', hash(word), {column} from staging.identity_name_usage "  # noqa: S608 - column names
            f"where {column} > 0"
            for column, field in USAGE_FIELDS.items()
        ]
    elif has_base_table(con, "identity.model_frequencies"):  # names were not counted tonight
        usage = ", ".join(f"'{field}'" for field in USAGE_FIELDS.values())
        parts.append(
            "select field, value_hash, seen from base.identity.model_frequencies "  # noqa: S608 - constants
            f"where field in ({usage})"
        )
    parts += [
        f"select 'all of {field}', 0, sum(seen) from (select word_hash, max(seen) as seen "  # noqa: S608 - column names
        f"from identity_{field}_words group by word_hash)"
        for field in fields
    ]
    counted = " union all ".join(parts)
    con.execute(
        "create or replace table identity.model_frequencies as "  # noqa: S608 - own parts
        f"select field, cast(value_hash as ubigint) as value_hash, "
        f"cast(seen as bigint) as seen from ({counted}) "
        "order by field, value_hash"
    )


def carry_fit(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the fit of the version before into tonight's."""
    for name in CARRIED:
        con.execute(f"create or replace table identity.{name} as from base.identity.{name}")


def fitted_design(con: duckdb.DuckDBPyConnection, declared: Design) -> Design:
    """Return the part of the declared design that tonight's fit uses."""
    fitted = {
        row[0]
        for row in con.execute(
            "select distinct comparison from identity.model_parameters"
        ).fetchall()
    }
    rules = set(json.loads(fetch_value(con, "select rules from identity.model_fit") or "[]"))
    return replace(
        declared,
        comparisons=tuple(c for c in declared.comparisons if c.name in fitted),
        rules=tuple(rule for rule in declared.rules if rule.name in rules),
    )


def held_evidence(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the kinds of evidence of which any record of tonight has a value."""
    columns = [name for name in describe(con, "identity.records") if name not in NO_EVIDENCE]
    return held_columns(con, "identity.records", columns)


def new_evidence(con: duckdb.DuckDBPyConnection) -> str:
    """Return how tonight's kinds of evidence differ from those of the fit; empty if not at all."""
    fitted = set(json.loads(fetch_value(con, "select evidence from identity.model_fit") or "[]"))
    differing = sorted(fitted.symmetric_difference(held_evidence(con)))
    return f"records have other kinds of evidence: {', '.join(differing)}" if differing else ""


def find_drift(con: duckdb.DuckDBPyConnection, mix: Mix, *, pairs: int) -> str:
    """Return in what tonight's pairs are unlike those of the fit; empty if they are alike.

    Args:
        con: Build connection with ``identity.model_fit``.
        mix: Share of each level among tonight's new pairs.
        pairs: Number of these pairs.
    """
    if pairs < DRIFT_PAIRS:
        return ""
    fitted: Mix = json.loads(fetch_dicts(con, "select levels from identity.model_fit")[0]["levels"])
    for name, levels in fitted.items():
        distance = (
            sum(abs(share - mix[name].get(level, 0.0)) for level, share in levels.items()) / 2
        )
        if distance > DRIFT_DISTANCE:
            return (
                f"{name} agrees otherwise in new pairs than at the fit "
                f"(distance {distance:.2f}, above {DRIFT_DISTANCE})"
            )
    return ""
