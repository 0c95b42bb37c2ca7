"""Stable ids: a group of records keeps the id that most of its records had last night.

An id goes to the group that holds most of its records, a group takes the largest of the ids it may
have, and of equals the one with the senior founder. A group without an id takes that of its
founder, the record seen first: source and key decide the id, not the night and not the way there.
The same SQL names customers and households. What became of ids is told in ``changes``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.identity.grouping.changes import record_changes
from cdp_pipeline.identity.grouping.remembered import (
    CUSTOMERS,
    Memory,
    find_returning,
    recall_ids,
    remember_ids,
)
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table

DEFAULT_MEMORY = Memory()

MINTING_ATTEMPTS = 50
"""A founder mints once in its life, and once more for each time its id stayed with others after a
split; a record that founds fifty customers is a defect."""

UNKNOWN_DAY = "9999-12-31"
"""A record of unknown age is nobody's senior."""

_RANKED = """
create or replace temp table identity_ranked as
select
    group_id,
    previous_id,
    previous_id in (select id from identity_dormant) as is_dormant,
    coalesce(cast(since as varchar), $unknown) || '/' || member as seniority
from identity_members
"""

_KEPT = """
create or replace temp table identity_kept_ids as
with inherited as (
    select group_id, previous_id, is_dormant, count(*) as members, min(seniority) as founder
    from identity_ranked
    where previous_id is not null
    group by group_id, previous_id, is_dormant
),
claimed as (
    select *
    from inherited
    qualify row_number() over (
        partition by previous_id order by members desc, founder, group_id
    ) = 1
)
select group_id, previous_id as id
from claimed
qualify row_number() over (
    partition by group_id order by is_dormant, members desc, founder, previous_id
) = 1
"""
# Each old id is claimed by one group, and each group uses one of the ids it claims. One that comes
# back never displaces one that was there last night.

_UNNAMED = """
create or replace temp table identity_unnamed as
select group_id, substr(min(seniority), 12) as founder
from identity_ranked as m
anti join identity_kept_ids as k on k.group_id = m.group_id
group by group_id
"""

_MINT = """
insert into identity_kept_ids
with minted as (
    select
        group_id,
        $prefix || upper(left(md5(founder || '|' || $attempt), 16)) as id
    from identity_unnamed
)
select group_id, id
from minted
where id not in (select id from identity_used_ids)
    and id not in (select id from identity_kept_ids)
    and id not in (
        select m.id
        from minted as m
        cross join identity_secrets as k
        semi join identity_spent as s on s.id_hash = identity_keyed(k.secret, m.id)
    )
qualify row_number() over (partition by id order by group_id) = 1
"""


def name_groups(con: duckdb.DuckDBPyConnection, *, prefix: str) -> None:
    """Give every group of ``identity_members`` an id, in ``identity_kept_ids`` (group_id, id).

    Args:
        con: Connection with the temporary tables ``identity_members`` (member: text key that
            orders alike every night, since: date it was first seen or null, group_id, previous_id
            or null) and those of ``remembered.recall_ids``.
        prefix: First letter of minted ids.

    Raises:
        IdentityError: Ids could not be made unique.
    """
    con.execute(_RANKED, {"unknown": UNKNOWN_DAY})
    con.execute(_KEPT)
    for attempt in range(MINTING_ATTEMPTS):
        con.execute(_UNNAMED)
        if not fetch_value(con, "select count(*) from identity_unnamed"):
            return
        con.execute(_MINT, {"prefix": prefix, "attempt": str(attempt)})
    raise IdentityError(
        "ids could not be made unique",
        where="resolve_customers",
        hint=f"Report this: one record would found more than {MINTING_ATTEMPTS} customers.",
    )


_CUSTOMER_MEMBERS = """
create or replace temp table identity_members as
select
    r.record_id,
    r.source,
    r.record_key,
    r.source || '/' || r.record_key as member,
    r.first_seen_on as since,
    g.group_id,
    g.match_prob,
    {before} as before_id,
    coalesce({before}, d.id) as known_id,
    coalesce({previous}, d.id) as previous_id
from identity.records as r
inner join {groups}
left join identity_returning as d on d.member = r.source || '/' || r.record_key
{joins}
"""

_CUSTOMER_MAP = """
create or replace table identity.customer_map as
select
    m.source,
    m.record_key,
    k.id as customer_id,
    m.match_prob,
    m.before_id as previous_customer_id
from identity_members as m
inner join identity_kept_ids as k on k.group_id = m.group_id
order by m.source, m.record_key
"""

_PLACED = """
create or replace temp table identity_placed as
select m.source, m.record_key, k.id as customer_id, m.known_id
from identity_members as m
inner join identity_kept_ids as k on k.group_id = m.group_id
"""

_LIVING = (
    "select customer_id from identity.customer_map "
    "union select old_customer_id from identity.redirects"
)

_NEWCOMERS = """
select r.source || '/' || r.record_key as member
from identity.records as r
{known}
"""

_BASE = """
left join base.identity.customer_map as b on b.source = r.source and b.record_key = r.record_key
"""

_UNKNOWN = """
anti join base.identity.customer_map as b on b.source = r.source and b.record_key = r.record_key
"""

_PROPOSED = """
left join identity_proposed_map as p on p.source = r.source and p.record_key = r.record_key
"""


def assign_customers(
    con: duckdb.DuckDBPyConnection,
    *,
    business_date: str,
    is_refitted: bool = False,
    is_released: bool = False,
    memory: Memory = DEFAULT_MEMORY,
    groups: str = "identity_groups as g on g.evidence_id = r.evidence_id",
) -> None:
    """Write ``identity.customer_map`` and tell what changed (``changes.record_changes``).

    Args:
        con: Build connection with the temporary table ``identity_groups`` (evidence_id,
            group_id, match_prob).
        business_date: The night, as YYYY-MM-DD.
        is_refitted: The model was fitted again tonight.
        is_released: Ids follow the accepted proposal in ``identity_proposed_map`` (source,
            record_key, customer_id) where it has the record, not the version before.
        memory: How ids that nobody has are remembered.
        groups: SQL that joins the groups ``g`` to ``identity.records as r``.

    Raises:
        IdentityError: Ids could not be made unique.
    """
    proposed = "select customer_id from identity_proposed_map" if is_released else ""
    recall_ids(con, CUSTOMERS, memory, also_used=proposed)
    has_base = has_base_table(con, "identity.customer_map")
    find_returning(con, _NEWCOMERS.format(known=_UNKNOWN if has_base else ""))
    before = "b.customer_id" if has_base else "cast(null as varchar)"
    con.execute(
        _CUSTOMER_MEMBERS.format(
            groups=groups,
            before=before,
            previous=f"coalesce(p.customer_id, {before})" if is_released else before,
            joins=(_BASE if has_base else "") + (_PROPOSED if is_released else ""),
        )
    )
    name_groups(con, prefix=CUSTOMERS.prefix)
    con.execute(_CUSTOMER_MAP)
    con.execute(_PLACED)
    record_changes(
        con, business_date=business_date, is_released=is_released, is_refitted=is_refitted
    )
    remember_ids(con, CUSTOMERS, memory, living=_LIVING, business_date=business_date)
