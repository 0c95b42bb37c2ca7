"""Values that many strangers share: courtesy cards, junk mailboxes, 0000000000.

Finding and listing them belongs here; ``records`` empties them. A value is judged by how many
different people come with it, never by how often it occurs: a good customer's card occurs often.
"""

from __future__ import annotations

import duckdb

IDENTIFIERS = (
    "email",
    "phone",
    "loyalty_id",
    "account_id",
    "payment_token",
    "national_id",
    "identifier",
)
"""Fields that identify a person or a household."""

PARTNERS = ("given_name", "email", "phone", "loyalty_id", "account_id", "payment_token")
"""Fields whose variety beside one value tells strangers from a household."""

PARTNER_MINIMUM = 10
"""Different values of one partner field from which an identifier may be a hub. A household of five
with two addresses each, or a member's typing slips over years, stays below."""

PARTNER_SHARE = 0.3
"""Different partner values per record that has one; a regular shopper repeats herself."""

BIRTH_DATE_SHARE = 0.005
"""Share of all dated records above which one birth date is a till's default."""

_BIRTH_DATES = """
insert into identity_hub_values
with frequent as (
    select birth_date
    from identity_turned
    where birth_date is not null
    group by birth_date
    having count(*) >= $share * (select count(birth_date) from identity_turned)
)
select 'birth_date', cast(t.birth_date as varchar), 'default', count(*)
from identity_turned as t
semi join frequent as f on f.birth_date = t.birth_date
group by t.birth_date
having count(distinct t.given_name) >= 20
"""

_HUBS = """
create or replace table identity.hubs as
select
    field,
    left(sha256(field || ':' || value), 16) as value_hash,
    reason,
    cast(records as bigint) as records
from identity_hub_values
order by field, value_hash
"""


def find_hubs(con: duckdb.DuckDBPyConnection) -> None:
    """Write ``identity.hubs`` (hashes only) and the temporary ``identity_hub_values``.

    Reads the temporary table ``identity_turned``. A value has one row, the placeholder's reason
    before the crowd's.
    """
    con.execute(
        "create or replace temp table identity_hub_values "
        "(field varchar, value varchar, reason varchar, records bigint)"
    )
    for field in IDENTIFIERS:
        con.execute(_identifier_sql(field), {"minimum": PARTNER_MINIMUM, "share": PARTNER_SHARE})
    con.execute(_BIRTH_DATES, {"share": BIRTH_DATE_SHARE})
    con.execute(_HUBS)


def _identifier_sql(field: str) -> str:
    """Return the statement for one field; varieties are counted for its few frequent values."""
    placeholder = {
        "email": "identity_is_junk_email(email)",
        "phone": "identity_is_junk_phone(phone)",
        "loyalty_id": "regexp_full_match(loyalty_id, '9+|1+')",
    }.get(field, "false")
    crowds = [
        f"when count(distinct {partner}) >= $minimum "
        f"and count(distinct {partner}) >= $share * count({partner}) "
        f"then 'many values of {partner}'"
        for partner in PARTNERS
        if partner != field
    ]
    return f"""
        insert into identity_hub_values
        with frequent as (
            select {field} as value
            from identity_turned
            where {field} is not null
            group by {field}
            having count(*) >= $minimum or {placeholder}
        ),
        values_seen as (
            select
                {field} as value,
                count(*) as records,
                case when {placeholder} then 'placeholder' {" ".join(crowds)} end as reason
            from identity_turned
            semi join frequent on frequent.value = {field}
            group by {field}
        )
        select '{field}', value, reason, records from values_seen where reason is not null
        """  # noqa: S608 - fixed column names
