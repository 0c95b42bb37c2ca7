"""The records that the model compares, in the shape in which comparing is cheap.

One node stands for all records that say exactly the same. Records with a name, a birth date or an
address are nodes; receipts that carry no more than a card number are attached afterwards
(``attach``). Equality is
tested on integers, text is kept for the fuzzy levels only, and everything that depends on one
value alone (letter mask, frequency, nickname roots) is worked out once per distinct value.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import resources

import duckdb

from cdp_pipeline.identity.extras import (
    birth_year_sql,
    held_tags,
    node_joins,
    node_select,
    word_tags,
)

PARTICLES = "van|von|der|den|de|del|della|di|da|dos|du|la|le|las|los|ter|ten|bin|ibn|al|el|st"
"""Words before a family name that many families share; the name proper follows them."""

_WORDS = """
create or replace temp table identity_{field}_words as
select
    word,
    folded,
    cast(log2(sum(seen) over (partition by folded) / sum(seen) over ()) as float) as frequency,
    hash(folded) as word_hash,
    {mask} as mask
from (
    select {field} as word, {folded} as folded, count(*) as seen
    from identity.records
    where record_id = evidence_id and is_comparable and {field} is not null
    group by {field}
)
"""
# Spellings of one name in different alphabets share a hash and a frequency.

_NODES = """
select
    cast(row_number() over (order by r.record_id) - 1 as integer) as node_id,
    r.record_id,
    r.given_name,
    r.family_name,
    r.email,
    r.street,
    g.mask as given_mask,
    g.frequency as given_frequency,
    ascii(r.given_name) as given_initial,
    case when length(r.given_name) > 1 then g.word_hash end as given_hash,
    coalesce(k.root_bits, 0) as root_bits,
    k.roots,
    f.word_hash as family_hash,
    f.mask as family_mask,
    f.frequency as family_frequency,
    case when length(r.given_name) > 1 and f.word_hash is not null
        then hash(least(g.word_hash, f.word_hash), greatest(g.word_hash, f.word_hash))
    end as names_hash,
    case when r.family_name is not null then hash({family_first}) end as family_first,
    case when r.family_name is not null then hash(split_part(f.folded, ' ', -1)) end as family_last,
    year(r.birth_date) * 10000 + month(r.birth_date) * 100 + day(r.birth_date) as birth_number,
    {birth_year} as birth_year,
    month(r.birth_date) * 100 + day(r.birth_date) as birth_month_day,
    day(r.birth_date) * 100 + month(r.birth_date) as birth_day_month,
    {extras}
    r.sex,
    case when r.email is not null then hash(r.email) end as email_hash,
    case when r.email is not null then hash(split_part(r.email, '@', 1)) end as email_local,
    length(r.email) as email_length,
    split_part(r.email, '@', 1) as email_name,
    case when r.email is not null then hash(split_part(r.email, '@', 2)) end as email_host,
    case when r.email is not null then hash({email_digits}) end as email_digits,
    case when r.email is not null then hash({email_core}) end as email_core,
    {email_own} as email_own,
    r.phone,
    case when r.phone is not null then hash(r.phone) end as phone_hash,
    p.word_hash as postcode_hash,
    p.frequency as postcode_frequency,
    case when r.street is not null and r.postcode is not null
        then hash({street_key}, r.postcode) end as address_hash,
    case when r.street is not null then hash({street_key}) end as street_hash,
    r.loyalty_id,
    case when r.loyalty_id is not null then hash(r.loyalty_id) end as loyalty_hash,
    case when r.account_id is not null then hash(r.account_id) end as account_hash,
    case when r.payment_token is not null then hash(r.payment_token) end as payment_hash
