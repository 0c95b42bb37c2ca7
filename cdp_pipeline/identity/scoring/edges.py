"""Weighed pairs as later steps read them: edges, pairs for review, links and household pairs.

What a pair weighs is settled in ``model``; here it is only decided which pairs are kept where.
Of two records, the one with the smaller number stands first.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.identity.scoring.design import Design
from cdp_pipeline.identity.scoring.namesakes import LEAST_BITS, REACHED_KIN_BITS
from cdp_pipeline.identity.standard.nodes import name_nodes

HOUSEHOLD_PROB = 0.5
"""Pairs that are members of one household rather than strangers or one person."""


def write_edges(
    con: duckdb.DuckDBPyConnection, design: Design, *, review: float, accept: float
) -> None:
    """Write ``identity.edges``, ``identity.review`` and the household pairs for later steps."""
    _name_edges(con, design, review=review)
    con.execute(_REVIEW, {"accept": accept})
    write_links(con, accept=accept)
    kin = con.sql(_HOUSEHOLD_PAIRS, params={"least": HOUSEHOLD_PROB}).to_arrow_table()
    kin = name_nodes(con, kin, {"node_a": "record_a", "node_b": "record_b"})
    con.register("identity_kin_rows", kin)
    con.execute(
        "create or replace table staging.identity_household_pairs as from identity_kin_rows"
    )
    con.unregister("identity_kin_rows")


def _name_edges(con: duckdb.DuckDBPyConnection, design: Design, *, review: float) -> None:
    """Write ``identity.edges``: names are looked up in Arrow, as joining texts would be dear."""
    found = con.sql(_EDGES, params={"review": review}).to_arrow_table()
    names = con.sql(_NAMES).to_arrow_table()
    places = np.empty(len(names), dtype=np.int64)
    places[names["node_id"].to_numpy()] = np.arange(len(names))
    columns: dict[str, pa.ChunkedArray] = {}
    for side in ("a", "b"):
        sides = names.take(pa.array(places[found[f"node_{side}"].to_numpy()]))
        columns |= {f"{name}_{side}": sides[name] for name in ("source", "record_key")}
    rules = pa.array([rule.name for rule in design.rules], pa.string())
    weights = {name: found[name] for name in ("match_weight", "household_weight", "match_prob")}
    rows = {**columns, **weights, "pattern": found["pattern"], "rule": rules.take(found["rule"])}
    con.register("identity_edge_rows", pa.table(rows))
    con.execute("create or replace table identity.edges as from identity_edge_rows")
    con.unregister("identity_edge_rows")


def write_links(con: duckdb.DuckDBPyConnection, *, accept: float) -> None:
    """Write ``staging.identity_links``: the pairs that clustering reads."""
    con.execute(_LINKS, {"accept": accept, "least": LEAST_BITS, "kin": REACHED_KIN_BITS})


_EDGES = """
select
    node_a, node_b, match_weight, household_weight,
    1 / (1 + pow(2, least(-log_odds, 200))) as match_prob,
    pattern, rule
from identity_scored
where log_odds >= log2($review / (1 - $review))
"""

_NAMES = """
select i.node_id, r.source, r.record_key
from identity_node_ids as i
inner join identity.records as r on r.record_id = i.record_id
"""

_REVIEW = """
create or replace table identity.review as
select source_a, record_key_a, source_b, record_key_b, match_prob, rule
from identity.edges
where match_prob < $accept
order by source_a, record_key_a, source_b, record_key_b
"""

_LINKS = """
create or replace table staging.identity_links as
select
    node_a, node_b, log_odds,
    log2(pow(2, least(match_weight, 200)) + pow(2, least(household_weight, 200))) as kin_bits
from identity_scored
where log_odds >= $least and (log_odds >= log2($accept / (1 - $accept)) or kin_bits < $kin)
order by node_a, node_b
"""
# Pairs that count, and those that compete with them for being somebody's namesake.

_HOUSEHOLD_PAIRS = """
select
    node_a, node_b,
    1 / (1 + pow(2, -household_weight) + pow(2, match_weight - household_weight)) as household_prob
from identity_scored
where household_weight > 0 and household_prob >= $least
order by node_a, node_b
"""
