"""Judgements in a night: from the journal to what grouping must respect.

The journal becomes tables: what was decided, where it contradicts itself, and which records must
stay together or apart. Records that say exactly the same share one evidence; where a judgement
tells them apart, the judged ones become evidence of their own. Grouping reads this in ``judged``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import duckdb
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.identity.grouping.bonds import tie
from cdp_pipeline.identity.stewardship.constraints import Constraints, resolve
from cdp_pipeline.identity.stewardship.judgements import (
    Freeze,
    Judgements,
    PairJudgement,
    read_judgements,
)
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_value

MADE_TABLES = ("judgements", "judgement_conflicts")

BONDS_TABLE = "identity_bonds"

_JUDGEMENTS = """
create or replace table identity.judgements as
select
    j.judgement_id,
    j.verdict,
    split_part(j.record_a, ':', 1) as source_a,
    substr(j.record_a, instr(j.record_a, ':') + 1) as record_key_a,
    split_part(j.record_b, ':', 1) as source_b,
    substr(j.record_b, instr(j.record_b, ':') + 1) as record_key_b,
    j.customer_id,
    case
        when j.status = 'applied' and (
            a.record_id is null or (j.record_b is not null and b.record_id is null)
        ) then 'dangling'
        else j.status
    end as status,
    j.match_prob,
    j.judged_by,
    j.judged_at,
    j.reason
from identity_judgement_rows as j
left join identity.records as a on a.source || ':' || a.record_key = j.record_a
left join identity.records as b on b.source || ':' || b.record_key = j.record_b
order by j.number, j.record_a, j.record_b
"""

_CONFLICTS = """
create or replace table identity.judgement_conflicts as
select
    kind,
    split_part(record_a, ':', 1) as source_a,
    substr(record_a, instr(record_a, ':') + 1) as record_key_a,
    split_part(record_b, ':', 1) as source_b,
    substr(record_b, instr(record_b, ':') + 1) as record_key_b,
    winner_id,
    loser_id
from identity_conflict_rows
order by kind, record_a, record_b, winner_id, loser_id
"""

_JUDGED = """
create or replace temp table identity_judged as
select
    r.record_id, r.evidence_id, u.unit,
    -- a card number alone says little: of receipts that say the same, only the judged one moves
    u.is_apart or u.is_closed or not r.is_comparable as is_separate
from identity_unit_rows as u
inner join identity.records as r on r.source || ':' || r.record_key = u.record
"""

_SEPARATED = """
create or replace temp table identity_separated as
select record_id, evidence_id, source, record_key
from (
    select
        r.record_id,
        r.evidence_id as shared_id,
        min(r.record_id) over alike as evidence_id,
        first_value(r.source) over alike as source,
        first_value(r.record_key) over alike as record_key
    from identity.records as r
    left join identity_judged as j on j.record_id = r.record_id and j.is_separate
    where r.evidence_id in (select evidence_id from identity_judged where is_separate)
    window alike as (
        partition by r.evidence_id, coalesce(j.unit, -1) order by r.record_id
        rows between unbounded preceding and unbounded following
    )
)
where evidence_id <> shared_id
"""
# Copies that nobody judged move as well where a judged one stood for them all.

_SEPARATE = """
update identity.records
set
    evidence_id = s.evidence_id,
    evidence_head = hash(evidence_head, s.source, s.record_key)
from identity_separated as s
where s.record_id = identity.records.record_id
"""


@dataclass(frozen=True)
class JudgementFacts:
    """Counts of what was loaded.

    Attributes:
        standing: Judgements that count.
        conflicts: Contradictions among them.
        dangling: Judged pairs with a record that no longer exists.
        torn: Bytes of an unfinished last line of the journal.
    """

    standing: int
    conflicts: int
    dangling: int
    torn: int

    @property
    def messages(self) -> tuple[str, ...]:
        """Return sentences for the step's result."""
        said = []
        if self.standing:
            said.append(f"{self.standing:,} judgements of stewards count")
        if self.conflicts:
            said.append(
                f"{self.conflicts:,} conflicts among judgements, see identity.judgement_conflicts "
                "or `cdp judgements --conflicts`"
            )
        if self.dangling:
            said.append(f"{self.dangling:,} judged pairs name a record that no longer exists")
        if self.torn:
            said.append(
                "the journal of judgements ends in an unfinished line, which does not count"
            )
        return tuple(said)


def load_judgements(con: duckdb.DuckDBPyConnection, context: RunContext) -> JudgementFacts:
    """Write the judgements of this run next to ``identity.records``.

    Makes ``identity.judgements`` and ``identity.judgement_conflicts``, separates identical records
    that are judged different, and leaves ``staging.identity_bonds`` (evidence_id, block, is_apart,
    is_closed) and ``staging.identity_apart`` (block_a, block_b) for grouping. The temporary table
    ``identity_separated`` has the record_id of each record that got evidence of its own.

    Raises:
        ConfigError: A line of the journal is no judgement; names file and line.
    """
    judgements = read_judgements(DataPaths.of(context).decisions)
    constraints = resolve(judgements)
    _write_judgements(con, judgements, constraints)
    _write_bonds(con, constraints)
    dangling = fetch_value(
        con, "select count(*) from identity.judgements where status = 'dangling'"
    )
    return JudgementFacts(
        standing=len(judgements.standing),
        conflicts=len(constraints.conflicts),
        dangling=int(dangling),
        torn=judgements.torn,
    )


