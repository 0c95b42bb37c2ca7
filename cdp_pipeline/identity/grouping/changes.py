"""What became of customer ids tonight: redirects, and changes with their cause.

Redirects lead from a retired id to a living one in one step. A change names its cause only as far
as tonight's inputs tell it. Choosing ids belongs in ``ids``, what is kept of an id that neither
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
        v.*,
        list_position($causes, own.reason) as own_rank,
        least(now.rank, before.rank) as rank
    from identity_moves as v
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
        when change in ('created', 'joined', 'returned')
            then coalesce($causes[own_rank], 'new record')
        else coalesce($causes[rank], $otherwise)
    end as cause,
    cast($business_date as date) as changed_on
from ranked
qualify change not in ('created', 'returned')
    or row_number() over (partition by customer_id, change order by source, record_key) = 1
"""
# A new customer is one line, however many records it begins with; so is one that is back.

_CHANGES = """
create or replace table identity.changes as
select customer_id, change, previous_customer_id, source, record_key, cause, changed_on
from ({rows})
order by changed_on, customer_id, change, source, record_key
"""

_CARRIED_CHANGES = """
select customer_id, change, previous_customer_id, source, record_key, {cause}, changed_on
from base.identity.changes
where customer_id in (
    select id from identity_kept_ids
    union all
    select old_customer_id from identity.redirects
)
"""
# The history of erased people goes with them.

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
    """Write ``identity.redirects`` and ``identity.changes``.

    Args:
        con: Build connection with ``identity.customer_map``, the temporary tables
            ``identity_kept_ids`` (id: all customers), ``identity_placed`` (source, record_key,
            customer_id, known_id: that of the version before or, of a record that is back, its
            last one; settled customers may lack) and ``identity_dormant`` (id), and, if tonight's
            inputs were compared with those of the version before, the temporary table
            ``identity_record_reasons`` (source, record_key, reason, customer_id: that of the
            version before).
        business_date: The night, as YYYY-MM-DD.
        is_released: The night takes over identities that an operator accepted.
        is_refitted: The model was fitted again tonight.
    """
    if not has_table(con, "identity_record_reasons", catalog="temp"):
        con.execute(_NO_REASONS)
    has_base = has_base_table(con, "identity.customer_map")
    day = {"business_date": business_date}
    con.execute(_RETIRED)
    con.execute(_COMPOSED_REDIRECTS if has_base else _NEW_REDIRECTS, day)
    con.execute(
        _TONIGHT.format(
            change=change_sql(
                "m.known_id", "m.customer_id", known="k.customer_id", living="l.customer_id"
            )
        )
    )
    con.execute(_REASONS, {"causes": list(CAUSES)})
    con.execute(
        _CAUSED,
        {
            **day,
            "causes": list(CAUSES),
            "released": is_released,
            "otherwise": "model refit" if is_refitted else "regrouped",
        },
    )
    rows = "select * from identity_tonight"
    if has_base:
        has_cause = "cause" in base_columns(con, "identity.changes")
        carried = _CARRIED_CHANGES.format(cause="cause" if has_cause else "'regrouped' as cause")
        rows += f" union all {carried}"
    con.execute(_CHANGES.format(rows=rows))
