"""How good found clusters are against a truth that people bring: ``cdp evaluate``.

All counts are exact integers; shares are taken at the end. Pairs are scored in ``evaluate``, the
truth is read in ``truth``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import EngineSettings
from cdp_pipeline.identity.measuring.evaluate import PairScore, score_pairs
from cdp_pipeline.identity.measuring.truth import read_clusters, read_truth
from cdp_pipeline.storage.tabular import Loaded, load_files
from cdp_pipeline.storage.warehouse import connect, fetch_dicts, fetch_value

SHOWN = 10
"""Errors of each kind that are worth a look."""

BINS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class Measure:
    """Precision, recall and F1 of one kind."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def as_dict(self) -> dict[str, float]:
        """Return plain data."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class Grade:
    """All figures about one set of clusters.

    Attributes:
        counts: Records, persons, entities, mixed entities, split persons, exact entities, and
            records that only one side knows.
        pairwise: Pairs of records that are, or should be, in one entity.
        b_cubed: Mean over records of the share of right companions.
        exact: Entities that hold all records of one person and no others.
        calibration: Bins of edge probability with the share of right edges; empty without edges.
        false_merges: Entities of several persons, those with the most wrong pairs first.
        splits: Persons in several entities, those with the most missed pairs first.
    """

    counts: dict[str, int]
    pairwise: Measure
    b_cubed: Measure
    exact: Measure
    calibration: tuple[dict[str, Any], ...]
    false_merges: tuple[dict[str, Any], ...]
    splits: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "counts": self.counts,
            "pairwise": self.pairwise.as_dict(),
            "b_cubed": self.b_cubed.as_dict(),
            "exact_clusters": self.exact.as_dict(),
            "calibration": list(self.calibration),
            "false_merges": list(self.false_merges),
            "split_persons": list(self.splits),
        }


def grade_files(
    clusters: Path,
    truth: Path,
    *,
    edges: Path | None = None,
    person: str | None = None,
    id_column: str | None = None,
) -> Grade:
    """Hold clusters against a truth.

    Args:
        clusters: What ``cdp link`` wrote: source, record_id, entity_id.
        truth: Records with a person, or pairs of records.
        edges: What ``cdp link --edges`` wrote, for calibration.
        person: Column of the truth that names the person; default: recognised.
        id_column: Column of the truth that names the record; default: recognised.

    Raises:
        ContractError: A file cannot be read.
        ConfigError: The columns do not tell what is what; names what was found.
    """
    con = connect(EngineSettings())
    try:
        found = load_files(con, [clusters, truth, *([edges] if edges else [])])
        read_clusters(con, found[0])
        shown = read_truth(con, found[0], found[1], person=person, id_column=id_column)
        return _grade(con, found[2] if edges else None, shown)
    finally:
        con.close()


_JOINED = """
create or replace temp table joined as
select
    f.source, f.record_id, f.entity_id as customer_id, t.person_id, s.shown
from found as f
inner join truth as t
    on t.record_id = f.record_id and (t.source is null or t.source = f.source)
left join truth_shown as s on s.row_no = t.row_no
"""

_CELLS = """
create or replace temp table cells as
select
    customer_id, person_id, n,
    sum(n) over (partition by customer_id) as in_entity,
    sum(n) over (partition by person_id) as of_person
