"""Households as tables: stable ids, the person to address, redirects and what happened.

The history is kept like that of customers: a retired id resolves in one step, every change names
its cause. Who lives together is decided in ``households``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.grouping.changes import change_sql
from cdp_pipeline.identity.grouping.ids import DEFAULT_MEMORY, name_groups
from cdp_pipeline.identity.grouping.remembered import (
    HOUSEHOLDS,
    Memory,
    find_returning,
    recall_ids,
    remember_ids,
)
from cdp_pipeline.storage.patching import clear_place, write_patched
from cdp_pipeline.storage.warehouse import has_base_table

_MEMBERS = """
create or replace temp table identity_members as
select
    g.customer_id as member,
    cast(null as date) as since,
    g.group_id,
    {previous} as previous_id
from identity_household_groups as g
left join identity_returning as d on d.member = g.customer_id
{join}
"""

_NAMED = """
create or replace temp table identity_households as
select m.member as customer_id, k.id as household_id, m.previous_id
from identity_members as m
inner join identity_kept_ids as k on k.group_id = m.group_id
"""

_HOUSEHOLDS = """
with members as (
    select
        h.household_id,
        g.*,
        g.street is not null and coalesce(g.postcode, g.city) is not null as has_address,
        g.birth_date is null
            or g.birth_date <= date '{business_date}' - to_years(18) as is_adult,
        {was_head} as was_head
    from identity_households as h
    inner join identity_golden as g on g.customer_id = h.customer_id
    {join}
    {wanted}
),
heads as (
    select *
    from members
    qualify row_number() over (
        partition by household_id
        order by
            has_address desc, is_adult desc, was_head desc, birth_date asc nulls last,
            record_count desc, customer_id asc
    ) = 1
),
counted as (
    select
        household_id,
        count(*) as member_count,
        count(*) filter (is_adult) as adult_count,
        count(distinct identity_letters(family_name)) as family_name_count
    from members
    group by household_id
)
select
    c.household_id,
    h.customer_id as head_customer_id,
    c.member_count,
    c.adult_count,
    c.family_name_count,
    h.title as head_title,
    h.given_name as head_given_name,
    h.family_name as head_family_name,
    h.street,
    h.city,
    h.postcode,
    h.country
from counted as c
inner join heads as h on h.household_id = c.household_id
"""

_CHANGED = """
create or replace temp table identity_changed_homes as
with touched as (
    select h.household_id, h.previous_id
    from identity_households as h
    where h.previous_id is distinct from h.household_id
        or h.customer_id in (select customer_id from identity_anew)
),
grown as (
    select h.household_id
    from identity_households as h
    inner join identity_golden as g on g.customer_id = h.customer_id
    inner join base.identity.households as b on b.household_id = h.household_id
    group by h.household_id
    having count(*) filter (
        g.birth_date is null or g.birth_date <= date '{business_date}' - to_years(18)
    ) <> any_value(b.adult_count)
)
select household_id from touched
union
select previous_id from touched where previous_id is not null
union
select b.household_id from base.identity.golden_records as b
semi join identity_replaced as n on n.customer_id = b.customer_id
union
select household_id from grown
"""
# Whose members are the same people with the same golden records and as many adults keeps its head.

_RETIRED = """
create or replace temp table identity_retired_homes as
with people as (
    select previous_id as old_household_id, household_id from identity_households
    {merged}
),
inherited as (
    select old_household_id, household_id, count(*) as people
    from people
    where old_household_id not in (select household_id from identity_households)
    group by all
)
select old_household_id, household_id
from inherited
qualify row_number() over (
    partition by old_household_id order by people desc, household_id
) = 1
"""

_MERGED_PEOPLE = """
    union all
    select b.household_id, h.household_id
    from base.identity.golden_records as b
    inner join identity.redirects as r on r.old_customer_id = b.customer_id
    inner join identity_households as h on h.customer_id = r.customer_id
