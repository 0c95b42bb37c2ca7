"""Members, joiners, leavers and holdouts of every segment that is served tonight.

Yesterday's state is read from ``base`` through ``identity.redirects``, so that a merge of two
customers is neither a joiner nor a leaver and does not free anybody from a holdout. Who of the
members may be contacted is decided later, by ``privacy.consent``; predicates are vetted in
``rules``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext, StepResult
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.core.settings import ContactSettings
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.marketing import SegmentSpec
from cdp_pipeline.segments.rules import FEATURES_TABLE, served, vet_segment
from cdp_pipeline.segments.spells import record_spells
from cdp_pipeline.storage.warehouse import (
    declare_table,
    describe,
    fetch_value,
    has_base_table,
    has_table,
    open_build,
)

HISTORY_DAYS = 35
"""Days of joiners and leavers that are kept: five weeks, for weekly and monthly comparisons."""

_LOG = get_logger(__name__)

_BUCKET = "('0x' || left(sha256($salt || chr(31) || {key} customer_id), 8))::bigint / 4294967296"
"""Number in 0 to 1, from the first 32 bits of a keyed hash: stable across nights and machines."""

_MEMBERS = """
insert into segments.membership
with members as (
    select
        customer_id,
        {segment_bucket} < $holdout_share or {global_bucket} < $global_share as is_drawn,
    from features.customer_features
    where {predicate}
),

final as (
    select
        $segment as segment,
        members.customer_id,
        coalesce(previous.entered_on, $business_date) as entered_on,
        coalesce(previous.is_holdout, members.is_drawn) as is_holdout,
    from members
    left join previous_members as previous
        on previous.segment = $segment and previous.customer_id = members.customer_id
)

select * from final order by customer_id
"""

_PREVIOUS_MEMBERS = """
create or replace temp table previous_members as
select
    old.segment,
    coalesce(redirects.customer_id, old.customer_id) as customer_id,
    min(old.entered_on) as entered_on,
    bool_or(old.is_holdout) as is_holdout,
from base.segments.membership as old
left join identity.redirects as redirects on old.customer_id = redirects.old_customer_id
group by all
"""

_CHANGES = """
with tonight as (
    select
        coalesce(new.segment, previous.segment) as segment,
        coalesce(new.customer_id, previous.customer_id) as customer_id,
        case when previous.segment is null then 'entered' else 'left' end as change,
        cast($business_date as date) as changed_on,
    from segments.membership as new
    full join previous_members as previous
        on new.segment = previous.segment and new.customer_id = previous.customer_id
    where new.segment is null or previous.segment is null
),

final as (
    select segment, customer_id, change, changed_on from tonight
    union
    select segment, customer_id, change, changed_on from previous_changes
)

select * from final order by segment, customer_id, changed_on, change
"""

_PREVIOUS_CHANGES = """
create or replace temp table previous_changes as
select
    old.segment,
    coalesce(redirects.customer_id, old.customer_id) as customer_id,
    old.change,
    old.changed_on,
from base.segments.changes as old
left join identity.redirects as redirects on old.customer_id = redirects.old_customer_id
where old.changed_on > $oldest
"""

_SIZES = """
select
    count(*) as size,
    count(*) filter (where members.is_holdout) as holdout_count,
    (select count(*) from segments.changes
        where segment = $segment and changed_on = $business_date and change = 'entered'
    ) as entered_count,
    (select count(*) from segments.changes
        where segment = $segment and changed_on = $business_date and change = 'left'
    ) as left_count,
    cast(round(sum(clv.clv_12m_amount) / nullif(count(clv.clv_12m_amount), 0), 2)
        as decimal(18, 2)) as average_clv_amount,
    cast(sum(clv.clv_12m_amount) as decimal(18, 2)) as total_clv_amount,
