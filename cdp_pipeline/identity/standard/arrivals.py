"""Which records are new, changed or gone since the version before, and only these standardised.

A record whose delivered row is the same as last night keeps its standardised form. Values that many
strangers share by now are found among what is new; older ones stay neutralised until the next fit
counts again. Comparing records belongs in ``increment``.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.identity.standard.hubs import IDENTIFIERS, find_hubs
from cdp_pipeline.storage.warehouse import base_columns, describe, fetch_value

USAGE_FIELDS = {"as_given": "given name usage", "as_family": "family name usage"}
"""Columns of ``identity_name_usage`` to fields of ``identity.model_frequencies``."""

_DELIVERED = """
create or replace temp table identity_delivered as
with stated as (
    select rowid as place, source, record_key, {raw_hash} as raw_hash
    from staging.person_records
)
select s.place, b.record_id as old_id, b.raw_hash is distinct from s.raw_hash as is_fresh
from stated as s
left join base.identity.records as b on b.source = s.source and b.record_key = s.record_key
"""
# Rows are known again by their keys once; from here on they go by number.

_FRESH = """
create or replace temp table identity_fresh as
select p.* from staging.person_records as p
semi join (select place from identity_delivered where is_fresh) as f on f.place = p.rowid
order by p.source, p.record_key
"""

_USAGE = """
create or replace temp table identity_name_usage as
with words as (
    select distinct word
    from (
        select given_name as word from identity_clean
        union all
        select family_name from identity_clean
        union all
        select identity_first_given(family_name) from identity_clean
    )
    where length(word) > 1
)
select
    w.word,
    coalesce(g.seen, 0) as as_given,
    coalesce(f.seen, 0) as as_family
from words as w
left join base.identity.model_frequencies as g
    on g.field = '{as_given}' and g.value_hash = hash(w.word)
left join base.identity.model_frequencies as f
    on f.field = '{as_family}' and f.value_hash = hash(w.word)
"""


def stored_usage() -> str:
    """Return the statement that recalls how often the fit saw a word in either place."""
    return _USAGE.format(**USAGE_FIELDS)


_SHARING = """
insert into identity_turned by name
with sharing as ({sharing})
select {columns}, -1 - b.record_id as record_id
from base.identity.records as b
where b.record_id in (
    select s.record_id
    from sharing as s
    inner join identity_delivered as d on d.old_id = s.record_id and not d.is_fresh
)
order by b.record_id
"""
# Yesterday's records beside which the new ones' identifiers are judged.

_KNOWN_HUBS = """
create or replace temp table identity_known_hubs as
select s.field, s.value, h.reason, h.records
from identity_stated as s
inner join base.identity.hubs as h
    on h.field = s.field and h.value_hash = left(sha256(s.field || ':' || s.value), 16)
"""

_NEWLY_SHARED = """
create or replace temp table identity_newly_shared as
select h.field, h.value, h.reason, h.records
from identity_hub_values as h
semi join identity_stated as s on s.field = h.field and s.value = h.value
anti join identity_known_hubs as k on k.field = h.field and k.value = h.value
where h.field <> 'birth_date'
"""
# A value that the new records do not hold was judged when it came; a date needs all records.

_UNAFFECTED = """
delete from identity_turned as t
where record_id < 0
    and not exists (
        select 1 from identity_newly_shared as n where {holds}
    )
"""

_HUBS = """
create or replace table identity.hubs as
with tonight as (
    select field, left(sha256(field || ':' || value), 16) as value_hash, reason,
        cast(records as bigint) as records
    from identity_newly_shared
)
select * from base.identity.hubs
union all
select * from tonight
order by field, value_hash
"""

_NUMBERS = """
create or replace temp table identity_numbers as
with known as (
    select b.record_id, b.source, b.record_key
    from base.identity.records as b
    semi join (select old_id from identity_delivered where is_fresh) as d on d.old_id = b.record_id
),
told as (
    select
        a.record_id as arrived_id, a.first_seen_on, a.source, a.record_key,
        case when a.record_id < 0 then -1 - a.record_id else k.record_id end as record_id
    from identity_arrived as a
    left join known as k on k.source = a.source and k.record_key = a.record_key
)
select
    arrived_id,
    cast(coalesce(
        record_id,
        (select coalesce(max(record_id), -1) from base.identity.records)
        + row_number() over (
            partition by record_id is null order by first_seen_on, source, record_key
        )
    ) as integer) as record_id
