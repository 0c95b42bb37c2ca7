"""The records that the model compares, in the shape in which comparing is cheap.

One node stands for all records that say exactly the same. Records with a name, a birth date or an
address are nodes; receipts that carry no more than a card number are attached afterwards
(``attach``). Equality is
tested on integers, text is kept for the fuzzy levels only, and everything that depends on one
value alone (letter mask, frequency, nickname roots) is worked out once per distinct value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.identity.standard.extras import (
    birth_year_sql,
    held_tags,
    node_joins,
    node_select,
    word_tags,
)
from cdp_pipeline.identity.standard.mailboxes import (
    DIGITS,
    LETTERS,
    email_own_sql,
    left_sql,
    rest_sql,
)
from cdp_pipeline.identity.standard.nicknames import load_nicknames
from cdp_pipeline.identity.standard.spelling import (
    building_sql,
    fold_sql,
    letter_mask,
    street_key_sql,
    street_words_sql,
)
from cdp_pipeline.storage.warehouse import has_table

PARTICLES = "van|von|der|den|de|del|della|di|da|dos|du|la|le|las|los|ter|ten|bin|ibn|al|el|st"
"""Words before a family name that many families share; the name proper follows them."""

NUMBERS = ("node_id", "record_id", "evidence_head")
"""Columns of nodes that say which records they are."""

_WORDS = """
create or replace temp table identity_{field}_words as
with counted as (
    select {field} as word, {folded} as folded, count(*) as seen
    from identity.records
    where record_id = evidence_id and is_comparable and {field} is not null
    group by {field}
),
together as (
    select folded, sum(seen) as seen from counted group by folded
)
select
    word,
    folded,
    t.seen,
    cast(log2(t.seen / (select sum(seen) from counted)) as float) as frequency,
    hash(folded) as word_hash,
    {mask} as mask
    {parts}
from counted
inner join together as t using (folded)
"""
# Spellings of one name in different alphabets share a hash and a frequency.

_KNOWN_WORDS = """
create or replace temp table identity_{field}_words as
with stated as (
    select {field} as word, {folded} as folded
    from identity.records
    where {field} is not null and {wanted}
    group by {field}
),
total as (
    select seen from identity.model_frequencies where field = 'all of {field}'
)
select
    s.word,
    s.folded,
    cast(log2(coalesce(f.seen, 1) / total.seen) as float) as frequency,
    hash(s.folded) as word_hash,
    {mask} as mask
    {parts}
from stated as s
cross join total
left join identity.model_frequencies as f
    on f.field = '{field}' and f.value_hash = hash(s.folded)
"""
# What a name is worth is settled by the fit: an old edge keeps its weight when names become
# commoner, and a name that the fit has not seen is as rare as one seen once.

_STREETS = """
create or replace temp table identity_street_words as
with told as (
    select street, {told} as line
    from (select distinct street from identity.records where street is not null and {wanted})
)
select street, {street_key} as street_key, {building_key} as building_key
from told
"""

_FAMILY_PARTS = {
    "first_part": f"hash(regexp_extract(folded, '^(?:(?:{PARTICLES}) )*([^ ]+)', 1))",
    "last_part": "hash(split_part(folded, ' ', -1))",
    "joined": "replace(word, ' ', '')",
    "last_word": "split_part(word, ' ', -1)",
    "folded_joined": "replace(folded, ' ', '')",
    "folded_last_word": "split_part(folded, ' ', -1)",
}
"""What else depends on a family name alone, worked out once for all who have it."""

_NODE_IDS = """
create or replace temp table identity_node_ids as
select
    record_id,
    cast(row_number() over (order by record_id) - 1 as integer) as node_id
