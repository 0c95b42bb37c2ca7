"""One evaluator for all systems: groupings and scored pairs against the truth.

Pairwise and B-cubed precision and recall, clusters that mix people or households, false merges
inside households, and calibration. Systems do not see the truth; this module sees nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.linkage.wordlists import Integers


@dataclass(frozen=True)
class Truth:
    """Who each record is, in the order of ``truth.parquet`` (source, record key)."""

    person: Integers
    household: Integers
    is_profile: np.ndarray


def read_truth(folder: Path) -> Truth:
    """Return the truth of a data set as dense numbers."""
    with duckdb.connect() as con:
        found = con.execute(
            """
            select
                dense_rank() over (order by person_id) - 1 as person,
                dense_rank() over (order by household_id) - 1 as household,
                record_kind in ('loyalty', 'account') as is_profile,
            from read_parquet(?)
            order by source, record_key
            """,
            [str(folder / "truth.parquet")],
        ).fetchnumpy()
    return Truth(
        person=np.asarray(found["person"], np.int64),
        household=np.asarray(found["household"], np.int64),
        is_profile=np.asarray(found["is_profile"], bool),
    )


def score_groups(
    groups: Integers, truth: Truth, chosen: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the figures of one grouping.

    Args:
        groups: Cluster of each record, in the order of the truth.
        truth: The truth.
        chosen: Records that count; default all.

    Returns:
        Pairwise ``precision``, ``recall``, ``f1``; ``b3``; ``clusters``, and how many mix people
        (``mixed_people``) or households; ``family_share``: joined pairs that are two members of
        one household, as a share of joined pairs.
    """
    keep = np.ones(len(groups), bool) if chosen is None else chosen
    cluster = np.unique(groups[keep], return_inverse=True)[1]
    person, household = truth.person[keep], truth.household[keep]
    cells, in_cell = _count_cells(cluster, person)
    of_cluster, of_person = np.bincount(cluster), np.bincount(person)
    joined, true, right = _pairs(of_cluster), _pairs(of_person), _pairs(in_cell)
    homes, in_home = _count_cells(cluster, household)
    records = len(cluster)
    b3_precision = float((in_cell**2 / of_cluster[cells[0]]).sum() / records)
    b3_recall = float((in_cell**2 / of_person[cells[1]]).sum() / records)
    exact = (in_cell == of_cluster[cells[0]]) & (in_cell == of_person[cells[1]])
    precision, recall = right / joined if joined else 1.0, right / true if true else 1.0
    return {
        "records": records,
        "precision": precision,
        "recall": recall,
        "f1": _harmonic(precision, recall),
        "b3": _harmonic(b3_precision, b3_recall),
        "clusters": len(of_cluster),
        "exact": float(exact.sum() / (of_person > 0).sum()),
        "mixed_people": int((np.bincount(cells[0]) > 1).sum()),
        "mixed_households": int((np.bincount(homes[0]) > 1).sum()),
        "family_share": (_pairs(in_home) - right) / joined if joined else 0.0,
        "largest": int(of_cluster.max()),
    }


def score_edges(
    left: Integers, right: Integers, probability: np.ndarray, truth: Truth, *, accept: float
) -> dict[str, float]:
    """Return precision, recall and calibration of the scored pairs accepted one by one."""
    kept = probability >= accept
    same = truth.person[left[kept]] == truth.person[right[kept]]
    true = _pairs(np.bincount(truth.person))
    precision = float(same.mean()) if len(same) else 1.0
    recall = float(same.sum() / true)
    stated = float(probability[kept].mean()) if len(same) else 1.0
    return {
        "precision": precision,
        "recall": recall,
        "f1": _harmonic(precision, recall),
        "stated": stated,
        "calibration": stated - precision,
    }


def _count_cells(left: Integers, right: Integers) -> tuple[tuple[Integers, Integers], Integers]:
    width = int(right.max()) + 1
    codes, counts = np.unique(left * width + right, return_counts=True)
    return (codes // width, codes % width), counts.astype(np.int64)


def _pairs(sizes: Integers) -> int:
    sizes = sizes.astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
