"""The ledger of consent: every statement ever delivered, and the night that came to know it.

The current rows of a source hold only the newest version of each; the ledger wants them all. What
stays of a statement once its file is no longer kept is carried from the version built upon, so rows
are added and never changed. Which statement holds is decided in ``privacy``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import duckdb

from cdp_pipeline.ingest.loading import CurrentRows, contract_columns, without_hubs
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.warehouse import (
    base_columns,
    create_table,
    has_base_table,
    has_table,
    quote_column,
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

known as (
    select {columns} from delivered
    {carried}
),

-- Told twice, by a file that is gone and by one that is kept: known since the first.
single as (
    select * from known
    qualify row_number() over (
        partition by source, statement_id
        order by recorded_on asc nulls last, delivered_on asc, file_id asc, file_line asc
    ) = 1
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
    from single
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
_CARRIED = """
    union all by name
    select {columns} from base.staging.consents
    where file_id not in (select unnest($listed::varchar[]))
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


def keep_ledger(
    con: duckdb.DuckDBPyConnection, entity: TableSpec, *, listed: Collection[str], night: date
) -> int:
    """Complete ``staging.consents``: when each statement was recorded, and what is carried.

    Args:
        con: Connection to the build; the entity holds what tonight's files say.
        entity: The entity of consents.
        listed: Ids of all files of the night's plan; what they no longer say has been taken back.
        night: Business date of the night.

    Returns:
        Rows of the ledger.
    """
    columns = list(entity.header.columns)
    names = ", ".join(map(quote_column, columns))
    is_carried = set(columns) <= base_columns(con, "staging.consents")
    sql = _LEDGER.format(
        columns=names,
        first_nights=_FIRST_NIGHTS if has_base_table(con, "ops.deliveries") else _NO_NIGHTS,
        carried=_CARRIED.format(columns=names) if is_carried else "",
    )
    values: dict[str, object] = {"night": night}
    if is_carried:
        values["listed"] = sorted(listed)
    con.execute(f"create or replace temp table consent_ledger as {sql}", values)
    rows = create_table(con, "staging.consents", "select * from consent_ledger")
    con.execute("drop table consent_ledger")
    return rows
