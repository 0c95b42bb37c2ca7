"""Precision and recall of the customers from judged pairs, or from the model's own opinion.

Reads the clerical sample and its judgements, writes estimates with intervals into
``identity.clerical_strata`` and returns them as figures. Which pairs are judged is decided in
``sampling``; the truth of generated stores is read in ``evaluate`` only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from cdp_pipeline.identity.measuring.estimates import (
    NOTHING,
    Estimate,
    Z,
    part_of_whole,
    share,
    total,
)
from cdp_pipeline.storage.warehouse import fetch_dicts

JUDGED_AT_LEAST = 10
"""Judged pairs that every stratum needs (or all of a smaller one) before estimates rest on them."""


@dataclass(frozen=True)
class Figure:
    """One figure of a night.

    Attributes:
        name: What it is.
        estimate: Value and 95 % limits; a count that is known has equal limits.
        basis: ``counted``, ``judged`` (by people) or ``model`` (its own opinion).
        count: What the share is of, or pairs that were judged.
    """

    name: str
    estimate: Estimate
    basis: str
    count: int


@dataclass(frozen=True)
class JudgedStratum:
    """One stratum of the clerical sample with what people found in it.

    Attributes:
        frame: ``joined`` or ``apart``.
        pairs: Pairs there are.
        expected_share: Share that is one person in the model's opinion.
        sampled: Pairs drawn.
        judged: Pairs judged; those found unsure do not count.
        same: Pairs judged to be one person.
    """

    frame: str
    pairs: int
    expected_share: float
    sampled: int
    judged: int
    same: int

    @property
    def is_judged(self) -> bool:
        """Whether enough was judged to rely on."""
        return self.judged >= min(JUDGED_AT_LEAST, self.sampled)

    @property
    def same_share(self) -> Estimate:
        """Share that is one person, by judgement."""
        return share(self.same, self.judged, population=self.pairs)

    @property
    def modelled(self) -> Estimate:
        """Share that is one person, in the model's opinion."""
        spread = self.expected_share * (1 - self.expected_share) / max(self.pairs, 1)
        half = Z * math.sqrt(spread)
        low, high = max(0.0, self.expected_share - half), min(1.0, self.expected_share + half)
        return Estimate(self.expected_share, low, high)


def estimate_accuracy(strata: Sequence[JudgedStratum]) -> list[Figure]:
    """Return precision and recall among compared pairs, on judgements where they suffice.

    Args:
        strata: All strata of a sample.

    Precision is the share of joined pairs that are one person: a weighted mean of the joined
    strata. Recall is the share of one person's pairs that were joined, among all pairs that were
    compared; pairs that share no blocking key are outside. How many these are cannot be told from
    how the rules overlap: held against known truth, capture-recapture of two lists of rules said
    too much and Chao's lower bound too little, as rules that ask for the same field are not
    independent.

    Source: W. G. Cochran, Sampling Techniques (1977), chapter 5; for linkage N. G. Marchant and
    B. I. P. Rubinstein, In search of an entity resolution OASIS, PVLDB 10 (2017).
    """
    joined = [stratum for stratum in strata if stratum.frame == "joined"]
    apart = [stratum for stratum in strata if stratum.frame == "apart"]
    pairs = sum(stratum.pairs for stratum in joined)
    if not pairs:
        return []
    is_judged = all(stratum.is_judged for stratum in joined)
    found = _same_pairs(joined, is_judged=is_judged)
    figures = [
        Figure(
            "precision",
            _bounded(found.scaled(1 / pairs)),
            "judged" if is_judged else "model",
            sum(stratum.judged for stratum in joined),
        )
    ]
    is_judged = is_judged and all(stratum.is_judged for stratum in apart)
    found = _same_pairs(joined, is_judged=is_judged)
    missed = _same_pairs(apart, is_judged=is_judged) if apart else NOTHING
    figures.append(
        Figure(
            "recall_among_compared",
            _bounded(part_of_whole(found, missed)),
            "judged" if is_judged else "model",
            sum(stratum.judged for stratum in strata),
        )
    )
    return figures


