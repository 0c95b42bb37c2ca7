"""How grouping respects judgements, and what it says about them afterwards.

``node_bonds`` hands them to clustering, ``verify_groups`` makes sure that the result keeps them,
``mark_judged`` shows them among the edges, ``touched_records`` says for whom they have changed
since the night before.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt

from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.identity.grouping.bonds import FREE, Bonds
from cdp_pipeline.identity.stewardship.applied import BONDS_TABLE
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table, has_table


def node_bonds(con: duckdb.DuckDBPyConnection, lists: npt.NDArray[np.int64] | None = None) -> Bonds:
    """Return what clustering the nodes of ``identity_node_ids`` must respect.

    Without judgements, as in a linkage outside a night, only ``lists``; see ``Bonds``.
    """
    size = int(fetch_value(con, "select count(*) from identity_node_ids"))
    block = np.full(size, FREE, dtype=np.int64)
    if not has_table(con, BONDS_TABLE, catalog="staging"):
        return Bonds(block, lists=lists)
    rows = con.execute(
        "select n.node_id, b.block, b.is_closed from staging.identity_bonds as b "
        "inner join identity_node_ids as n on n.record_id = b.evidence_id order by n.node_id"
    ).fetchall()
    for node, its_block, _ in rows:
        block[node] = its_block
    pairs = con.execute("select block_a, block_b from staging.identity_apart").fetchall()
    return Bonds(
        block,
        apart=frozenset((one, other) for one, other in pairs),
        closed=frozenset(its_block for _, its_block, is_closed in rows if is_closed),
        lists=lists,
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


JUDGED_SAME = "judged same"
"""What ``identity.edges`` names as the rule of a pair that a steward joined."""

_JUDGED_EDGES = """
insert into identity.edges
select a.source, a.record_key, b.source, b.record_key, null, null, 1.0, null, $rule
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
        con.execute(_JUDGED_EDGES, {"rule": JUDGED_SAME})
        con.execute(_DECIDED)


_EFFECTIVE = """
select verdict, source_a, record_key_a, source_b, record_key_b, customer_id
from {place}identity.judgements
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
    before = _EFFECTIVE.format(place="base.")
    if not has_base:
        before = _EFFECTIVE.format(place="") + " and false"
    sql = _TOUCHED.format(now=_EFFECTIVE.format(place=""), before=before)
    return [(str(s), str(k)) for s, k in con.execute(f"{sql} order by all").fetchall()]
