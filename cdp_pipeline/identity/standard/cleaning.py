"""Fields cleaned, names split and put in their places: ``identity_turned``.

Only the fields of one record at a time, and what the values of all records say about one (a name
in the wrong place, a mistyped provider), belong here.
"""

from __future__ import annotations

from typing import TypeAlias

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.standard.extras import (
    brought_tags,
    clean_select,
    held_columns,
    held_tags,
)
from cdp_pipeline.identity.standard.providers import find_provider_slips
from cdp_pipeline.storage.warehouse import describe

OLDEST_AGE_YEARS = 120
"""Older birth dates are placeholders such as 1900-01-01."""

RAW_HASH = "hash(*columns(lambda c: c not in ('delivered_on', 'first_delivered_on')))"
"""SQL of a delivered row's hash: the day of its delivery is no news."""

Empty: TypeAlias = dict[str, str]
"""Columns without any value, and their types."""

_OF_NIGHTS = {
    "printed_given": "varchar",
    "printed_family": "varchar",
    "first_seen_on": "date",
    "raw_hash": "ubigint",
}

_NUMBERED = """
create or replace temp table identity_numbered as
select
    {place} as place,
    cast(row_number() over (order by {first_seen}, source, record_key, {place}) - 1 as integer)
        as record_id
from {people}
"""
# In the order in which nights number them: whoever was first stands for all who say the same.

_CITIES = """
create or replace temp table identity_cities as
select city, identity_letters(city) as clean_city
from (select distinct city from {people} where city is not null)
"""

_CLEAN = """
create or replace temp table identity_clean as
select * {but_empty}
from (
with delivered as (
    select
        {place} as place,
        * {but_place},
        {raw_hash} as raw_hash,
        {first_seen} as first_seen_on,
        identity_is_plain_name(given_name) as is_plain_given,
        identity_is_plain_name(family_name) as is_plain_family
    from {people}
),
raw as (
    select
        n.record_id,
        d.* exclude (place, given_name, family_name, full_name, city),
        case when is_plain_given then d.given_name else identity_unmark(d.given_name) end as given,
        case when is_plain_family then d.family_name else identity_unmark(d.family_name) end
            as family,
        identity_unmark(d.full_name) as whole,
        c.clean_city
    from delivered as d
    inner join identity_numbered as n on n.place = d.place
    left join identity_cities as c on c.city = d.city
),
joined as (
    select
        *,
        case
            when given is null and family is null then whole
            when family is null and regexp_matches(given, '[ ,]') then given
            when given is null and contains(family, ',') then family
        end as one_field
    from raw
),
untitled as (
    select *, identity_untitle(one_field) as untitled_field from joined
),
parted as (
    select
        *,
        case when one_field is not null then identity_split_name(one_field, untitled_field) end
            as parts
    from untitled
),
split as (
    select
        *,
        case
            when is_plain_given then given
            when one_field is null then identity_untitle(given)
            else parts.given
        end as told_given,
        case
            when is_plain_family then family
            when one_field is null then identity_untitle(family)
            else parts.family
        end as told_family
    from parted
),
lettered as (
    select
        *,
        case when is_plain_given then lower(given) else identity_letters(told_given) end
            as given_words,
        case when is_plain_family then lower(family) else identity_letters(told_family) end
            as family_words
    from split
),
words as (
    select *, identity_first_given(given_words) as given_word from lettered
),
named as (
    select
        *,
        identity_is_no_name(concat_ws(' ', given_word, family_words)) as is_nobody,
        starts_with(coalesce(nullif(given_word, ''), family_words), 'test') as says_test,
        identity_email(email) as address
    from words
)
select
    record_id,
    source,
    record_key,
    record_kind,
    nullif(told_given, '') as printed_given,
    nullif(told_family, '') as printed_family,
    case when not is_nobody and not identity_is_no_name(given_word) then nullif(given_word, '')
    end as given_name,
    case
        when not is_nobody and not identity_is_no_name(family_words)
            and not identity_is_cut_family(family_words) then family_words
    end as family_name,
    case
        when birth_date < $business_date
            and birth_date > $business_date - to_years($oldest) then birth_date
    end as birth_date,
    case when lower(left(trim(sex), 1)) in ('f', 'm') then upper(left(trim(sex), 1)) end as sex,
    case
        when (contains(address, '+') or contains(address, '@gmail.com'))
            and not contains(address, '@googlemail.com') then identity_mailbox(address)
        else address
    end as email,
    identity_phone(phone) as phone,
    identity_street(street) as street,
    clean_city as city,
    identity_postcode(postcode) as postcode,
    case when not (is_nobody and says_test) then identity_number(loyalty_id) end as loyalty_id,
    case when not (is_nobody and says_test) then nullif(trim(account_id), '') end as account_id,
    nullif(trim(payment_token), '') as payment_token,
    {extras}
    updated_at,
    first_seen_on,
    raw_hash,
    one_field is not null as is_from_one_field
from named
)
"""
# A lone word in one field is a family name; "" and remarks are nothing. A sort of the keys and a
# join cost half of a sort of whole rows. googlemail.com keeps its name until providers are counted.
# Whoever tries a form as TEST CUSTOMER often borrows a card: it is not hers.

_USAGE = """
create or replace temp table identity_name_usage as
with seen as (
    select given_name as word, true as is_given, is_from_one_field
    from identity_clean where length(given_name) > 1
    union all
    select family_name, false, is_from_one_field
    from identity_clean where family_name is not null
)
select
    word,
    case when count(*) filter (not is_from_one_field) >= 5
        then count(*) filter (is_given and not is_from_one_field)
        else count(*) filter (is_given)
    end as as_given,
    case when count(*) filter (not is_from_one_field) >= 5
        then count(*) filter (not is_given and not is_from_one_field)
        else count(*) filter (not is_given)
    end as as_family
from seen
group by word
"""
# One field tells little of which name is which: peoples that put the family first are split wrong.

