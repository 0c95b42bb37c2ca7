"""Stable ids: a group of records keeps the id that most of its records had last night.

An id goes to the group that holds most of its records, a group takes the largest of the ids it
may have. Who loses an id is redirected, who splits off gets a new one; every change is written
down with its cause. The same SQL names customers and households.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table

MINTING_ATTEMPTS = 8
"""Of a collision of 64-bit hashes there should never be one; eight in a row are a defect."""

_KEPT = """
create or replace temp table identity_kept_ids as
with inherited as (
    select group_id, previous_id, count(*) as members, min(member) as first_member
    from identity_members
    where previous_id is not null
    group by group_id, previous_id
),
claimed as (
    select *
    from inherited
    qualify row_number() over (
        partition by previous_id order by members desc, first_member, group_id
    ) = 1
)
select group_id, previous_id as id
from claimed
qualify row_number() over (
    partition by group_id order by members desc, first_member, previous_id
) = 1
"""
# Each old id is claimed by one group, and each group uses one of the ids it claims.

_UNNAMED = """
create or replace temp table identity_unnamed as
select group_id, min(member) as first_member
from identity_members as m
anti join identity_kept_ids as k on k.group_id = m.group_id
group by group_id
"""

_MINT = """
insert into identity_kept_ids
with minted as (
    select
        group_id,
        $prefix || upper(left(md5(first_member || '|' || $day || '|' || $attempt), 16)) as id
    from identity_unnamed
)
select group_id, id
from minted
where id not in (select id from identity_used_ids)
    and id not in (select id from identity_kept_ids)
qualify row_number() over (partition by id order by group_id) = 1
"""


def name_groups(con: duckdb.DuckDBPyConnection, *, prefix: str, business_date: str) -> None:
    """Give every group of ``identity_members`` an id, in ``identity_kept_ids`` (group_id, id).

    Args:
        con: Connection with the temporary tables ``identity_members`` (member: text key that
            orders alike every night, group_id, previous_id or null) and ``identity_used_ids``
            (id: never to be minted again).
        prefix: First letter of minted ids.
        business_date: Mixed into minted ids: after a split the smaller part must not mint what
            the larger one kept.

    Raises:
        IdentityError: Ids could not be made unique.
    """
    con.execute(_KEPT)
    for attempt in range(MINTING_ATTEMPTS):
        con.execute(_UNNAMED)
        if not fetch_value(con, "select count(*) from identity_unnamed"):
            return
        con.execute(_MINT, {"prefix": prefix, "day": business_date, "attempt": str(attempt)})
    raise IdentityError(
        "customer ids could not be made unique",
        where="resolve_customers",
        hint="Report this: hashes of 64 bits collided repeatedly.",
    )


_CUSTOMER_MEMBERS = """
create or replace temp table identity_members as
select
    r.record_id,
    r.source,
    r.record_key,
    r.source || '/' || r.record_key as member,
    g.group_id,
    g.match_prob,
    {previous} as previous_id
from identity.records as r
inner join identity_groups as g on g.evidence_id = r.evidence_id
{join}
"""

_CUSTOMER_MAP = """
create or replace table identity.customer_map as
select
    m.source,
    m.record_key,
    k.id as customer_id,
    m.match_prob,
    m.previous_id as previous_customer_id
