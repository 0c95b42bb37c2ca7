"""Customers with whom anything has happened tonight, so that tables about them can follow.

An incremental night leaves most customers as they were: the same records with the same words, the
same edges between them, the same history. The rows of all others are noted as changed rows of
``identity.customer_map``, whether their content differs or not, since what else is known about
their records may differ. A night that groups everybody anew, or that keeps yesterday's customers,
notes nothing: then nobody is known to be as before.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.storage.basis import has_changes
from cdp_pipeline.storage.differences import forget_difference, note_rows

CUSTOMER_MAP = "identity.customer_map"

_REGROUPED = """
create or replace temp table identity_regrouped as
select evidence_id from identity_groups
union
select evidence_id from identity_open_again
"""

_TOUCHED = """
create or replace temp table identity_touched_customers as
with regrouped as (
    select r.record_id
    from identity.records as r
    semi join identity_regrouped as g on g.evidence_id = r.evidence_id
),
owners as (
    select b.customer_id
    from identity_customers_before as b
    semi join regrouped as g on g.record_id = b.record_id
    union all
    select k.id
    from identity_placing as p
    semi join regrouped as g on g.record_id = p.record_id
    inner join identity_kept_ids as k on k.group_id = p.group_id
    union all
    select customer_id from identity_placed
    union all
    select known_id from identity_placed
    union all
    select customer_id from staging.identity_record_reasons
    union all
    select m.customer_id
    from identity.customer_map as m
    semi join staging.identity_record_reasons as s
        on s.source = m.source and s.record_key = m.record_key
)
select distinct customer_id from owners where customer_id is not null
"""


def note_regrouped(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``identity_regrouped`` (evidence_id): all that tonight groups or attaches again.

    Args:
        con: Build connection; ``identity_groups`` holds nothing carried yet, and
            ``identity_open_again`` the nameless records that are attached again.
    """
    con.execute(_REGROUPED)


def forget_touched(con: duckdb.DuckDBPyConnection) -> None:
    """Forget what an earlier try of the step has noted."""
    forget_difference(con, CUSTOMER_MAP)


def note_touched(con: duckdb.DuckDBPyConnection) -> None:
    """Note all records of touched customers, tonight's and those of the version before.

    Args:
        con: Build connection after ``note_regrouped`` and ``ids.assign_customers``.
    """
    if not has_changes(con, "_decision"):
        return
    con.execute(_TOUCHED)
    of_theirs = "semi join identity_touched_customers using (customer_id)"
    note_rows(
        con,
        CUSTOMER_MAP,
        now=f"from {CUSTOMER_MAP} {of_theirs}",
        before=f"from base.{CUSTOMER_MAP} {of_theirs}",
    )
