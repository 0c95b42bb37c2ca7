"""Which golden records have to be made anew, and which the version before holds already.

Everything that a golden record is made of goes into one hash a customer, kept in
``identity.golden_basis``: the records and what they say, proofs, and which values others state too.
Who has the same hash as last night keeps the golden record, unless somebody with whom they contest
a value, directly or through others, does not: owners are found among all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdp_pipeline.identity.golden.golden_fields import value_sql
from cdp_pipeline.project.survivorship import FieldGroup, SurvivorshipSpec
from cdp_pipeline.storage.patching import clear_place, write_patched
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table

CARRIED_TABLES = ("golden_records", "golden_sources", "contact_claims", "golden_basis")

_RECORDS = """
create or replace temp table identity_customer_records as
with m as (
    select
        c.customer_id,
        r.*,
        p.rowid as place,
        p.delivered_on,
        p.push_token
    from identity.customer_map as c
    inner join identity.records as r on r.source = c.source and r.record_key = c.record_key
    inner join staging.person_records as p
        on p.source = c.source and p.record_key = c.record_key
)
select
    m.customer_id,
    hash(m.customer_id) as customer_hash,
    m.record_id,
    m.place,
    m.record_kind,
    m.email,
    m.phone,
    m.street,
    m.postcode,
    m.updated_at,
    m.delivered_on,
    hash(
        m.source, m.record_key, m.raw_hash, m.evidence_head, m.evidence_tail, m.first_seen_on,
        {is_plausible},
        p.verified_at, p.refuted_at
    ) as made_of
    {values}
from m
left join identity_mailbox_proofs as p on p.value = m.email
"""
# That a record is delivered again is no news: only the day of a statement may follow from it.

_CONTESTED = """
create or replace temp table identity_contested as
with stated as ({stated}),
shared as (
    select subject, value
    from stated
    group by subject, value
    having min(customer_hash) <> max(customer_hash)
)
select s.subject, s.value, s.customer_id
from stated as s
semi join shared as h on h.subject = s.subject and h.value = s.value
group by all
"""
# More than are contested in the end, since who may speak is not asked: too much is made anew then.

_BASIS = """
create or replace temp table identity_basis as
with counted as (
    select *, count(*) over (partition by subject, value) as claimants
    from identity_contested
),
shared as (
    select customer_id, bit_xor(hash(hash(subject, value, claimants))) as made_of
    from counted
    group by customer_id
),
own as (
    select customer_id, bit_xor(hash(made_of)) as made_of
    from identity_customer_records
    group by customer_id
)
select o.customer_id, hash(o.made_of, s.made_of) as made_of
from own as o
left join shared as s on s.customer_id = o.customer_id
"""
# DuckDB's hash of several values takes the last one in by XOR: summed up as it is, the same news of
# two records would cancel out. A hash of the hash does not.

_DIFFERENT = """
create or replace temp table identity_anew as
select customer_id
from identity_basis as t
anti join base.identity.golden_basis as b
    on b.customer_id = t.customer_id and b.made_of = t.made_of
"""

_DRAWN_IN = """
insert into identity_anew
with values_of_theirs as (
    select c.subject, c.value
    from identity_contested as c
    semi join identity_anew as a on a.customer_id = c.customer_id
)
select distinct c.customer_id
from identity_contested as c
semi join values_of_theirs as v on v.subject = c.subject and v.value = c.value
anti join identity_anew as a on a.customer_id = c.customer_id
"""

_CARRIED = """
create or replace temp table identity_carried as
select customer_id from identity_basis
anti join identity_anew using (customer_id)
"""

_REPLACED = """
create or replace temp table identity_replaced as
select customer_id from base.identity.golden_records
anti join identity_carried using (customer_id)
"""
# Few, where the carried are many: what is looked up for every row.

_RESTATED = """
create or replace temp table identity_restated as
select s.* replace (d.delivered_on as stated_on)
from base.identity.golden_sources as s
anti join identity_replaced as n on n.customer_id = s.customer_id
inner join (
    select r.source, r.record_key, c.delivered_on
    from identity_customer_records as c
    inner join identity.records as r on r.record_id = c.record_id
    where c.updated_at is null
) as d on d.source = s.source and d.record_key = s.record_key
where s.stated_on is distinct from d.delivered_on
"""
# A statement without a moment of its own is of the day on which it was delivered last.

_PATCHED_SOURCES = """
{made}
union all by name
from identity_restated
union all by name
select s.* from base.identity.golden_sources as s
semi join identity_restated as n on n.customer_id = s.customer_id
anti join identity_replaced as a on a.customer_id = s.customer_id
anti join identity_restated as r on r.customer_id = s.customer_id and r.field = s.field
"""

_GOLDEN = """
select
    g.* exclude (record_count, source_count, first_seen_on),
    h.household_id,
    g.record_count,
    g.source_count,
    g.first_seen_on
