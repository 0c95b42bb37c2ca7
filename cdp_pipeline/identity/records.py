"""The first stage: every person record of every source in one comparable form.

Cleaning and splitting of fields, numbering, and the grouping of records that say exactly the same
belong here. Which values are worthless (``hubs``) and which records are alike (``blocking``,
``compare``) do not.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity import arrivals
from cdp_pipeline.identity.extras import brought_tags, clean_select
from cdp_pipeline.identity.hubs import IDENTIFIERS, find_hubs
from cdp_pipeline.identity.judged import touched_records
from cdp_pipeline.identity.night import LARGEST_NEW_SHARE, Night, keep_night, plan_night
from cdp_pipeline.identity.providers import find_provider_slips
from cdp_pipeline.identity.stewardship import MADE_TABLES, load_judgements
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.warehouse import (
    base_columns,
    declare_table,
    describe,
    fetch_dicts,
    fetch_value,
    open_build,
)

OLDEST_AGE_YEARS = 120
"""Older birth dates are placeholders such as 1900-01-01."""

RAW_HASH = "hash(*columns(lambda c: c not in ('delivered_on', 'first_delivered_on')))"
"""SQL of a delivered row's hash: the day of its delivery is no news."""

_NUMBERED = """
create or replace temp table identity_numbered as
select
    rowid as place,
    cast(row_number() over (order by source, record_key) - 1 as integer) as record_id
from {people}
"""

_CITIES = """
create or replace temp table identity_cities as
select city, identity_letters(city) as clean_city
from (select distinct city from {people} where city is not null)
"""

_CLEAN = """
create or replace temp table identity_clean as
with delivered as (
    select rowid as place, *, {raw_hash} as raw_hash, {first_seen} as first_seen_on
    from {people}
),
raw as (
    select
        n.record_id,
        d.* exclude (place, given_name, family_name, full_name, city),
        identity_unmark(d.given_name) as given,
        identity_unmark(d.family_name) as family,
        identity_unmark(d.full_name) as whole,
        c.clean_city
    from delivered as d
    inner join identity_numbered as n on n.place = d.place
    left join identity_cities as c on c.city = d.city
),
split as (
    select
        *,
        case
            when given is null and family is null then identity_split_name(whole)
            when family is null and regexp_matches(given, '[ ,]') then identity_split_name(given)
            when given is null and contains(family, ',') then identity_split_name(family)
            else struct_pack(given := identity_untitle(given), family := identity_untitle(family))
        end as name
    from raw
),
words as (
    select
        *,
        split_part(identity_letters(name.given), ' ', 1) as given_word,
        identity_letters(name.family) as family_words
    from split
)
select
    record_id,
    source,
    record_key,
    record_kind,
    nullif(name.given, '') as printed_given,
    nullif(name.family, '') as printed_family,
    case
        when not identity_is_no_name(given_word || coalesce(' ' || family_words, ''))
            and not identity_is_no_name(given_word) then nullif(given_word, '')
    end as given_name,
    case
        when not identity_is_no_name(coalesce(given_word || ' ', '') || family_words)
            and not identity_is_no_name(family_words) then family_words
    end as family_name,
    case
        when birth_date < $business_date
            and birth_date > $business_date - to_years($oldest) then birth_date
    end as birth_date,
    case when lower(left(trim(sex), 1)) in ('f', 'm') then upper(left(trim(sex), 1)) end as sex,
    identity_email(email) as email,
    identity_phone(phone) as phone,
    identity_street(street) as street,
    clean_city as city,
    identity_postcode(postcode) as postcode,
    identity_number(loyalty_id) as loyalty_id,
    nullif(trim(account_id), '') as account_id,
    nullif(trim(payment_token), '') as payment_token,
    {extras}
    updated_at,
    first_seen_on,
    raw_hash
from words
"""
# A lone word in one field is a family name; "" and remarks are nothing. A sort of the keys and a
# join cost half of a sort of whole rows.

_USAGE = """
create or replace temp table identity_name_usage as
select
    word,
    count(*) filter (is_given) as as_given,
    count(*) filter (not is_given) as as_family
from (
    select given_name as word, true as is_given from identity_clean where length(given_name) > 1
    union all
    select family_name, false from identity_clean where family_name is not null
)
group by word
"""

_SWAPPED = """
create or replace temp table identity_swapped as
select c.record_id
from identity_clean as c
inner join identity_name_usage as g on g.word = c.given_name
inner join identity_name_usage as f on f.word = c.family_name
where g.as_family >= 5 + 5 * g.as_given and f.as_given >= 5 + 5 * f.as_family
"""
# Both words must be far commoner in the other place; five sightings keep rare names where they are.

