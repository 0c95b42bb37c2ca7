"""One value, one person: who gets a mailbox, a number or a card that several customers state.

Customers ask for the value they most believe in, a value takes the customer with the best claim,
and whoever is refused asks for the next one: deferred acceptance, so no customer and value would
rather have each other. Claims that lost are kept in ``identity.contact_claims`` with the reason.

Source: D. Gale, L. S. Shapley (1962), College Admissions and the Stability of Marriage.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.identity.golden.golden_fields import OWNERSHIP, order_sql, reason_sql
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table

_CLAIMS = """
create or replace temp table {claims} as
with best as (
    select
        customer_id,
        value,
        record_id,
        trust,
        max(naming) over (partition by customer_id, value) as naming,
        verified_at,
        updated_at,
        votes,
        place
    from {ranked}
    qualify row_number() over (partition by customer_id, value order by place) = 1
),

last_night as ({last_night}),

claims as (
    select
        b.*,
        count(*) over (partition by b.customer_id) as values_held,
        n.customer_id is not null as was_owner
    from best as b
    left join last_night as n on n.customer_id = b.customer_id and n.value = b.value
)

select
    *,
    row_number() over (partition by value order by {order}, claims.customer_id) as claim_place,
    count(*) over (partition by value) as claimants
from claims
"""

_LAST_NIGHT = """
select distinct r.customer_id, r.value
from base.identity.golden_sources as s
inner join identity.records as i on i.source = s.source and i.record_key = s.record_key
inner join {ranked} as r on r.record_id = i.record_id and r.customer_id = s.customer_id
where s.field = '{field}'
"""

_NOBODY = "select cast(null as varchar) as customer_id, cast(null as varchar) as value where false"

_OPEN = """
create or replace temp table identity_asking as
select c.customer_id, c.value, c.place, c.claim_place
from {claims} as c
where c.customer_id in (select customer_id from {claims} where claimants > 1)
"""
# Whoever states no contested value keeps what ranks first.

_REFUSED = """
create or replace temp table identity_refused as
with asked as (
    select *
    from identity_asking
    qualify row_number() over (partition by customer_id order by place) = 1
)
select customer_id, value
from asked
qualify row_number() over (partition by value order by claim_place) > 1
"""

_WITHDRAW = """
delete from identity_asking as a
using identity_refused as r
where a.customer_id = r.customer_id and a.value = r.value
"""

_SETTLED = """
create or replace temp table identity_winners as
select customer_id, value
from {claims}
where customer_id not in (select customer_id from {claims} where claimants > 1)
qualify row_number() over (partition by customer_id order by place) = 1
union all
select customer_id, value
from (
    select *
    from identity_asking
    qualify row_number() over (partition by customer_id order by place) = 1
)
"""

_LOST = """
select
    '{field}' as field,
    c.customer_id,
    o.customer_id as owner_id,
    i.source,
    i.record_key,
    c.claim_place,
    c.claimants,
    case
        when c.customer_id = o.customer_id then 'owner'
        when c.claim_place < o.claim_place then 'has_a_better_one'
        {reasons}
        else 'customer_order'
    end as rule
from {claims} as c
inner join identity_winners as w on w.value = c.value
inner join {claims} as o on o.value = w.value and o.customer_id = w.customer_id
inner join identity.records as i on i.record_id = c.record_id
where c.claimants > 1
"""


_UNSETTLED = """
insert into identity_unsettled
select distinct c.customer_id
from identity_claims_{field} as c
left join {chosen} as w
    on w.customer_id = c.customer_id and w.value = c.value and w.{field} is not null
where c.claimants > 1 and c.was_owner <> (w.customer_id is not null)
"""
# An owner of last night has the better claim: with other owners, the same claims may end otherwise.


def note_unsettled(con: duckdb.DuckDBPyConnection, *, chosen: str, field: str) -> None:
    """Add to ``identity_unsettled`` who owns something else than last night, of what is contested.

    Args:
        con: Build connection after ``assign_owners`` for the field.
        chosen: Table of the chosen statements, see ``survivorship.Choice``.
        field: Field of the group.
    """
    con.execute(_UNSETTLED.format(chosen=chosen, field=field))


def assign_owners(
    con: duckdb.DuckDBPyConnection, *, ranked: str, field: str, rules: Sequence[str]
) -> str:
    """Give each contested value of a group to one customer.

    Args:
        con: Build connection.
        ranked: Table of statements, see ``survivorship.Choice``.
        field: Field of the group.
        rules: Declared ``one_owner`` rules.

    Returns:
        SELECT of the contested claims (``CLAIM_COLUMNS``); ``identity_winners`` (customer_id,
        value) holds what each customer has.
    """
    claims = f"identity_claims_{field}"
    has_base = has_base_table(con, "identity.golden_sources")
    last_night = _LAST_NIGHT.format(ranked=ranked, field=field) if has_base else _NOBODY
    terms = {rule: OWNERSHIP[rule] for rule in rules}
    order = order_sql(list(terms.values()), "claims")
    con.execute(_CLAIMS.format(claims=claims, ranked=ranked, last_night=last_night, order=order))
    con.execute(_OPEN.format(claims=claims))
    while True:
        con.execute(_REFUSED)
        if not fetch_value(con, "select count(*) from identity_refused"):
            break
        con.execute(_WITHDRAW)
    con.execute(_SETTLED.format(claims=claims))
    lost = f"identity_lost_{field}"
    reasons = reason_sql(terms, "o", "c")
    con.execute(
        f"create or replace temp table {lost} as "
        f"{_LOST.format(field=field, claims=claims, reasons=reasons)}"
    )
    return f"select {', '.join(CLAIM_COLUMNS)} from {lost}"  # noqa: S608 - own table


CLAIM_COLUMNS = (
    "field", "customer_id", "owner_id", "source", "record_key", "claim_place", "claimants", "rule"
)  # fmt: skip


def write_claims(con: duckdb.DuckDBPyConnection, claims: Sequence[str]) -> None:
    """Write ``identity.contact_claims`` from SELECTs of ``CLAIM_COLUMNS``."""
    nothing = (
        "select null::varchar as field, null::varchar as customer_id, null::varchar as owner_id, "
        "null::varchar as source, null::varchar as record_key, null::bigint as claim_place, "
        "null::bigint as claimants, null::varchar as rule where false"
    )
    union = " union all ".join([nothing, *claims])
    con.execute(
        f"create or replace table identity.contact_claims as select * from ({union}) "  # noqa: S608 - own tables
        "order by field, owner_id, claim_place, customer_id"
    )
