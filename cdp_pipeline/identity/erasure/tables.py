"""Taking a person out of every identity table of a version.

Which rows are somebody's follows from the names of columns, so that a new table is covered without
being listed. Rows of other people lose what they say of the person and stay. Their households are
counted again; words that nobody else's records hold leave the model's frequencies. What is left of
the ids are keyed hashes (``remembered``): they are never minted again.

``identity.hubs`` stays: a value that many strangers share is nobody's, and only its hash is there.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from cdp_pipeline.identity.erasure.subjects import Subject
from cdp_pipeline.identity.golden.household_history import recount_households
from cdp_pipeline.identity.grouping.attach import KEYS
from cdp_pipeline.identity.grouping.remembered import (
    CUSTOMERS,
    HOUSEHOLDS,
    Memory,
    load_secrets,
    spend_ids,
)
from cdp_pipeline.identity.standard.extras import held_tags
from cdp_pipeline.identity.standard.nodes import word_fields
from cdp_pipeline.identity.standard.spelling import fold_sql
from cdp_pipeline.storage.warehouse import describe, fetch_value, has_table

CUSTOMER_COLUMNS = ("customer_id", "old_customer_id", "owner_id")
RECORD_COLUMNS = (
    ("source", "record_key"),
    ("source_a", "record_key_a"),
    ("source_b", "record_key_b"),
)
NUMBER_COLUMNS = ("record_a", "record_b")

BLANKED = {
    "changes": "update identity.changes set source = null, record_key = null "
    "where customer_id not in (select id from identity_erased_ids) "
    "and (source, record_key) in (select source, record_key from identity_erased_records)",
    "customer_map": "update identity.customer_map set previous_customer_id = null "
    "where previous_customer_id in (select id from identity_erased_ids)",
}
"""What is done before rows are deleted: another customer's history goes on without the record."""

_PREVIOUS = (
    "update identity.changes set previous_customer_id = null "
    "where previous_customer_id in (select id from identity_erased_ids)"
)

_RECORDS = """
create or replace temp table identity_erased_records as
select t.source, t.record_key, r.record_id
from identity_erased_rows as t
left join identity.records as r on r.source = t.source and r.record_key = t.record_key
"""

_HOMES = """
create or replace temp table identity_erased_homes as
select distinct household_id as id from identity.golden_records
where customer_id in (select id from identity_erased_ids)
"""

_EMPTY_HOMES = """
create or replace temp table identity_empty_homes as
select id from identity_erased_homes
where id not in (select household_id from identity.golden_records)
union
select old_household_id from identity.household_redirects
where household_id in (
    select id from identity_erased_homes
    where id not in (select household_id from identity.golden_records)
)
"""

_HEIRS = """
create or replace temp table identity_heirs as
select e.record_id as old_id, min(o.record_id) as new_id
from identity_erased_records as e
inner join identity.records as o on o.evidence_id = e.record_id
where o.record_id not in (select record_id from identity_erased_records)
group by e.record_id
"""
# Somebody else's record that says exactly the same stands for both from now on.

_REPOINT = """
update identity.records set evidence_id = h.new_id
from identity_heirs as h where h.old_id = evidence_id;
update identity.scored_pairs set record_a = h.new_id
from identity_heirs as h where h.old_id = record_a;
update identity.scored_pairs set record_b = h.new_id
from identity_heirs as h where h.old_id = record_b
"""

_BESIDE = """
create or replace temp table identity_beside as
with erased as (select record_id from identity_erased_records where record_id is not null),
theirs as (select {keys} from identity.records semi join erased using (record_id)),
nameless as (select record_id, {keys} from identity.records where not is_comparable),
paired as (
    select record_b as evidence_id from identity.scored_pairs
    where record_a in (select record_id from erased)
    union all
    select record_a from identity.scored_pairs where record_b in (select record_id from erased)
    union all
    select new_id from identity_heirs
)
select record_id from ({holders})
union
select record_id from identity.records semi join paired using (evidence_id)
"""

_HOLDER = """
select record_id from nameless
where {key} in (select {key} from theirs)
"""

