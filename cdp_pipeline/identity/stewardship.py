"""Judgements in a night: from the journal to what grouping must respect.

``load_judgements`` turns the journal of this run into tables, ``node_bonds`` hands them to
clustering, ``touched_records`` says for whom the judgements have changed since the night before.
Records that say exactly the same share one evidence; where a judgement tells them apart, the
judged ones become evidence of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import duckdb
import numpy as np
import pyarrow as pa

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.identity.bonds import FREE, Bonds, tie
from cdp_pipeline.identity.constraints import Constraints, resolve
from cdp_pipeline.identity.judgements import Freeze, Judgements, PairJudgement, read_judgements
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table, has_table

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

_SEPARATE = """
update identity.records
set evidence_id = s.evidence_id
from (
    select
        r.record_id,
        min(r.record_id) over (partition by r.evidence_id, coalesce(j.unit, -1)) as evidence_id
    from identity.records as r
    left join identity_judged as j on j.record_id = r.record_id and j.is_separate
    where r.evidence_id in (select evidence_id from identity_judged where is_separate)
) as s
where s.record_id = identity.records.record_id
    and s.evidence_id <> identity.records.evidence_id
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
    is_closed) and ``staging.identity_apart`` (block_a, block_b) for grouping.

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


def node_bonds(con: duckdb.DuckDBPyConnection) -> Bonds:
    """Return what clustering the nodes of ``identity_nodes`` must respect.

    Without judgements, as in a linkage outside a night, nothing.
    """
    size = int(fetch_value(con, "select count(*) from identity_nodes"))
    block = np.full(size, FREE, dtype=np.int64)
    if not has_table(con, BONDS_TABLE, catalog="staging"):
        return Bonds(block)
    rows = con.execute(
        "select n.node_id, b.block, b.is_closed from staging.identity_bonds as b "
        "inner join identity_nodes as n on n.record_id = b.evidence_id order by n.node_id"
    ).fetchall()
    for node, its_block, _ in rows:
        block[node] = its_block
    pairs = con.execute("select block_a, block_b from staging.identity_apart").fetchall()
    return Bonds(
        block,
        apart=frozenset((one, other) for one, other in pairs),
        closed=frozenset(its_block for _, its_block, is_closed in rows if is_closed),
    )


_BROKEN = """
with placed as (
    select b.block, b.is_closed, g.group_id
    from staging.identity_bonds as b
    left join identity_groups as g on g.evidence_id = b.evidence_id
)
select 'different' as verdict
from staging.identity_apart as t
inner join placed as a on a.block = t.block_a
inner join placed as b on b.block = t.block_b and b.group_id = a.group_id
union all
select 'same' from placed group by block
having count(distinct group_id) > 1 or count(group_id) not in (0, count(*))
union all
select 'freeze'
from placed as p
inner join identity_groups as g on g.group_id = p.group_id
left join staging.identity_bonds as b on b.evidence_id = g.evidence_id
where p.is_closed and b.block is distinct from p.block
"""


def verify_groups(con: duckdb.DuckDBPyConnection) -> None:
    """Make sure that ``identity_groups`` respects every judgement that counts.

    Raises:
        IdentityError: It does not; nothing may be published.
    """
    if not has_table(con, BONDS_TABLE, catalog="staging"):
        return
    broken = con.execute(f"select distinct verdict from ({_BROKEN}) order by verdict").fetchall()  # noqa: S608 - constant text
    if broken:
        raise IdentityError(
            f"customers contradict judgements ({', '.join(verdict for (verdict,) in broken)})",
            where="resolve_customers",
            hint="This is a defect: report it with the output of `cdp judgements --json`.",
        )


_JUDGED_EDGES = """
insert into identity.edges
select a.source, a.record_key, b.source, b.record_key, null, null, 1.0, null, 'judged same'
from identity.judgements as j
inner join identity.records as x on x.source = j.source_a and x.record_key = j.record_key_a
inner join identity.records as y on y.source = j.source_b and y.record_key = j.record_key_b
inner join identity.records as a on a.record_id = least(x.record_id, y.record_id)
inner join identity.records as b on b.record_id = greatest(x.record_id, y.record_id)
anti join identity.edges as e
    on e.source_a = a.source and e.record_key_a = a.record_key
    and e.source_b = b.source and e.record_key_b = b.record_key
where j.verdict = 'same' and j.status = 'applied' and a.evidence_id <> b.evidence_id
order by a.record_id, b.record_id
"""

_DECIDED = """
delete from identity.review as r
where exists (
    select 1 from identity.judgements as j
    where j.status = 'applied' and j.verdict in ('same', 'different')
        and ((j.source_a = r.source_a and j.record_key_a = r.record_key_a
            and j.source_b = r.source_b and j.record_key_b = r.record_key_b)
        or (j.source_a = r.source_b and j.record_key_a = r.record_key_b
            and j.source_b = r.source_a and j.record_key_b = r.record_key_a))
)
"""


def mark_judged(con: duckdb.DuckDBPyConnection) -> None:
    """Give judged pairs that the model did not propose an edge; take decided ones off the review.

    Edges that the model scored stay as it scored them.
    """
    if has_table(con, "identity.judgements"):
        con.execute(_JUDGED_EDGES)
        con.execute(_DECIDED)


_EFFECTIVE = """
select verdict, source_a, record_key_a, source_b, record_key_b, customer_id
from {catalog}.identity.judgements
where status in ('applied', 'dangling')
"""

_TOUCHED = """
with now as ({now}),
before as ({before}),
changed as (
    (from now except from before) union all (from before except from now)
)
select source_a as source, record_key_a as record_key from changed
union
select source_b, record_key_b from changed where record_key_b is not null
"""


def touched_records(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return source and key of the records whose judgements differ from the night before.

    Args:
        con: Build connection after ``load_judgements``.
    """
    has_base = has_base_table(con, "identity.judgements")
    before = _EFFECTIVE.format(catalog="base")
    if not has_base:
        before = _EFFECTIVE.format(catalog="cdp") + " and false"
    sql = _TOUCHED.format(now=_EFFECTIVE.format(catalog="cdp"), before=before)
    return [(str(s), str(k)) for s, k in con.execute(f"{sql} order by all").fetchall()]
