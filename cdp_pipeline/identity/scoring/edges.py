"""Weighed pairs as later steps read them: edges, pairs for review, links and household pairs.

What a pair weighs is settled in ``model``; here it is only decided which pairs are kept where.
Of two records, the one with the smaller number stands first.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.scoring.blocking import rule_rows
from cdp_pipeline.identity.scoring.design import Design
from cdp_pipeline.identity.scoring.namesakes import LEAST_BITS, REACHED_KIN_BITS

HOUSEHOLD_PROB = 0.5
"""Pairs that are members of one household rather than strangers or one person."""


def write_edges(
    con: duckdb.DuckDBPyConnection, design: Design, *, review: float, accept: float
) -> None:
    """Write ``identity.edges``, ``identity.review`` and the household pairs for later steps."""
    con.execute(
        f"""
        create or replace table identity.edges as
        with rules as ({rule_rows(design.rules)})
        select
            a.source as source_a,
            a.record_key as record_key_a,
            b.source as source_b,
            b.record_key as record_key_b,
            s.match_weight,
            s.household_weight,
            1 / (1 + pow(2, least(-s.log_odds, 200))) as match_prob,
            s.pattern,
            u.name as rule
        from identity_scored as s
        inner join rules as u on u.rule = s.rule
        inner join identity_node_ids as l on l.node_id = s.node_a
        inner join identity_node_ids as r on r.node_id = s.node_b
        inner join identity.records as a on a.record_id = l.record_id
        inner join identity.records as b on b.record_id = r.record_id
        where s.log_odds >= log2($review / (1 - $review))
        """,  # noqa: S608 - rule names are quoted literals
        {"review": review},
    )
    con.execute(_REVIEW, {"accept": accept})
    write_links(con, accept=accept)
    con.execute(_HOUSEHOLD_PAIRS, {"least": HOUSEHOLD_PROB})


def write_links(con: duckdb.DuckDBPyConnection, *, accept: float) -> None:
    """Write ``staging.identity_links``: the pairs that clustering reads."""
    con.execute(_LINKS, {"accept": accept, "least": LEAST_BITS, "kin": REACHED_KIN_BITS})


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
create or replace table staging.identity_household_pairs as
select
    l.record_id as record_a,
    r.record_id as record_b,
    1 / (1 + pow(2, -household_weight) + pow(2, match_weight - household_weight)) as household_prob
from identity_scored as s
inner join identity_node_ids as l on l.node_id = s.node_a
inner join identity_node_ids as r on r.node_id = s.node_b
where household_weight > 0
    and 1 / (1 + pow(2, -household_weight) + pow(2, match_weight - household_weight)) >= $least
order by record_a, record_b
"""
