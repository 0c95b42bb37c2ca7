"""Records without a name that stewards judged: they go where their judgement says.

A receipt judged the same person as a named record is placed with it before all others are
attached. One that must stay apart from somebody goes to the best holder of its identifiers whom no
judgement excludes, or becomes a customer of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from cdp_pipeline.identity.stewardship.applied import BONDS_TABLE
from cdp_pipeline.storage.warehouse import fetch_dicts, has_table

_PLACE_PARTNERS = """
insert into identity_groups
select b.evidence_id, h.group_id, 1.0
from staging.identity_bonds as b
inner join (
    select t.block, min(g.group_id) as group_id
    from staging.identity_bonds as t
    inner join identity_groups as g on g.evidence_id = t.evidence_id
    group by t.block
) as h on h.block = b.block
anti join identity_groups as g on g.evidence_id = b.evidence_id
order by b.evidence_id
"""

_CLOSE_HOLDINGS = """
delete from identity_holdings
where group_id in (
    select g.group_id
    from identity_groups as g
    inner join staging.identity_bonds as b on b.evidence_id = g.evidence_id
    where b.is_closed
)
"""

_WITHHOLD = """
delete from identity_open
where evidence_id in (select evidence_id from identity_groups)
    or evidence_id in (
        select evidence_id from staging.identity_bonds where is_apart or is_closed
    )
"""

_BLOCKS = """
select b.block, b.evidence_id, b.is_apart, b.is_closed, r.is_usable, g.group_id, g.match_prob
from staging.identity_bonds as b
inner join identity.records as r on r.record_id = b.evidence_id
left join identity_groups as g on g.evidence_id = b.evidence_id
order by b.block, b.evidence_id
"""

_CLAIMS = """
select o.block, o.evidence_id, h.field, h.group_id, r.reliability,
    sum(cast(h.weight as decimal(18, 6))) as weight, min(h.record_id) as holder_id
from (
    select block, evidence_id, field, value
    from (
        select b.block, b.evidence_id, {keys}
        from staging.identity_bonds as b
        inner join identity.records as r on r.record_id = b.evidence_id
        where b.is_apart and not b.is_closed
            and b.evidence_id not in (select evidence_id from identity_groups)
    )
    unpivot (value for field in ({keys}))
) as o
inner join identity_holdings as h on h.field = o.field and h.value = o.value
inner join identity_reliability as r on r.field = o.field
group by all
order by o.block, o.evidence_id, h.field, h.group_id
"""


def place_partners(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``identity_groups`` the nameless records that are judged the same as a named one."""
    if has_table(con, BONDS_TABLE, catalog="staging"):
        con.execute(_PLACE_PARTNERS)


def withhold_judged(con: duckdb.DuckDBPyConnection) -> None:
    """Take out of ``identity_open`` what judgements place, and shut frozen customers' holdings."""
    if has_table(con, BONDS_TABLE, catalog="staging"):
        con.execute(_WITHHOLD)
        con.execute(_CLOSE_HOLDINGS)


@dataclass
class _Block:
    evidence: list[int] = field(default_factory=list)
    is_apart: bool = False
    is_closed: bool = False
    is_usable: bool = False
    found: list[tuple[float, int]] = field(default_factory=list)
    """Negative probability and group of members that have one: the best first when sorted."""

    @property
    def is_settled(self) -> bool:
        """Everybody is placed, in one group; or a lone record that belongs to nobody anyway."""
        groups = {group for _, group in self.found}
        if len(self.found) == len(self.evidence):
            return len(groups) == 1
        return len(self.evidence) == 1 and not self.is_usable


def settle_judged(con: duckdb.DuckDBPyConnection, *, keys: Sequence[str], accept: float) -> None:
    """Place every judged record that is still open, and keep blocks of nameless records together.

    Args:
        con: Connection after all other records were attached.
        keys: Identifier columns.
        accept: Probability above which an attachment counts.
    """
    if not has_table(con, BONDS_TABLE, catalog="staging"):
        return
    blocks, held = _read_blocks(con)
    claims = _read_claims(con, keys) if any(block.is_apart for block in blocks.values()) else {}
    rivals = _read_rivals(con)
    for number, block in blocks.items():
        if block.is_settled:
            continue
        settled: tuple[int, float, str | None, int]
        if block.found:
            probability, group = min(block.found)
            settled = group, -probability, None, block.evidence[0]
        else:
            barred = {g for g, members in held.items() if members & rivals.get(number, set())}
            settled = _best_claim(claims.get(number, []), barred, accept) or (
                block.evidence[0],
                1.0,
                None,
                block.evidence[0],
            )
        _place(con, block.evidence, settled)
        held.setdefault(settled[0], set()).add(number)
    con.execute(_CERTAIN)


