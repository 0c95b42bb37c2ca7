"""Customers from the inside: their named records and every pair of them with its weights.

Temporary tables for the steps that measure customers. Pairs without an edge are weighed here, so
that each pair inside a customer has a probability; nothing is decided.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.identity.scoring.compare import Comparison, pattern_sql
from cdp_pipeline.identity.scoring.learning import correct_scores
from cdp_pipeline.identity.scoring.weights import (
    Parameters,
    frequency_select,
    log_odds_sql,
    score_patterns,
)
from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.storage.warehouse import has_table

_NAMED = """
create or replace temp table identity_named as
with held as (
    select r.record_id, r.record_hash, m.customer_hash
    from (
        select record_id, hash(source, record_key) as record_hash
        from identity.records
        where record_id = evidence_id and is_comparable
    ) as r
    inner join (
        select hash(source, record_key) as record_hash, hash(customer_id) as customer_hash
        from identity.customer_map
    ) as m on m.record_hash = r.record_hash
),
customers as (
    select customer_hash, min(record_id) as customer_no from held group by customer_hash
)
select
    cast(row_number() over (order by h.record_id) - 1 as bigint) as place,
    h.record_id,
    h.record_hash,
    h.customer_hash,
    c.customer_no
from held as h
inner join customers as c on c.customer_hash = h.customer_hash
"""
# Joined by 64-bit hashes, which costs a third of joining by texts; among ten million records two
# hashes are alike with a probability of three in a million.

_EDGES = f"""
create or replace temp table identity_known_edges as
select
    a.record_id as record_a,
    b.record_id as record_b,
    a.place as place_a,
    b.place as place_b,
    a.record_hash as hash_a,
    b.record_hash as hash_b,
    case when a.customer_no = b.customer_no then a.customer_no end as customer_no,
    e.pattern,
    e.match_weight,
    e.household_weight,
    -- corrected by judgements where these have a say: never where the model is certain
    case
        when e.match_prob < 0.999999 then log2(e.match_prob / (1 - e.match_prob))
        else {log_odds_sql("e.match_weight", "e.household_weight")}
    end as log_odds,
    e.match_prob
from (
    select
        hash(source_a, record_key_a) as hash_a,
        hash(source_b, record_key_b) as hash_b,
        pattern, match_weight, household_weight, match_prob
    from identity.edges
    where pattern is not null
) as e
inner join identity_named as a on a.record_hash = e.hash_a
inner join identity_named as b on b.record_hash = e.hash_b
"""  # noqa: S608 - constant text

_UNLINKED = """
create or replace temp table identity_unlinked as
select l.record_id as record_a, r.record_id as record_b
from identity_named as l
inner join identity_named as r
    on r.customer_no = l.customer_no and r.record_id > l.record_id
anti join identity_known_edges as e
    on e.record_a = l.record_id and e.record_b = r.record_id
"""

_INNER = """
create or replace temp table identity_inner_pairs as
select record_a, record_b, customer_no, match_weight, log_odds, match_prob, hash_a, hash_b
from identity_known_edges
where customer_no is not null
union all
select
    s.record_a, s.record_b, l.customer_no, s.match_weight, s.log_odds,
    1 / (1 + pow(2, least(-s.log_odds, 200))), l.record_hash, r.record_hash
from identity_unlinked_scored as s
inner join identity_named as l on l.record_id = s.record_a
inner join identity_named as r on r.record_id = s.record_b
"""

_NO_UNLINKED = """
create or replace temp table identity_unlinked_scored as
select record_a, record_b, cast(null as double) as match_weight, cast(null as double) as log_odds
from identity_unlinked
where false
"""


_JUDGED_PAIRS = """
create or replace temp table identity_judged_pairs as
select
    least(a.evidence_id, b.evidence_id) as evidence_a,
    greatest(a.evidence_id, b.evidence_id) as evidence_b,
    j.verdict
from identity.judgements as j
inner join identity.records as a on a.source = j.source_a and a.record_key = j.record_key_a
inner join identity.records as b on b.source = j.source_b and b.record_key = j.record_key_b
where j.status in ('applied', 'unsure') and j.verdict in ('same', 'different', 'unsure')
"""

_NO_JUDGED_PAIRS = """
create or replace temp table identity_judged_pairs (
    evidence_a integer, evidence_b integer, verdict varchar
)
"""


def collect_members(con: duckdb.DuckDBPyConnection, parameters: Parameters | None) -> None:
    """Create the temporary tables of named records and of the pairs that customers consist of.

    Args:
        con: Connection with ``identity.records``, ``edges`` and ``customer_map``.
        parameters: Fitted model; without one there are no pairs.

    Writes ``identity_named`` (place, record_id, record_hash, customer_hash, customer_no: one row a
    distinct named record of a customer; a customer's number is its smallest record),
    ``identity_known_edges`` (edges between them, customer_no only inside a customer),
    ``identity_inner_pairs`` (all pairs inside customers) and ``identity_judged_pairs``
    (evidence_a < evidence_b, verdict).
    """
    has_judgements = has_table(con, "identity.judgements")
    con.execute(_JUDGED_PAIRS if has_judgements else _NO_JUDGED_PAIRS)
    con.execute(_NAMED)
    con.execute(_EDGES)
    con.execute(_UNLINKED)
    _weigh_unlinked(con, parameters)
    con.execute(_INNER)


def _weigh_unlinked(con: duckdb.DuckDBPyConnection, parameters: Parameters | None) -> None:
    found = con.execute("select record_a, record_b from identity_unlinked").fetchall()
    if parameters is None or not found:
        con.execute(_NO_UNLINKED)
        return
    build_nodes(con, only=sorted({record for pair in found for record in pair}))
    con.execute(_compared_sql(parameters.comparisons))
    score_patterns(
        con, parameters, pairs="identity_unlinked_compared", scored="identity_unlinked_scored"
    )
    correct_scores(con, parameters.comparisons, scored="identity_unlinked_scored")


def _compared_sql(comparisons: Sequence[Comparison]) -> str:
    return f"""
        create or replace temp table identity_unlinked_compared as
        select
            u.record_a, u.record_b,
            {pattern_sql(comparisons)} as pattern
            {frequency_select(comparisons)}
        from identity_unlinked as u
        inner join identity_nodes as l on l.record_id = u.record_a
        inner join identity_nodes as r on r.record_id = u.record_b
        """  # noqa: S608 - declared comparisons
