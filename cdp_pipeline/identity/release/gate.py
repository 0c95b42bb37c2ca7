"""The release gate: may tonight's identities replace yesterday's?

Before publication the proposed customers are held against those of the version before: how many
records, customers, segments, contact permissions and export rows would change. Beyond a threshold
of the settings known records keep yesterday's customer, new ones join by their best link, and the
proposal waits for an operator (``decided``). A first night has nothing to compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.grouping.considered import consider_all
from cdp_pipeline.identity.grouping.ids import assign_customers
from cdp_pipeline.identity.grouping.remembered import Memory
from cdp_pipeline.identity.release.decided import (
    Decision,
    drop_proposal,
    keep_proposal,
    load_proposal,
    read_decisions,
)
from cdp_pipeline.identity.release.effects import Metric, measure_effects
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import base_columns, fetch_dicts, fetch_value

LISTED = 20
"""Largest changes that the summary names."""

FIRST, RELEASED, ACCEPTED, HELD, REJECTED = "first", "released", "accepted", "held", "rejected"
"""Verdicts: nothing to compare; within all thresholds; beyond but accepted; beyond and waiting;
beyond and rejected."""

_LARGEST = """
select
    now as customer_id,
    count(distinct before) as customers_before,
    count(*) as records,
    count(*) filter (before <> now) as records_moved
from identity_known
where now in (select now from identity_known where before <> now)
group by now
order by records_moved desc, customers_before desc, now
"""

_CAUSES = """
select change, cause, count(*)
from identity_tonight
where change not in ('created', 'joined', 'returned')
    and not (change in ('left', 'gone') and cause = 'removed record')
group by change, cause
order by count(*) desc, change, cause
"""
# What was not delivered is gone whatever an operator decides.

_HELD_GROUPS = """
create or replace temp table identity_held_groups as
with placed as (
    select
        r.record_id,
        r.evidence_id,
        m.customer_id as proposed,
        coalesce(m.match_prob, k.match_prob) as match_prob,
        k.reference_id as known,
        case when b.is_closed then b.block end as frozen,
        coalesce(b.is_apart and not b.is_closed, false) as is_apart
    from identity.records as r
    left join staging.identity_bonds as b on b.evidence_id = r.evidence_id
    left join identity.customer_map as m on m.source = r.source and m.record_key = r.record_key
    left join identity_before as k on k.record_id = r.record_id
    where m.customer_id is not null or k.reference_id is not null
),
homes as (
    select
        evidence_id,
        known,
        count(*) as records,
        max(max(frozen)) over (partition by known) as frozen
    from placed where known is not null
    group by evidence_id, known
),
newcomers as (
    select distinct evidence_id, frozen from placed where known is null and not is_apart
),
links as (
    select x.evidence_id as evidence_a, y.evidence_id as evidence_b, e.match_prob
    from identity.edges as e
    inner join identity.records as x on x.source = e.source_a and x.record_key = e.record_key_a
    inner join identity.records as y on y.source = e.source_b and y.record_key = e.record_key_b
    where e.match_prob >= $accept
),
ends as (
    select evidence_a, evidence_b, match_prob from links
    union all
    select evidence_b, evidence_a, match_prob from links
    union all
    select evidence_id, evidence_id, 1.0 from homes
),
best as (
    select e.evidence_a as evidence_id, h.known
    from newcomers as n
    inner join ends as e on e.evidence_a = n.evidence_id
    inner join homes as h
        on h.evidence_id = e.evidence_b and h.frozen is not distinct from n.frozen
    qualify row_number() over (
        partition by e.evidence_a order by e.match_prob desc, h.records desc, h.known
    ) = 1
),
sole as (
    select p.proposed, min(h.known) as known, max(h.frozen) as frozen
    from placed as p
    inner join homes as h on h.evidence_id = p.evidence_id and h.known = p.known
    group by p.proposed having count(distinct h.known) = 1
),
chosen as (
    select
        p.record_id,
        p.match_prob,
        coalesce('known ' || p.known, 'known ' || b.known, 'known ' || s.known,
            'new ' || p.proposed) as place
    from placed as p
    left join best as b on b.evidence_id = p.evidence_id
    left join sole as s
        on s.proposed = p.proposed and s.frozen is not distinct from p.frozen and not p.is_apart
)
select
    record_id,
    cast(dense_rank() over (order by place) as integer) as group_id,
    match_prob
from chosen
"""
# New records join the customer of their best link, else their group's only one, else each other.
# Judgements hold tonight as well: no frozen customer gains a record but its own, and a new record
# that was judged different from another joins nobody before the proposal, which obeys, is taken.
# A receipt that would belong to nobody tonight stays whose it was, as all known records do.

_RELEASE = """
create or replace table identity.release (
    run_id varchar, verdict varchar, metric varchar, affected bigint, of_all bigint,
    value double, threshold double, is_exceeded boolean
)
"""


@dataclass(frozen=True)
class Verdict:
    """What the gate decided.

    Attributes:
        name: One of the verdicts of this module.
        metrics: What was measured; empty on a first night.
        decision: The operator's word, if it counted.
    """

    name: str
    metrics: tuple[Metric, ...] = ()
    decision: Decision | None = None

    @property
    def keeps_yesterday(self) -> bool:
        """Whether known records keep yesterday's customers."""
        return self.name in {HELD, REJECTED}

    @property
    def messages(self) -> tuple[str, ...]:
        """Sentences for the step's result."""
        beyond = "; ".join(metric.text for metric in self.metrics if metric.is_exceeded)
        by = self.decision
        return {
            FIRST: (),
            RELEASED: (),
            ACCEPTED: (f"identities accepted by {by.by if by else ''}: {beyond}",),
            HELD: (f"identities are held back (see `cdp identity status`): {beyond}",),
            REJECTED: (f"identities rejected by {by.by if by else ''}: {beyond}",),
        }[self.name]