_CERTAIN = """
update identity_groups
set match_prob = 1.0
where evidence_id in (
    select evidence_id from staging.identity_bonds
    qualify count(*) over (partition by block) > 1
)
"""


def _read_blocks(
    con: duckdb.DuckDBPyConnection,
) -> tuple[dict[int, _Block], dict[int, set[int]]]:
    """Return blocks by number, and the blocks that each group holds."""
    blocks: dict[int, _Block] = {}
    held: dict[int, set[int]] = {}
    for row in fetch_dicts(con, _BLOCKS):
        block = blocks.setdefault(row["block"], _Block())
        block.evidence.append(row["evidence_id"])
        block.is_apart, block.is_closed = row["is_apart"], row["is_closed"]
        block.is_usable |= row["is_usable"]
        if row["group_id"] is not None:
            block.found.append((-row["match_prob"], row["group_id"]))
            held.setdefault(row["group_id"], set()).add(row["block"])
    return blocks, held


def _read_rivals(con: duckdb.DuckDBPyConnection) -> dict[int, set[int]]:
    rivals: dict[int, set[int]] = {}
    for one, other in con.execute(
        "select block_a, block_b from staging.identity_apart order by all"
    ).fetchall():
        rivals.setdefault(one, set()).add(other)
        rivals.setdefault(other, set()).add(one)
    return rivals


@dataclass(frozen=True)
class _Claim:
    evidence_id: int
    field: str
    group_id: int
    reliability: float
    weight: float
    holder_id: int


def _read_claims(con: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> dict[int, list[_Claim]]:
    claims: dict[int, list[_Claim]] = {}
    for row in fetch_dicts(con, _CLAIMS.format(keys=", ".join(keys))):
        claims.setdefault(row["block"], []).append(
            _Claim(
                row["evidence_id"],
                row["field"],
                row["group_id"],
                row["reliability"],
                float(row["weight"]),
                row["holder_id"],
            )
        )
    return claims


def _best_claim(
    claims: Sequence[_Claim], barred: set[int], accept: float
) -> tuple[int, float, str | None, int] | None:
    """Return group, probability, identifier and holder of the best holder who is not barred.

    The same arithmetic as for other nameless records: shares of holdings times how reliable the
    identifier is.
    """
    allowed = [claim for claim in claims if claim.group_id not in barred]
    totals: dict[tuple[int, str], float] = {}
    for claim in allowed:
        place = claim.evidence_id, claim.field
        totals[place] = totals.get(place, 0.0) + claim.weight
    strength: dict[int, float] = {}
    best: dict[int, _Claim] = {}
    for claim in allowed:
        share = claim.weight / totals[claim.evidence_id, claim.field] * claim.reliability
        strength[claim.group_id] = strength.get(claim.group_id, 0.0) + share
        if claim.reliability > best.get(claim.group_id, claim).reliability:
            best[claim.group_id] = claim
        best.setdefault(claim.group_id, claim)
    if not strength:
        return None
    group = min(strength, key=lambda g: (-strength[g], g))
    probability = best[group].reliability * strength[group] / sum(strength.values())
    if probability <= accept:
        return None
    return group, round(probability, 9), best[group].field, best[group].holder_id


def _place(
    con: duckdb.DuckDBPyConnection,
    evidence: Sequence[int],
    settled: tuple[int, float, str | None, int],
) -> None:
    group, probability, attached_by, holder = settled
    con.execute("delete from identity_groups where evidence_id in (select unnest(?))", [evidence])
    con.executemany(
        "insert into identity_groups values (?, ?, ?)",
        [[record, group, probability] for record in evidence],
    )
    con.execute("delete from identity_attached where evidence_id in (select unnest(?))", [evidence])
    if attached_by:
        con.executemany(
            "insert into identity_attached values (?, ?, ?, ?)",
            [[record, holder, probability, attached_by] for record in evidence if record != holder],
        )
