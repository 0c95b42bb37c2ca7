"""What became of customer ids tonight: redirects, and changes with their cause.

Redirects lead from a retired id to a living one in one step. Each move of a record between two
customers, or between one and nobody, is a row: the changes of a night make its map of customers
from that of the night before. A change names its cause only as far as tonight's inputs tell it.
Choosing ids belongs in ``ids``, what is kept of an id that neither
lives nor redirects in ``remembered``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.warehouse import base_columns, has_base_table, has_table

CAUSES = (
    "released",
    "steward",
    "changed evidence",
    "hub",
    "removed record",
    "new record",
    "model refit",
    "regrouped",
)
"""What may change a customer, the strongest first; where several apply the first is named.

released: an operator accepted identities that had been held back. steward: a judgement was given
or taken back. changed evidence, removed record, new record: of a record of either customer. hub: a
value that a record leant on became or ceased to be a shared one. model refit: none of these, and
the model was fitted again. regrouped: none of these; records near by changed."""

_RETIRED = """
create or replace temp table identity_retired as
with inherited as (
    select
        known_id as old_customer_id,
        customer_id,
        count(*) as members
    from identity_placed
    where known_id not in (select customer_id from identity_placed)
    group by known_id, customer_id
)
select old_customer_id, customer_id
from inherited
qualify row_number() over (partition by old_customer_id order by members desc, customer_id) = 1
"""

_NEW_REDIRECTS = """
create or replace table identity.redirects as
select old_customer_id, customer_id, cast($business_date as date) as changed_on
from identity_retired
order by old_customer_id
"""

_COMPOSED_REDIRECTS = """
create or replace table identity.redirects as
with carried as (
    select
        o.old_customer_id,
        coalesce(r.customer_id, o.customer_id) as customer_id,
        case when r.customer_id is null then o.changed_on else cast($business_date as date) end
            as changed_on
    from base.identity.redirects as o
    left join identity_retired as r on r.old_customer_id = o.customer_id
    where o.old_customer_id not in (select id from identity_kept_ids)
        and o.old_customer_id not in (select old_customer_id from identity_retired)
),
final as (
    select old_customer_id, customer_id, cast($business_date as date) as changed_on
    from identity_retired
    union all
    select old_customer_id, customer_id, changed_on from carried
    where customer_id in (select id from identity_kept_ids)
)
select * from final order by old_customer_id
"""
# A redirect whose customer is gone (erased) goes as well.

_TONIGHT = """
create or replace temp table identity_moves as
with living as (select distinct customer_id from identity_placed),
known as (
    select distinct known_id as customer_id from identity_placed where known_id is not null
)
select
    m.customer_id,
    {change} as change,
    m.known_id as previous_customer_id,
    m.source,
    m.record_key
from identity_placed as m
left join living as l on l.customer_id = m.known_id
left join known as k on k.customer_id = m.customer_id
where m.known_id is distinct from m.customer_id
    or m.known_id in (select id from identity_dormant)
"""

_LEFT = """
insert into identity_moves
with leavers as (
    select b.customer_id, r.source, r.record_key
    from identity_customers_before as b
    anti join identity_placing as p on p.record_id = b.record_id
    inner join identity.records as r on r.record_id = b.record_id
    union all
    {removed}
),
named as (
    select id from identity_kept_ids
    union all
    select old_customer_id from identity.redirects
)
select customer_id, 'left', customer_id, source, record_key
from leavers
where customer_id in (from named)
union all
select distinct customer_id, 'gone', customer_id, cast(null as varchar), cast(null as varchar)
from leavers
where customer_id not in (from named)
"""
# Of a customer who is gone altogether nothing remains but the id, and that in tonight's version.

_REMOVED = """
    select b.customer_id, b.source, b.record_key
    from {before} as b
    anti join identity.records as r on r.source = b.source and r.record_key = b.record_key
    where b.customer_id is not null
"""
# What was noted about the records of both nights spares a look at the whole map of the one before.

_REASONS = """
create or replace temp table identity_customer_reasons as
with placed as (
    select m.customer_id, t.reason
    from identity_record_reasons as t
    inner join identity.customer_map as m
        on m.source = t.source and m.record_key = t.record_key
    union all
    select t.customer_id, t.reason
    from identity_record_reasons as t
    where t.customer_id is not null
)
select customer_id, min(list_position($causes, reason)) as rank
from placed
group by customer_id
"""

_CAUSED = """
create or replace temp table identity_tonight as
with ranked as (
    select
        v.* exclude (change),
        case when change = 'created' and number > 1 then 'joined' else change end as change,
        list_position($causes, own.reason) as own_rank,
        least(now.rank, before.rank) as rank
    from (
        select
            *,
            row_number() over (
                partition by customer_id, change order by source, record_key
            ) as number
        from identity_moves
    ) as v
    left join (
        select source, record_key, arg_min(reason, list_position($causes, reason)) as reason
        from identity_record_reasons group by source, record_key
    ) as own on own.source = v.source and own.record_key = v.record_key
    left join identity_customer_reasons as now on now.customer_id = v.customer_id
    left join identity_customer_reasons as before on before.customer_id = v.previous_customer_id
)
select
    customer_id,
    change,
    previous_customer_id,
    source,
    record_key,
    case
        when $released and change in ('merged', 'split', 'moved') then 'released'
        when $released and change = 'left' and own_rank is distinct from $removed then 'released'
        when change in ('created', 'joined', 'returned')
            then coalesce($causes[own_rank], 'new record')
        when change = 'left' then coalesce($causes[own_rank], $causes[rank], $otherwise)
        else coalesce($causes[rank], $otherwise)
    end as cause,
    cast($business_date as date) as changed_on
