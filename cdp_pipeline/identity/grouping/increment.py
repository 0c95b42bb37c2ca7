"""An incremental night: pairs of what is new, beside the pairs of the version before.

What nobody touched keeps its weights and its group. New evidence is blocked against all records
by the keys it has, scored by the model of the last fit, and only the components it touches are
grouped again. The same functions group them as in a full night. Which records are new is told in
``arrivals``.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_pipeline.identity.grouping.linkage import components
from cdp_pipeline.identity.scoring.blocking import BlockingRule, keep_pairs, key_caps, read_blocks
from cdp_pipeline.identity.scoring.weights import log_odds_sql
from cdp_pipeline.identity.standard.nodes import (
    build_keys,
    build_wanted_nodes,
    name_nodes,
    number_nodes,
)
from cdp_pipeline.identity.standard.reach import CONTACT, RECEIPT
from cdp_pipeline.storage.warehouse import fetch_value

Integers = npt.NDArray[np.int64]

LEAST_BITS = -8.0
"""Log odds below which a pair is not kept: it can become neither an edge nor, with others, more."""

_NEW_NODES = """
create or replace temp table identity_new_nodes as
with said as (
    select distinct r.evidence_id as record_id, r.evidence_head, r.evidence_tail
    from identity.records as r
    left join staging.identity_record_reasons as s
        on s.source = r.source and s.record_key = r.record_key
    left join staging.identity_bonds as j on j.evidence_id = r.evidence_id
    where r.is_comparable and (s.source is not null or j.evidence_id is not null)
)
select s.record_id
from said as s
anti join base.identity.records as b
    on b.evidence_head = s.evidence_head and b.evidence_tail = s.evidence_tail
order by s.record_id
"""
# Evidence that somebody stated last night is no news, whoever states it now.

_NEW_KEYS = """
create or replace temp table identity_new_key_nodes as
select n.* from identity_key_nodes as n
semi join identity_new_nodes as w on w.record_id = n.record_id
"""

_WANTED = """
create or replace temp table identity_wanted as
select i.record_id
from identity_node_ids as i
semi join (
    select node_a as node_id from identity_pairs union select node_b from identity_pairs
) as p on p.node_id = i.node_id
"""

MOVED = """
moved as (
    select record_id from identity.records where record_id <> evidence_id
    union all
    select b.record_id
    from base.identity.records as b
    semi join staging.identity_record_reasons as s
        on s.source = b.source and s.record_key = b.record_key
),
gone as (
    select b.record_id, b.source, b.record_key, b.is_comparable, b.evidence_head, b.evidence_tail
    from base.identity.records as b
    semi join moved as m on m.record_id = b.record_id
    where b.record_id = b.evidence_id
)
"""
"""CTE ``gone``: whoever stood for some evidence last night, and now says something else, is no more
or leaves it to another to stand. All others stand for the same under the same number."""

_MOVED_NODES = """
with {moved}
select g.record_id, coalesce(i.node_id, -1) as node_id
from gone as g
left join identity.records as r
    on r.evidence_head = g.evidence_head and r.evidence_tail = g.evidence_tail
    and r.record_id = r.evidence_id
left join identity_node_ids as i on i.record_id = r.record_id
where g.is_comparable
"""

_JOINED = """
create or replace temp table identity_scored as
select
    node_a, node_b, rule, pattern, match_weight, household_weight, conflict, log_odds
from identity_scored_new
union all
select
    least(node_x, node_y), greatest(node_x, node_y),
    rule, pattern, match_weight, household_weight, conflict,
    {log_odds}
from identity_carried_pairs
where node_x is not null and node_y is not null
"""

_STATED = """
select
    evidence_head, evidence_tail,
    count_if(record_kind <> '{receipt}') = 0 as is_mention,
    count_if(record_kind = '{contact}') > 0 as is_contact
from {records}
semi join said using (evidence_head, evidence_tail)
group by evidence_head, evidence_tail
"""

_TOUCHED_NODES = """
create or replace table staging.identity_touched_nodes as
with said as (
    select evidence_head, evidence_tail from identity.records
    semi join staging.identity_record_reasons using (source, record_key)
    union
    select evidence_head, evidence_tail from base.identity.records
    semi join staging.identity_record_reasons using (source, record_key)
),
stated as ({stated}),
stated_before as ({stated_before})
select i.node_id
from identity_new_nodes as n
inner join identity_node_ids as i on i.record_id = n.record_id
union
select coalesce(node_x, node_y)
from identity_carried_pairs
where (node_x is null) <> (node_y is null)
union
select i.node_id
from staging.identity_bonds as j
inner join identity_node_ids as i on i.record_id = j.evidence_id
union
select i.node_id
from staging.identity_record_reasons as s
inner join identity.records as r on r.source = s.source and r.record_key = s.record_key
inner join identity_node_ids as i on i.record_id = r.evidence_id
where s.reason in ('steward', 'removed record')
union
select i.node_id
from stated as s
inner join stated_before as b using (evidence_head, evidence_tail)
inner join identity.records as r using (evidence_head, evidence_tail)
inner join identity_node_ids as i on i.record_id = r.record_id
where s.is_mention <> b.is_mention or s.is_contact <> b.is_contact
order by 1
"""
# New evidence, what lost a pair to evidence that is gone, whoever was judged or stood beside
# somebody erased, and whom receipts alone had mentioned and an account states now, who is known to
# have written now, or the other way round: they have other namesakes, or must be surer of them.

_KEPT = """
select
    node_a, node_b, cast(rule as smallint) as rule, pattern,
    match_weight, household_weight, conflict
