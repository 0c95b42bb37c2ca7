"""The one door to every contact: may this person be reached, for what, how, as of a day.

Nothing else in the package decides about consent, and every export passes here twice: once to
choose people (``permitted``), once to prove the finished rows (``hold_to_consent``). How a person
is reached, and whom a segment holds, does not belong here.

What the law fixes, strictest first:

1. Nobody is permitted without a grant for exactly this purpose and channel (default deny).
2. A request to erase or to restrict, or an objection to processing, blocks everything, whatever
   its status.
3. The newest statement per person, purpose and channel wins; of equally recent ones the most
   restrictive.
4. A refusal that names no purpose or channel counts for all of them; a grant counts only for the
   purpose and channel it names (or for a purpose asked without channel, if it names none).
5. A grant without a time, or from after the business date, is no proof. A refusal counts as soon as
   it was stated or known, whichever came first.
6. Two people who share one inbox or device share its refusals, unless the grant is newer; also
   those of a person whose address belongs to another one.

What a project declares in ``sql/consent.yml`` (``ConsentRules``) divides a person's statements into
voices, each with a last word of its own: former customers after a merge, and sources. The strictest
voice holds. A former customer stops being a voice once that customer, or the one merged into, says
anything after the merge.
"""

from __future__ import annotations

import hashlib
from datetime import date

import duckdb

from cdp_pipeline.core.errors import PrivacyError
from cdp_pipeline.project.consent_rules import ConsentRules
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

GATE_COLUMNS = {
    "customer_id": "the person",
    "is_permitted": "whether the contact is permitted",
    "reason": "granted, never_asked, withdrawn, objected, unclear, privacy_request, shared_address",
    "rule": "what decided: default_deny, last_word, merged_people, between_sources, "
    "privacy_request, shared_address",
    "source": "source of the statement that decided",
    "statement_id": "its entry within the source",
    "captured_at": "moment it was stated (UTC)",
    "recorded_on": "night that came to know it",
    "wording_version": "version of the words",
    "legal_basis": "basis of a grant",
}
"""Columns of the gate's answer."""

_PERMITTED = """
with statements as (
    select
        customer_id,
        source,
        statement_id,
        captured_at,
        recorded_on,
        legal_basis,
        wording_version,
        {merged_from} as merged_from,
        merged_on,
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
        and (
            cast($known_at as date) is null
            or (recorded_on is null or recorded_on <= cast($known_at as date))
            and (linked_on is null or linked_on <= cast($known_at as date))
        )
),

-- Words are compared before moments: a moment's day in the store's zone is the costliest to tell.
addressed as (
    select *
    from statements
    where case
        when strictness = 0
            then purpose = $purpose
                and channel is not distinct from $channel
                and source not in (select unnest($distrusted::varchar[]))
        else (purpose is null or purpose = $purpose)
            and (channel is null or channel is not distinct from $channel)
    end
),

relevant as materialized (
    select *
    from addressed
    where case
        when strictness = 0
            then business_date(captured_at) <= $business_date
                and (
                    cast($lasts_days as integer) is null
                    or $business_date < business_date(captured_at) + cast($lasts_days as integer)
                )
        else (
            recorded_on is null
            or captured_at is null
            or least(business_date(captured_at), recorded_on) <= $business_date
        )
    end
),

unconfirmed as (
    select former.customer_id, former.merged_from
    from relevant as former
    where former.merged_from is not null and not exists (
        select 1
        from relevant as later
        where later.customer_id = former.customer_id
            and (later.merged_from is null or later.merged_from = former.merged_from)
            and business_date(later.captured_at) > former.merged_on
    )
    group by former.customer_id, former.merged_from
),

-- Most people made one statement, which is their last word: nothing is ranked for them.
talkative as (
    select customer_id from relevant group by customer_id having count(*) > 1
),

voiced as (
    select
        relevant.*,
        coalesce(unconfirmed.merged_from, '') as person_voice,
        {source_voice} as source_voice,
    from relevant
    semi join talkative on relevant.customer_id = talkative.customer_id
    left join unconfirmed
        on relevant.customer_id = unconfirmed.customer_id
        and relevant.merged_from = unconfirmed.merged_from
),

last_words as (
    select *
    from voiced
    qualify row_number() over (
        partition by customer_id, person_voice, source_voice
        order by captured_at desc nulls first, strictness desc, source, statement_id
    ) = 1
),

ranked as (
    select
        *,
        case
            when count(distinct strictness) over same_person = 1 then 'last_word'
            when count(distinct person_voice) over same_person > 1 then 'merged_people'
            else 'between_sources'
        end as rule,
        row_number() over (
            partition by customer_id
            order by
                strictness desc, captured_at desc nulls first, source, statement_id, person_voice
        ) as place,
    from last_words
    window same_person as (partition by customer_id)
),

decided as (
    select * from ranked where place = 1
    union all by name
    select relevant.*, 'last_word' as rule
    from relevant
    anti join talkative on relevant.customer_id = talkative.customer_id
),

blocked as (
    select distinct customer_id
    from core.privacy_requests
    where customer_id is not null and lower(trim(request_type)) in {blocking}
        and (
            cast($known_at as date) is null
            or received_on is null
            or received_on <= $business_date
        )
),

people as (
    select customer_id from core.dim_customer
    union
    select customer_id from core.customer_contact
),

judged as (
    select
        people.customer_id,
        decided.* exclude (customer_id),
        case
            when blocked.customer_id is not null then 'privacy_request'
            when decided.strictness = 0 then 'granted'
            when decided.strictness = 1 then 'unclear'
            when decided.strictness = 2 then 'withdrawn'
            when decided.strictness = 3 then 'objected'
            else 'never_asked'
        end as reason,
    from people
    left join decided on people.customer_id = decided.customer_id
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
        case
            when judged.reason = 'privacy_request' then 'privacy_request'
            when judged.rule is null then 'default_deny'
            when judged.reason = 'granted' and refused_addresses.address is not null
                then 'shared_address'
            else judged.rule
        end as rule,
        judged.source,
        judged.statement_id,
        judged.captured_at,
        judged.recorded_on,
        judged.wording_version,
        case when judged.strictness = 0 then coalesce(judged.legal_basis, $legal_basis) end
            as legal_basis,
    from judged
    left join addresses on judged.customer_id = addresses.customer_id
    left join refused_addresses
        on addresses.address = refused_addresses.address
        and refused_addresses.refused_at >= judged.captured_at
)

select {columns} from final
"""