from told
"""
# Whoever was there keeps the number, so that tables which name it stay as they are; what is new
# follows behind. Numbers of records that are gone stay free until a fit numbers all anew, but for
# the last: nothing outlives a record under its number, so who comes next may have that again.

_LEAVING = """
create or replace temp table identity_leaving as
select b.record_id
from base.identity.records as b
anti join (select old_id from identity_delivered where not is_fresh) as d
    on d.old_id = b.record_id
union
select record_id from identity_numbers
"""
# What of last night's records does not stay as it is. Few, where the others are many.

_SHARED = """
create or replace temp table identity_shared as
with together as (
    select b.record_id, b.evidence_head, b.evidence_tail
    from base.identity.records as b
    anti join identity_leaving as l on l.record_id = b.record_id
    union all
    select n.record_id, a.evidence_head, a.evidence_tail
    from identity_arrived as a
    inner join identity_numbers as n on n.arrived_id = a.record_id
)
select evidence_head, evidence_tail, min(record_id) as evidence_id
from together
group by evidence_head, evidence_tail
having count(*) > 1
"""

_RECORDS = """
create or replace table identity.records as
select {stayed}
from base.identity.records as t
anti join identity_leaving as l on l.record_id = t.record_id
left join identity_shared as s
    on s.evidence_head = t.evidence_head and s.evidence_tail = t.evidence_tail
union all
select {arrived}
from identity_arrived as t
inner join identity_numbers as n on n.arrived_id = t.record_id
left join identity_shared as s
    on s.evidence_head = t.evidence_head and s.evidence_tail = t.evidence_tail