_TURN = """
update identity_turned as t
set
    given_name = t.family_name,
    family_name = t.given_name,
    printed_given = t.printed_family,
    printed_family = t.printed_given
from identity_swapped as s
where s.record_id = t.record_id
"""

_MAILBOXES = """
update identity_turned as t
set email = m.mailbox
from (
    select
        c.record_id,
        identity_mailbox(case
            when p.meant is null then c.email
            else split_part(c.email, '@', 1) || '@' || p.meant
        end) as mailbox
    from identity_turned as c
    left join identity_provider_slips as p on p.name = split_part(c.email, '@', 2)
    where mailbox <> c.email
) as m
where m.record_id = t.record_id
"""

_USABLE = """
create or replace temp table identity_usable as
with emptied as (
    select t.* replace ({emptied})
    from identity_turned as t
    {joins}
),
marked as (
    select
        *,
        coalesce(
            email, phone, loyalty_id, account_id, payment_token, national_id, identifier,
            case when given_name is not null and family_name is not null
                and birth_date is not null then family_name end
        ) is not null as is_identifying,
        coalesce(given_name, family_name, street || postcode) is not null
            or birth_date is not null as is_comparable,
        hash(
            given_name, family_name, birth_date, sex, email, phone, street, city, postcode,
            loyalty_id, account_id, payment_token{extras}
        ) as head,
        hash(
            payment_token, account_id, loyalty_id, postcode, street, city, phone, email, sex,
            birth_date, family_name, given_name{extras}, 'second'
        ) as tail
    from emptied
)
select
    * exclude (head, tail),
    case when is_identifying then head else hash(head, source, record_key) end as evidence_head,
    case when is_identifying then tail else hash(tail, record_key, source) end as evidence_tail
from marked
"""
# Two independent 64-bit hashes: a collision would join strangers. A name alone identifies nobody,
# so two records that hold only the same name stay apart.

_RECORDS = """
create or replace {target} as
with firsts as (
    select evidence_head, evidence_tail, min(record_id) as evidence_id
    from identity_usable
    group by evidence_head, evidence_tail
)
select
    u.record_id,
    u.source,
    u.record_key,
    u.record_kind,
    f.evidence_id,
    u.is_comparable,
    u.is_identifying or u.is_comparable as is_usable,
    u.* exclude (
        record_id, source, record_key, record_kind, updated_at, first_seen_on, raw_hash,
        is_comparable, is_identifying, evidence_head, evidence_tail
    ),
    u.updated_at,
    {first_seen} as first_seen_on,
    u.raw_hash,
    u.evidence_head,
    u.evidence_tail
from identity_usable as u
inner join firsts as f
    on f.evidence_head = u.evidence_head and f.evidence_tail = u.evidence_tail
{known}
order by u.record_id
"""

_KNOWN = (
    "left join base.identity.records as b on b.source = u.source and b.record_key = u.record_key"
)


def run(context: RunContext) -> StepResult:
    """Make ``identity.records`` and ``identity.hubs`` from ``staging.person_records``.

    Also reads what stewards decided, as some of it tells records apart that say the same.

    Returns:
        Records read and kept; ``rows_set_aside`` counts records that hold no usable evidence.
    """
    project = load_project(context.project_root)
    with open_build(context) as con:
        night = _make_records(con, context, project)
        judged = load_judgements(con, context)
        arrivals.note_judged(con, touched_records(con))
        for name in ("records", "hubs", *MADE_TABLES):
            declare_table(con, project.table(f"identity.{name}"))
        facts = summarise(con)
    unusable = facts["records"] - facts["usable"]
    return StepResult(
        rows_in=facts["records"],
        rows_out=facts["usable"],
        rows_set_aside=unusable,
        messages=(
            night.message,
            f"{facts['records']:,} person records, {facts['distinct']:,} of them distinct",
            f"{facts['hubs']:,} shared or junk values neutralised",
            *judged.messages,
        ),
        facts=facts,
    )


def _make_records(con: duckdb.DuckDBPyConnection, context: RunContext, project: Project) -> Night:
    """Standardise all records, or those that differ from the version before; say which."""
    night = plan_night(con, context, project)
    if not night.is_refit:
        share = arrivals.find_fresh(con, raw_hash=RAW_HASH)
        if share > LARGEST_NEW_SHARE:
            reason = f"{share:.0%} of the records are new or changed"
            night = night.refitted(reason, on=context.business_date)
    if night.is_refit:
        standardise(con, context)
    else:
        _refresh(con, context)
    arrivals.note_reasons(con, only_arrived=not night.is_refit)
    keep_night(con, night)
    return night


