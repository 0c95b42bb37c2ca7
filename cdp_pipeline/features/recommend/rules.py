"""Basket rules: who has this in the basket has that too.

Counting baskets belongs here. Rules are ranked by cosine, which asks for a pair to be frequent
among the baskets of both; lift only explains, because it puts the rarest pairs first.
"""

from __future__ import annotations

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.recommend.log import read_columns

SHRINKAGE = 10
"""Baskets of no evidence that confidence and cosine are shrunk by."""

RULES_PER_ITEM = 20

_LINES = """
create or replace temp table {name}_line as
select basket_id, item_id
from {relation}
where basket_id is not null and item_id is not null
group by basket_id, item_id
"""
_FREQUENT = """
create or replace temp table {name}_frequent as
select row_number() over (order by item_id) as item, item_id, count(*) as baskets
from {name}_line
group by item_id
having count(*) >= $support
"""
# The support filter comes before the self-join: a pair cannot be more frequent than its members.
# Baskets are numbered as they come; only whether two numbers are equal matters.
_PAIRS = """
create or replace temp table {name}_both as
with kept as (
    select basket_id, item
    from {name}_line
    inner join {name}_frequent using (item_id)
),
baskets as (
    select basket_id, row_number() over () as basket
    from (select basket_id from kept group by basket_id having count(*) > 1)
),
coded as (
    select basket, item
    from kept
    inner join baskets using (basket_id)
)
select one.item as item, two.item as other, count(*) as together
from coded as one
inner join coded as two on one.basket = two.basket and one.item < two.item
group by one.item, two.item
having count(*) >= $support
"""
_RULES = """
create or replace temp table {name}_rule as
with total as (
    select count(distinct basket_id)::double as baskets from {name}_line
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
    """Count baskets with two items, for all pairs in ``support`` baskets or more."""
    con.execute(_LINES.format(name=name, relation=relation))
    for sql in (_FREQUENT, _PAIRS):
        con.execute(sql.format(name=name), {"support": support})


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