_LOOK_AGAIN = """
update identity.records set raw_hash = null
where record_id in (select record_id from identity_beside)
"""
# Whose an identifier is, or who is whose namesake, may be plain now. The next night finds no trace
# of the person any more, so these rows alone can tell it where to look.

_DORMANT = """
create or replace temp table identity_erased_dormant as
select distinct d.id
from identity.dormant_ids as d
cross join identity_secrets as k
where d.id in (select id from identity_erased_ids)
    or d.member_hash in (
        select identity_keyed(k.secret, source || '/' || record_key) from identity_erased_records
    )
    or d.member_hash in (select identity_keyed(k.secret, id) from identity_erased_ids)
"""

_DORMANT_TOO = """
insert into identity_erased_ids
select id from identity_erased_dormant
where left(id, 1) = 'C' and id not in (select id from identity_erased_ids)
"""
# That they are gone is told for a night, by their id.


def erase_rows(
    con: duckdb.DuckDBPyConnection, subject: Subject, *, business_date: str, memory: Memory
) -> dict[str, int]:
    """Take a person out of the identity tables; all or nothing, and again without harm.

    Args:
        con: Connection whose main catalog is the version, writable: a finished build of a night,
            or a copy of the published one. DuckDB keeps deleted bytes in its file: publish a
            fresh copy of the database (``copy from database``), not this file.
        subject: The person.
        business_date: When the ids were spent, as YYYY-MM-DD.
        memory: How ids that nobody has are remembered.

    Returns:
        Rows deleted or blanked by table; tables without any are left out.
    """
    con.execute("begin")
    end = "rollback"
    try:
        erased = _erase(con, subject, business_date=business_date, memory=memory)
        end = "commit"
    finally:
        con.execute(end)
    return {table: rows for table, rows in erased.items() if rows}


def _erase(
    con: duckdb.DuckDBPyConnection, subject: Subject, *, business_date: str, memory: Memory
) -> dict[str, int]:
    load_secrets(con, memory)
    _load(con, subject)
    con.execute(_DORMANT)
    con.execute(_DORMANT_TOO)
    con.execute(_HOMES)
    con.execute(_HEIRS)
    for statement in _REPOINT.split(";"):
        con.execute(statement)
    holders = " union all ".join(_HOLDER.format(key=key) for key in KEYS)
    con.execute(_BESIDE.format(keys=", ".join(KEYS), holders=holders))
    con.execute(_LOOK_AGAIN)
    erased = {"model_frequencies": _forget_words(con), "judgements": _forget_reasons(con, subject)}
    for table, statement in BLANKED.items():
        erased[table] = _count(con, statement)
    for table in _tables(con):
        condition = _condition(con, table)
        if condition:
            deleted = _count(con, f"delete from identity.{table} where {condition}")  # noqa: S608 - own names
            erased[table] = erased.get(table, 0) + deleted
    erased["changes"] += _count(con, _PREVIOUS)
    for table, rows in _erase_homes(con, business_date=business_date).items():
        erased[table] = erased.get(table, 0) + rows
    erased["dormant_ids"] = _count(
        con,
        "delete from identity.dormant_ids where id in (select id from identity_erased_dormant)",
    )
    customers = "select id from identity_erased_ids"
    homes = (
        "select id from identity_empty_homes "
        "union select id from identity_erased_dormant where left(id, 1) = 'H'"
    )
    spend_ids(con, CUSTOMERS, customers, business_date=business_date)
    spend_ids(con, HOUSEHOLDS, homes, business_date=business_date)
    return erased


