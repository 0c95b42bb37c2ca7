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

from cdp_pipeline.identity.grouping.attach import KEYS
from cdp_pipeline.identity.grouping.linkage import components
from cdp_pipeline.identity.grouping.slips import find_slips
from cdp_pipeline.identity.scoring.blocking import BlockingRule, keep_pairs, key_caps, read_blocks
from cdp_pipeline.identity.scoring.weights import log_odds_sql
from cdp_pipeline.identity.standard.nodes import build_keys, build_wanted_nodes, number_nodes
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

_CARRIED_NODES = """
create or replace temp table identity_carried_nodes as
select b.record_id as old_id, i.node_id
from base.identity.records as b
inner join identity.records as r
    on r.evidence_head = b.evidence_head and r.evidence_tail = b.evidence_tail
    and r.record_id = r.evidence_id
inner join identity_node_ids as i on i.record_id = r.record_id
where b.record_id = b.evidence_id and b.is_comparable
"""

_CARRIED_PAIRS = """
create or replace temp table identity_carried_pairs as
select
    x.node_id as node_x, y.node_id as node_y,
    p.rule, p.pattern, p.match_weight, p.household_weight, p.conflict
from base.identity.scored_pairs as p
left join identity_carried_nodes as x on x.old_id = p.record_a
left join identity_carried_nodes as y on y.old_id = p.record_b
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

_TOUCHED_NODES = """
create or replace table staging.identity_touched_nodes as
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
where s.reason = 'steward'
order by 1
"""
# New evidence, what lost a pair to evidence that is gone, and whoever was judged.

_KEPT = """
create or replace table identity.scored_pairs as
select
    a.record_id as record_a,
    b.record_id as record_b,
    cast(s.rule as smallint) as rule,
    s.pattern,
    s.match_weight,
    s.household_weight,
    s.conflict
from identity_scored as s
inner join identity_node_ids as a on a.node_id = s.node_a
inner join identity_node_ids as b on b.node_id = s.node_b
where s.log_odds >= $least or s.household_weight > 0
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
    con.execute(_CARRIED_NODES)
    con.execute(_CARRIED_PAIRS)
    log_odds = log_odds_sql("match_weight", "household_weight")
    con.execute(_JOINED.format(log_odds=log_odds))
    con.execute(_TOUCHED_NODES)


def keep_scored(con: duckdb.DuckDBPyConnection) -> None:
    """Write ``identity.scored_pairs``, which the next night builds upon."""
    con.execute(_KEPT, {"least": LEAST_BITS})


_JUDGED_TIES = """
select min(i.node_id) over (partition by j.block) as node_a, i.node_id as node_b
from staging.identity_bonds as j
inner join identity_node_ids as i on i.record_id = j.evidence_id
order by node_b
"""

_GROUPED = """
create or replace temp table identity_wanted as
select i.record_id
from identity_node_ids as i
inner join identity_touched as t on t.node_id = i.node_id
"""


