"""The first stage: every person record of every source in one comparable form.

The order of the stage and the grouping of records that say exactly the same belong here. How
fields are cleaned (``cleaning``), which values are worthless (``hubs``) and which records are
alike (``blocking``, ``compare``) do not.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.identity.grouping.judged import touched_records
from cdp_pipeline.identity.standard import arrivals
from cdp_pipeline.identity.standard.cleaning import (
    OLDEST_AGE_YEARS,
    RAW_HASH,
    Empty,
    but_empty,
    clean_records,
    empty_columns,
    with_empty,
)
from cdp_pipeline.identity.standard.extras import brought_tags
from cdp_pipeline.identity.standard.hubs import IDENTIFIERS, find_hubs
from cdp_pipeline.identity.standard.night import LARGEST_NEW_SHARE, Night, keep_night, plan_night
from cdp_pipeline.identity.stewardship.applied import MADE_TABLES, load_judgements
from cdp_pipeline.project.loader import Project, load_project
from cdp_pipeline.storage.warehouse import (
    base_columns,
    declare_table,
    fetch_dicts,
    fetch_value,
    open_build,
)

_PRINTS = """
create or replace temp table identity_prints as
with marked as (
    select
        record_id,
        source,
        record_key,
        coalesce(
            email, phone, loyalty_id, account_id, payment_token, national_id, identifier,
            case when given_name is not null and family_name is not null
                and birth_date is not null then family_name end
        ) is not null as is_identifying,
        coalesce(given_name, family_name, street || postcode) is not null
            or birth_date is not null as is_comparable,
        hash(
            given_name, family_name, birth_date, sex, email, phone, street, city, postcode,
            loyalty_id, account_id, payment_token{extras}
        ) as head,
        hash(
            payment_token, account_id, loyalty_id, postcode, street, city, phone, email, sex,
            birth_date, family_name, given_name{extras}, 'second'
        ) as tail
    from identity_turned
)
select
    record_id,
    is_comparable,
    is_identifying or is_comparable as is_usable,
    case when is_identifying then head else hash(head, source, record_key) end as evidence_head,
    case when is_identifying then tail else hash(tail, record_key, source) end as evidence_tail
from marked
"""
# Two independent 64-bit hashes: a collision would join strangers. A name alone identifies nobody,
# so two records that hold only the same name stay apart.

_RECORDS = """
create or replace {target} as
select * {but_empty}
from (
with shared as (
    select evidence_head, evidence_tail, min(record_id) as evidence_id
    from identity_prints
    group by evidence_head, evidence_tail
    having count(*) > 1
)
select
    t.record_id,
    t.source,
    t.record_key,
    t.record_kind,
    coalesce(s.evidence_id, t.record_id) as evidence_id,
    p.is_comparable,
    p.is_usable,
    t.* exclude (
        record_id, source, record_key, record_kind, updated_at, first_seen_on, raw_hash
    ),
    t.updated_at,
    {first_seen} as first_seen_on,
    t.raw_hash,
    p.evidence_head,
    p.evidence_tail
from identity_turned as t
inner join identity_prints as p on p.record_id = t.record_id
left join shared as s
    on s.evidence_head = p.evidence_head and s.evidence_tail = p.evidence_tail
{known}
)
{order}
"""
# Fingerprints are worked out in a narrow table: the wide one is written once.

_ROWS = "identity.record_rows"

_KNOWN = (
    "left join base.identity.records as b on b.source = t.source and b.record_key = t.record_key"
)


def run(context: RunContext) -> StepResult:
    """Make ``identity.records`` and ``identity.hubs`` from ``staging.person_records``.

    Also reads what stewards decided, as some of it tells records apart that say the same.

    Returns:
        Records read and kept; ``rows_set_aside`` counts records that hold no usable evidence.
    """
    project = load_project(context.project_root)
    with open_build(context, is_compressed=False) as con:
        night = _make_records(con, context, project)
        judged = load_judgements(con, context)
        arrivals.note_judged(con, touched_records(con))
        for name in ("records", "hubs", *MADE_TABLES):
            declare_table(con, project.table(f"identity.{name}"))
        facts = summarise(con)
    unusable = facts["records"] - facts["usable"]
    return StepResult(
        rows_in=facts["records"],
        rows_out=facts["usable"],
        rows_set_aside=unusable,
        messages=(
            night.message,
            f"{facts['records']:,} person records, {facts['distinct']:,} of them distinct",
            f"{facts['hubs']:,} shared or junk values neutralised",
            *judged.messages,
        ),
        facts=facts,
    )


def _make_records(con: duckdb.DuckDBPyConnection, context: RunContext, project: Project) -> Night:
    """Standardise all records, or those that differ from the version before; say which."""
    night = plan_night(con, context, project)
    if not night.is_refit:
        share = arrivals.find_fresh(con, raw_hash=RAW_HASH)
        if share > LARGEST_NEW_SHARE:
            reason = f"{share:.0%} of the records are new or changed"
            night = night.refitted(reason, on=context.business_date)
    if night.is_refit:
        standardise(con, context)
    else:
        _refresh(con, context)
    arrivals.note_reasons(con, only_arrived=not night.is_refit)
    keep_night(con, night)
    return night


def standardise(
    con: duckdb.DuckDBPyConnection,
    context: RunContext,
    *,
    oldest_years: int = OLDEST_AGE_YEARS,
    is_kept: bool = True,
) -> None:
    """Write ``identity.records`` and ``identity.hubs``; equal inputs give equal tables.

    Args:
        con: Connection with ``staging.person_records``.
        context: Its business date is the day after the last birth date that is believed.
        oldest_years: Years before that day from which birth dates are believed.
        is_kept: Whether the tables are published, and so have one order of rows. Else
            ``identity.records`` is a view upon ``identity.record_rows``.
    """
    empty = None if is_kept else empty_columns(con)
    clean_records(con, context, oldest_years=oldest_years, empty=empty)
    con.execute("create or replace table staging.identity_name_usage as from identity_name_usage")
    find_hubs(con)
    fingerprint_records(con, empty=empty)


def _refresh(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Write ``identity.records`` and ``identity.hubs`` from yesterday's and ``identity_fresh``."""
    clean_records(
        con,
        context,
        people="identity_fresh",
        usage=arrivals.stored_usage(),
        addresses="(select email from identity_clean "
        "union all select email from base.identity.records)",
    )
    arrivals.judge_hubs(con)
    fingerprint_records(con, target="temp table identity_arrived")
    arrivals.merge_records(con)