from segments.membership as members
left join {clv} as clv on members.customer_id = clv.customer_id
where members.segment = $segment
"""

_DEFINITIONS = """
create or replace table segments.definitions (
    segment varchar, title varchar, description varchar, owner varchar, "where" varchar,
    purpose varchar, channel varchar, priority integer, holdout_share double,
    next_step varchar, expires_on date, definition_sha256 varchar,
    size bigint, holdout_count bigint, entered_count bigint, left_count bigint,
    average_clv_amount decimal(18, 2), total_clv_amount decimal(18, 2)
)
"""

_NO_CLV = """(
    select cast(null as varchar) as customer_id, cast(null as decimal(18, 2)) as clv_12m_amount
    where false
)"""


def run(context: RunContext) -> StepResult:
    """Find the members of every segment that has not expired.

    Makes:
        ``segments.membership``: one row per segment and customer, ordered so.
        ``segments.changes``: who entered or left on which business date, five weeks back.
        ``segments.membership_history``: who was a member from when to when, three years back.
        ``segments.definitions``: one row per served segment, with sizes and value.

    Raises:
        ConfigError: A ``where:`` is not a condition over ``features.customer_features``.
    """
    project = load_project(context.project_root)
    specs, messages = served(project, business_date=context.business_date)
    with open_build(context) as con:
        columns = describe(con, FEATURES_TABLE)
        predicates = {
            spec.name: vet_segment(
                spec, columns=columns, path=project.path_of("segment", spec.name)
            )
            for spec in specs
        }
        _read_previous(con, context)
        con.execute(
            "create or replace table segments.membership "
            "(segment varchar, customer_id varchar, entered_on date, is_holdout boolean)"
        )
        for spec in sorted(specs, key=lambda spec: spec.name):
            _insert_members(con, context, spec, predicates[spec.name])
        con.execute(
            f"create or replace table segments.changes as {_CHANGES}",
            {"business_date": context.business_date},
        )
        record_spells(con, context.business_date)
        _define(con, context, specs)
        for table in ("membership", "changes", "membership_history", "definitions"):
            declare_table(con, project.table(f"segments.{table}"))
        return _tell(con, specs, messages)


def _read_previous(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    if has_base_table(con, "segments.membership"):
        con.execute(_PREVIOUS_MEMBERS)
    else:
        con.execute(
            "create or replace temp table previous_members "
            "(segment varchar, customer_id varchar, entered_on date, is_holdout boolean)"
        )
    if has_base_table(con, "segments.changes"):
        oldest = context.business_date - timedelta(days=HISTORY_DAYS)
        con.execute(_PREVIOUS_CHANGES, {"oldest": oldest})
    else:
        con.execute(
            "create or replace temp table previous_changes "
            "(segment varchar, customer_id varchar, change varchar, changed_on date)"
        )


def _insert_members(
    con: duckdb.DuckDBPyConnection, context: RunContext, spec: SegmentSpec, predicate: str
) -> None:
    contact: ContactSettings = context.settings.contact
    sql = _MEMBERS.format(
        predicate=predicate,
        segment_bucket=_BUCKET.format(key="$segment || chr(31) ||"),
        global_bucket=_BUCKET.format(key=""),
    )
    con.execute(
        sql,
        {
            "segment": spec.name,
            "business_date": context.business_date,
            "salt": contact.holdout_salt,
            "holdout_share": spec.holdout_share,
            "global_share": contact.global_holdout_share,
        },
    )


def _define(con: duckdb.DuckDBPyConnection, context: RunContext, specs: list[SegmentSpec]) -> None:
    con.execute(_DEFINITIONS)
    clv = "features.clv" if has_table(con, "features.clv") else _NO_CLV
    for spec in sorted(specs, key=lambda spec: spec.name):
        sizes = con.execute(
            _SIZES.format(clv=clv),
            {"segment": spec.name, "business_date": context.business_date},
        ).fetchall()[0]
        words: list[Any] = [
            spec.name,
            spec.title,
            spec.description.strip(),
            spec.owner,
            " ".join(spec.where.split()),
            spec.purpose,
            spec.channel,
            spec.priority,
            spec.holdout_share,
            spec.next_step.strip(),
            spec.expires_on,
            spec.fingerprint,
            *sizes,
        ]
        marks = ", ".join("?" * len(words))
        con.execute(f"insert into segments.definitions values ({marks})", words)  # noqa: S608 - marks only


def _tell(
    con: duckdb.DuckDBPyConnection, specs: list[SegmentSpec], messages: list[str]
) -> StepResult:
    sizes = dict(
        con.execute("select segment, size from segments.definitions order by segment").fetchall()
    )
    messages += [f"segment {name} has nobody in it" for name, size in sizes.items() if not size]
    _LOG.info("segments_built", segments=len(specs), members=sum(sizes.values()))
    return StepResult(
        rows_in=int(fetch_value(con, "select count(*) from features.customer_features")),
        rows_out=sum(sizes.values()),
        messages=tuple(messages),
        facts={"segments": len(specs), "sizes": sizes},
    )
