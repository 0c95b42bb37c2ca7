"""The ledger of consent: every statement ever delivered, and the night that came to know it.

The current rows of a source hold only the newest version of each; the ledger wants them all. It is
made of every staged delivery, also of those that have left the landing folder, so rows are added
and never changed. Statements outlive the files that brought them: those of deliveries past their
time are carried from version to version in ``identity.consent_statements``, which lies in the vault
and has a longer time of its own. Which statement holds is decided in ``privacy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from cdp_pipeline.ingest.feeds import CONSENT_ENTITY
from cdp_pipeline.ingest.loading import (
    CurrentRows,
    contract_columns,
    source_object,
    without_hubs,
)
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.expressions import vet_predicate
from cdp_pipeline.project.tables import TableSpec
from cdp_pipeline.storage.basis import changes_of
from cdp_pipeline.storage.keys import count_keys
from cdp_pipeline.storage.warehouse import (
    create_table,
    declare_table,
    fetch_value,
    has_base_table,
)

STATEMENTS = "identity.consent_statements"
"""Published table of every statement by the record that made it, known person or not."""

_VERSIONED = frozenset({"upsert", "replace"})
"""Modes in which an older row said something that its newer version does not."""

_LEDGER = """
with delivered as (
    select new.* replace (coalesce(files.first_loaded_on, cast($night as date)) as recorded_on)
    from staging.consents as new
    left join ({first_nights}) as files
        on new.source = files.source and new.file_id = files.file_id
    {carried}
),

-- A source that gives no time says the same every night: only a change is a statement.
compared as (
    {compared}
)

select * exclude (is_repeated) from compared
where not is_repeated and delivered_on >= cast($kept_from as date)
{once}
order by source, statement_id
"""

_ALL_TIMED = "select *, false as is_repeated from delivered"
_SOME_UNTIMED = """
    select
        *,
        captured_at is null and person_record_key is not null and status is not distinct from
            lag(status) over (
                partition by
                    source, person_source, person_record_key, purpose, channel, captured_at is null
                order by delivered_on asc, file_id asc, file_line asc
            ) as is_repeated,
    from delivered
"""
_ONCE = """
qualify row_number() over (
    partition by source, statement_id order by delivered_on asc, file_id asc, file_line asc
) = 1
"""
# Sorting all statements costs more than making them: only where it can matter.

_DIFFERENT = f"""
create or replace table {changes_of(f"staging.{CONSENT_ENTITY}")} as
select
    coalesce(now.source, before.source) as source,
    coalesce(now.statement_id, before.statement_id) as statement_id
from (
    select statement_source as source, statement_id, hash(n) as said
    from {STATEMENTS} as n
) as now
full join (
    select statement_source as source, statement_id, hash(b) as said
    from base.{STATEMENTS} as b
) as before
    on before.source = now.source and before.statement_id = now.statement_id
where now.said is distinct from before.said
"""  # noqa: S608 - constants

_SAID = "purpose, channel, status, captured_at, legal_basis, wording_version, file_id, file_line"
_CARRIED = f"""
    union all by name
    select
        statement_source as source,
        delivered_on,
        source as person_source,
        record_key as person_record_key,
        statement_id,
        {_SAID},
        recorded_on,
    from base.identity.consent_statements
    where (statement_source, file_id) in (
        select (unnest($sources::varchar[]), unnest($files::varchar[]))
    )
"""  # noqa: S608 - constants

_BY_RECORD = f"""
select
    source as statement_source,
    statement_id,
    person_source as source,
    person_record_key as record_key,
    {_SAID},
    delivered_on,
    recorded_on,
from staging.consents
order by statement_source, statement_id
"""  # noqa: S608 - constants

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
    Where what came last holds, the row that counts is the last of equal ones, but their statement
    was made when the first of them came: so all are in it.

    Args:
        con: Connection on which ``make_current`` has run for the source.
        contract: The source's contract.
        current: Its current rows.
        where: Declaring file, for messages.

    Raises:
        ConfigError: ``deleted_when`` is no predicate over the contract's columns.
    """
    delivered, fates = (source_object(kind, contract.name) for kind in ("delivered", "fates"))
    stated = "'kept', 'superseded'" + ", 'duplicate'" * contract.load.is_by_arrival
    if contract.load.mode not in _VERSIONED or not current.has_fates:
        return current.view
    gone = ""
    if contract.load.deleted_when:
        types = contract_columns(contract)
        said = vet_predicate(contract.load.deleted_when, columns=types, where=where)
        gone = f"and {said} is not true "
    view = source_object("stated", contract.name)
    con.execute(
        f"create or replace view {view} as "  # noqa: S608 - plain names
        f"select d.* exclude (_excluded) {without_hubs(contract)}, "
        f"_business_date as _first_date from {delivered} as d where _excluded is null {gone}"
        f"and not exists (select 1 from {fates} as f where f._seq = d._seq "
        f"and f._line = d._line and f.fate not in ({stated}))"
    )
    return view


def note_statements(con: duckdb.DuckDBPyConnection) -> None:
    """Note which statements are new, gone or different, against the version built upon.

    Args:
        con: Connection to the build; the ledger is complete.
    """
    if not has_base_table(con, STATEMENTS):
        return
    con.execute(_DIFFERENT)


def keep_ledger(
    con: duckdb.DuckDBPyConnection,
    *,
    night: date,
    spec: TableSpec | None = None,
    expired: Sequence[tuple[str, str]] = (),
    kept_from: date | None = None,
) -> int:
    """Complete ``staging.consents``: when each statement was recorded, and only once each.

    Args:
        con: Connection to the build; the entity holds what the deliveries say.
        night: Business date of the night.
        spec: Header of ``identity.consent_statements``; default: that table is not made.
        expired: Source and file id of deliveries past their time; their statements are carried on.
        kept_from: Statements delivered before this day are dropped; default: none.

    Returns:
        Rows of the ledger.
    """
    given: dict[str, object] = {"night": night, "kept_from": kept_from or date.min}
    carried = ""
    if expired and has_base_table(con, STATEMENTS):
        carried = _CARRIED
        given |= {"sources": [s for s, _ in expired], "files": [f for _, f in expired]}
    first_nights = _FIRST_NIGHTS if has_base_table(con, "ops.deliveries") else _NO_NIGHTS
    sql = _LEDGER.format(
        first_nights=first_nights,
        carried=carried,
        compared=_SOME_UNTIMED if carried or not _are_all_timed(con) else _ALL_TIMED,
        once=_ONCE if carried or not _is_each_once(con) else "",
    )
    con.execute(f"create or replace table staging.consents as {sql}", given)
    rows = int(fetch_value(con, "select count(*) from staging.consents"))
    if spec is not None:
        create_table(con, STATEMENTS, _BY_RECORD)
        declare_table(con, spec)
    return rows


def _are_all_timed(con: duckdb.DuckDBPyConnection) -> bool:
    return not fetch_value(con, "select count(*) from staging.consents where captured_at is null")


def _is_each_once(con: duckdb.DuckDBPyConnection) -> bool:
    keys = count_keys(con, "staging.consents", ("source", "statement_id"))
    return keys.rows == keys.different
