"""The ledger of consent: every statement ever delivered, and the night that came to know it.

The current rows of a source hold only the newest version of each; the ledger wants them all. It is
made of every staged delivery, also of those that have left the landing folder, so rows are added
and never changed. Which statement holds is decided in ``privacy``.
"""

from __future__ import annotations

from datetime import date

import duckdb

from cdp_pipeline.ingest.loading import CurrentRows, contract_columns, without_hubs
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.storage.warehouse import (
    create_table,
    has_base_table,
    has_table,
)

_VERSIONED = frozenset({"upsert", "replace"})
"""Modes in which an older row said something that its newer version does not."""

_LEDGER = """
with delivered as (
    select new.* replace (coalesce(files.first_loaded_on, cast($night as date)) as recorded_on)
    from staging.consents as new
    left join ({first_nights}) as files
        on new.source = files.source and new.file_id = files.file_id
),

-- A source that gives no time says the same every night: only a change is a statement.
compared as (
    select
        *,
        captured_at is null and person_record_key is not null and status is not distinct from
            lag(status) over (
                partition by
                    source, person_source, person_record_key, purpose, channel, captured_at is null
                order by delivered_on asc, file_id asc, file_line asc
            ) as is_repeated,
    from delivered
)

select * exclude (is_repeated) from compared where not is_repeated
order by source, statement_id
"""

_FIRST_NIGHTS = """
    select source, file_id, min(first_loaded_on) as first_loaded_on
    from base.ops.deliveries
    group by source, file_id
"""
_NO_NIGHTS = """
    select
        cast(null as varchar) as source,
        cast(null as varchar) as file_id,
        cast(null as date) as first_loaded_on
    where false
"""


def make_stated(
    con: duckdb.DuckDBPyConnection, contract: SourceContract, current: CurrentRows, *, where: str
) -> str:
    """Return the view of all rows by which people ever stated something, older versions too.

    Where rows are events they are current, repeated or taken back; then it is the current view.

    Args:
        con: Connection on which ``make_current`` has run for the source.
        contract: The source's contract.
        current: Its current rows.
        where: Declaring file, for messages.

    Raises:
        ConfigError: ``deleted_when`` is no predicate over the contract's columns.
    """
    delivered, fates = f"delivered_{contract.name}", f"fates_{contract.name}"
    if contract.load.mode not in _VERSIONED or not has_table(con, fates, catalog="temp"):
        return current.view
    gone = ""
    if contract.load.deleted_when:
        types = contract_columns(contract)
        said = vet_predicate(contract.load.deleted_when, columns=types, where=where)
        gone = f"and {said} is not true "
    view = f"stated_{contract.name}"
    con.execute(
        f"create or replace temp view {view} as "  # noqa: S608 - plain names
        f"select {delivered}.* exclude (_excluded) {without_hubs(contract)}, "
        f"_business_date as _first_date from {delivered} where _excluded is null {gone}"
        f"and not exists (select 1 from {fates} as f where f._seq = {delivered}._seq "
        f"and f._line = {delivered}._line and f.fate not in ('kept', 'superseded'))"
    )
    return view


def keep_ledger(con: duckdb.DuckDBPyConnection, *, night: date) -> int:
    """Complete ``staging.consents``: when each statement was recorded, and only once each.

    Args:
        con: Connection to the build; the entity holds what the deliveries say.
        night: Business date of the night.

    Returns:
        Rows of the ledger.
    """
    first_nights = _FIRST_NIGHTS if has_base_table(con, "ops.deliveries") else _NO_NIGHTS
    sql = _LEDGER.format(first_nights=first_nights)
    con.execute(f"create or replace temp table consent_ledger as {sql}", {"night": night})
    rows = create_table(con, "staging.consents", "select * from consent_ledger")
    con.execute("drop table consent_ledger")
    return rows
