"""Groups of nodes as a table: who is in them, and how surely.

Who belongs together is decided in ``cluster``.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


def write_groups(
    con: duckdb.DuckDBPyConnection,
    labels: Integers,
    *,
    accept: float,
    touched: Marks | None = None,
) -> None:
    """Create ``identity_groups`` (evidence_id, group_id, match_prob) from node labels.

    A group's id is its smallest record. A record's probability is that of the best accepted edge
    to another record of its group; one held by the group as a whole has the threshold itself.
    Nodes that were not grouped (``touched``) are left out.
    """
    found = con.execute("select node_id, record_id from identity_node_ids").fetchnumpy()
    nodes, records = (np.asarray(found[name], np.int64) for name in ("node_id", "record_id"))
    if touched is not None:
        nodes, records = nodes[touched[nodes]], records[touched[nodes]]
    links = con.execute("select node_a, node_b, log_odds from staging.identity_links").fetchnumpy()
    best = _best_links(
        labels,
        np.asarray(links["node_a"], np.int64),
        np.asarray(links["node_b"], np.int64),
        np.asarray(links["log_odds"]),
    )
    rows = pa.table(
        {
            "evidence_id": pa.array(records, pa.int32()),
            "group_id": pa.array(_smallest(records, labels[nodes]), pa.int32()),
            "best": best[nodes],
            "is_alone": np.bincount(labels)[labels[nodes]] == 1,
        }
    )
    con.register("identity_group_rows", rows)
    con.execute(_GROUPS, {"accept": accept})
    con.unregister("identity_group_rows")


def _smallest(values: Integers, labels: Integers) -> Integers:
    """Return the smallest value of each row's group."""
    order = np.argsort(-values, kind="stable")
    smallest = np.empty(int(labels.max(initial=-1)) + 1, dtype=np.int64)
    smallest[labels[order]] = values[order]  # of several the last, the smallest, stays
    return smallest[labels]


def _best_links(labels: Integers, left: Integers, right: Integers, odds: Floats) -> Floats:
    """Return the log odds of each node's best link to another node of its group."""
    inside = labels[left] == labels[right]
    best = np.full(len(labels), -np.inf)
    for ends in (left[inside], right[inside]):
        np.maximum.at(best, ends, odds[inside])
    return best


_GROUPS = """
create or replace temp table identity_groups as
select
    evidence_id,
    group_id,
    case
        when is_alone then 1.0
        else greatest($accept, 1 / (1 + pow(2, least(-greatest(best, -200), 200))))
    end as match_prob
from identity_group_rows
order by evidence_id
"""
