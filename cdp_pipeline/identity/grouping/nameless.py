"""Which nameless records an incremental night attaches again, and who may hold their identifiers.

Attaching itself belongs in ``attach``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.identity.grouping.attach import ATTACHED_BY, KEYS
from cdp_pipeline.identity.grouping.slips import find_neighbours, find_slips
from cdp_pipeline.storage.warehouse import fetch_value

_SEEDS = """
create or replace temp table identity_seeds as
select evidence_id from identity_groups
union
select evidence_id from staging.identity_bonds
union
select evidence_id from identity.records
semi join staging.identity_record_reasons using (source, record_key)
"""

_SEED_VALUES = """
create or replace temp table identity_seed_values as
with seeds as (
    select {keys} from identity.records as r
    semi join identity_seeds as s on s.evidence_id = r.evidence_id
    union all
    select {keys} from base.identity.records as b
    semi join staging.identity_record_reasons as s
        on s.source = b.source and s.record_key = b.record_key
)
select distinct field, value from (from seeds) unpivot (value for field in ({keys}))
"""
# Identifiers of the groups that are formed again, and of what is new or changed, as of both nights.

_HELD_VALUES = """
create or replace temp table identity_held_values as
with nameless as (
    select record_id, evidence_id, {keys} from identity.records where not is_comparable
)
select record_id, field, value
from (select record_id, {keys} from nameless) unpivot (value for field in ({keys}))
union all
select n.record_id, s.field, s.meant
from identity_slips as s
inner join nameless as n on n.evidence_id = s.evidence_id
"""
# An identifier that is one slip from another is held as if it was that one.

_OPENED = """
create or replace temp table identity_opened as
select record_id
from identity.records
where not is_comparable and evidence_id in (
    select evidence_id from staging.identity_bonds
    union all
    select evidence_id from identity_neighbours
)
"""
# What is one slip from a value that came or went may be a slip of it, or none any more.

_REACHED = """
create or replace temp table identity_reached as
select distinct h.record_id
from identity_held_values as h
semi join {values} as v on v.field = h.field and v.value = h.value
anti join identity_opened as o on o.record_id = h.record_id
"""

_MORE_VALUES = """
create or replace temp table identity_more_values as
select distinct h.field, h.value
from identity_held_values as h
semi join {records} as r on r.record_id = h.record_id
anti join identity_seed_values as s on s.field = h.field and s.value = h.value
"""

_HOLDERS = """
create or replace temp table identity_holders as {holders}
"""

_HOLDER = """
select r.record_id
from identity.records as r
semi join (select value from identity_seed_values where field = '{key}') as v on v.value = r.{key}
where r.is_comparable
"""
# One identifier after the other: asked of all at once, every record is looked up for each of them.

_OPEN_AGAIN = """
create or replace temp table identity_open_again as
select {columns} from identity.records as r
semi join identity_opened as o on o.record_id = r.record_id
"""

_ATTACHABLE = """
create or replace temp table identity_attachable as
select * from identity_open_again
union all
select {columns}
from identity.records as r
semi join identity_holders as h on h.record_id = r.record_id
order by record_id
"""


def choose_nameless(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_attachable``: nameless records to attach again, and who holds their values.

    These are all that share an identifier with a touched group or record, or with one of them, or
    whose identifier is one slip from such a one: to whom they belong may have changed. Nobody
    outside has any of their identifiers. The nameless ones alone are in ``identity_open_again``.
    """
    find_slips(con)
    keys = ", ".join(KEYS)
    con.execute(_SEEDS)
    con.execute(_SEED_VALUES.format(keys=keys))
    find_neighbours(con, "identity_seed_values")
    con.execute(_HELD_VALUES.format(keys=keys))
    con.execute(_OPENED)
    con.execute(_MORE_VALUES.format(records="identity_opened"))
    con.execute("insert into identity_seed_values from identity_more_values")
    con.execute(_REACHED.format(values="identity_seed_values"))
    while fetch_value(con, "select count(*) from identity_reached"):
        con.execute("insert into identity_opened from identity_reached")
        con.execute(_MORE_VALUES.format(records="identity_reached"))
        con.execute("insert into identity_seed_values from identity_more_values")
        con.execute(_REACHED.format(values="identity_more_values"))
    columns = ", ".join(f"r.{name}" for name in (*ATTACHED_BY, *KEYS))
    con.execute(_OPEN_AGAIN.format(columns=columns))
    con.execute(_HOLDERS.format(holders=" union ".join(_HOLDER.format(key=key) for key in KEYS)))
    con.execute(_ATTACHABLE.format(columns=columns))