from ranked
where $has_base or change = 'created'
"""
# A new customer is created with one record, and the others join it. A first night, on which all is
# new, tells of its customers only: what joined them is all of the map.

_CHANGES = """
create or replace table identity.changes as
select customer_id, change, previous_customer_id, source, record_key, cause, changed_on
from ({rows})
order by changed_on, customer_id, change, source, record_key, previous_customer_id, cause
"""

_CARRIED_CHANGES = """
select customer_id, change, previous_customer_id, source, record_key, {cause}, changed_on
from base.identity.changes
where change <> 'gone' and customer_id in (
    select id from identity_kept_ids
    union all
    select old_customer_id from identity.redirects
)
"""
# The history of erased people goes with them. Who was gone for one night only is told no otherwise
# than who was for two, whose history nobody has kept.

_NO_REASONS = """
create or replace temp table identity_record_reasons as
select
    cast(null as varchar) as source,
    cast(null as varchar) as record_key,
    cast(null as varchar) as reason,
    cast(null as varchar) as customer_id
where false
"""


def change_sql(before: str, now: str, *, known: str, living: str) -> str:
    """Return SQL of what became of a member's id, for customers and households alike.

    Args:
        before: Column of the id that the member had, null for none.
        now: Column of the id that it has.
        known: Column that is null if nobody had the id that it has now.
        living: Column that is null if nobody has the id that it had any more.
    """
    return (
        f"case when {before} is null and {known} is null then 'created' "
        f"when {before} is null then 'joined' "
        f"when {before} = {now} then 'returned' "
        f"when {living} is null then 'merged' "
        f"when {known} is null then 'split' "
        "else 'moved' end"
    )


def recall_reasons(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_record_reasons`` from what the first step of the night noted."""
    if has_table(con, "identity_record_reasons", catalog="staging"):
        con.execute(
            "create or replace temp table identity_record_reasons as "
            "from staging.identity_record_reasons"
        )


def record_changes(
    con: duckdb.DuckDBPyConnection,
    *,
    business_date: str,
    is_released: bool = False,
    is_refitted: bool = False,
) -> None:
    """Write ``identity.redirects`` and ``identity.changes``: grain as in their headers.

    Args:
        con: Build connection with ``identity.customer_map``, the temporary tables
            ``identity_kept_ids`` (id: all customers), ``identity_placed`` (source, record_key,
            customer_id, known_id: that of the version before or, of a record that is back, its
            last one; settled customers may lack), ``identity_customers_before``,
            ``identity_placing`` and ``identity_dormant`` (id), and, if tonight's
            inputs were compared with those of the version before, the temporary table
            ``identity_record_reasons`` (source, record_key, reason, customer_id: that of the
            version before).
        business_date: The night, as YYYY-MM-DD.
        is_released: The night takes over identities that an operator accepted.
        is_refitted: The model was fitted again tonight.
    """
    has_base = has_base_table(con, "identity.customer_map")
    day = {"business_date": business_date}
    con.execute(_RETIRED)
    con.execute(_COMPOSED_REDIRECTS if has_base else _NEW_REDIRECTS, day)
    _find_moves(con, has_base=has_base)
    con.execute(_REASONS, {"causes": list(CAUSES)})
    told = {
        "causes": list(CAUSES),
        "released": is_released,
        "otherwise": "model refit" if is_refitted else "regrouped",
        "removed": CAUSES.index("removed record") + 1,
        "has_base": has_base,
    }
    con.execute(_CAUSED, day | told)
    rows = "select * from identity_tonight"
    if has_base:
        has_cause = "cause" in base_columns(con, "identity.changes")
        carried = _CARRIED_CHANGES.format(cause="cause" if has_cause else "'regrouped' as cause")
        rows += f" union all {carried}"
    con.execute(_CHANGES.format(rows=rows))


def _find_moves(con: duckdb.DuckDBPyConnection, *, has_base: bool) -> None:
    """Create ``identity_moves``, and ``identity_record_reasons`` without rows if nobody has."""
    noted = "(select distinct source, record_key, customer_id from identity_record_reasons)"
    if not has_table(con, "identity_record_reasons", catalog="temp"):
        noted = "base.identity.customer_map"
        con.execute(_NO_REASONS)
    change = change_sql(
        "m.known_id", "m.customer_id", known="k.customer_id", living="l.customer_id"
    )
    con.execute(_TONIGHT.format(change=change))
    if has_base:
        con.execute(_LEFT.format(removed=_REMOVED.format(before=noted)))