from identity.records as r
left join identity_given_name_words as g on g.word = r.given_name
left join identity_family_name_words as f on f.word = r.family_name
left join identity_postcode_words as p on p.word = r.postcode
left join identity_nicknames as k on k.name = r.given_name
{extra_joins}
where r.record_id = r.evidence_id and r.is_comparable{chosen}
"""

_EMAIL_LETTERS = "translate(split_part(r.email, '@', 1), '0123456789._-', '')"
_EMAIL_DIGITS = "translate(split_part(r.email, '@', 1), 'abcdefghijklmnopqrstuvwxyz._-', '')"
_EMAIL_CORE = "translate(split_part(r.email, '@', 1), '._-', '')"

_EMAIL_OWN = """
length(replace(
    replace(
        replace({folded_letters}, coalesce(replace(f.folded, ' ', ''), '?'), ''),
        coalesce(split_part(f.folded, ' ', -1), '?'),
        ''
    ),
    coalesce(g.folded, '?'),
    ''
))
"""
# Letters of an address that the owner's names do not explain: namesakes have the same addresses
# at other providers, but hardly the same peculiarity.

_NICKNAMES = """
create or replace temp table identity_nicknames as
with pairs as (
    select unnest($names) as name, unnest($roots) as root
)
select
    name,
    list(distinct hash(root) order by hash(root)) as roots,
    bit_or(cast(1 as ubigint) << cast(hash(root) % 63 as integer)) as root_bits
from pairs
group by name
"""


def build_nodes(con: duckdb.DuckDBPyConnection, *, only: Sequence[int] | None = None) -> None:
    """Create the temporary table ``identity_nodes`` from ``identity.records``.

    Args:
        con: Connection with ``identity.records``; a published, read-only one will do.
        only: Record ids to keep; frequencies still come from all records. Default: all.
    """
    load_nicknames(con)
    held = held_tags(con, "identity.records")
    nodes = _NODES.format(
        street_key=street_key_sql("r.street"),
        family_first=f"regexp_extract(f.folded, '^(?:(?:{PARTICLES}) )*([^ ]+)', 1)",
        email_digits=_EMAIL_DIGITS,
        email_core=_EMAIL_CORE,
        email_own=_EMAIL_OWN.format(folded_letters=fold_sql(_EMAIL_LETTERS)),
        birth_year=birth_year_sql(held),
        extras=node_select(held),
        extra_joins=node_joins(held),
        chosen="" if only is None else " and r.record_id in (select unnest($only))",
    )
    for field in ("given_name", "family_name", "postcode", *word_tags(held)):
        mask = "0" if field == "postcode" else letter_mask("word")
        folded = fold_sql(field) if field in {"given_name", "family_name"} else field
        con.execute(_WORDS.format(field=field, mask=mask, folded=folded))
    con.execute(
        f"create or replace temp table identity_nodes as select * from ({nodes}) "  # noqa: S608 - constant text
        "order by node_id",
        {} if only is None else {"only": list(only)},
    )


def load_nicknames(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_nicknames``: the root names of each name, as hashes.

    Source: the ``nicknames`` package, whose list is curated by hand (has_nickname relations).
    """
    text = resources.files("nicknames").joinpath("names.csv").read_text(encoding="utf-8")
    pairs = set()
    for row in csv.DictReader(text.splitlines()):
        pairs.add((row["name1"], row["name1"]))
        if row["relationship"] == "has_nickname":
            pairs.add((row["name2"], row["name1"]))
    ordered = sorted(pairs)
    con.execute(_NICKNAMES, {"names": [p[0] for p in ordered], "roots": [p[1] for p in ordered]})


def fold_sql(column: str) -> str:
    """Return SQL for a name without the marks of its spelling.

    Müller, Mueller and Muller are one name, as are Aagaard and Ågård; so are MacDonald and
    McDonald. Short names stay as they are: Joe is not Jo.
    """
    plain = column
    for written, heard in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a")):
        plain = f"replace({plain}, '{written}', '{heard}')"
    return (
        f"case when length({column}) < 5 then {column} "
        f"when starts_with({column}, 'mac') then 'mc' || {plain}[4:] else {plain} end"
    )


def street_key_sql(column: str) -> str:
    """Return SQL for the words of a street line in one order.

    "flat 3 12 high st" and "12 high st flat 3" are one place.
    """
    return f"array_to_string(list_sort(string_split({column}, ' ')), ' ')"


def letter_mask(column: str) -> str:
    """Return SQL for the set of letters in a text as 26 bits.

    Two words that differ in many letters cannot be alike; counting bits is thirty times cheaper
    than comparing texts.
    """
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " | ".join(
        f"(cast(contains({column}, '{letter}') as integer) << {place})"
        for place, letter in enumerate(letters)
    )