def _write_judgements(
    con: duckdb.DuckDBPyConnection, judgements: Judgements, constraints: Constraints
) -> None:
    withdrawn = judgements.withdrawn
    rows: list[dict[str, object]] = []
    for line in judgements.lines:
        shared = {
            "number": int(line.id[1:]),
            "judgement_id": line.id,
            "verdict": line.verdict,
            "judged_by": line.who,
            "judged_at": line.at.astimezone(UTC).replace(tzinfo=None),
            "reason": line.reason or None,
        }
        if isinstance(line, PairJudgement):
            for pair in line.pairs:
                status = "withdrawn" if line.id in withdrawn else constraints.status[line.id, pair]
                rows.append(
                    shared
                    | {"record_a": pair[0], "record_b": pair[1], "status": status}
                    | {"match_prob": line.match_prob}
                )
        elif isinstance(line, Freeze):
            status = "withdrawn" if line.id in withdrawn else "applied"
            rows += [
                shared | {"record_a": record, "customer_id": line.customer, "status": status}
                for record in sorted(set(line.records))
            ]
    _load(con, "identity_judgement_rows", rows, _JUDGEMENT_FIELDS)
    con.execute(_JUDGEMENTS)
    conflicts = [
        {
            "kind": conflict.kind,
            "record_a": conflict.pair[0],
            "record_b": conflict.pair[1],
            "winner_id": conflict.winner,
            "loser_id": conflict.loser,
        }
        for conflict in constraints.conflicts
    ]
    _load(con, "identity_conflict_rows", conflicts, _CONFLICT_FIELDS)
    con.execute(_CONFLICTS)


_JUDGEMENT_FIELDS = {
    "number": pa.int64(),
    "judgement_id": pa.string(),
    "verdict": pa.string(),
    "record_a": pa.string(),
    "record_b": pa.string(),
    "customer_id": pa.string(),
    "status": pa.string(),
    "match_prob": pa.float64(),
    "judged_by": pa.string(),
    "judged_at": pa.timestamp("us"),
    "reason": pa.string(),
}
_CONFLICT_FIELDS = dict.fromkeys(
    ("kind", "record_a", "record_b", "winner_id", "loser_id"), pa.string()
)
_UNIT_FIELDS = {
    "record": pa.string(),
    "unit": pa.int64(),
    "is_apart": pa.bool_(),
    "is_closed": pa.bool_(),
}
_BOND_FIELDS = {
    "evidence_id": pa.int32(),
    "block": pa.int64(),
    "is_apart": pa.bool_(),
    "is_closed": pa.bool_(),
}
_APART_FIELDS = {"block_a": pa.int64(), "block_b": pa.int64()}


def _load(
    con: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[Mapping[str, object]],
    fields: Mapping[str, pa.DataType],
    *,
    kept: bool = False,
) -> None:
    """Create a table from rows, ``kept`` for later steps; a key that a row lacks is null."""
    columns = {name: [row.get(name) for row in rows] for name in fields}
    con.register("identity_loaded_rows", pa.table(columns, schema=pa.schema(list(fields.items()))))
    name = f"table staging.{table}" if kept else f"temp table {table}"
    con.execute(f"create or replace {name} as from identity_loaded_rows")
    con.unregister("identity_loaded_rows")


def _write_bonds(con: duckdb.DuckDBPyConnection, constraints: Constraints) -> None:
    """Write blocks of evidence: units, and units that share evidence which may stay shared."""
    apart = {unit for pair in constraints.apart for unit in pair}
    rows = [
        {
            "record": record,
            "unit": unit,
            "is_apart": unit in apart,
            "is_closed": unit in constraints.closed,
        }
        for record, unit in constraints.units.items()
    ]
    _load(con, "identity_unit_rows", rows, _UNIT_FIELDS)
    con.execute(_JUDGED)
    con.execute(_SEPARATED)
    con.execute(_SEPARATE)
    con.execute(_JUDGED)
    found = con.execute(
        "select distinct evidence_id, unit from identity_judged order by evidence_id, unit"
    ).fetchall()
    # One graph of evidence (2n) and units (2n + 1); its components are the blocks.
    ties = tie([(2 * evidence, 2 * unit + 1) for evidence, unit in found])
    block_of = {unit: ties[2 * unit + 1] for _, unit in found}
    bonds = {
        evidence: {
            "evidence_id": evidence,
            "block": block_of[unit],
            "is_apart": unit in apart,
            "is_closed": unit in constraints.closed,
        }
        for evidence, unit in found
    }
    _load(con, BONDS_TABLE, list(bonds.values()), _BOND_FIELDS, kept=True)
    pairs = {
        tuple(sorted((block_of[one], block_of[other])))
        for one, other in constraints.apart
        if one in block_of and other in block_of
    }
    _load(
        con,
        "identity_apart",
        [{"block_a": one, "block_b": other} for one, other in sorted(pairs)],
        _APART_FIELDS,
        kept=True,
    )