from identity_members as m
inner join identity_kept_ids as k on k.group_id = m.group_id
order by m.source, m.record_key
"""

_RETIRED = """
create or replace temp table identity_retired as
with inherited as (
    select
        previous_customer_id as old_customer_id,
        customer_id,
        count(*) as members
    from identity.customer_map
    where previous_customer_id not in (select customer_id from identity.customer_map)
    group by previous_customer_id, customer_id
)
select old_customer_id, customer_id
from inherited
qualify row_number() over (partition by old_customer_id order by members desc, customer_id) = 1
"""

_NEW_REDIRECTS = """
create or replace table identity.redirects as
select old_customer_id, customer_id, $business_date as changed_on
from identity_retired
order by old_customer_id
"""

_COMPOSED_REDIRECTS = """
create or replace table identity.redirects as
with carried as (
    select
        o.old_customer_id,
        coalesce(r.customer_id, o.customer_id) as customer_id,
        case when r.customer_id is null then o.changed_on else $business_date end as changed_on
    from base.identity.redirects as o
    left join identity_retired as r on r.old_customer_id = o.customer_id
    where o.old_customer_id not in (select customer_id from identity.customer_map)
        and o.old_customer_id not in (select old_customer_id from identity_retired)
),
final as (
    select old_customer_id, customer_id, $business_date as changed_on from identity_retired
    union all
    select old_customer_id, customer_id, changed_on from carried
    where customer_id in (select customer_id from identity.customer_map)
)
select * from final order by old_customer_id
"""
# A redirect whose customer is gone (erased) goes as well.

_TONIGHT = """
create or replace temp table identity_tonight as
with living as (select distinct customer_id from identity.customer_map),
known as (
    select distinct previous_customer_id as customer_id
    from identity.customer_map
    where previous_customer_id is not null
),
caused as (
    select
        m.customer_id,
        case
            when m.previous_customer_id is null and k.customer_id is null then 'created'
            when m.previous_customer_id is null then 'joined'
            when l.customer_id is null then 'merged'
            when k.customer_id is null then 'split'
            else 'moved'
        end as change,
        m.previous_customer_id,
        m.source,
        m.record_key
    from identity.customer_map as m
    left join living as l on l.customer_id = m.previous_customer_id
    left join known as k on k.customer_id = m.customer_id
    where m.previous_customer_id is distinct from m.customer_id
)
select *, $business_date as changed_on
from caused
qualify change <> 'created'
    or row_number() over (partition by customer_id, change order by source, record_key) = 1
"""
# A new customer is one line, however many records it begins with.

_CHANGES = """
create or replace table identity.changes as
select customer_id, change, previous_customer_id, source, record_key, changed_on
from ({rows})
order by changed_on, customer_id, change, source, record_key
"""

_CARRIED_CHANGES = """
select customer_id, change, previous_customer_id, source, record_key, changed_on
from base.identity.changes
where customer_id in (
    select customer_id from identity.customer_map
    union all
    select old_customer_id from identity.redirects
)
"""
# The history of erased people goes with them.


def assign_customers(con: duckdb.DuckDBPyConnection, *, business_date: str) -> None:
    """Write ``identity.customer_map``, ``identity.redirects`` and ``identity.changes``.

    Args:
        con: Build connection with the temporary table ``identity_groups`` (evidence_id,
            group_id, match_prob).
        business_date: The night, as YYYY-MM-DD.

    Raises:
        IdentityError: Ids could not be made unique.
    """
    has_base = has_base_table(con, "identity.customer_map")
    con.execute(
        _CUSTOMER_MEMBERS.format(
            previous="b.customer_id" if has_base else "cast(null as varchar)",
            join="left join base.identity.customer_map as b "
            "on b.source = r.source and b.record_key = r.record_key"
            if has_base
            else "",
        )
    )
    con.execute(_used_ids_sql(has_base=has_base))
    name_groups(con, prefix="C", business_date=business_date)
    con.execute(_CUSTOMER_MAP)
    con.execute(_RETIRED)
    day = {"business_date": business_date}
    typed = "cast($business_date as date)"
    redirects = _COMPOSED_REDIRECTS if has_base else _NEW_REDIRECTS
    con.execute(redirects.replace("$business_date", typed), day)
    con.execute(_TONIGHT.replace("$business_date", typed), day)
    rows = "select * from identity_tonight"
    if has_base:
        rows += f" union all {_CARRIED_CHANGES}"
    con.execute(_CHANGES.format(rows=rows))


def _used_ids_sql(*, has_base: bool) -> str:
    create = "create or replace temp table identity_used_ids as "
    if not has_base:
        return create + "select cast(null as varchar) as id where false"
    return (
        f"{create} select customer_id as id from base.identity.customer_map "  # noqa: S608 - constant text
        "union select old_customer_id from base.identity.redirects"
    )
