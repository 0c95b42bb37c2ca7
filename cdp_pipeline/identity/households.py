"""Which customers live together: one catalogue a household.

The model's household class gives the pairs; the same address and family name is the plain rule
beside it. Only the grouping of customers belongs here; ids come from ``ids``.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.identity.ids import name_groups
from cdp_pipeline.identity.linkage import components
from cdp_pipeline.identity.nodes import street_key_sql
from cdp_pipeline.storage.warehouse import has_base_table

LARGEST_HOUSEHOLD = 8
"""More customers than this are neighbours chained by shared numbers: the address rule decides."""

_CUSTOMER_PLACES = """
create or replace temp table identity_places as
select
    customer_id,
    cast(row_number() over (order by customer_id) - 1 as integer) as place
from identity_people
"""

_ADDRESSES = """
create or replace temp table identity_shared_addresses as
with stated as (
    select distinct
        p.place,
        r.postcode || '|' || {street_key} || '|' || r.family_name as home
    from identity.customer_map as m
    inner join identity_places as p on p.customer_id = m.customer_id
    inner join identity.records as r on r.source = m.source and r.record_key = m.record_key
    where r.street is not null and r.postcode is not null and r.family_name is not null
        and r.record_kind in ('loyalty', 'account', 'order')
)
select min(place) over (partition by home) as place_a, place as place_b
from stated
qualify place_a <> place_b
"""

_MODELLED = """
create or replace temp table identity_modelled_households as
select distinct least(a.place, b.place) as place_a, greatest(a.place, b.place) as place_b
from staging.identity_household_pairs as h
inner join identity_golden_members as l on l.record_id = h.record_a
inner join identity_golden_members as r on r.record_id = h.record_b
inner join identity_places as a on a.customer_id = l.customer_id
inner join identity_places as b on b.customer_id = r.customer_id
where a.place <> b.place and h.household_prob >= 0.9
"""

_MEMBERS = """
create or replace temp table identity_members as
select
    p.customer_id as member,
    g.group_id,
    {previous} as previous_id
from identity_places as p
inner join identity_household_groups as g on g.place = p.place
{join}
"""


def assign_households(con: duckdb.DuckDBPyConnection, *, business_date: str) -> None:
    """Create the temporary table ``identity_households`` (customer_id, household_id).

    A household keeps the id that most of its customers had last night.
    """
    con.execute(_CUSTOMER_PLACES)
    con.execute(_ADDRESSES.format(street_key=street_key_sql("r.street")))
    con.execute(_MODELLED)
    _group_customers(con)
    has_base = has_base_table(con, "identity.golden_records")
    con.execute(
        _MEMBERS.format(
            previous="b.household_id" if has_base else "cast(null as varchar)",
            join="left join base.identity.golden_records as b on b.customer_id = p.customer_id"
            if has_base
            else "",
        )
    )
    used = (
        "select household_id as id from base.identity.golden_records"
        if has_base
        else ("select cast(null as varchar) as id where false")
    )
    con.execute(f"create or replace temp table identity_used_ids as {used}")
    name_groups(con, prefix="H", business_date=business_date)
    con.execute(
        "create or replace temp table identity_households as "
        "select m.member as customer_id, k.id as household_id from identity_members as m "
        "inner join identity_kept_ids as k on k.group_id = m.group_id"
    )


def _group_customers(con: duckdb.DuckDBPyConnection) -> None:
    size = len(con.execute("select place from identity_places").fetchall())
    sure = _edges(con, "identity_shared_addresses")
    modelled = _edges(con, "identity_modelled_households")
    both = np.concatenate([sure, modelled])
    labels = components(both[:, 0], both[:, 1], size=size)
    crowded = np.bincount(labels, minlength=1)[labels] > LARGEST_HOUSEHOLD
    plain = components(sure[:, 0], sure[:, 1], size=size)
    groups = np.where(crowded, size + plain, labels)
    con.register("identity_group_rows", pa.table({"place": np.arange(size), "group_id": groups}))
    con.execute(
        "create or replace temp table identity_household_groups as from identity_group_rows"
    )
    con.unregister("identity_group_rows")


def _edges(
    con: duckdb.DuckDBPyConnection, table: str
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    found = con.execute(
        f"select place_a, place_b from {table} order by place_a, place_b"  # noqa: S608 - own table name
    ).fetchnumpy()
    return np.stack([np.asarray(found[c], np.int64) for c in ("place_a", "place_b")], axis=1)