from (select customer_id, person_id, count(*) as n from joined group by customer_id, person_id)
"""


def _grade(con: duckdb.DuckDBPyConnection, edges: Loaded | None, shown: list[str]) -> Grade:
    con.execute(_JOINED)
    con.execute(_CELLS)
    pairs = score_pairs(con, "true")
    if not pairs.records:
        raise ConfigError(
            "the truth knows none of the clusters' records",
            where="cdp evaluate",
            hint="Do the ids look alike? Name the column with --id.",
        )
    return Grade(
        counts=_counts(con, pairs),
        pairwise=Measure(pairs.precision, pairs.recall),
        b_cubed=_b_cubed(con, pairs.records),
        exact=_exact(con, pairs),
        calibration=_calibration(con, edges) if edges else (),
        false_merges=_examples(con, "customer_id", "person_id", shown),
        splits=_examples(con, "person_id", "customer_id", shown),
    )


def _counts(con: duckdb.DuckDBPyConnection, pairs: PairScore) -> dict[str, int]:
    row = fetch_dicts(
        con,
        """
        select
            (select count(*) from (select person_id from cells group by 1 having count(*) > 1))
                as split_persons,
            (select count(*) from cells where n = in_entity and n = of_person) as exact_entities,
            (select count(*) from found) - (select count(*) from joined)
                as records_without_truth,
            (select count(*) from truth) - (select count(*) from joined)
                as truth_without_record
        """,
    )[0]
    return {
        "records": pairs.records,
        "persons": pairs.people,
        "entities": pairs.customers,
        "mixed_entities": pairs.mixed_customers,
        **{name: int(value) for name, value in row.items()},
    }


def _b_cubed(con: duckdb.DuckDBPyConnection, records: int) -> Measure:
    rows = con.execute(
        "select n, in_entity, of_person, count(*) from cells group by all order by all"
    ).fetchall()
    precision = sum((Fraction(int(n) ** 2, int(e)) * int(k) for n, e, _, k in rows), Fraction(0))
    recall = sum((Fraction(int(n) ** 2, int(p)) * int(k) for n, _, p, k in rows), Fraction(0))
    return Measure(float(precision / records), float(recall / records))


def _exact(con: duckdb.DuckDBPyConnection, pairs: PairScore) -> Measure:
    exact = int(
        fetch_value(con, "select count(*) from cells where n = in_entity and n = of_person")
    )
    return Measure(exact / pairs.customers, exact / pairs.people)


def _calibration(con: duckdb.DuckDBPyConnection, edges: Loaded) -> tuple[dict[str, Any], ...]:
    sources = {"source_a", "source_b"} <= set(edges.columns)
    match = "and {0}.source = e.source_{0}" if sources else "and true"
    bins = " ".join(f"when p < {bound} then {number}" for number, bound in enumerate(BINS))
    rows = fetch_dicts(
        con,
        f"""
        with judged as (
            select cast(e.probability as double) as p, a.person_id = b.person_id as is_right
            from {edges.table} as e
            inner join joined as a on a.record_id = e.record_id_a {match.format("a")}
            inner join joined as b on b.record_id = e.record_id_b {match.format("b")}
        )
        select
            case {bins} else {len(BINS)} end as bin,
            count(*) as edges,
            round(avg(cast(p as decimal(18, 9))), 4) as mean_probability,
            count(*) filter (is_right) as right_edges
        from judged group by bin order by bin
        """,  # noqa: S608 - own names
    )
    bounds = (0.0, *BINS, 1.0)
    return tuple(
        {
            "from": bounds[row["bin"]],
            "to": bounds[row["bin"] + 1],
            "edges": row["edges"],
            "mean_probability": float(row["mean_probability"]),
            "right_share": round(row["right_edges"] / row["edges"], 4),
        }
        for row in rows
    )


def _examples(
    con: duckdb.DuckDBPyConnection, whole: str, part: str, shown: list[str]
) -> tuple[dict[str, Any], ...]:
    """Return the groups of one side that hold most wrongly paired records of the other."""
    groups = fetch_dicts(
        con,
        f"""
        select {whole} as id, sum(n) as records, count(*) as parts,
            (sum(n) * sum(n) - sum(n * n)) // 2 as pairs
        from cells group by {whole} having count(*) > 1
        order by pairs desc, id limit {SHOWN}
        """,  # noqa: S608 - own names
    )
    return tuple(
        {
            "id": group["id"],
            "records": int(group["records"]),
            "parts": int(group["parts"]),
            "wrong_pairs": int(group["pairs"]),
            "columns": shown,
            "members": [
                {"source": s, "record_id": r, part: p, "shown": text}
                for s, r, p, text in con.execute(
                    f"select source, record_id, {part}, shown from joined where {whole} = ? "  # noqa: S608 - own names
                    f"order by {part}, source, record_id limit 12",
                    [group["id"]],
                ).fetchall()
            ],
        }
        for group in groups
    )