def permitted(
    con: duckdb.DuckDBPyConnection,
    *,
    purpose: str,
    channel: str | None,
    business_date: date,
    rules: ConsentRules,
    known_at: date | None = None,
) -> str:
    """Judge every customer for one purpose and channel.

    Args:
        con: Connection to the build, or to a published version, with ``core`` finished.
        purpose: What the contact is for, such as ``marketing``.
        channel: How it is made, such as ``push``; None for a purpose that has no channel, such
            as profiling, whose statements name none either.
        business_date: Day as of which statements count.
        rules: The project's rules.
        known_at: Asks about the past, with the knowledge of a night: statements recorded and
            records linked later are left out, and so are requests received after
            ``business_date``. Default: all that is known counts.

    Returns:
        Name of a temporary table with ``GATE_COLUMNS``. Grain: one row per customer. A customer who
        is not in it is not permitted.

    Raises:
        PrivacyError: The consent ledger is missing, so nothing may be permitted.
    """
    _require_ledger(con)
    purpose = purpose.strip().lower()
    channel = channel.strip().lower() if channel else None
    text = f"{purpose}\x1f{channel}\x1f{business_date}\x1f{known_at}"
    gate = f"permitted_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    judged = _gate_sql(channel, rules)
    con.execute(
        f"create or replace temp table {gate} as {judged}",
        {
            "purpose": purpose,
            "channel": channel,
            "business_date": business_date,
            "known_at": known_at,
            "distrusted": list(rules.distrusted_grants),
            "lasts_days": rules.grant_lasts_days.get(purpose),
            "legal_basis": rules.legal_basis.get(purpose, "consent"),
        },
    )
    return gate


def _gate_sql(channel: str | None, rules: ConsentRules) -> str:
    personal = {key: sql for key, sql in ADDRESSES.items() if key not in HOUSEHOLD_CHANNELS}
    is_strict = rules.merged_people == "most_restrictive"
    return _PERMITTED.format(
        columns=", ".join(GATE_COLUMNS),
        address=personal.get(channel or "", "cast(null as varchar)"),
        blocking=BLOCKING,
        merged_from="merged_from" if is_strict else "cast(null as varchar)",
        source_voice="source" if rules.between_sources == "most_restrictive" else "''",
    )


def _require_ledger(con: duckdb.DuckDBPyConnection) -> None:
    missing = [name for name in LEDGER_TABLES if not has_table(con, name)]
    if missing:
        raise PrivacyError(
            f"consent cannot be judged without {missing[0]}",
            where="consent gate",
            hint="Build core before exporting.",
        )


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
