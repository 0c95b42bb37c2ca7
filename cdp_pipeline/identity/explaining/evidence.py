"""The evidence of a pair: finding two records in a published version and weighing them again.

What the evidence means, and what decided, belongs in ``explain`` and ``reasons``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.scoring.compare import Comparison, frequency_columns, pattern_sql, unpack
from cdp_pipeline.identity.scoring.learning import load_correction
from cdp_pipeline.identity.scoring.supervised import Correction, Pairs
from cdp_pipeline.identity.scoring.weights import (
    Parameters,
    frequency_select,
    load_parameters,
    match_probability,
)
from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.storage.warehouse import fetch_dicts

CUSTOMER_ID = re.compile(r"C[0-9A-F]{16}")

COMPARED_RECORDS = 40
"""Records of each customer that are tried when two customers are compared."""

Record = dict[str, Any]

RECORDS = """
select r.*, m.customer_id, m.match_prob, r.source || ':' || r.record_key as name
from identity.records as r
left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
"""


@dataclass(frozen=True)
class Model:
    """The stored model with what judgements have taught it.

    Attributes:
        parameters: Weights of all levels.
        correction: Learned from judgements; None if there is none in use.
    """

    parameters: Parameters
    correction: Correction | None = None

    def posterior(
        self, outcomes: Sequence[int], match_weight: float, household_weight: float
    ) -> tuple[float, float]:
        """Return what the correction adds to the log odds of a pair, and its probability."""
        if self.correction is None:
            return 0.0, match_probability(match_weight, household_weight)
        log_odds = match_weight - math.log2(1 + 2 ** min(household_weight, 200))
        pair = Pairs(
            np.array([outcomes], dtype=np.int64),
            *(np.array([bits]) for bits in (match_weight, household_weight, log_odds)),
        )
        corrected = float(self.correction.apply(pair)[0])
        return corrected - log_odds, 1 / (1 + 2 ** min(-corrected, 200))


def load_model(con: duckdb.DuckDBPyConnection, comparisons: Sequence[Comparison]) -> Model | None:
    """Return the model of a version; None if there was nothing to fit."""
    parameters = load_parameters(con, comparisons)
    if parameters is None:
        return None
    return Model(parameters, load_correction(con, parameters.comparisons))


@dataclass(frozen=True)
class Weighed:
    """Two records with what each field says about them.

    Attributes:
        left: One record.
        right: The other.
        outcomes: Level of each comparison; -1 is missing.
        frequencies: log2 frequency of the first record's value, by place of the comparison.
        bits: Match and household bits of each comparison.
        match_weight: Prior and fields: one person against strangers.
        household_weight: The same for one household.
        learned_bits: What judgements have taught the model to add to the log odds.
        match_prob: Probability that both are one person.
    """

    left: Record
    right: Record
    outcomes: tuple[int, ...]
    frequencies: dict[int, float | None]
    bits: tuple[tuple[float, float], ...]
    match_weight: float
    household_weight: float
    learned_bits: float
    match_prob: float

    @property
    def household_prob(self) -> float:
        """Probability that they are two people of one household."""
        return match_probability(self.household_weight, self.match_weight)

    @property
    def kin_bits(self) -> float:
        """log2 odds of one person or one household rather than strangers."""
        weights = self.match_weight, self.household_weight
        return math.log2(sum(2 ** min(weight, 200) for weight in weights))


def find_records(con: duckdb.DuckDBPyConnection, asked: str) -> list[Record]:
    """Return a record, or a customer's records: comparable ones first.

    Raises:
        ConfigError: Neither exists.
    """
    if CUSTOMER_ID.fullmatch(asked):
        found = fetch_dicts(
            con,
            RECORDS + " where m.customer_id = ? order by r.is_comparable desc, r.record_id limit ?",
            [living(con, asked), COMPARED_RECORDS],
        )
    else:
        source, _, record_key = asked.partition(":")
        found = fetch_dicts(
            con, RECORDS + " where r.source = ? and r.record_key = ?", [source, record_key]
        )
    if not found:
        raise ConfigError(
            f"no person record or customer {asked!r}",
            where="cdp explain",
            hint="Give a customer id (C and 16 hex digits) or source:record_key.",
        )
    return found


def living(con: duckdb.DuckDBPyConnection, customer_id: str) -> str:
    """Return the id that a customer has today."""
    found = con.execute(
        "select customer_id from identity.redirects where old_customer_id = ?", [customer_id]
    ).fetchall()
    return str(found[0][0]) if found else customer_id


def weigh(con: duckdb.DuckDBPyConnection, model: Model, sides: Sequence[list[Record]]) -> Weighed:
    """Weigh every record of one side with every one of the other; return the likeliest pair.

    Args:
        con: Connection; temporary tables are made.
        model: The stored model.
        sides: Records of both sides; at least one of each is comparable.

    Raises:
        ConfigError: Both sides are one and the same record.
    """
    pairs = weigh_all(con, model, sides)
    if not pairs:
        raise ConfigError(
            "there are no two different records to compare",
            where="cdp explain",
            hint="Name two records, or two customers.",
        )
    return max(pairs, key=lambda pair: pair.match_prob)


def weigh_all(
    con: duckdb.DuckDBPyConnection, model: Model, sides: Sequence[list[Record]]
) -> list[Weighed]:
    """Return every pair of comparable records of both sides, weighed, in the order of records."""
    comparisons = model.parameters.comparisons
    found = [{row["evidence_id"]: row for row in side if row["is_comparable"]} for side in sides]
    build_nodes(con, only=sorted({*found[0], *found[1]}))
    ids: dict[str, object] = {"left": list(found[0]), "right": list(found[1])}
    pairs = fetch_dicts(con, _pairs_sql(comparisons), ids)
    codes = np.array([pair["pattern"] for pair in pairs], dtype=np.int64)
    weighted = frequency_columns(comparisons)
    return [
        weigh_outcomes(
            model,
            found[0][pair["left_id"]],
            found[1][pair["right_id"]],
            [int(outcome) for outcome in row],
            {place: pair[f"f{place}"] for place in weighted},
        )
        for pair, row in zip(pairs, unpack(codes, comparisons), strict=True)
    ]


def weigh_outcomes(
    model: Model,
    left: Record,
    right: Record,
    outcomes: Sequence[int],
    frequencies: dict[int, float | None],
) -> Weighed:
    """Return the weights that given outcomes have."""
    parameters = model.parameters
    bits = parameters.pair_bits(outcomes, frequencies)
    match_weight = parameters.match_bits + sum(match for match, _ in bits)
    household_weight = parameters.household_bits + sum(household for _, household in bits)
    learned_bits, match_prob = model.posterior(outcomes, match_weight, household_weight)
    return Weighed(
        left=left,
        right=right,
        outcomes=tuple(outcomes),
        frequencies=frequencies,
        bits=tuple(bits),
        match_weight=match_weight,
        household_weight=household_weight,
        learned_bits=learned_bits,
        match_prob=match_prob,
    )


def _pairs_sql(comparisons: Sequence[Comparison]) -> str:
    # The lower record is always l: some levels take the frequency of the left value.
    return f"""
        select
            x.record_id as left_id, y.record_id as right_id,
            {pattern_sql(comparisons)} as pattern
            {frequency_select(comparisons)}
        from identity_nodes as x
        inner join identity_nodes as y on x.record_id <> y.record_id
        inner join identity_nodes as l on l.record_id = least(x.record_id, y.record_id)
        inner join identity_nodes as r on r.record_id = greatest(x.record_id, y.record_id)
        where x.record_id in (select unnest($left)) and y.record_id in (select unnest($right))
        order by left_id, right_id
        """  # noqa: S608 - declared comparisons


def shown(record: Record, comparison: Comparison) -> str:
    """Return a record's values of a compared field, for people."""
    values = [str(record[field]) for field in comparison.fields if record[field] is not None]
    return ", ".join(values) or "-"