"""
# Whoever became part of another customer lives where that one does.

_REDIRECTS = """
create or replace table identity.household_redirects as
with carried as ({carried}),
final as (
    select old_household_id, household_id, date '{business_date}' as changed_on
    from identity_retired_homes
    union all
    select
        c.old_household_id,
        coalesce(r.household_id, c.household_id) as household_id,
        case when r.household_id is null then c.changed_on else date '{business_date}' end
    from carried as c
    left join identity_retired_homes as r on r.old_household_id = c.household_id
    where c.old_household_id not in (select old_household_id from identity_retired_homes)
)
select * from final
where household_id in (select household_id from identity_households)
order by old_household_id
"""

_CHANGE = change_sql(
    "h.previous_id", "h.household_id", known="k.previous_id", living="l.household_id"
)

_CHANGES = """
create or replace table identity.household_changes as
with known as (select distinct previous_id from identity_households),
living as (select distinct household_id from identity_households),
tonight as (
    select
        h.household_id,
        {change} as change,
        h.previous_id as previous_household_id,
        h.customer_id,
        date '{business_date}' as changed_on
    from identity_households as h
    left join known as k on k.previous_id = h.household_id
    left join living as l on l.household_id = h.previous_id
    where h.previous_id is distinct from h.household_id
        or h.previous_id in (select id from identity_dormant)
),
final as (
    select * from tonight
    union all
    select * from ({carried})
    where customer_id in (
        select customer_id from identity_households
        union all
        select old_customer_id from identity.redirects
    )
)
select * from final
order by changed_on, household_id, change, customer_id
"""

_NO_REDIRECTS = """
select null::varchar as old_household_id, null::varchar as household_id, null::date as changed_on
where false
"""

_NO_CHANGES = """
select null::varchar as household_id, null::varchar as change,
    null::varchar as previous_household_id, null::varchar as customer_id, null::date as changed_on
where false
"""


def name_households(
    con: duckdb.DuckDBPyConnection,
    *,
    business_date: str,
    memory: Memory = DEFAULT_MEMORY,
    is_carried: bool = False,
) -> None:
    """Give the groups of ``identity_household_groups`` stable ids and write their tables.

    Makes ``identity.households``, ``household_redirects``, ``household_changes`` and the temporary
    ``identity_households`` (customer_id, household_id, previous_id). See ``assign_households``.
    """
    has_base = has_base_table(con, "identity.golden_records")
    has_history = has_base_table(con, "identity.household_changes")
    recall_ids(con, HOUSEHOLDS, memory)
    newcomers = "select g.customer_id as member from identity_household_groups as g"
    if has_base:
        newcomers += " anti join base.identity.golden_records as b on b.customer_id = g.customer_id"
    find_returning(con, newcomers)
    con.execute(
        _MEMBERS.format(
            previous="coalesce(b.household_id, d.id)" if has_base else "d.id",
            join="left join base.identity.golden_records as b on b.customer_id = g.customer_id"
            if has_base
            else "",
        )
    )
    name_groups(con, prefix=HOUSEHOLDS.prefix)
    con.execute(_NAMED)
    _write_households(
        con, business_date=business_date, has_history=has_history, is_carried=is_carried
    )
    con.execute(_RETIRED.format(merged=_MERGED_PEOPLE if has_base else ""))
    redirects = "from base.identity.household_redirects" if has_history else _NO_REDIRECTS
    con.execute(_REDIRECTS.format(business_date=business_date, carried=redirects))
    remember_ids(
        con,
        HOUSEHOLDS,
        memory,
        living="select household_id from identity_households "
        "union select old_household_id from identity.household_redirects",
        business_date=business_date,
    )
    changes = "from base.identity.household_changes" if has_history else _NO_CHANGES
    con.execute(_CHANGES.format(business_date=business_date, carried=changes, change=_CHANGE))


def _write_households(
    con: duckdb.DuckDBPyConnection, *, business_date: str, has_history: bool, is_carried: bool
) -> None:
    """Write ``identity.households``; only those that changed, if the others may stand."""
    join = "left join base.identity.households as b on b.head_customer_id = g.customer_id"
    parts = {
        "business_date": business_date,
        "was_head": "b.head_customer_id is not null" if has_history else "false",
        "join": join if has_history else "",
    }
    if not (has_history and is_carried):
        clear_place(con, "identity.households")
        households = _HOUSEHOLDS.format(**parts, wanted="")
        con.execute(f"create table identity.households as {households} order by c.household_id")
        return
    con.execute(_CHANGED.format(business_date=business_date))
    changed = "select household_id from identity_changed_homes"
    write_patched(
        con,
        "identity.households",
        key="household_id",
        replaced=changed,
        anew=_HOUSEHOLDS.format(**parts, wanted=f"where h.household_id in ({changed})"),
    )


def recount_households(con: duckdb.DuckDBPyConnection, *, homes: str, business_date: str) -> None:
    """Add the households of a table (id) to ``identity.households``, from the golden records.

    Args:
        con: Connection to a version whose ``identity.households`` lacks them.
        homes: Table with their ids.
        business_date: The night, as YYYY-MM-DD; ages are as of it.
    """
    con.execute(
        "create or replace temp table identity_households as "  # noqa: S608 - own table names
        "select customer_id, household_id, cast(null as varchar) as previous_id "
        f"from identity.golden_records where household_id in (select id from {homes})"
    )
    con.execute(
        "create or replace temp table identity_golden as "
        "select * exclude (household_id) from identity.golden_records"
    )
    counted = _HOUSEHOLDS.format(business_date=business_date, was_head="false", join="", wanted="")
    con.execute(f"insert into identity.households {counted} order by c.household_id")
