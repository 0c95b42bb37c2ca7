"""Basket rules: who has this in the basket has that too.

Counting baskets belongs here. Rules are ranked by cosine, which asks for a pair to be frequent
among the baskets of both; lift only explains, because it puts the rarest pairs first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from cdp_pipeline.features.recommend.log import read_columns

SHRINKAGE = 10
"""Baskets of no evidence that confidence and cosine are shrunk by."""

RULES_PER_ITEM = 20

PRODUCTS_AT_ONCE = 20_000_000
"""Pairs of lines of one basket that are added up at once, of a row at least: memory."""

# What has too few lines has too few baskets, so it needs no look at which lines share a basket.
# Baskets are numbered as they come; only whether two numbers are equal matters.
_ITEMS = """
create or replace temp table {name}_candidate as
select (row_number() over (order by item_id) - 1)::integer as item, item_id
from {relation}
where basket_id is not null and item_id is not null
group by item_id
having count(*) >= $support
"""
_BASKETS = """
create or replace temp table {name}_basket as
select (row_number() over () - 1)::integer as basket, basket_id
from {relation}
where basket_id is not null and item_id is not null
group by basket_id
"""
_LINES = """
select basket, item
from {relation}
inner join {name}_candidate using (item_id)
inner join {name}_basket using (basket_id)
"""
_FREQUENT = """
create or replace temp table {name}_frequent as
select item, item_id, baskets
from counted
inner join {name}_candidate using (item)
"""
_RULES = """
create or replace temp table {name}_rule as
with total as (
    select count(*)::double as baskets from {name}_basket
),
directed as (
    select item, other, together from {name}_both
    union all
    select other, item, together from {name}_both
),
measured as (
    select
        one.item_id,
        two.item_id as partner_id,
        directed.together as basket_count,
        directed.together / one.baskets as confidence,
        (directed.together + {shrinkage} * two.baskets / total.baskets)
        / (one.baskets + {shrinkage}) as shrunk_confidence,
        directed.together
        / (sqrt(one.baskets::double * two.baskets) + {shrinkage}) as cosine,
        directed.together * total.baskets / (one.baskets::double * two.baskets) as lift,
    from directed
    inner join {name}_frequent as one on directed.item = one.item
    inner join {name}_frequent as two on directed.other = two.item
    cross join total
)
select
    item_id,
    row_number() over (
        partition by item_id order by cosine desc, basket_count desc, partner_id
    )::integer as rank_no,
    partner_id,
    basket_count,
    round(confidence, 6) as confidence,
    round(shrunk_confidence, 6) as shrunk_confidence,
    round(cosine, 6) as cosine,
    round(lift, 4) as lift,
from measured
where lift > 1
qualify rank_no <= {most}
order by item_id, rank_no
"""


def make_rules(con: duckdb.DuckDBPyConnection, relation: str, *, support: int, name: str) -> str:
    """Count the pairs of a relation with ``basket_id`` and ``item_id``.

    Args:
        con: Connection that has the relation.
        relation: Its name.
        support: Fewest baskets that hold both items of a rule.
        name: Prefix of the temporary tables.

    Returns:
        Name of a temporary table. Grain: one row per item and rank, at most ``RULES_PER_ITEM`` an
        item. Columns: ``item_id``, ``rank_no``, ``partner_id``, ``basket_count`` with both,
        ``confidence`` (share of the item's baskets that hold the partner), ``shrunk_confidence``,
        ``cosine`` and ``lift`` (above 1). Ordering: item, rank.
    """
    count_pairs(con, relation, support=support, name=name)
    con.execute(_RULES.format(name=name, shrinkage=SHRINKAGE, most=RULES_PER_ITEM))
    return f"{name}_rule"


def count_pairs(con: duckdb.DuckDBPyConnection, relation: str, *, support: int, name: str) -> None:
    """Count baskets with two items, for all pairs in ``support`` baskets or more.

    The matrix of baskets and frequent items times itself: no row is made for each pair of lines.
    """
    names = {"name": name, "relation": relation}
    con.execute(_ITEMS.format(**names), {"support": support})
    con.execute(_BASKETS.format(**names))
    lines = read_columns(con, _LINES.format(**names))
    shape = (int(lines["basket"].max(initial=-1)) + 1, int(lines["item"].max(initial=-1)) + 1)
    cells = (np.ones(len(lines["item"]), dtype=np.int32), (lines["basket"], lines["item"]))
    held = sparse.csr_array(cells, shape=shape)  # adds up what one basket says twice
    held.data[:] = 1
    baskets = held.sum(axis=0)
    frequent = np.flatnonzero(baskets >= support)
    found = _count_together(held[:, frequent], support)
    counted = {"item": frequent, "baskets": baskets[frequent].astype(np.int64)}
    _keep(con, _FREQUENT.format(**names), counted)
    together = {"item": frequent[found[0]], "other": frequent[found[1]], "together": found[2]}
    _keep(con, f"create or replace temp table {name}_both as from counted", together)


def _keep(con: duckdb.DuckDBPyConnection, sql: str, columns: Mapping[str, NDArray[Any]]) -> None:
    """Run a statement that reads some columns as the relation ``counted``."""
    con.register("counted", pa.table(dict(columns)))
    con.execute(sql)
    con.unregister("counted")


def _count_together(
    held: sparse.csr_array, support: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return item, later item and baskets with both, of pairs in ``support`` baskets or more."""
    of_item = held.T.tocsr()
    # An item costs as many additions as its baskets have lines.
    costs = np.cumsum(of_item @ np.diff(held.indptr).astype(np.int64))
    turns = np.flatnonzero(np.diff(costs // PRODUCTS_AT_ONCE)) + 1
    found = []
    for block in np.split(np.arange(held.shape[1]), turns):
        both = (of_item[block] @ held).tocoo()
        item, other = block[both.coords[0]], both.coords[1].astype(np.int64)
        kept = (both.data >= support) & (other > item)
        found.append((item[kept], other[kept], both.data[kept].astype(np.int64)))
    item, other, together = (np.concatenate(column) for column in zip(*found, strict=True))
    return item, other, together


def read_pairs(con: duckdb.DuckDBPyConnection, *, name: str, log_name: str) -> NDArray[np.int64]:
    """Return item, other item (numbers of a purchase log) and baskets with both, in both ways."""
    found = read_columns(
        con,
        f"""
        select mine.item as item, theirs.item as other, pairs.together
        from {name}_both as pairs
        inner join {name}_frequent as one on pairs.item = one.item
        inner join {name}_frequent as two on pairs.other = two.item
        inner join {log_name}_item as mine on one.item_id = mine.item_id
        inner join {log_name}_item as theirs on two.item_id = theirs.item_id
        order by 1, 2
        """,  # noqa: S608 - own names
    )
    one = np.column_stack([found[c].astype(np.int64) for c in ("item", "other", "together")])
    return np.concatenate([one, one[:, [1, 0, 2]]])