_SWAPPED = """
create or replace temp table identity_swapped as
select c.record_id
from identity_clean as c
left join identity_name_usage as g on g.word = c.given_name
left join identity_name_usage as f on f.word = identity_first_given(c.family_name)
where
    (c.given_name is null or g.as_family >= 5 + 5 * g.as_given)
    and (f.as_given >= 5 + 5 * f.as_family or length(c.family_name) = 1)
"""
# Both words must be far commoner in the other place; five sightings keep rare names where they are.
# A lone word is taken for a family name, but tills write "Anna" and shops "Smith J.", too.

_TURN = """
update {rows} as t
set
    given_name = identity_first_given(t.family_name),
    family_name = t.given_name
    {printed}
from identity_swapped as s
where s.record_id = t.record_id
"""

_PRINTED = ", printed_given = t.printed_family, printed_family = t.printed_given"

_MAILBOXES = """
update {rows} as t
set email = m.mailbox
from (
    select
        c.record_id,
        identity_mailbox(case
            when p.meant is null then c.email
            else split_part(c.email, '@', 1) || '@' || p.meant
        end) as mailbox
    from {rows} as c
    left join identity_provider_slips as p on p.name = split_part(c.email, '@', 2)
    where (contains(c.email, '@googlemail.com') or p.meant is not null)
        and mailbox <> c.email
) as m
where m.record_id = t.record_id
"""


def empty_columns(con: duckdb.DuckDBPyConnection) -> Empty:
    """Return the columns of ``identity.records`` that a linkage without nights need not have.

    Those that tell a later night what was delivered and how names are printed, and those for which
    no row of ``staging.person_records`` has a value. Half of all columns may be among them, and
    each would be written and read twice.
    """
    people = "staging.person_records"
    texts = {"sex", "city", "account_id", "payment_token", *brought_tags(con, people)}
    held = set(held_columns(con, people, sorted({*texts, "updated_at"})))
    return {
        **dict.fromkeys(sorted(texts - held), "varchar"),
        **({} if "updated_at" in held else {"updated_at": "timestamp"}),
        **_OF_NIGHTS,
    }


def but_empty(empty: Empty | None) -> str:
    """Return SQL that leaves columns out of a ``*``."""
    return f"exclude ({', '.join(empty)})" if empty else ""


def with_empty(table: str, empty: Empty) -> str:
    """Return a SELECT of a table with its empty columns."""
    nothing = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in empty.items())
    return f"select *, {nothing} from {table}"  # noqa: S608 - own columns


def clean_records(  # noqa: PLR0913 - what an incremental night and a linkage without one do otherwise
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    *,
    people: str = "staging.person_records",
    usage: str = _USAGE,
    addresses: str = "identity_clean",
    oldest_years: int = OLDEST_AGE_YEARS,
    empty: Empty | None = None,
) -> None:
    """Create the temporary ``identity_turned``: fields cleaned and split, names in their places.

    ``identity_numbered`` tells the number of each row: place (from 0), record_id.

    Args:
        con: Build connection.
        context: The night.
        people: Table of delivered rows; a view says itself which ``place`` a row has.
        usage: Statement that creates ``identity_name_usage`` (word, as_given, as_family).
        addresses: Table of the e-mail addresses that show which providers there are.
        oldest_years: Years before the night from which birth dates are believed.
        empty: Columns to leave out (see ``empty_columns``): ``identity_turned`` is then a view that
            has them upon ``identity_clean``. Default: none, and a table.
    """
    place = "place" if "place" in describe(con, people) else "rowid"
    first_seen = _first_seen(con)
    con.execute(_NUMBERED.format(people=people, place=place, first_seen=first_seen))
    con.execute(_CITIES.format(people=people))
    clean = _CLEAN.format(
        people=people,
        place=place,
        but_place="exclude (place)" if place == "place" else "",
        but_empty=but_empty(empty),
        raw_hash=RAW_HASH,
        first_seen=first_seen,
        extras=clean_select(brought_tags(con, people), held_tags(con, people)),
    )
    con.execute(clean, {"business_date": context.business_date, "oldest": oldest_years})
    con.execute(usage)
    con.execute(_SWAPPED)
    con.execute("alter table temp.identity_clean drop column is_from_one_field")
    find_provider_slips(con, addresses)
    _mend(con, empty)
    for name in ("cities", "swapped", "provider_slips"):
        con.execute(f"drop table temp.identity_{name}")


def _mend(con: duckdb.DuckDBPyConnection, empty: Empty | None) -> None:
    """Create ``identity_turned``: names turned round, mailboxes at the provider that is meant."""
    if empty:
        rows = "identity_clean"
        con.execute(f"create or replace temp view identity_turned as {with_empty(rows, empty)}")
    else:
        rows = "identity_turned"
        con.execute("drop table if exists temp.identity_turned")
        con.execute("alter table temp.identity_clean rename to identity_turned")
    con.execute(_TURN.format(rows=rows, printed="" if empty else _PRINTED))
    con.execute(_MAILBOXES.format(rows=rows))


def _first_seen(con: duckdb.DuckDBPyConnection) -> str:
    """Return SQL for the day a record was first delivered; null where nothing tells it."""
    held = describe(con, "staging.person_records")
    found = [name for name in ("first_delivered_on", "delivered_on") if name in held]
    return f"coalesce({', '.join(found)})" if found else "cast(null as date)"
