"""Which customers live together: one catalogue a household.

Pairs of ``household_evidence`` are joined by average linkage, so that neighbours, flat-mates and
relatives who have moved out do not chain families together. Ids and history are in
``household_history``.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_pipeline.identity.golden.household_evidence import (
    ACCEPT_BITS,
    collect_evidence,
    score_homes,
)
from cdp_pipeline.identity.golden.household_history import name_households
from cdp_pipeline.identity.grouping.ids import DEFAULT_MEMORY
from cdp_pipeline.identity.grouping.linkage import average_linkage, components, cut_large
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.storage.warehouse import fetch_value

LARGEST_HOUSEHOLD = 8
"""A household of more customers is cut where its evidence is weakest."""

COMPARED_TOGETHER = 60
"""Larger components are cut before all their pairs are compared."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def assign_households(
    con: duckdb.DuckDBPyConnection,
    *,
    business_date: str,
    memory: Memory = DEFAULT_MEMORY,
    is_carried: bool = False,
) -> None:
    """Write ``identity.households`` and its history.

    The temporary table ``identity_households`` (customer_id, household_id) has every customer; a
    household keeps the id that most of its customers had last night.

    Args:
        con: Build connection with ``identity_golden`` and ``identity_customer_records``.
        business_date: The night, as YYYY-MM-DD.
        memory: How ids that nobody has are remembered.
        is_carried: Golden records of last night stand but for those of ``identity_replaced`` and
            ``identity_anew``, and with them the households of nobody else.
    """
    collect_evidence(con)
    groups = _group_customers(con)
    con.register("identity_group_rows", pa.table({"place": np.arange(len(groups)), "g": groups}))
    con.execute(
        "create or replace temp table identity_household_groups as "
        "select h.customer_id, r.g as group_id "
        "from identity_group_rows as r inner join identity_homes as h on h.place = r.place"
    )
    con.unregister("identity_group_rows")
    name_households(con, business_date=business_date, memory=memory, is_carried=is_carried)


def _group_customers(con: duckdb.DuckDBPyConnection) -> Integers:
    size = int(fetch_value(con, "select count(*) from identity_homes"))
    found = con.execute(
        "select place_a, place_b, bits from identity_home_scores where bits >= ? "
        "order by place_a, place_b",
        [ACCEPT_BITS],
    ).fetchnumpy()
    left, right = (np.asarray(found[name], np.int64) for name in ("place_a", "place_b"))
    bits = np.asarray(found["bits"], np.float64)
    labels = components(left, right, size=size)
    labels = cut_large(labels, left, right, bits, limit=COMPARED_TOGETHER)
    labels = _link(con, labels, left, right)
    inside = labels[left] == labels[right]
    return cut_large(labels, left[inside], right[inside], bits[inside], limit=LARGEST_HOUSEHOLD)


def _link(
    con: duckdb.DuckDBPyConnection, labels: Integers, left: Integers, right: Integers
) -> Integers:
    """Split components of three and more in which not every pair was accepted."""
    sizes = np.bincount(labels, minlength=1)
    inside = labels[left] == labels[right]
    accepted = np.bincount(labels[left[inside]], minlength=len(sizes))
    suspicious = (sizes >= 3) & (accepted < sizes * (sizes - 1) // 2)  # noqa: PLR2004 - pairs are whole
    if not suspicious.any():
        return labels
    split = labels.copy()
    following = int(labels.max()) + 1
    members = np.flatnonzero(suspicious[labels])
    members = members[np.argsort(labels[members], kind="stable")]
    by_size = [
        members[sizes[labels[members]] == size].reshape(-1, int(size))
        for size in np.unique(sizes[suspicious])
    ]
    for groups, scores in zip(by_size, _all_scores(con, by_size), strict=True):
        size = groups.shape[1]
        owners = average_linkage(scores, members=size, threshold=ACCEPT_BITS)
        codes = np.arange(len(groups))[:, None] * size + owners
        fresh = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
        split[groups] = following + fresh
        following += int(fresh.max()) + 1
    return np.unique(split, return_inverse=True)[1].astype(np.int64)


def _all_scores(con: duckdb.DuckDBPyConnection, by_size: Sequence[Integers]) -> list[Floats]:
    """Return the scores of all pairs, one row a group: (0,1), (0,2), .. (1,2).

    Args:
        con: Build connection with the evidence.
        by_size: Places of the members of groups, one row a group; each array has one size. All are
            scored in one statement: its joins cost more than a few more pairs.
    """
    ends = [np.triu_indices(groups.shape[1], 1) for groups in by_size]
    left, right = (
        np.concatenate([g[:, end[side]].ravel() for g, end in zip(by_size, ends, strict=True)])
        for side in (0, 1)
    )
    pairs = pa.table({"place_a": left, "place_b": right, "pair_no": np.arange(len(left))})
    con.register("identity_pair_rows", pairs)
    con.execute("create or replace temp table identity_inner_pairs as from identity_pair_rows")
    con.unregister("identity_pair_rows")
    score_homes(con, pairs="identity_inner_pairs", scored="identity_inner_scores")
    found = con.execute("select bits from identity_inner_scores order by pair_no").fetchnumpy()
    bits = np.asarray(found["bits"], np.float64)
    parts = np.split(
        bits, np.cumsum([g.shape[0] * len(e[0]) for g, e in zip(by_size, ends, strict=True)])[:-1]
    )
    return [part.reshape(len(groups), -1) for groups, part in zip(by_size, parts, strict=True)]