def touched_nodes(
    con: duckdb.DuckDBPyConnection, *, all_of_them: bool = False
) -> npt.NDArray[np.bool_]:
    """Return which nodes to group again: whole components of those that something happened to.

    Links that only compete for a namesake count: a new candidate takes probability from others.
    Creates ``identity_nodes`` of them, and ``identity_touched`` (node_id).
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
    touched = np.asarray(marked[labels] | all_of_them, dtype=np.bool_)
    con.register("identity_touched_rows", pa.table({"node_id": np.flatnonzero(touched)}))
    con.execute("create or replace temp table identity_touched as from identity_touched_rows")
    con.unregister("identity_touched_rows")
    con.execute(_GROUPED)
    build_wanted_nodes(con)
    return touched


_SEED_RECORDS = """
create or replace temp table identity_seed_values as
with named as (
    select r.*
    from identity.records as r
    semi join identity_groups as g on g.evidence_id = r.evidence_id
),
differing as (
    select r.* from identity.records as r
    semi join staging.identity_record_reasons as s
        on s.source = r.source and s.record_key = r.record_key
    union all
    select r.* from identity.records as r
    semi join staging.identity_bonds as j on j.evidence_id = r.evidence_id
),
before as (
    select b.* from base.identity.records as b
    semi join staging.identity_record_reasons as s
        on s.source = b.source and s.record_key = b.record_key
)
{values}
"""
# Identifiers of the groups that are formed again, and of what is new or changed, as of both nights.

_MORE_VALUES = """
create or replace temp table identity_more_values as
select distinct v.field, v.value
from ({values}) as v
anti join identity_seed_values as s on s.field = v.field and s.value = v.value
"""

_MEANT = """
union
select s.field, s.meant
from identity_slips as s
semi join identity_open_again as o on o.evidence_id = s.evidence_id
"""

_OPEN_AGAIN = """
create or replace temp table identity_open_again as
select r.*
from identity.records as r
where not r.is_comparable and (
    r.is_usable and ({holds})
    or r.evidence_id in (select evidence_id from staging.identity_bonds)
    or r.evidence_id in (
        select s.evidence_id
        from identity_slips as s
        semi join identity_seed_values as v on v.field = s.field and v.value = s.meant
    )
)
"""

_ATTACHABLE = """
create or replace temp table identity_attachable as
select * from identity_open_again
union all
select r.*
from identity.records as r
where r.is_comparable and ({holds})
order by record_id
"""


def choose_nameless(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_attachable``: nameless records to attach again, and who holds their values.

    These are all that share an identifier with a touched group or record, or with one of them: to
    whom they belong may have changed. Nobody outside has any of their identifiers. An identifier
    that is one slip from another is shared as if it was that one.
    """
    find_slips(con)
    parts = [_values_sql(table) for table in ("named", "differing", "before")]
    con.execute(_SEED_RECORDS.format(values=" union ".join(parts)))
    holds = " or ".join(
        f"r.{key} in (select value from identity_seed_values where field = '{key}')"  # noqa: S608 - constants
        for key in KEYS
    )
    while True:
        con.execute(_OPEN_AGAIN.format(holds=holds))
        con.execute(_MORE_VALUES.format(values=f"{_values_sql('identity_open_again')} {_MEANT}"))
        if not fetch_value(con, "select count(*) from identity_more_values"):
            break
        con.execute("insert into identity_seed_values from identity_more_values")
    con.execute(_ATTACHABLE.format(holds=holds))


def _values_sql(table: str) -> str:
    return " union ".join(
        f"select '{key}' as field, {key} as value from {table} where {key} is not null"  # noqa: S608 - constants
        for key in KEYS
    )


_CARRIED_GROUPS = """
insert into identity_groups
with kept as (
    select r.evidence_id, r.is_comparable, m.customer_id, m.match_prob
    from identity.records as r
    inner join base.identity.records as b
        on b.evidence_head = r.evidence_head and b.evidence_tail = r.evidence_tail
        and b.record_id = b.evidence_id
    inner join base.identity.customer_map as m
        on m.source = b.source and m.record_key = b.record_key
    anti join identity_groups as g on g.evidence_id = r.evidence_id
    anti join identity_open_again as o on o.evidence_id = r.evidence_id
    where r.record_id = r.evidence_id
)
select
    evidence_id,
    coalesce(
        min(evidence_id) filter (is_comparable) over (partition by customer_id),
        min(evidence_id) over (partition by customer_id)
    ) as group_id,
    match_prob
from kept
order by evidence_id
"""

_CARRIED_ATTACHMENTS = """
insert into identity.edges
with now as (select * from identity.records where record_id = evidence_id)
select
    a.source, a.record_key, b.source, b.record_key,
    e.match_weight, null, e.match_prob, null, e.rule
from base.identity.edges as e
inner join base.identity.records as x on x.source = e.source_a and x.record_key = e.record_key_a
inner join base.identity.records as y on y.source = e.source_b and y.record_key = e.record_key_b
inner join now as a on a.evidence_head = x.evidence_head and a.evidence_tail = x.evidence_tail
inner join now as b on b.evidence_head = y.evidence_head and b.evidence_tail = y.evidence_tail
anti join identity_open_again as o on o.evidence_id = a.evidence_id
where e.pattern is null
order by a.record_id
"""


def carry_groups(con: duckdb.DuckDBPyConnection) -> None:
    """Extend ``identity_groups`` by everybody whom nothing touched, as in the version before."""
    con.execute(_CARRIED_GROUPS)


def carry_attachments(con: duckdb.DuckDBPyConnection) -> None:
    """Extend ``identity.edges`` by the attachments of records that were not attached again."""
    con.execute(_CARRIED_ATTACHMENTS)