from identity.records
where record_id = evidence_id and is_comparable
"""

_NODES = """
with parted as (
    select r.*, i.node_id, split_part(r.email, '@', 1) as email_name
    from identity.records as r
    inner join {ids} as i on i.record_id = r.record_id
),
lettered as (
    select *, {letters} as email_letters from parted
),
named as (
    select
        r.*,
        f.word_hash as family_hash,
        f.mask as family_mask,
        f.frequency as family_frequency,
        f.first_part as family_first,
        f.last_part as family_last,
        f.folded as family_folded,
        f.folded_joined,
        f.folded_last_word,
        {email_rest} as email_rest
    from lettered as r
    left join identity_family_name_words as f on f.word = r.family_name
),
told as (
    select *, {email_left} as email_left from named as r
)
select
    r.node_id,
    r.record_id,
    r.evidence_head,
    case
        when (select bool_or({is_profile}) from identity.records as r) then {is_profile}
    end as is_profile,
    hash(r.source) as source_hash,
    r.given_name,
    r.family_name,
    r.email,
    r.street,
    g.mask as given_mask,
    g.frequency as given_frequency,
    ascii(r.given_name) as given_initial,
    case when length(r.given_name) > 1 then g.word_hash end as given_hash,
    {roots}
    r.family_hash,
    r.family_mask,
    r.family_frequency,
    case when length(r.given_name) > 1 and r.family_hash is not null
        then hash(least(g.word_hash, r.family_hash), greatest(g.word_hash, r.family_hash))
    end as names_hash,
    r.family_first,
    r.family_last,
    cast(year(r.birth_date) * 10000 + month(r.birth_date) * 100 + day(r.birth_date) as integer)
        as birth_number,
    cast({birth_year} as integer) as birth_year,
    try_cast(regexp_extract(r.email_name, {mailbox_year}, 1) as smallint) as mailbox_year,
    coalesce({birth_year}, mailbox_year) as told_year,
    cast(month(r.birth_date) * 100 + day(r.birth_date) as smallint) as birth_month_day,
    cast(day(r.birth_date) * 100 + month(r.birth_date) as smallint) as birth_day_month,
    {extras}
    r.sex,
    case when r.email is not null then hash(r.email) end as email_hash,
    case when r.email is not null then hash(r.email_name) end as email_local,
    case when r.email is not null then hash({digits}) end as email_digits,
    {email_own}
    r.phone,
    case when r.phone is not null then hash(r.phone) end as phone_hash,
    p.word_hash as postcode_hash,
    p.frequency as postcode_frequency,
    case when r.street is not null and r.postcode is not null
        then hash(w.street_key, r.postcode) end as address_hash,
    case when r.street is not null then hash(w.street_key) end as street_hash,
    case when r.street is not null and r.postcode is not null
        then hash(w.building_key, r.postcode) end as building_hash,
    w.street_key <> w.building_key as names_flat,
    r.loyalty_id,
    case when r.loyalty_id is not null then hash(r.loyalty_id) end as loyalty_hash,
    case when r.account_id is not null then hash(r.account_id) end as account_hash,
    case when r.payment_token is not null then hash(r.payment_token) end as payment_hash
from told as r
left join identity_given_name_words as g on g.word = r.given_name
left join identity_postcode_words as p on p.word = r.postcode
left join identity_street_words as w on w.street = r.street
{nickname_join}
{mailbox_join}
{extra_joins}
"""

_ROOTS = "coalesce(k.root_bits, cast(0 as ubigint)) as root_bits, k.roots,"

_NICKNAME_JOIN = "left join identity_nicknames as k on k.name = r.given_name"

_EMAIL_OWN = "cast({email_own} as integer) as email_own,"

_MAILBOX_JOIN = "left join identity_nicknames as n on n.name = r.email_rest"
# Taking every mailbox apart costs more than all else of a node: only where it is looked at.

_IS_PROFILE = "r.record_kind in ('loyalty', 'account')"

_MAILBOX_YEAR = "'(?:^|[^0-9])((?:19[2-9][0-9]|20[01][0-9])|[0-9][0-9])(?:[^0-9]|$)'"
"""anna1978 and anna_78, but neither anna4 nor anna5519."""


def build_nodes(
    con: duckdb.DuckDBPyConnection,
    *,
    only: Sequence[int] | None = None,
    columns: Collection[str] | None = None,
) -> None:
    """Create the temporary table ``identity_nodes`` from ``identity.records``.

    Args:
        con: Connection with ``identity.records``; a published, read-only one will do.
        only: Record ids to keep, with the numbers they have among all records and frequencies as
            of the last fit. Default: all records, counted anew.
        columns: What of the nodes is looked at beside their numbers. Default: everything.
    """
    number_nodes(con)
    if only is None:
        _make_words(con, _WORDS)
        _make_nodes(con, ids="identity_node_ids", columns=columns)
        return
    con.execute(
        "create or replace temp table identity_wanted as select unnest($only) as record_id",
        {"only": list(only)},
    )
    build_wanted_nodes(con)


def build_wanted_nodes(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_nodes`` of the records in ``identity_wanted`` (record_id) alone."""
    if has_table(con, "identity.model_frequencies"):
        _make_words(con, _KNOWN_WORDS, "record_id in (select record_id from identity_wanted)")
    else:
        _make_words(con, _WORDS)
    con.execute(
        "create or replace temp table identity_wanted_ids as "
        "select i.* from identity_node_ids as i semi join identity_wanted as w using (record_id)"
    )
    _make_nodes(con, ids="identity_wanted_ids")


