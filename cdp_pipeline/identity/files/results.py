"""What linking found, as Arrow tables: entities, weighed pairs and pairs for review.

The database works on numbers of records; their sources and keys are put in last, in Arrow, as
sorting and joining texts would cost more than finding the pairs. How records are linked belongs in
``resolving``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_pipeline.identity.grouping.attach import KEYS
from cdp_pipeline.project.linkage import LinkConfig

Integers = npt.NDArray[np.int64]

_LARGEST_EXPANSION = 400
"""Pairs of copies that one edge may stand for; beyond, its two first records do."""

_DIGITS = 8
"""Digits of an entity's number."""


@dataclass(frozen=True)
class Names:
    """What the files call their records.

    Attributes:
        rows: Columns source and record_key, in the order of the files.
        places: Row of each record, by its number.
    """

    rows: pa.Table
    places: Integers

    def columns(self, record_ids: Integers, *, side: str, key: str) -> dict[str, pa.ChunkedArray]:
        """Return source and key of records as columns, such as ``source_a`` and ``record_id_a``."""
        rows = self.rows.take(pa.array(self.places[record_ids]))
        return {f"source_{side}": rows["source"], f"{key}_{side}": rows["record_key"]}


def read_names(con: duckdb.DuckDBPyConnection) -> Names:
    """Return the names of the records in ``link_rows``."""
    found = con.execute("select place, record_id from identity_numbered").fetchnumpy()
    places = np.empty(len(found["place"]), dtype=np.int64)
    places[found["record_id"]] = found["place"]
    return Names(con.sql("select source, record_key from link_rows").to_arrow_table(), places)


def read_clusters(con: duckdb.DuckDBPyConnection, names: Names) -> pa.Table:
    """Return the entity of each record, in the order of the files.

    Entities are numbered in the order in which the files first name them.
    """
    found = con.execute(
        "select record_id, group_id, round(match_prob, 6) as probability from link_members"
    ).fetchnumpy()
    places = names.places[found["record_id"]]
    size = len(places)
    groups = np.empty(size, dtype=np.int64)
    groups[places] = found["group_id"]
    probability = np.empty(size)
    probability[places] = found["probability"]
    first = np.empty(size, dtype=np.int64)
    first[groups[::-1]] = np.arange(size)[::-1]  # of several rows the first is written last
    opens = np.zeros(size, dtype=np.int64)
    opens[first[groups]] = 1
    number = pc.cast(pa.array(np.cumsum(opens)[first[groups]]), pa.string())
    entity = pc.binary_join_element_wise("E", pc.utf8_lpad(number, _DIGITS, "0"), "")
    return pa.table(
        {
            "source": names.rows["source"],
            "record_id": names.rows["record_key"],
            "entity_id": entity,
            "probability": probability,
        }
    )


def read_edges(con: duckdb.DuckDBPyConnection, names: Names, rules: Sequence[str]) -> pa.Table:
    """Return the weighed pairs of records, ordered by source and key of both.

    Args:
        con: Connection after ``resolving.resolve``.
        names: What the files call their records.
        rules: Names of the blocking rules by number.
    """
    # Records are numbered by source and key, so their numbers order pairs as their names would.
    reasons = [*rules, "says the same", *(f"attached by {key}" for key in KEYS)]
    found = con.sql(
        _EDGES, params={"most": _LARGEST_EXPANSION, "keys": list(KEYS), "rules": len(rules)}
    ).to_arrow_table()
    left, right = (found[side].to_numpy() for side in ("a", "b"))
    return pa.table(
        {
            **names.columns(left, side="a", key="record_id"),
            **names.columns(right, side="b", key="record_id"),
            "probability": found["probability"],
            "match_weight": found["match_weight"],
            "household_weight": found["household_weight"],
            "rule": pa.array(reasons, pa.string()).take(found["reason"]),
        }
    )


def read_review(
    con: duckdb.DuckDBPyConnection, names: Names, rules: Sequence[str], config: LinkConfig
) -> pa.Table:
    """Return the pairs that are neither accepted nor dismissed, the likeliest first."""
    found = con.sql(_REVIEW, params={"accept": config.accept}).to_arrow_table()
    left, right = (found[side].to_numpy() for side in ("evidence_a", "evidence_b"))
    return pa.table(
        {
            **names.columns(left, side="a", key="record_key"),
            **names.columns(right, side="b", key="record_key"),
            "match_prob": found["match_prob"],
            "rule": pa.array(rules, pa.string()).take(found["rule"]),
        }
    )


_EDGES = """
with copies as (
    select evidence_id, 1 + count(*) as n
    from link_members
    where record_id <> evidence_id
    group by evidence_id
),
copied as (
    select m.evidence_id, m.record_id, c.n
    from link_members as m
    inner join copies as c on c.evidence_id = m.evidence_id
),
expanded as (
    select
        coalesce(a.record_id, s.evidence_a) as a, coalesce(b.record_id, s.evidence_b) as b,
        s.match_prob as probability, s.match_weight, s.household_weight, s.rule as reason
    from link_scored as s
    left join copied as a on a.evidence_id = s.evidence_a
    left join copied as b on b.evidence_id = s.evidence_b
    where coalesce(a.n, 1) * coalesce(b.n, 1) <= $most
        or (
            coalesce(a.record_id, s.evidence_a) = s.evidence_a
            and coalesce(b.record_id, s.evidence_b) = s.evidence_b
        )
    union all
    select a.record_id, b.record_id, 1.0, null, null, $rules
    from copied as a
    inner join copied as b on b.evidence_id = a.evidence_id and a.record_id < b.record_id
    where a.n * a.n <= $most or a.record_id = a.evidence_id
    union all
    select
        a.record_id, b.record_id, t.match_prob, null, null,
        $rules + list_position($keys, t.field)
    from identity_attached as t
    inner join link_members as a on a.record_id = t.evidence_id
    inner join link_members as b on b.record_id = t.holder_id
)
select * replace (round(probability, 6) as probability, cast(reason as integer) as reason)
from expanded
order by a, b
"""

# Few records say the same as another: only those are looked up.

_REVIEW = """
select evidence_a, evidence_b, match_prob, rule
from link_scored
where match_prob < $accept
order by match_prob desc, evidence_a, evidence_b
"""