from identity_scored
where log_odds >= $least or household_weight > 0
"""


def propose_new_pairs(
    con: duckdb.DuckDBPyConnection, rules: Sequence[BlockingRule], *, cap: int
) -> int:
    """Create ``identity_pairs`` of which at least one side is new, and ``identity_nodes`` for them.

    Keys that no new evidence holds are not looked at; ``identity.blocking`` counts the others.

    Returns:
        Number of pairs.
    """
    build_keys(con, [column for rule in rules for column in rule.columns])
    con.execute(_NEW_NODES)
    con.execute(_NEW_KEYS)
    new = " union all ".join(
        rule.key_sql(number, nodes="identity_new_key_nodes") for number, rule in enumerate(rules)
    )
    con.execute(
        f"create or replace temp table identity_new_keys as select distinct key from ({new})"  # noqa: S608 - declared rules
    )
    held = [
        f"select k.* from ({rule.key_sql(number, nodes='identity_key_nodes')}) as k "  # noqa: S608 - declared rules
        "semi join identity_new_keys as n on n.key = k.key"
        for number, rule in enumerate(rules)
    ]
    blocks = read_blocks(con, held)
    fresh = con.execute("select node_id from identity_new_key_nodes").fetchnumpy()["node_id"]
    is_new = np.zeros(int(fetch_value(con, "select count(*) from identity_node_ids")), dtype=bool)
    is_new[np.asarray(fresh, np.int64)] = True
    is_small = blocks.sizes <= key_caps(rules, cap=cap)[blocks.rules]
    pairs = keep_pairs(con, rules, blocks, is_small, only=is_new)
    con.execute(_WANTED)
    build_wanted_nodes(con)
    return pairs


def join_scored(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_scored`` from ``identity_scored_new`` and the pairs that are as before.

    Writes ``staging.identity_touched_nodes``: where groups may have changed.
    """
    con.register("identity_carried_pairs", _carried_pairs(con))
    log_odds = log_odds_sql("match_weight", "household_weight")
    con.execute(_JOINED.format(log_odds=log_odds))
    stated, stated_before = (
        _STATED.format(receipt=RECEIPT, contact=CONTACT, records=records)
        for records in ("identity.records", "base.identity.records")
    )
    con.execute(_TOUCHED_NODES.format(stated=stated, stated_before=stated_before))
    con.unregister("identity_carried_pairs")


def _carried_pairs(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the pairs of the version before with tonight's ``node_x`` and ``node_y``.

    Null is whose evidence is gone. Looked up in numpy, as in ``name_nodes``.
    """
    pairs = con.sql("from base.identity.scored_pairs").to_arrow_table()
    kept = con.execute("select record_id, node_id from identity_node_ids").fetchnumpy()
    moved = con.execute(_MOVED_NODES.format(moved=MOVED)).fetchnumpy()
    last = (
        int(fetch_value(con, f"select coalesce(max(record_id), 0) from {place}identity.records"))  # noqa: S608 - constants
        for place in ("", "base.")
    )
    nodes = np.full(max(last) + 1, -1, dtype=np.int32)
    for found in (kept, moved):
        nodes[found["record_id"]] = found["node_id"]
    for record, node in (("record_a", "node_x"), ("record_b", "node_y")):
        ends = nodes[pairs[record].to_numpy()]
        place = pairs.schema.get_field_index(record)
        pairs = pairs.set_column(place, node, pa.array(ends, mask=ends < 0))
    return pairs


def keep_scored(con: duckdb.DuckDBPyConnection) -> None:
    """Write ``identity.scored_pairs``, which the next night builds upon."""
    found = con.sql(_KEPT, params={"least": LEAST_BITS}).to_arrow_table()
    rows = name_nodes(con, found, {"node_a": "record_a", "node_b": "record_b"})
    con.register("identity_kept_rows", rows)
    con.execute("create or replace table identity.scored_pairs as from identity_kept_rows")
    con.unregister("identity_kept_rows")


_JUDGED_TIES = """
select min(i.node_id) over (partition by j.block) as node_a, i.node_id as node_b
from staging.identity_bonds as j
inner join identity_node_ids as i on i.record_id = j.evidence_id
order by node_b
"""


def touched_nodes(con: duckdb.DuckDBPyConnection) -> npt.NDArray[np.bool_]:
    """Return which nodes to group again: whole components of those that something happened to.

    Links that only compete for a namesake count: a new candidate takes probability from others.
    Creates ``identity_node_ids``.
    """
    number_nodes(con)
    size = int(fetch_value(con, "select count(*) from identity_node_ids"))
    links = con.execute("select node_a, node_b from staging.identity_links").fetchnumpy()
    left, right = (np.asarray(links[name], np.int64) for name in ("node_a", "node_b"))
    judged = con.execute(_JUDGED_TIES).fetchnumpy()
    labels = components(
        np.concatenate([left, np.asarray(judged["node_a"], np.int64)]),
        np.concatenate([right, np.asarray(judged["node_b"], np.int64)]),
        size=size,
    )
    seeds = con.execute("select node_id from staging.identity_touched_nodes").fetchnumpy()
    marked = np.zeros(int(labels.max(initial=-1)) + 1, dtype=bool)
    marked[labels[np.asarray(seeds["node_id"], np.int64)]] = True
    return np.asarray(marked[labels], dtype=np.bool_)
