"""What tonight's identities would change: records, customers, and what is built upon them.

Customers of the version before, with their households, segments, forecasts, permissions and
exported rows, are followed into the proposed ones. Thresholds are settings; what follows from
exceeding one belongs in ``gate``.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from cdp_pipeline.core.settings import IdentitySettings
from cdp_pipeline.storage.warehouse import base_columns, fetch_dicts

_KNOWN = """
create or replace temp table identity_known as
select
    m.source,
    m.record_key,
    m.reference_id as before,
    m.customer_id as now,
    coalesce(t.cause, '') = 'steward' as is_judged
from identity_placed as m
left join identity_tonight as t on t.source = m.source and t.record_key = m.record_key
where m.reference_id is not null
"""
# What stewards decided is no surprise; it does not count against the night.

_LEFT = """
create or replace temp table identity_left as
select r.source, r.record_key, b.reference_id as before
from identity_before as b
anti join identity_placing as p on p.record_id = b.record_id
inner join identity.records as r on r.record_id = b.record_id
where b.reference_id is not null
"""
# Records that are still delivered and would be nobody's any more.

_TOTALS = """
create or replace temp table identity_totals as
select
    cast((select count(*) from identity_known) + coalesce(sum(records), 0) as bigint) as records,
    (select count(distinct before) from identity_known) + count(*) as customers
from identity_settled
"""

_AFFECTED = """
create or replace temp table identity_affected as
select before as customer_id from identity_known where before <> now and not is_judged
union
select now from identity_known where before <> now and not is_judged
union
select before from identity_left
"""

_METRICS = """
with totals as (from identity_totals),
nobodys as (select count(*) as records from identity_left),
moves as (select * from identity_known where before <> now and not is_judged),
merges as (
    select now, count(distinct before) as parts
    from identity_known
    where now in (select now from moves)
    group by now
),
splits as (
    select before
    from identity_known
    where before in (select before from moves)
    group by before
    having count(distinct now) > 1
)
select
    'moved_share' as metric,
    (select count(*) from moves) + nobodys.records as affected,
    totals.records + nobodys.records as of_all
from totals
cross join nobodys
union all
select 'merged_share',
    (select count(*) from (select distinct before from moves
        where before not in (select now from identity_known))), totals.customers
from totals
union all
select 'split_share', (select count(*) from splits), totals.customers from totals
union all
select 'largest_merge', (select coalesce(max(parts), 0) from merges), 1 from totals
"""

_HOMES = """
with lived as (
    select k.now, g.household_id
    from identity_known as k
    inner join base.identity.golden_records as g on g.customer_id = k.before
    where k.now in (select now from identity_known where before <> now and not is_judged)
),
shared as (
    select household_id
    from base.identity.golden_records
    where household_id in (select household_id from lived)
    group by household_id
    having count(*) > 1
)
select
    'mixed_household_share' as metric,
    (
        select count(*) from (
            select now
            from lived
            where household_id in (select household_id from shared)
            group by now
            having count(distinct household_id) > 1
        )
    ) as affected,
    (select customers from identity_totals) as of_all
"""
# Two parts of one person, each alone in a household, are the ordinary case of a merge.

SEGMENTS = """
select
    'segment_share' as metric,
    coalesce(arg_max(affected, (affected / members, members)), 0) as affected,
    coalesce(arg_max(members, (affected / members, members)), 0) as of_all
from (
    select
        segment,
        count(*) as members,
        count(*) filter (customer_id in (select customer_id from identity_affected)) as affected
    from base.segments.membership
    group by segment
    having count(*) >= $minimum
)
"""

# Of several segments with the same share, as on nights that change none, the largest.

_CLV = """
select
    'clv_share' as metric,
    cast(coalesce(sum(clv_12m_amount) filter (
        customer_id in (select customer_id from identity_affected)
    ), 0) as bigint) as affected,
    cast(coalesce(sum(clv_12m_amount), 0) as bigint) as of_all
from base.features.clv
"""

_CONSENT = """
select
    'consent_share' as metric,
    (
        select count(distinct k.before)
        from (select distinct before, now from identity_known) as k
        inner join (select distinct before, now from identity_known) as o
            on o.now = k.now and o.before <> k.before
        inner join base.features.consent_state as mine on mine.customer_id = k.before
        inner join base.features.consent_state as theirs
            on theirs.customer_id = o.before
            and theirs.purpose = mine.purpose
            and theirs.channel = mine.channel
            and theirs.is_granted <> mine.is_granted
        where k.before in (select customer_id from identity_affected)
    ) as affected,
    (select customers from identity_totals) as of_all
"""

_EXPORTS = """
select
    'export_share' as metric,
    count(*) filter (customer_id in (select customer_id from identity_affected)) as affected,
    count(*) as of_all
from base.ops.export_members
"""

_FURTHER = {
    "identity.golden_records": ("household_id", _HOMES),
    "segments.membership": ("segment", SEGMENTS),
    "features.clv": ("clv_12m_amount", _CLV),
    "features.consent_state": ("is_granted", _CONSENT),
    "ops.export_members": ("customer_id", _EXPORTS),
}
"""By table of the version before: a column that must be there, and what to measure."""


@dataclass(frozen=True)
class Metric:
    """One measure of what the night would change.

    Attributes:
        name: Of the setting without ``gate_``.
        affected: How many records, customers, members, amounts or rows.
        of_all: Of how many.
        threshold: Largest value that passes.
    """

    name: str
    affected: int
    of_all: int
    threshold: float

    @property
    def value(self) -> float:
        """The share, or the number itself where there is nothing to relate it to."""
        return self.affected / self.of_all if self.of_all else 0.0

    @property
    def is_exceeded(self) -> bool:
        """Whether the value is beyond the threshold."""
        return self.value > self.threshold

    @property
    def text(self) -> str:
        """One phrase for people."""
        if self.name == "largest_merge":
            return f"{self.affected} customers would become one (at most {self.threshold:.0f})"
        return (
            f"{self.name.removesuffix('_share').replace('_', ' ')} {self.value:.1%} "
            f"(at most {self.threshold:.1%})"
        )


def measure_effects(
    con: duckdb.DuckDBPyConnection, settings: IdentitySettings
) -> tuple[Metric, ...]:
    """Return what the customers of ``ids.assign_customers`` change against those of before.

    Creates ``identity_known`` (source, record_key, before, now, is_judged; without records of
    settled customers), ``identity_left`` (source, record_key, before), ``identity_totals``
    (records, customers: known ones, settled or not) and ``identity_affected`` (customer_id).
    Effects are estimated
    from the version before, so far as it has the tables.
    """
    con.execute(_KNOWN)
    con.execute(_LEFT)
    con.execute(_TOTALS)
    con.execute(_AFFECTED)
    rows = fetch_dicts(con, _METRICS)
    for table, (column, sql) in _FURTHER.items():
        if column in base_columns(con, table):
            minimum: dict[str, object] = {"minimum": settings.gate_minimum_records}
            rows += fetch_dicts(con, sql, minimum if "$minimum" in sql else {})
    return tuple(
        Metric(
            row["metric"],
            int(row["affected"]),
            int(row["of_all"]),
            float(getattr(settings, f"gate_{row['metric']}")),
        )
        for row in rows
    )