from {golden} as g
inner join identity_households as h on h.customer_id = g.customer_id
"""

_MOVED = """
create or replace temp table identity_moved as
select customer_id from identity_households where previous_id is distinct from household_id
"""

_UNSETTLED = """
create or replace temp table identity_unsettled (customer_id varchar)
"""

_KEPT = """
create or replace table identity.golden_basis as
select customer_id, made_of
from identity_basis
anti join identity_unsettled using (customer_id)
order by customer_id
"""


def collect_records(
    con: duckdb.DuckDBPyConnection, spec: SurvivorshipSpec, *, is_plausible: str
) -> None:
    """Create ``identity_customer_records`` and, of all customers, what their golden records are of.

    Grain: one row per person record that belongs to a customer. ``place`` is the record's row in
    ``staging.person_records``. Also creates ``identity_contested`` (subject, value, customer_id)
    and ``identity_basis`` (customer_id, made_of).

    Args:
        con: Build connection with ``identity_mailbox_proofs``.
        spec: The declared rules.
        is_plausible: SQL over a record ``m``: whether its birth date is believed tonight.
    """
    shared = [group for group in spec.groups.values() if _is_sharing(group)]
    values = "".join(_hashed_sql(n, group) for n, group in enumerate(shared))
    con.execute(_RECORDS.format(is_plausible=is_plausible, values=values))
    con.execute(_CONTESTED.format(stated=_stated_sql(shared)))
    con.execute(_BASIS)
    con.execute(_UNSETTLED)


def _hashed_sql(number: int, group: FieldGroup) -> str:
    value = value_sql(group)
    return f", case when ({value}) is not null then hash({value}) end as value_{number}"


def _is_sharing(group: FieldGroup) -> bool:
    """Return whether it matters for a group of fields that other customers state the same."""
    return bool(group.one_owner) or "unshared" in group.believe


def _stated_sql(shared: Sequence[FieldGroup]) -> str:
    nobody = (
        "select null::varchar as subject, null::ubigint as value, null::varchar as customer_id, "
        "null::ubigint as customer_hash"
    )
    return " union all ".join(
        [
            f"{nobody} where false",
            *(
                f"select '{group.fields[0]}', value_{n}, customer_id, customer_hash "  # noqa: S608 - declared fields
                f"from identity_customer_records where value_{n} is not null"
                for n, group in enumerate(shared)
            ),
        ]
    )


def choose_anew(con: duckdb.DuckDBPyConnection, *, is_carried: bool) -> int:
    """Create ``identity_anew`` and ``identity_carried`` (customer_id), and count the former.

    Args:
        con: Build connection after ``collect_records``.
        is_carried: Whether golden records of the version before may stand: the same declarations,
            settings and package would make them again.
    """
    tables = (f"identity.{name}" for name in CARRIED_TABLES)
    if is_carried and all(has_base_table(con, table) for table in tables):
        con.execute(_DIFFERENT)
        while fetch_value(con, _DRAWN_IN):
            pass
    else:
        con.execute(
            "create or replace temp table identity_anew as select customer_id from identity_basis"
        )
    con.execute(_CARRIED)
    if is_any_carried(con):
        con.execute(_REPLACED)
    return int(fetch_value(con, "select count(*) from identity_anew"))


def carried_sql(con: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str]) -> str:
    """Return a SELECT of rows of last night's table, of all customers who are not made anew.

    Args:
        con: Build connection after ``choose_anew``.
        name: One of ``CARRIED_TABLES``.
        columns: What to select.
    """
    if not is_any_carried(con):  # nor need the table be there
        nothing = [f"null as {column}" for column in columns]
        return f"select {', '.join(nothing)} where false"
    return (
        f"select {', '.join(columns)} from base.identity.{name} "  # noqa: S608 - own tables
        "anti join identity_replaced using (customer_id)"
    )


def is_any_carried(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether any golden record of last night stands."""
    return bool(fetch_value(con, "select count(*) from identity_carried"))


def write_golden(con: duckdb.DuckDBPyConnection) -> None:
    """Write ``identity.golden_records`` from ``identity_golden`` and ``identity_households``."""
    if not is_any_carried(con):
        clear_place(con, "identity.golden_records")
        golden = _GOLDEN.format(golden="identity_golden")
        con.execute(f"create table identity.golden_records as {golden} order by g.customer_id")
        return
    con.execute(_MOVED)
    changed = "from identity_anew union from identity_moved"
    golden = f"(from identity_golden where customer_id in ({changed}))"
    write_patched(
        con,
        "identity.golden_records",
        key="customer_id",
        replaced="from identity_replaced union all from identity_moved",
        anew=_GOLDEN.format(golden=golden),
    )


def write_sources(con: duckdb.DuckDBPyConnection, made: str) -> None:
    """Write ``identity.golden_sources``.

    Args:
        con: Build connection.
        made: SELECT of the rows of all customers who are made anew.
    """
    if not is_any_carried(con):
        clear_place(con, "identity.golden_sources")
        con.execute(
            f"create table identity.golden_sources as from ({made}) order by customer_id, field"
        )
        return
    con.execute(_RESTATED)
    write_patched(
        con,
        "identity.golden_sources",
        key="customer_id",
        replaced="from identity_replaced union all select customer_id from identity_restated",
        anew=_PATCHED_SOURCES.format(made=made),
    )


def keep_basis(con: duckdb.DuckDBPyConnection) -> None:
    """Write ``identity.golden_basis``, without those of ``identity_unsettled``."""
    con.execute(_KEPT)
