"""What all pairs inside suspicious groups weigh: those that blocking proposed and the others.

A group is judged by all of its pairs, so whatever was not compared before is compared here. How a
group is split belongs in ``linkage``, which groups are suspicious in ``cluster``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_pipeline.identity.grouping.linkage import NEVER
from cdp_pipeline.identity.scoring.compare import Comparison, have_two_births, pattern_sql
from cdp_pipeline.identity.scoring.learning import correct_scores
from cdp_pipeline.identity.scoring.weights import Parameters, frequency_select, score_patterns
from cdp_pipeline.identity.standard.nodes import build_wanted_nodes

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LOWEST_BITS = -5.0
HIGHEST_BITS = 12.0
"""Log odds beyond these say no more about a group: one slip must not outvote five agreements."""

CONFLICT_BITS = -2.0
"""A pair whose disagreements weigh less has no conflict: missing fields must not split a group."""


@dataclass(frozen=True)
class MemberPairs:
    """All pairs inside some groups, ordered by size, group and nodes.

    Attributes:
        sizes: Members of the pair's group.
        left: The smaller node.
        right: The larger node.
        log_odds: log2 odds of a match, bounded, as a group counts them.
    """

    sizes: Integers
    left: Integers
    right: Integers
    log_odds: Floats


@dataclass(frozen=True)
class _Weights:
    """Weights of pairs, with a pattern and the sum of negative weights each."""

    log_odds: Floats
    conflict: Floats
    patterns: Integers


class Weigher:
    """Weighs the pairs of groups, asking the database for no pair whose weight is known.

    Args:
        con: Connection with ``identity_node_ids``.
        parameters: Fitted model.
        has_nodes: ``identity_nodes`` has all nodes; else those are made of which pairs are weighed.
        scored: Table of weighed pairs as ``score_patterns`` makes it, that no judgement corrects;
            default: all pairs are compared.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        parameters: Parameters,
        *,
        has_nodes: bool,
        scored: str | None = None,
    ) -> None:
        """Read the known weights."""
        self._con = con
        self._parameters = parameters
        self._has_nodes = has_nodes
        self._codes = np.empty(0, dtype=np.int64)
        self._known = _Weights(np.empty(0), np.empty(0), self._codes)
        if scored is not None:
            self._recall(scored)

    def weigh(self, nodes: Integers, labels: Integers) -> MemberPairs:
        """Return all pairs inside groups.

        Args:
            nodes: Members, whole groups.
            labels: Group of each.
        """
        sizes, left, right = _pairs_inside(nodes, labels)
        weights = self._look_up(left, right)
        weighed = np.where(
            weights.conflict > CONFLICT_BITS, np.maximum(weights.log_odds, 0), weights.log_odds
        )
        log_odds = np.clip(weighed, LOWEST_BITS, HIGHEST_BITS)
        log_odds[have_two_births(weights.patterns, self._parameters.comparisons)] = NEVER
        return MemberPairs(sizes, left, right, log_odds)

    def _recall(self, scored: str) -> None:
        found = self._con.execute(
            f"select node_a, node_b, log_odds, conflict, pattern from {scored} "  # noqa: S608 - own table name
            "order by node_a, node_b"
        ).fetchnumpy()
        self._codes = _code(*(np.asarray(found[name], np.int64) for name in ("node_a", "node_b")))
        self._known = _weights_of(found)

    def _look_up(self, left: Integers, right: Integers) -> _Weights:
        codes = _code(left, right)
        places = np.minimum(np.searchsorted(self._codes, codes), max(len(self._codes) - 1, 0))
        is_known = np.zeros(len(codes), dtype=bool)
        if len(self._codes):
            is_known = self._codes[places] == codes
        log_odds, conflict = np.empty(len(codes)), np.empty(len(codes))
        patterns = np.empty(len(codes), dtype=np.int64)
        unknown = self._compare(left[~is_known], right[~is_known])
        for marks, found, rows in (
            (is_known, self._known, places[is_known]),
            (~is_known, unknown, np.arange(len(unknown.patterns))),
        ):
            log_odds[marks] = found.log_odds[rows]
            conflict[marks] = found.conflict[rows]
            patterns[marks] = found.patterns[rows]
        return _Weights(log_odds, conflict, patterns)

    def _compare(self, left: Integers, right: Integers) -> _Weights:
        """Return the weights of pairs that are not known, in their order."""
        if not len(left):
            return _Weights(np.empty(0), np.empty(0), left)
        con, parameters = self._con, self._parameters
        rows = pa.table({"place": np.arange(len(left)), "node_a": left, "node_b": right})
        con.register("identity_member_rows", rows)
        if not self._has_nodes:
            con.execute(_WANTED)
            build_wanted_nodes(con)
        con.execute(_member_pairs_sql(parameters.comparisons))
        con.unregister("identity_member_rows")
        score_patterns(
            con, parameters, pairs="identity_member_pairs", scored="identity_member_scores"
        )
        correct_scores(con, parameters.comparisons, scored="identity_member_scores")
        found = con.execute(
            "select log_odds, conflict, pattern from identity_member_scores order by place"
        ).fetchnumpy()
        return _weights_of(found)


def _pairs_inside(nodes: Integers, labels: Integers) -> tuple[Integers, Integers, Integers]:
    """Return size of the group, smaller and larger node of all pairs of nodes of one group."""
    sizes = np.bincount(labels)[labels]
    order = np.lexsort((nodes, labels, sizes))
    nodes, sizes = nodes[order], sizes[order]
    parts = []
    for size in np.unique(sizes):
        groups = nodes[sizes == size].reshape(-1, size)
        one, other = np.triu_indices(int(size), 1)
        left, right = groups[:, one].ravel(), groups[:, other].ravel()
        parts.append((np.full(len(left), size), left, right))
    found = [np.concatenate(columns).astype(np.int64) for columns in zip(*parts, strict=True)]
    return found[0], found[1], found[2]


def _code(left: Integers, right: Integers) -> Integers:
    """Return one number for each pair, ordered as the pairs are."""
    return (left << 32) | right


def _weights_of(found: dict[str, Any]) -> _Weights:
    return _Weights(
        np.asarray(found["log_odds"], np.float64),
        np.asarray(found["conflict"], np.float64),
        np.asarray(found["pattern"], np.int64),
    )


_WANTED = """
create or replace temp table identity_wanted as
select i.record_id
from identity_node_ids as i
where i.node_id in (
    select node_a from identity_member_rows
    union all
    select node_b from identity_member_rows
)
"""


def _member_pairs_sql(comparisons: tuple[Comparison, ...]) -> str:
    return f"""
        create or replace temp table identity_member_pairs as
        select p.place, {pattern_sql(comparisons)} as pattern {frequency_select(comparisons)}
        from identity_member_rows as p
        inner join identity_nodes as l on l.node_id = p.node_a
        inner join identity_nodes as r on r.node_id = p.node_b
        """  # noqa: S608 - declared comparisons
