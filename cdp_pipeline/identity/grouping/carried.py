"""Groups and attachments of an incremental night that stand as they did in the version before.

A group is known again by what its records say. Nearly always the record that stands for them is
last night's and says the same; only for the others is it looked up who said it then.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.grouping.increment import MOVED
from cdp_pipeline.identity.grouping.judged import JUDGED_SAME

_GROUPS = """
insert into identity_groups
with standing as (
    select r.record_id, r.is_comparable, r.evidence_head, r.evidence_tail,
        coalesce(b.record_id = b.evidence_id, false) as is_same
    from identity.records as r
    semi join identity_considered as c on c.record_id = r.record_id
    anti join identity_groups as g on g.evidence_id = r.record_id
    anti join identity_open_again as o on o.evidence_id = r.record_id
    left join base.identity.records as b
        on b.record_id = r.record_id
        and b.evidence_head = r.evidence_head and b.evidence_tail = r.evidence_tail
    where r.record_id = r.evidence_id
),
kept as (
    select t.record_id, t.is_comparable, c.customer_id, c.match_prob
    from standing as t
    inner join identity_customers_before as c on c.record_id = t.record_id
    where t.is_same
    union all
    select t.record_id, t.is_comparable, m.customer_id, m.match_prob
    from standing as t
    inner join base.identity.records as b
        on b.evidence_head = t.evidence_head and b.evidence_tail = t.evidence_tail
        and b.record_id = b.evidence_id
    inner join base.identity.customer_map as m
        on m.source = b.source and m.record_key = b.record_key
    where not t.is_same
),
homes as (
    select
        customer_id,
        coalesce(min(record_id) filter (is_comparable), min(record_id)) as group_id
    from kept
    group by customer_id
)
select k.record_id, h.group_id, k.match_prob
from kept as k
inner join homes as h on h.customer_id = k.customer_id
order by k.record_id
"""
# A record keeps its number from night to night, so nobody's key has to be looked up.

_OTHERS = """
create or replace temp table identity_others as
with {moved}
select g.source, g.record_key, r.source as source_now, r.record_key as record_key_now
from gone as g
left join identity.records as r
    on r.evidence_head = g.evidence_head and r.evidence_tail = g.evidence_tail
    and r.record_id = r.evidence_id
"""

_ATTACHMENTS = """
insert into identity.edges
with opened as (
    select source, record_key
    from identity.records
    where record_id = evidence_id
        and evidence_id in (select evidence_id from identity_open_again)
),
standing as (
    select
        coalesce(x.source_now, e.source_a) as source_a,
        coalesce(x.record_key_now, e.record_key_a) as record_key_a,
        coalesce(y.source_now, e.source_b) as source_b,
        coalesce(y.record_key_now, e.record_key_b) as record_key_b,
        e.match_weight,
        e.match_prob,
        e.rule
    from base.identity.edges as e
    left join identity_others as x on x.source = e.source_a and x.record_key = e.record_key_a
    left join identity_others as y on y.source = e.source_b and y.record_key = e.record_key_b
    where e.pattern is null
        and e.rule <> '{judged}'
        and (x.source is null or x.source_now is not null)
        and (y.source is null or y.source_now is not null)
)
select
    e.source_a, e.record_key_a, e.source_b, e.record_key_b,
    e.match_weight, null, e.match_prob, null, e.rule
from standing as e
anti join opened as o on o.source = e.source_a and o.record_key = e.record_key_a
"""
# What a steward judged is marked anew every night.


def carry_groups(con: duckdb.DuckDBPyConnection) -> None:
    """Extend ``identity_groups`` by whom nothing touched of ``identity_considered``, as before."""
    con.execute(_GROUPS)


def carry_attachments(con: duckdb.DuckDBPyConnection) -> None:
    """Extend ``identity.edges`` by the attachments of records that were not attached again."""
    con.execute(_OTHERS.format(moved=MOVED))
    con.execute(_ATTACHMENTS.format(judged=JUDGED_SAME))