def build_keys(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
    """Create ``identity_key_nodes``: of all nodes, the columns that blocking keys are made of."""
    number_nodes(con)
    _make_words(con, _KNOWN_WORDS, "record_id = evidence_id and is_comparable", for_keys=True)
    # A key may be worked out from several columns; all that it names are kept.
    words = {word for column in columns for word in re.findall(r"\w+", column)}
    _make_nodes(con, ids="identity_node_ids", columns=words, table="identity_key_nodes")


def number_nodes(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_node_ids`` (record_id, node_id): one node for records that say the same."""
    con.execute(_NODE_IDS)


def name_nodes(
    con: duckdb.DuckDBPyConnection, rows: pa.Table, sides: Mapping[str, str]
) -> pa.Table:
    """Return rows with the numbers of records where they have those of nodes.

    Looked up in numpy: joined twice, the numbers would cost more than all else of such a table.

    Args:
        con: Connection with ``identity_node_ids``.
        rows: Table with columns of ``node_id``.
        sides: What each of these columns becomes, such as node_a: record_a.
    """
    found = con.execute("select node_id, record_id from identity_node_ids").fetchnumpy()
    records = np.empty(len(found["node_id"]), dtype=np.int32)
    records[found["node_id"]] = found["record_id"]
    for node, record in sides.items():
        place = rows.schema.get_field_index(node)
        rows = rows.set_column(place, record, pa.array(records[rows[node].to_numpy()]))
    return rows


def word_fields(held: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of ``identity.records`` whose values are worth what they are rare."""
    return ("given_name", "family_name", "postcode", *word_tags(list(held)))


def _make_words(
    con: duckdb.DuckDBPyConnection, sql: str, wanted: str = "", *, for_keys: bool = False
) -> None:
    """Create the tables of distinct values; keys need neither letters nor parts of names."""
    for field in word_fields(held_tags(con, "identity.records")):
        mask = "0" if for_keys or field == "postcode" else letter_mask("word")
        folded = fold_sql(field) if field in {"given_name", "family_name"} else field
        parts = ""
        if field == "family_name":
            made = dict.fromkeys(_FAMILY_PARTS, "null") if for_keys else _FAMILY_PARTS
            parts = "".join(f", {part} as {name}" for name, part in made.items())
        con.execute(sql.format(field=field, mask=mask, folded=folded, parts=parts, wanted=wanted))
    con.execute(
        _STREETS.format(
            told=street_words_sql("street"),
            street_key=street_key_sql("line"),
            building_key=street_key_sql(building_sql("line")),
            wanted=wanted or "true",
        )
    )


def _make_nodes(
    con: duckdb.DuckDBPyConnection,
    *,
    ids: str,
    columns: Collection[str] | None = None,
    table: str = "identity_nodes",
) -> None:
    load_nicknames(con)
    nodes = _nodes_sql(held_tags(con, "identity.records"), ids=ids, columns=columns)
    kept = "*"
    if columns is not None:
        made = [row[0] for row in con.execute(f"describe {nodes}").fetchall()]
        kept = ", ".join(name for name in made if name in {*NUMBERS, *columns})
    con.execute(f"create or replace temp table {table} as select {kept} from ({nodes})")  # noqa: S608 - own columns


def _nodes_sql(held: list[str], *, ids: str, columns: Collection[str] | None) -> str:
    is_own_wanted = columns is None or "email_own" in columns
    are_roots_wanted = is_own_wanted or not {"roots", "root_bits"}.isdisjoint(columns or ())
    return _NODES.format(
        ids=ids,
        is_profile=_IS_PROFILE,
        letters=LETTERS,
        digits=DIGITS,
        email_rest=rest_sql(),
        email_left=left_sql(),
        email_own=_EMAIL_OWN.format(email_own=email_own_sql()) if is_own_wanted else "",
        mailbox_join=_MAILBOX_JOIN if is_own_wanted else "",
        roots=_ROOTS if are_roots_wanted else "",
        nickname_join=_NICKNAME_JOIN if are_roots_wanted else "",
        birth_year=birth_year_sql(held),
        mailbox_year=_MAILBOX_YEAR,
        extras=node_select(held),
        extra_joins=node_joins(held),
    )