def awaited(con: duckdb.DuckDBPyConnection) -> str | None:
    """Return the run that the version before holds back, if any."""
    if "verdict" not in base_columns(con, "identity.release"):
        return None
    run = fetch_value(con, "select min(run_id) from base.identity.release where verdict = 'held'")
    return str(run) if run else None


def keeps_former(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the version before keeps the customers of an earlier one (held or rejected).

    Records that say the same may belong to different customers there, whatever an operator has
    decided since.
    """
    if "verdict" not in base_columns(con, "identity.release"):
        return False
    sql = "select count(*) from base.identity.release where verdict in (?, ?)"
    return bool(fetch_value(con, sql, [HELD, REJECTED]))


def recall_proposal(con: duckdb.DuckDBPyConnection, context: RunContext) -> str | None:
    """Load the proposal that the version before held and an operator accepted since.

    Creates ``identity_proposed_map``, empty if there is none.

    Returns:
        What became of the held run: ``accepted``, ``rejected``, ``held`` (nobody decided); None
        if none was held.
    """
    con.execute(
        "create or replace temp table identity_proposed_map "
        "(source varchar, record_key varchar, customer_id varchar)"
    )
    run = awaited(con)
    if run is None:
        return None
    paths = DataPaths.of(context)
    decision = read_decisions(paths.decisions).get(run)
    if decision is None:
        return HELD
    if decision.decision == ACCEPTED:
        load_proposal(con, paths.proposals / run)
    return decision.decision


def judge_night(con: duckdb.DuckDBPyConnection, context: RunContext) -> Verdict:
    """Hold the proposed customers against the version before; keep that one's if need be.

    Reads the tables that ``ids.assign_customers`` made and replaces them if the night is held.
    Writes ``identity.release`` and, for a held night, the proposal's files.

    Returns:
        The verdict.
    """
    settings = context.settings.identity
    paths = DataPaths.of(context)
    folder = paths.proposals / context.run_id
    if "customer_id" not in base_columns(con, "identity.customer_map"):
        verdict = Verdict(FIRST)
    else:
        metrics = measure_effects(con, settings)
        moved = next(metric for metric in metrics if metric.name == "moved_share")
        is_beyond = any(metric.is_exceeded for metric in metrics)
        decision = read_decisions(paths.decisions).get(context.run_id)
        if not is_beyond or moved.affected < settings.gate_minimum_records:
            verdict = Verdict(RELEASED, metrics)
        elif decision is None:
            verdict = Verdict(HELD, metrics)
        else:
            verdict = Verdict(decision.decision, metrics, decision)
    _write_release(con, context, verdict)
    if verdict.keeps_yesterday:
        keep_proposal(con, folder, _summarise(con, context, verdict))
        _keep_yesterday(con, context)
    elif verdict.name != ACCEPTED:
        drop_proposal(folder)
    return verdict


def _write_release(con: duckdb.DuckDBPyConnection, context: RunContext, verdict: Verdict) -> None:
    con.execute(_RELEASE)
    rows: list[list[Any]] = [
        [
            context.run_id,
            verdict.name,
            m.name,
            m.affected,
            m.of_all,
            round(m.value, 9),
            m.threshold,
            m.is_exceeded,
        ]
        for m in verdict.metrics
    ] or [[context.run_id, verdict.name, "none", 0, 0, 0.0, 0.0, False]]
    con.executemany("insert into identity.release values (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _summarise(
    con: duckdb.DuckDBPyConnection, context: RunContext, verdict: Verdict
) -> dict[str, Any]:
    causes = con.execute(_CAUSES).fetchall()
    return {
        "run": context.run_id,
        "business_date": context.business_date.isoformat(),
        "verdict": verdict.name,
        "why": [metric.text for metric in verdict.metrics if metric.is_exceeded],
        "metrics": {
            m.name: {
                "affected": m.affected,
                "of": m.of_all,
                "value": round(m.value, 6),
                "threshold": m.threshold,
            }
            for m in verdict.metrics
        },
        "causes": [{"change": a, "cause": b, "records": n} for a, b, n in causes],
        "largest_changes": fetch_dicts(con, f"{_LARGEST} limit {LISTED}"),
    }


def _keep_yesterday(con: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    consider_all(con)
    con.execute(_HELD_GROUPS, {"accept": context.settings.identity.accept_prob})
    assign_customers(
        con,
        business_date=context.business_date.isoformat(),
        memory=Memory.of(context.settings.identity),
        groups="identity_held_groups as g on g.record_id = r.record_id",
    )