def _load(con: duckdb.DuckDBPyConnection, subject: Subject) -> None:
    rows = pa.table(
        {
            "source": pa.array([source for source, _ in subject.records], pa.string()),
            "record_key": pa.array([key for _, key in subject.records], pa.string()),
        }
    )
    con.register("identity_erased_rows", rows)
    con.execute(_RECORDS)
    con.unregister("identity_erased_rows")
    ids = pa.table({"id": pa.array(list(subject.customers), pa.string())})
    con.register("identity_erased_rows", ids)
    con.execute("create or replace temp table identity_erased_ids as from identity_erased_rows")
    con.unregister("identity_erased_rows")


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the identity tables; records last, as others are told by their numbers."""
    names = con.execute(
        "select table_name from duckdb_tables() "
        "where database_name in (current_database(), 'vault') and schema_name = 'identity' "
        "order by all"
    ).fetchall()
    return sorted((name for (name,) in names), key=lambda name: (name == "records", name))


def _condition(con: duckdb.DuckDBPyConnection, table: str) -> str:
    columns = describe(con, f"identity.{table}")
    found = [
        f"{column} in (select id from identity_erased_ids)"  # noqa: S608 - own names
        for column in CUSTOMER_COLUMNS
        if column in columns
    ]
    found += [
        f"({source}, {key}) in (select source, record_key from identity_erased_records)"  # noqa: S608 - own names
        for source, key in RECORD_COLUMNS
        if source in columns and key in columns
    ]
    found += [
        f"{column} in (select record_id from identity_erased_records where record_id is not null)"  # noqa: S608 - own names
        for column in NUMBER_COLUMNS
        if column in columns
    ]
    return " or ".join(found)


def _count(con: duckdb.DuckDBPyConnection, statement: str) -> int:
    return int(fetch_value(con, statement) or 0)


def _erase_homes(con: duckdb.DuckDBPyConnection, *, business_date: str) -> dict[str, int]:
    """Count households again that lost a person; forget those that lost the last."""
    con.execute(_EMPTY_HOMES)
    gone = "in (select id from identity_empty_homes)"
    erased = {
        "household_redirects": _count(
            con,
            f"delete from identity.household_redirects where household_id {gone} "  # noqa: S608 - own names
            f"or old_household_id {gone}",
        ),
        "household_changes": _count(
            con,
            "update identity.household_changes set previous_household_id = null "  # noqa: S608 - own names
            f"where previous_household_id {gone}",
        ),
    }
    con.execute(
        "create or replace temp table identity_recounted_homes as "
        "select id from identity_erased_homes where id not in (select id from identity_empty_homes)"
    )
    erased["households"] = _count(
        con,
        "delete from identity.households "
        "where household_id in (select id from identity_erased_homes)",
    )
    recount_households(con, homes="identity_recounted_homes", business_date=business_date)
    return erased


def _forget_words(con: duckdb.DuckDBPyConnection) -> int:
    """Delete frequencies of names and postcodes that only the person's records hold."""
    if not has_table(con, "identity.model_frequencies"):
        return 0
    parts = []
    for field in word_fields(held_tags(con, "identity.records")):
        folded = fold_sql(field) if field in {"given_name", "family_name"} else field
        parts.append(_only_theirs(f"'{field}'", f"hash({folded})", field))
    for place in ("given", "family"):
        for column in ("given_name", "family_name"):
            parts += [_only_theirs(f"'{place} name usage'", f"hash({column})", column)]
    return _count(
        con,
        "delete from identity.model_frequencies where (field, value_hash) in "  # noqa: S608 - own parts
        f"({' union all '.join(parts)})",
    )


def _forget_reasons(con: duckdb.DuckDBPyConnection, subject: Subject) -> int:
    """Blank what stewards wrote about others if it names the person."""
    if not has_table(con, "identity.judgements"):
        return 0
    said = con.execute("select distinct reason from identity.judgements").fetchall()
    naming = [reason for (reason,) in said if reason and subject.is_mentioned(reason)]
    return int(
        fetch_value(
            con,
            "update identity.judgements set reason = null where reason in (select unnest($naming))",
            {"naming": naming},
        )
    )


def _only_theirs(field: str, value: str, column: str) -> str:
    theirs = "(source, record_key) in (select source, record_key from identity_erased_records)"
    return (
        f"select {field}, {value} from identity.records "  # noqa: S608 - column names
        f"where {column} is not null and {theirs} "
        f"except select {field}, {value} from identity.records "
        f"where {column} is not null and not {theirs}"
    )
