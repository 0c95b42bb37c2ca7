"""Of which records a night asks whose they are: all of them, or those that something touched.

A customer of whom no record is new, changed, gone, grouped or attached again, nor asked for an
identifier, stands as in the version before, and its records need no look. Whoever else is touched
is considered with all records that were one customer then, so that ids are claimed as in a full
night. Who is touched is told in ``increment`` and ``nameless``; ids are given in ``ids``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.warehouse import fetch_value, has_base_table

_ALL = """
create or replace temp view identity_considered as
select record_id, evidence_id, source, record_key, first_seen_on
from identity.records
"""

_ALL_BEFORE = """
create or replace temp table identity_customers_before as
select r.record_id, b.customer_id, b.match_prob
from identity.records as r
inner join base.identity.customer_map as b
    on b.source = r.source and b.record_key = r.record_key
"""

_NOTHING_BEFORE = """
create or replace temp table identity_customers_before (
    record_id integer, customer_id varchar, match_prob double
)
"""

_ASKED = """
create or replace temp table identity_asked_records as
with evidence as (
    select evidence_id from identity_seeds
    union
    select evidence_id from identity_attachable
)
select r.record_id, r.source, r.record_key
from identity.records as r
semi join evidence as e on e.evidence_id = r.evidence_id
"""

_TOUCHED = """
create or replace temp table identity_considered_customers as
with owners as (
    select m.customer_id
    from base.identity.customer_map as m
    semi join identity_asked_records as a
        on a.source = m.source and a.record_key = m.record_key
    union all
    select customer_id from staging.identity_record_reasons
)
select distinct customer_id from owners where customer_id is not null
"""

_TOUCHED_BEFORE = """
create or replace temp table identity_customers_before as
with owned as (
    select m.source, m.record_key, m.customer_id, m.match_prob
    from base.identity.customer_map as m
    semi join identity_considered_customers as c on c.customer_id = m.customer_id
)
select r.record_id, o.customer_id, o.match_prob
from identity.records as r
inner join owned as o on o.source = r.source and o.record_key = r.record_key
"""

_TOUCHED_RECORDS = """
create or replace temp table identity_considered as
select r.record_id, r.evidence_id, r.source, r.record_key, r.first_seen_on
from identity.records as r
semi join (
    select record_id from identity_asked_records
    union all
    select record_id from identity_customers_before
) as c on c.record_id = r.record_id
"""

STANDING_MAP = """
insert into identity.customer_map
select m.source, m.record_key, m.customer_id, m.match_prob, m.customer_id
from base.identity.customer_map as m
anti join identity_considered_customers as c on c.customer_id = m.customer_id
"""
"""Adds the records of customers who are not considered to ``identity.customer_map``."""

STANDING = """
insert into identity_settled
select null, m.customer_id, count(*)
from base.identity.customer_map as m
anti join identity_considered_customers as c on c.customer_id = m.customer_id
group by m.customer_id
"""
"""Adds the customers who are not considered to ``identity_settled``: they have no group."""


def consider_all(con: duckdb.DuckDBPyConnection) -> None:
    """Consider every record of ``identity.records``.

    Creates ``identity_considered`` (record_id, evidence_id, source, record_key, first_seen_on) and
    ``identity_customers_before`` (record_id, customer_id, match_prob): those of them that belonged
    to a customer in the version before.
    """
    _forget(con)
    con.execute(_ALL)
    has_base = has_base_table(con, "identity.customer_map")
    con.execute(_ALL_BEFORE if has_base else _NOTHING_BEFORE)


def consider_touched(con: duckdb.DuckDBPyConnection) -> None:
    """Consider the records whose customer may differ from that of the version before.

    Makes what ``consider_all`` makes, and ``identity_considered_customers`` (customer_id): those of
    the version before who have any of these records. All records of one evidence must have had one
    customer then.

    Args:
        con: Build connection of an incremental night after ``choose_nameless``.
    """
    _forget(con)
    for statement in (_ASKED, _TOUCHED, _TOUCHED_BEFORE, _TOUCHED_RECORDS):
        con.execute(statement)


def _forget(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what an earlier call made: a table does not replace a view, nor a view a table."""
    kind = fetch_value(
        con,
        "select 'table' from duckdb_tables() where table_name = 'identity_considered' "
        "union all select 'view' from duckdb_views() where view_name = 'identity_considered'",
    )
    if kind:
        con.execute(f"drop {kind} temp.identity_considered")