def standardise(
    con: duckdb.DuckDBPyConnection, context: RunContext, *, oldest_years: int = OLDEST_AGE_YEARS
) -> None:
    """Write ``identity.records`` and ``identity.hubs``; equal inputs give equal tables.

    Args:
        con: Connection with ``staging.person_records``.
        context: Its business date is the day after the last birth date that is believed.
        oldest_years: Years before that day from which birth dates are believed.
    """
    clean_records(con, context, oldest_years=oldest_years)
    con.execute("create or replace table staging.identity_name_usage as from identity_name_usage")
    find_hubs(con)
    fingerprint_records(con)


def _refresh(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Write ``identity.records`` and ``identity.hubs`` from yesterday's and ``identity_fresh``."""
    clean_records(
        con,
        context,
        people="identity_fresh",
        usage=arrivals.stored_usage(),
        addresses="(select email from identity_clean "
        "union all select email from base.identity.records)",
    )
    arrivals.judge_hubs(con)
    fingerprint_records(con, target="temp table identity_arrived")
    arrivals.merge_records(con)


def clean_records(
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    *,
    people: str = "staging.person_records",
    usage: str = _USAGE,
    addresses: str = "identity_clean",
    oldest_years: int = OLDEST_AGE_YEARS,
) -> None:
    """Create the temporary ``identity_turned``: fields cleaned and split, names in their places.

    Args:
        con: Build connection.
        context: The night.
        people: Table of delivered rows.
        usage: Statement that creates ``identity_name_usage`` (word, as_given, as_family).
        addresses: Table of the e-mail addresses that show which providers there are.
        oldest_years: Years before the night from which birth dates are believed.
    """
    con.execute(_NUMBERED.format(people=people))
    con.execute(_CITIES.format(people=people))
    clean = _CLEAN.format(
        people=people,
        raw_hash=RAW_HASH,
        first_seen=_first_seen(con),
        extras=clean_select(brought_tags(con, people)),
    )
    con.execute(clean, {"business_date": context.business_date, "oldest": oldest_years})
    con.execute(usage)
    con.execute(_SWAPPED)
    find_provider_slips(con, addresses)
    con.execute("drop table if exists temp.identity_turned")
    con.execute("alter table temp.identity_clean rename to identity_turned")
    con.execute(_TURN)
    con.execute(_MAILBOXES)
    for name in ("numbered", "cities", "swapped", "provider_slips"):
        con.execute(f"drop table temp.identity_{name}")


def fingerprint_records(
    con: duckdb.DuckDBPyConnection, *, target: str = "table identity.records"
) -> None:
    """Create the records from ``identity_turned`` without the values of ``identity_hub_values``."""
    extras = "".join(f", {tag}" for tag in brought_tags(con, "staging.person_records"))
    con.execute(_usable_sql(extras))
    con.execute("drop table temp.identity_turned")
    is_known = "first_seen_on" in base_columns(con, "identity.records")
    first_seen = "coalesce(b.first_seen_on, u.first_seen_on)" if is_known else "u.first_seen_on"
    known = _KNOWN if is_known else ""
    con.execute(_RECORDS.format(target=target, first_seen=first_seen, known=known))
    con.execute("drop table temp.identity_usable")


def _first_seen(con: duckdb.DuckDBPyConnection) -> str:
    """Return SQL for the day a record was first delivered; null where nothing tells it."""
    held = describe(con, "staging.person_records")
    found = [name for name in ("first_delivered_on", "delivered_on") if name in held]
    return f"coalesce({', '.join(found)})" if found else "cast(null as date)"


def _usable_sql(extras: str) -> str:
    """Return the statement that empties hub values, so that no later stage can lean on them."""
    types = {**dict.fromkeys(IDENTIFIERS, "varchar"), "birth_date": "date"}
    emptied = ", ".join(
        f"case when h_{field}.value is null then t.{field} end as {field}" for field in types
    )
    joins = "\n    ".join(
        f"left join (select try_cast(value as {type_}) as value from identity_hub_values "  # noqa: S608 - fixed column names
        f"where field = '{field}') as h_{field} on h_{field}.value = t.{field}"
        for field, type_ in types.items()
    )
    return _USABLE.format(emptied=emptied, joins=joins, extras=extras)


def summarise(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return counts of records, usable, comparable and distinct records, and hubs."""
    facts = fetch_dicts(
        con,
        """
        select
            count(*) as records,
            count(*) filter (is_usable) as usable,
            count(*) filter (is_comparable) as comparable,
            count(*) filter (evidence_id = record_id) as distinct
        from identity.records
        """,
    )[0]
    return {**facts, "hubs": int(fetch_value(con, "select count(*) from identity.hubs"))}