order by record_id
"""
# As in a full night: threads would leave the rows in another order every time.

_REASONS = """
create or replace table staging.identity_record_reasons as
with differing as (
    select
        r.source,
        r.record_key,
        case
            when b.source is null then 'new record'
            when b.raw_hash is null and b.evidence_head = r.evidence_head
                and b.evidence_tail = r.evidence_tail then 'removed record'
            when b.raw_hash is distinct from r.raw_hash then 'changed evidence'
            else 'hub'
        end as reason
    from {records} as r
    left join base.identity.records as b on b.source = r.source and b.record_key = r.record_key
    where b.evidence_head is distinct from r.evidence_head
        or b.evidence_tail is distinct from r.evidence_tail
        or b.record_kind is distinct from r.record_kind
        or b.raw_hash is null
    union all
    select b.source, b.record_key, 'removed record'
    from base.identity.records as b
    {gone}
)
select d.source, d.record_key, d.reason, m.customer_id
from differing as d
left join base.identity.customer_map as m on m.source = d.source and m.record_key = d.record_key
order by d.source, d.record_key
"""

# An erasure leaves no hash of what was delivered to those whom it may concern (identity.erasure).

_GONE = "anti join identity.records as r on r.source = b.source and r.record_key = b.record_key"

_NOT_DELIVERED = "anti join identity_delivered as d on d.old_id = b.record_id"

_NO_REASONS = """
create or replace table staging.identity_record_reasons (
    source varchar, record_key varchar, reason varchar, customer_id varchar
)
"""


def find_fresh(con: duckdb.DuckDBPyConnection, *, raw_hash: str) -> float:
    """Create ``identity_fresh``, the rows delivered anew, and return their share of yesterday's.

    Args:
        con: Build connection with a version before.
        raw_hash: SQL of a delivered row's hash, as in ``records``.
    """
    con.execute(_DELIVERED.format(raw_hash=raw_hash))
    con.execute(_FRESH)
    fresh = int(fetch_value(con, "select count(*) from identity_fresh"))
    before = int(fetch_value(con, "select count(*) from base.identity.records"))
    return fresh / max(before, 1)


def merge_records(con: duckdb.DuckDBPyConnection) -> None:
    """Write ``identity.records`` from ``identity_arrived`` and what is as it was.

    A record that the version before has keeps its number, whatever it says tonight.
    """
    names = describe(con, "temp.identity_arrived")
    stayed = {"evidence_id": "coalesce(s.evidence_id, t.record_id) as evidence_id"}
    arrived = {
        "evidence_id": "coalesce(s.evidence_id, n.record_id) as evidence_id",
        "record_id": "n.record_id",
    }
    for statement in (_NUMBERS, _LEAVING, _SHARED):
        con.execute(statement)
    con.execute(
        _RECORDS.format(
            stayed=", ".join(stayed.get(name, f"t.{name}") for name in names),
            arrived=", ".join(arrived.get(name, f"t.{name}") for name in names),
        )
    )


def judge_hubs(con: duckdb.DuckDBPyConnection) -> None:
    """Find values of ``identity_turned`` that became shared, and write ``identity.hubs``.

    Yesterday's records that hold such a value join ``identity_turned``.
    """
    con.execute(
        "create or replace temp table identity_stated as "
        + " union ".join(
            f"select '{field}' as field, cast({field} as varchar) as value "  # noqa: S608 - constants
            f"from identity_turned where {field} is not null"
            for field in (*IDENTIFIERS, "birth_date")
        )
    )
    sharing = " union ".join(
        "select b.record_id from base.identity.records as b "  # noqa: S608 - constants
        f"semi join (select value from identity_stated where field = '{field}') as s "
        f"on s.value = b.{field}"
        for field in IDENTIFIERS
    )
    columns = [name for name in describe(con, "temp.identity_turned") if name != "record_id"]
    con.execute(_KNOWN_HUBS)
    con.execute(_SHARING.format(sharing=sharing, columns=", ".join(f"b.{c}" for c in columns)))
    find_hubs(con)
    con.execute(_NEWLY_SHARED)
    holds = " or ".join(f"(n.field = '{field}' and n.value = t.{field})" for field in IDENTIFIERS)
    con.execute(_UNAFFECTED.format(holds=holds))
    con.execute(_HUBS)
    con.execute(
        "create or replace temp table identity_hub_values as "
        "from identity_known_hubs union all from identity_newly_shared"
    )


_SEPARATED = """
insert into staging.identity_record_reasons
select r.source, r.record_key, 'steward', m.customer_id
from identity_separated as s
inner join identity.records as r on r.record_id = s.record_id
inner join base.identity.records as b on b.source = r.source and b.record_key = r.record_key
left join base.identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
where b.evidence_head <> r.evidence_head
order by r.source, r.record_key
"""


def note_judged(con: duckdb.DuckDBPyConnection, judged: Sequence[tuple[str, str]]) -> None:
    """Add records whose judgements differ from those of the night before to the reasons.

    And copies of theirs that say what they said as evidence of their own since.
    """
    customer = "null"
    if "customer_id" in base_columns(con, "identity.customer_map"):
        customer = (
            "(select m.customer_id from base.identity.customer_map as m "
            "where m.source = j.source and m.record_key = j.record_key)"
        )
        if "evidence_head" in base_columns(con, "identity.records"):
            con.execute(_SEPARATED)
    con.execute(
        "insert into staging.identity_record_reasons "  # noqa: S608 - constant text
        f"select j.source, j.record_key, 'steward', {customer} "
        "from (select unnest($sources) as source, unnest($keys) as record_key) as j",
        {"sources": [source for source, _ in judged], "keys": [key for _, key in judged]},
    )


def note_reasons(con: duckdb.DuckDBPyConnection, *, only_arrived: bool) -> None:
    """Write ``staging.identity_record_reasons``: what differs from the version before, and why.

    Grain: one row per record that is new, says something else or is gone, with the customer it
    had. ``hub``: the record is delivered as before, but a value of it counts no more, or again.
    A record that is there is ``removed record`` if somebody beside it was erased.

    Args:
        con: Build connection.
        only_arrived: Only records of ``identity_arrived`` can be new or say something else; which
            ones were delivered is told by ``identity_delivered``.
    """
    if "evidence_head" not in base_columns(con, "identity.records"):
        con.execute(_NO_REASONS)
        return
    if only_arrived:
        con.execute(_REASONS.format(records="identity_arrived", gone=_NOT_DELIVERED))
    else:
        con.execute(_REASONS.format(records="identity.records", gone=_GONE))
