"""Which pairs are worth comparing: records that share at least one blocking key.

Rules are declared and named (``sql/linkage``), so that a meeting can discuss them; a key held by
more records than the cap is dropped and counted, never silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.identity.scoring.pairing import (
    Blocks,
    Integers,
    Marks,
    find_blocks,
    join_blocks,
    pair_up,
)
from cdp_pipeline.project.evidence import EVIDENCE, KEY_COLUMNS, KEYS, TELLING
from cdp_pipeline.project.linkage import LinkageSpec
from cdp_pipeline.storage.warehouse import fetch_value

RARE = 6
"""Nodes that a key of a rare rule may hold. Where more people have a name, one that is only alike
is somebody else's; six are two people with a few records each."""


@dataclass(frozen=True)
class BlockingRule:
    """One reason for comparing two nodes.

    Attributes:
        name: For people and for ``identity.edges.rule``.
        columns: SQL over node columns that must all be present and equal.
        needs: Node columns without which the rule is left out.
        is_wide: Whether its keys tell so little that it may be dropped as a whole.
        most: Nodes that a key may hold; default: as many as any key.
    """

    name: str
    columns: tuple[str, ...]
    needs: tuple[str, ...] = ()
    is_wide: bool = False
    most: int | None = None

    def key_sql(self, number: int, *, nodes: str = "identity_nodes") -> str:
        """Return SQL for the rows (key, rule, node_id) of this rule."""
        present = " and ".join(f"({column}) is not null" for column in self.columns)
        parts = ", ".join(self.columns)
        return (
            f"select hash({parts}, {number}) as key, {number} as rule, node_id "  # noqa: S608 - constants
            f"from {nodes} where {present}"
        )


def declared_rules(spec: LinkageSpec) -> tuple[BlockingRule, ...]:
    """Return the blocking rules of a declaration, in its order; the rare ones last."""
    return tuple(
        BlockingRule(
            name,
            tuple(KEYS[key] for key in keys),
            tuple(_needed(key) for key in keys),
            sum(TELLING.get(key, 2.0) for key in keys) < 2,  # noqa: PLR2004 - see TELLING
            RARE if name in spec.rare_rules else None,
        )
        for name, keys in {**spec.rules, **spec.rare_rules}.items()
    )


def key_caps(rules: Sequence[BlockingRule], *, cap: int) -> Integers:
    """Return the nodes that a key of each rule may hold."""
    return np.array([cap if rule.most is None else min(rule.most, cap) for rule in rules], np.int64)


def _needed(key: str) -> str:
    """Return the node column that must hold values for a key to be of use."""
    if key in EVIDENCE:
        return EVIDENCE[key].held or EVIDENCE[key].key
    return KEY_COLUMNS.get(key, KEYS[key])


def propose_pairs(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[BlockingRule],
    *,
    cap: int,
    most_pairs: float | None = None,
) -> int:
    """Create temporary ``identity_pairs`` (node_a < node_b, rule) and ``identity.blocking``.

    Args:
        con: Connection with the temporary table ``identity_nodes``.
        rules: A pair found by several rules carries the first.
        cap: Largest number of nodes that a key may hold.
        most_pairs: Pairs a node that a wide rule may propose; one that proposes more is dropped
            as a whole, and all of its keys are counted as dropped. Default: no bound.

    Returns:
        Number of pairs.
    """
    blocks = read_blocks(con, [rule.key_sql(number) for number, rule in enumerate(rules)])
    is_small = blocks.sizes <= key_caps(rules, cap=cap)[blocks.rules]
    is_dear = np.zeros(len(rules), dtype=bool)
    if most_pairs is not None:
        nodes = int(fetch_value(con, "select count(*) from identity_nodes"))
        costs = blocks.chosen(is_small).costs(len(rules))
        is_dear = np.array([rule.is_wide for rule in rules], bool) & (costs > most_pairs * nodes)
    return keep_pairs(con, rules, blocks, is_small & ~is_dear[blocks.rules])


def read_blocks(con: duckdb.DuckDBPyConnection, selects: Sequence[str]) -> Blocks:
    """Return the keys that stand more than once, of one SELECT of (key, node_id) a rule."""
    parts = []
    for rule, select in enumerate(selects):  # one after the other: sorting them fits the caches
        found = con.execute(f"select key, node_id from ({select})").fetchnumpy()  # noqa: S608 - declared rules
        keys, nodes = np.asarray(found["key"], np.uint64), np.asarray(found["node_id"])
        parts.append(find_blocks(keys, nodes, rule=rule))
    return join_blocks(parts)


def keep_pairs(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[BlockingRule],
    blocks: Blocks,
    is_kept: Marks,
    *,
    only: Marks | None = None,
) -> int:
    """Create ``identity_pairs``, ``identity_dropped`` (rule, pairs) and ``identity.blocking``.

    Args:
        con: Connection.
        rules: The blocking rules.
        blocks: Keys and their holders.
        is_kept: Which keys propose pairs; the others are counted as dropped.
        only: Nodes of which a pair must have one; default: any pair.

    Returns:
        Number of pairs.
    """
    pairs = pair_up(blocks.chosen(is_kept), only=only)
    names = ("node_a", "node_b", "rule")
    columns = {n: pa.array(c, pa.int32()) for n, c in zip(names, pairs, strict=True)}
    con.register("identity_pair_rows", pa.table(columns))
    con.execute("create or replace temp table identity_pairs as from identity_pair_rows")
    con.unregister("identity_pair_rows")
    dropped = blocks.chosen(~is_kept)
    counts = {
        "rule": [rule.name for rule in rules],
        "keys": np.bincount(blocks.rules[is_kept], minlength=len(rules)),
        "pairs": np.bincount(pairs[2], minlength=len(rules)),
        "dropped_keys": np.bincount(dropped.rules, minlength=len(rules)),
        "dropped_records": np.bincount(dropped.rules, dropped.sizes, len(rules)).astype(np.int64),
    }
    rows = pa.table(
        {
            name: pa.array(values, pa.string() if name == "rule" else pa.int64())
            for name, values in counts.items()
        }
    )
    con.register("identity_blocking_rows", rows)
    con.execute("create or replace table identity.blocking as from identity_blocking_rows")
    con.unregister("identity_blocking_rows")
    con.execute(
        "create or replace temp table identity_dropped as "
        "select unnest($rules) as rule, cast(unnest($held) as double) as pairs",
        {"rules": counts["rule"], "held": dropped.costs(len(rules)).tolist()},
    )
    return len(pairs[0])