def fingerprint_records(
    con: duckdb.DuckDBPyConnection,
    *,
    target: str = "table identity.records",
    empty: Empty | None = None,
) -> None:
    """Create the records from ``identity_turned`` without the values of ``identity_hub_values``.

    Args:
        con: Connection.
        target: What is created, in the order of the records.
        empty: Columns to leave out: ``identity.records`` is then a view that has them upon
            ``identity.record_rows``, in no order.
    """
    _empty_hubs(con, "identity_clean" if empty else "identity_turned")
    extras = "".join(f", {tag}" for tag in brought_tags(con, "staging.person_records"))
    con.execute(_PRINTS.format(extras=extras))
    is_known = "first_seen_on" in base_columns(con, "identity.records")
    records = _RECORDS.format(
        target=f"table {_ROWS}" if empty else target,
        but_empty=but_empty(empty),
        first_seen="coalesce(b.first_seen_on, t.first_seen_on)" if is_known else "t.first_seen_on",
        known=_KNOWN if is_known else "",
        order="" if empty else "order by record_id",
    )
    con.execute(records)
    if empty:
        con.execute(f"create or replace view identity.records as {with_empty(_ROWS, empty)}")
        con.execute("drop view temp.identity_turned; drop table temp.identity_clean")
    else:
        con.execute("drop table temp.identity_turned")
    con.execute("drop table temp.identity_prints")


def _empty_hubs(con: duckdb.DuckDBPyConnection, rows: str) -> None:
    """Empty hub values in a table, so that no later stage can lean on them."""
    found = con.execute("select distinct field from identity_hub_values order by field").fetchall()
    types = {**dict.fromkeys(IDENTIFIERS, "varchar"), "birth_date": "date"}
    for (field,) in found:
        con.execute(
            f"update {rows} set {field} = null where {field} in "  # noqa: S608 - fixed column names
            f"(select try_cast(value as {types[field]}) from identity_hub_values "
            f"where field = '{field}')"
        )


def summarise(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return counts of records, usable, comparable and distinct records, and hubs."""
    facts = fetch_dicts(
        con,
        """
        select
            count(*) as records,
            count(*) filter (is_usable) as usable,
            count(*) filter (is_comparable) as comparable,
            count(*) filter (evidence_id = record_id) as distinct
        from identity.records
        """,
    )[0]
    return {**facts, "hubs": int(fetch_value(con, "select count(*) from identity.hubs"))}