def _same_pairs(strata: Sequence[JudgedStratum], *, is_judged: bool) -> Estimate:
    """Return how many pairs of some strata are one person."""
    return total(
        [
            (stratum.same_share if is_judged else stratum.modelled).scaled(stratum.pairs)
            for stratum in strata
        ]
    )


def _bounded(estimate: Estimate) -> Estimate:
    return Estimate(
        min(1.0, max(0.0, estimate.value)), max(0.0, estimate.low), min(1.0, estimate.high)
    )


_COUNTED = """
with named as (
    select s.stratum, a.evidence_id as evidence_a, b.evidence_id as evidence_b
    from identity.clerical_sample as s
    inner join identity.records as a on a.source = s.source_a and a.record_key = s.record_key_a
    inner join identity.records as b on b.source = s.source_b and b.record_key = s.record_key_b
),
judged as (
    select
        n.stratum,
        n.evidence_a,
        n.evidence_b,
        -- records that say the same are one: two judgements that contradict each other are none
        max(case j.verdict when 'same' then 1 when 'different' then 0 end) as highest,
        min(case j.verdict when 'same' then 1 when 'different' then 0 end) as lowest
    from named as n
    inner join identity_judged_pairs as j
        on j.evidence_a = least(n.evidence_a, n.evidence_b)
        and j.evidence_b = greatest(n.evidence_a, n.evidence_b)
    group by n.stratum, n.evidence_a, n.evidence_b
),
counted as (
    select
        stratum,
        count(*) as looked_at,
        count(*) filter (highest = lowest) as judged,
        count(*) filter (highest = 1 and lowest = 1) as same
    from judged
    group by stratum
)
select
    s.*,
    coalesce(c.judged, 0) as judged,
    coalesce(c.same, 0) as same,
    coalesce(c.looked_at, 0) - coalesce(c.judged, 0) as unsure
from identity.clerical_strata as s
left join counted as c on c.stratum = s.stratum
order by s.frame desc, s.expected_share desc
"""


def measure_accuracy(con: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Complete ``identity.clerical_strata`` by what was judged and return the figures.

    Args:
        con: Build connection with the tables of ``sampling.draw_sample`` and
            ``members.collect_members``.
    """
    rows = fetch_dicts(con, _COUNTED)
    strata = [_stratum(row) for row in rows]
    _write_strata(con, rows, strata)
    return estimate_accuracy(strata)


def _stratum(row: dict[str, Any]) -> JudgedStratum:
    return JudgedStratum(
        frame=row["frame"],
        pairs=row["pair_count"],
        expected_share=row["expected_share"],
        sampled=row["sampled_count"],
        judged=row["judged"],
        same=row["same"],
    )


def _write_strata(
    con: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], strata: list[JudgedStratum]
) -> None:
    estimates = [s.same_share if s.judged else None for s in strata]
    columns = {
        "stratum": pa.array([row["stratum"] for row in rows], pa.string()),
        "judged_count": pa.array([s.judged for s in strata], pa.int64()),
        "same_count": pa.array([s.same for s in strata], pa.int64()),
        "unsure_count": pa.array([row["unsure"] for row in rows], pa.int64()),
    }
    for name, limit in (("same_share", "value"), ("low_share", "low"), ("high_share", "high")):
        values = [None if e is None else getattr(e, limit) for e in estimates]
        columns[name] = pa.array(values, pa.float64())
    con.register("identity_strata_rows", pa.table(columns))
    con.execute(
        """
        create or replace table identity.clerical_strata as
        select s.*, r.* exclude (stratum)
        from identity.clerical_strata as s
        inner join identity_strata_rows as r on r.stratum = s.stratum
        order by s.frame desc, s.expected_share desc
        """
    )
    con.unregister("identity_strata_rows")
