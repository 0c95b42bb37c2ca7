"""The one door to every contact: may this person be reached, for what, how, as of a day.

Nothing else in the package decides about consent, and every export passes here twice: once to
choose people (``permitted``), once to prove the finished rows (``hold_to_consent``). How a person
is reached, and whom a segment holds, does not belong here.

The rules, strictest first:

1. Nobody is permitted without a grant for exactly this purpose and channel (default deny).
2. A request to erase or to restrict, or an objection to processing, blocks everything, whatever
   its status.
3. The newest statement per person, purpose and channel wins; of equally recent ones, which a merge
   of records can bring together, the most restrictive.
4. A refusal that names no purpose or channel counts for all of them; a grant counts only for the
   purpose and channel it names (or for a purpose asked without channel, if it names none).
5. A grant without a time, or from after the business date, is no proof. A refusal always counts.
6. Two people who share one inbox or device share its refusals, unless the grant is newer; also
   those of a person whose address belongs to another one.
"""

from __future__ import annotations

import hashlib
from datetime import date

import duckdb

from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.storage.warehouse import fetch_value, has_table, quote_identifier

LEDGER_TABLES = (
    "core.dim_customer",
    "core.customer_contact",
    "core.contact_claims",
    "core.fct_consents",
    "core.privacy_requests",
)

ADDRESSES = {
    "email": "nullif(lower(trim(email)), '')",
    "sms": "nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')",
    "push": "nullif(trim(push_token), '')",
    "post": "nullif(lower(trim(street) || ' ' || trim(postcode)), ' ')",
}
"""By channel, where a message arrives: SQL over ``core.customer_contact``, NULL if nowhere."""

BLOCKING = ("erasure", "objection", "restriction")
"""Kinds of requests that block every use of a person's data, whatever their status."""

HOUSEHOLD_CHANNELS = frozenset({"post"})
"""Channels whose address several people rightly share: each may get a message of their own."""

_PERMITTED = """
with statements as (
    select
        customer_id,
        captured_at,
        lower(trim(purpose)) as purpose,
        lower(trim(channel)) as channel,
        case lower(trim(status))
            when 'granted' then 0
            when 'withdrawn' then 2
            when 'objected' then 3
            else 1
        end as strictness,
    from core.fct_consents
    where customer_id is not null
),

relevant as (
    select customer_id, captured_at, strictness
    from statements
    where case
        when strictness = 0
            then purpose = $purpose
                and channel is not distinct from $channel
                and business_date(captured_at) <= $business_date
        else (purpose is null or purpose = $purpose)
            and (channel is null or channel is not distinct from $channel)
    end
),

ranked as (
    select
        customer_id,
        captured_at,
        strictness,
        row_number() over (
            partition by customer_id
            order by captured_at desc nulls first, strictness desc
        ) as recency,
    from relevant
),

blocked as (
    select distinct customer_id
    from core.privacy_requests
    where customer_id is not null and lower(trim(request_type)) in {blocking}
),

people as (
    select customer_id from core.dim_customer
    union
    select customer_id from core.customer_contact
),

judged as (
    select
        people.customer_id,
        ranked.captured_at,
        case
            when blocked.customer_id is not null then 'privacy_request'
            when ranked.strictness = 0 then 'granted'
            when ranked.strictness = 1 then 'unclear'
            when ranked.strictness = 2 then 'withdrawn'
            when ranked.strictness = 3 then 'objected'
            else 'never_asked'
        end as reason,
    from people
    left join ranked on people.customer_id = ranked.customer_id and ranked.recency = 1
    left join blocked on people.customer_id = blocked.customer_id
),

addresses as (
    select customer_id, {address} as address from core.customer_contact
),

-- Who states an address without owning it (a spouse, an old number) still refuses for it.
stated_addresses as (
    select customer_id, address
    from addresses
    where address is not null
    union
    select claims.customer_id, addresses.address
    from core.contact_claims as claims
    inner join addresses on claims.owner_id = addresses.customer_id
    where claims.channel is not distinct from $channel and addresses.address is not null
),

refused_addresses as (
    select
        stated.address,
        max(
            case
                when judged.reason = 'privacy_request' or judged.captured_at is null
                    then timestamp 'infinity'
                else judged.captured_at
            end
        ) as refused_at,
    from judged
    inner join stated_addresses as stated on judged.customer_id = stated.customer_id
    where judged.reason in ('privacy_request', 'withdrawn', 'objected', 'unclear')
    group by stated.address
),

final as (
    select
        judged.customer_id,
        judged.reason = 'granted' and refused_addresses.address is null as is_permitted,
        case
            when judged.reason = 'granted' and refused_addresses.address is not null
                then 'shared_address'
            else judged.reason
        end as reason,
    from judged
    left join addresses on judged.customer_id = addresses.customer_id
    left join refused_addresses
        on addresses.address = refused_addresses.address
        and refused_addresses.refused_at >= judged.captured_at
)

select * from final
"""


def permitted(
    con: duckdb.DuckDBPyConnection, *, purpose: str, channel: str | None, business_date: date
) -> str:
    """Judge every customer for one purpose and channel.

    Args:
        con: Connection to the build, with ``core`` finished.
        purpose: What the contact is for, such as ``marketing``.
        channel: How it is made, such as ``push``; None for a purpose that has no channel, such
            as profiling, whose statements name none either.
        business_date: Day as of which grants count.

    Returns:
        Name of a temporary table. Grain: one row per customer. Key: ``customer_id``. Columns:
        ``is_permitted`` and ``reason`` (granted, never_asked, withdrawn, objected, unclear,
        privacy_request, shared_address). A customer who is not in it is not permitted.

    Raises:
        PrivacyError: The consent ledger is missing, so nothing may be permitted.
    """
    missing = [name for name in LEDGER_TABLES if not has_table(con, name)]
    if missing:
        raise PrivacyError(
            f"consent cannot be judged without {missing[0]}",
            where="consent gate",
            hint="Build core before exporting.",
        )
    text = f"{purpose}\x1f{channel}\x1f{business_date}"
    gate = f"permitted_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    personal = {key: sql for key, sql in ADDRESSES.items() if key not in HOUSEHOLD_CHANNELS}
    address = personal.get(channel or "", "cast(null as varchar)")
    judged = _PERMITTED.format(address=address, blocking=BLOCKING)
    con.execute(
        f"create or replace temp table {gate} as {judged}",
        {
            "purpose": purpose.strip().lower(),
            "channel": channel.strip().lower() if channel else None,
            "business_date": business_date,
        },
    )
    return gate


def hold_to_consent(con: duckdb.DuckDBPyConnection, *, rows: str, gate: str) -> None:
    """Prove that everyone in a finished table of rows is permitted.

    Args:
        con: The connection that made ``gate``.
        rows: Name of a table with ``customer_id``.
        gate: Table that ``permitted`` returned.

    Raises:
        PrivacyError: Somebody in it is not permitted; nothing may leave.
    """
    sql = f"""
        select count(*)
        from {quote_identifier(rows)} as rows_out
        left join {quote_identifier(gate)} as gate on rows_out.customer_id = gate.customer_id
        where not coalesce(gate.is_permitted, false)
    """  # noqa: S608 - identifiers quoted
    count = fetch_value(con, sql)
    if count:
        raise PrivacyError(
            f"{count} rows of an export lack consent",
            where=rows,
            hint="This is a fault of the program, not of the data: stop and report it.",
        )
