"""Which of the names in one field is the family's: the one that a household shares.

*Kiss Anna* and *Kiss Bence* at one address are Anna and Bence Kiss. Peoples that put the family
first are told from their families, not from lists of names.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.files.columns import Recognition
from cdp_pipeline.storage.warehouse import quote_column

FEWEST_KIN = 20
"""Pairs of people with one name in common at one address, from which the order is believed."""

PLAIN_SHARE = 3
"""How many times as many of them must share the first word as share the last."""

LARGEST_HOME = 6
"""More different names at one address or number are no family's."""

_CONTACTS = ("street", "phone", "email")

_WORDS = r"""
select
    {contact} as home,
    lower(strip_accents(split_part({name}, ' ', 1))) as head,
    lower(strip_accents(regexp_extract({name}, '\s(\S+)$', 1))) as tail
from {table}
where {contact} <> '' and contains({name}, ' ') and not contains({name}, ',')
"""

_KIN = """
with words as ({words}),
people as (select distinct home, head, tail from words),
homes as (
    select * from people qualify count(*) over (partition by home) between 2 and {largest}
)
select
    count(*) filter (l.head = r.head and l.tail <> r.tail) as share_head,
    count(*) filter (l.head <> r.head and l.tail = r.tail) as share_tail
from homes as l
inner join homes as r on r.home = l.home and (l.head, l.tail) < (r.head, r.tail)
"""

_TITLE = (
    r"^((?i:mr|mrs|ms|miss|mx|dr|prof|professor|rev|revd|sir|dame|herr|frau|mme|mlle)\b\.?\s*)+"
)


def is_family_first(con: duckdb.DuckDBPyConnection, found: Recognition) -> bool:
    """Return whether the file's full names begin with the family name."""
    name = found.first("full_name")
    contacts = [column for role in _CONTACTS if (column := found.first(role))]
    if name is None or not contacts:
        return False
    words = " union all ".join(
        _WORDS.format(
            contact=f"lower(trim({quote_column(contact)}))",
            name=untitled(name),
            table=found.loaded.table,
        )
        for contact in contacts
    )
    heads, tails = con.execute(_KIN.format(words=words, largest=LARGEST_HOME)).fetchall()[0]
    return bool(heads >= FEWEST_KIN and heads >= PLAIN_SHARE * tails)


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
