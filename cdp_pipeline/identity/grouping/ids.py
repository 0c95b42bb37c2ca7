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
from cdp_pipeline.identity.grouping.considered import STANDING, STANDING_MAP
from cdp_pipeline.identity.grouping.remembered import (
    CUSTOMERS,
    Memory,
    find_returning,
    recall_ids,
    remember_ids,
)
from cdp_pipeline.storage.warehouse import fetch_value

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


_KNOWN = """
create or replace temp view identity_before as
select *, customer_id as previous_id, customer_id as reference_id
from identity_customers_before
"""

_KNOWN_AS_PROPOSED = """
create or replace temp view identity_before as
select
    r.record_id,
    b.customer_id,
    b.match_prob,
    coalesce(p.customer_id, b.customer_id) as previous_id,
    case
        when b.customer_id is not null
            and (p.customer_id is not null or not exists (from identity_proposed_map))
            then coalesce(p.customer_id, b.customer_id)
    end as reference_id
from identity_considered as r
left join identity_customers_before as b on b.record_id = r.record_id
left join identity_proposed_map as p on p.source = r.source and p.record_key = r.record_key
where b.customer_id is not null or p.customer_id is not null
"""
# What an accepted proposal of the version before leaves to nobody was accepted too.

_PLACING = """
create or replace temp table identity_placing as
select
    r.record_id,
    g.group_id,
    g.match_prob,
    b.customer_id as before_id,
    b.previous_id,
    b.reference_id
from identity_considered as r
inner join {groups}
left join identity_before as b on b.record_id = r.record_id
"""

_NOT_AS_PROPOSED = """
update identity_placing
set previous_id = before_id
from (
    with formed as (
        select group_id, min(before_id) as id, count(*) as records
        from identity_placing
        group by group_id
        having min(before_id) = max(before_id) and count(before_id) = count(*)
    ),
    homes as (
        select before_id as id, count(*) as records from identity_placing group by before_id
    )
    select f.group_id, f.id
    from formed as f
    inner join homes as h on h.id = f.id and h.records = f.records
) as whole
where identity_placing.group_id = whole.group_id or identity_placing.previous_id = whole.id
"""
# Who is the same customer after all, as evidence or a steward has it since, gives its id to nobody.

_SETTLED = """
create or replace temp table identity_settled as
with formed as (
    select
        group_id,
        min(previous_id) as id,
        count(*) as records,
        coalesce(min(previous_id) = max(previous_id), false) and count(previous_id) = count(*)
            as is_whole
    from identity_placing
    group by group_id
),
whole as (
    select any_value(group_id) as group_id, id, any_value(records) as records
    from formed
    where is_whole
    group by id
    having count(*) = 1
),
elsewhere as (
    select distinct p.previous_id
    from identity_placing as p
    semi join (select group_id from formed where not is_whole) as f on f.group_id = p.group_id
    where p.previous_id is not null
)
select group_id, id, records
from whole
anti join elsewhere as e on e.previous_id = id
where not $released
"""
# Groups of one customer's records, all of them: nobody else can claim the id, and nothing happened.

_CUSTOMER_MEMBERS = """
create or replace temp table identity_members as
select
    r.source,
    r.record_key,
    r.source || '/' || r.record_key as member,
    r.first_seen_on as since,
    p.group_id,
    p.before_id,
    p.reference_id,
    coalesce(p.before_id, d.id) as known_id,
    coalesce(p.previous_id, d.id) as previous_id
from identity_placing as p
anti join identity_settled as s on s.group_id = p.group_id
inner join identity_considered as r on r.record_id = p.record_id
left join identity_returning as d on d.member = r.source || '/' || r.record_key
"""

_CUSTOMER_MAP = """
create or replace table identity.customer_map as
select
    r.source,
    r.record_key,
    k.id as customer_id,
    p.match_prob,
    p.before_id as previous_customer_id
from identity_placing as p
inner join identity_kept_ids as k on k.group_id = p.group_id
inner join identity_considered as r on r.record_id = p.record_id
"""

_PLACED = """
create or replace temp table identity_placed as
select m.source, m.record_key, k.id as customer_id, m.known_id, m.reference_id
from identity_members as m
inner join identity_kept_ids as k on k.group_id = m.group_id
"""

_LIVING = (
    "select id from identity_kept_ids union all select old_customer_id from identity.redirects"
)

_NEWCOMERS = """
select r.source || '/' || r.record_key as member
from identity_considered as r
anti join identity_customers_before as b on b.record_id = r.record_id
"""


def assign_customers(  # noqa: PLR0913 - a night names all or a part, anew or as accepted
    con: duckdb.DuckDBPyConnection,
    *,
    business_date: str,
    is_refitted: bool = False,
    is_released: bool = False,
    memory: Memory = DEFAULT_MEMORY,
    is_part: bool = False,
    groups: str = "identity_groups as g on g.evidence_id = r.evidence_id",
) -> None:
    """Write ``identity.customer_map`` and tell what changed (``changes.record_changes``).

    Leaves the temporary tables ``identity_placing`` (record_id, group_id, match_prob, ids of the
    version before), ``identity_settled`` (group_id, id, records: customers whose records are
    exactly those of the version before) and ``identity_placed`` (the records of all others).

    Args:
        con: Build connection after ``considered.consider_all`` with the temporary table
            ``identity_groups`` (evidence_id, group_id, match_prob).
        business_date: The night, as YYYY-MM-DD.
        is_refitted: The model was fitted again tonight.
        is_released: Ids follow the accepted proposal in ``identity_proposed_map`` (source,
            record_key, customer_id) where it has the record, not the version before; but a
            customer that has exactly its former records keeps its id.
        memory: How ids that nobody has are remembered.
        is_part: ``considered.consider_touched`` chose the records; all other customers stand.
        groups: SQL that joins the groups ``g`` to ``identity_considered as r``.

    Raises:
        IdentityError: Ids could not be made unique.
    """
    proposed = "select customer_id from identity_proposed_map" if is_released else ""
    recall_ids(con, CUSTOMERS, memory, also_used=proposed)
    find_returning(con, _NEWCOMERS)
    con.execute(_KNOWN_AS_PROPOSED if is_released else _KNOWN)
    con.execute(_PLACING.format(groups=groups))
    if is_released:
        con.execute(_NOT_AS_PROPOSED)
    con.execute(_SETTLED, {"released": is_released})
    if is_part:
        con.execute(STANDING)
    con.execute(_CUSTOMER_MEMBERS)
    name_groups(con, prefix=CUSTOMERS.prefix)
    con.execute("insert into identity_kept_ids select group_id, id from identity_settled")
    _write_map(con, is_part=is_part)
    record_changes(
        con, business_date=business_date, is_released=is_released, is_refitted=is_refitted
    )
    remember_ids(con, CUSTOMERS, memory, living=_LIVING, business_date=business_date)


def _write_map(con: duckdb.DuckDBPyConnection, *, is_part: bool) -> None:
    con.execute(_CUSTOMER_MAP)
    if is_part:
        con.execute(STANDING_MAP)
    con.execute(_PLACED)
