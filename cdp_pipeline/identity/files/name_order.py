"""Which of the names in one field is the family's: the one that a household shares.

*Kiss Anna* and *Kiss Bence* at one address are Anna and Bence Kiss. Peoples that put the family
first are told from their families, not from lists of names.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.files.recognition import Recognition
from cdp_pipeline.storage.warehouse import quote_column

FEWEST_KIN = 20
"""Pairs of people with one name in common at one address, from which the order is believed."""

PLAIN_SHARE = 3
"""How many times as many of them must share the first word as share the last."""

LARGEST_HOME = 6
"""More different names at one address or number are no family's."""

MORE_THAN_CHANCE = 2
"""How many times as many of them must share the first word as any two people of the file do: of
all who live at some 1 High Street many are called John."""

SAME_WORD = 0.8
"""Likeness from which two words are one, written twice: their bearers may be one person."""

_CONTACTS = ("street", "phone")
"""What a household shares. A mailbox is often one person's, under two names after a wedding."""

_PLACES = ("postcode", "city")

_WORDS = """
select {contact} as home, string_split_regex(lower(strip_accents({name})), '\\s+') as words
from {table}
where {contact_column} <> '' and contains({name}, ' ') and not contains({name}, ',')
"""

_KIN = """
with words as ({words}),
people as (
    select distinct home, words[1] as head, words[-1] as tail, words[2:] as after,
        words[:-2] as before
    from words
),
homes as (
    select * from people qualify count(*) over (partition by home) between 2 and {largest}
),
pairs as (
    select
        l.head = r.head and not list_has_any(l.after, r.after)
            and not {tails_alike} as shares_head,
        l.tail = r.tail and not list_has_any(l.before, r.before)
            and not {heads_alike} as shares_tail
    from homes as l
    inner join homes as r on r.home = l.home and (l.head, l.after) < (r.head, r.after)
),
called as (select count(*) as namesakes from homes group by head)
select
    count(*) filter (shares_head) as share_head,
    count(*) filter (shares_tail) as share_tail,
    count(*) * (select sum(namesakes * namesakes) / sum(namesakes) ** 2 from called) as by_chance
from pairs
"""
# Who shares a further word, or has nearly the same one, may be one person: Anna Smith is Anna Smiht
# and Anna Smith Jr as well.

_ALIKE = (
    "(jaro_winkler_similarity(l.{word}, r.{word}) >= {same} "
    "or starts_with(l.{word}, rtrim(r.{word}, '.')) or starts_with(r.{word}, rtrim(l.{word}, '.')))"
)

_TITLE = (
    r"^((?i:mr|mrs|ms|miss|mx|dr|prof|professor|rev|revd|sir|dame|herr|frau|mme|mlle)\b\.?\s*)+"
)


def is_family_first(con: duckdb.DuckDBPyConnection, found: Recognition) -> bool:
    """Return whether the file's full names begin with the family name."""
    names = found.used("full_name")
    contacts = [column for role in _CONTACTS if (column := found.first(role))]
    if not (names and contacts):
        return False
    words = " union all ".join(
        _WORDS.format(
            contact=_home(found, contact),
            contact_column=f"trim({quote_column(contact)})",
            name=untitled(name),
            table=found.loaded.table,
        )
        for contact in contacts
        for name in names
    )
    heads_alike, tails_alike = (
        _ALIKE.format(word=word, same=SAME_WORD) for word in ("head", "tail")
    )
    kin = _KIN.format(
        words=words, largest=LARGEST_HOME, heads_alike=heads_alike, tails_alike=tails_alike
    )
    heads, tails, by_chance = con.execute(kin).fetchall()[0]
    return bool(
        heads >= FEWEST_KIN
        and heads >= PLAIN_SHARE * tails
        and heads >= MORE_THAN_CHANCE * by_chance
    )


def _home(found: Recognition, contact: str) -> str:
    """Return SQL of where somebody lives: 1 High Street is in many towns."""
    places = [place for role in _PLACES if (place := found.first(role))]
    parts = [f"lower(trim({quote_column(column)}))" for column in (contact, *places)]
    return f"concat_ws('|', {', '.join(parts)})"


def untitled(name: str) -> str:
    """Return SQL of the full name in a column without titles before it."""
    return f"trim(regexp_replace(trim({quote_column(name)}), '{_TITLE}', ''))"


def turned(name: str) -> str:
    """Return SQL of a full name whose first word has become its last."""
    plain = untitled(name)
    return (
        f"case when contains({plain}, ',') then {plain} "
        rf"else regexp_replace({plain}, '^(\S+)\s+(.+)$', '\2 \1') end"
    )
