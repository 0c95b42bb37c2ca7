"""The table of lists as they are shown: with names, reasons in words, and what sells for strangers.

Layout belongs here; what is listed is decided by ``lists``, whose lists are made by ``touched``.
"""

from __future__ import annotations

import duckdb

from cdp_pipeline.features.recommend import sentences
from cdp_pipeline.features.recommend.purchases import PEOPLE

TABLE = "features.recommendations"

_CREATE = """
create or replace table features.recommendations (
    customer_id varchar, item_kind varchar, list varchar, rank_no integer, item_id varchar,
    item_name varchar, score double, reason_kind varchar, reason_item_id varchar,
    reason_count bigint, reason varchar, is_personal boolean
)
"""
# Everybody without a list to discover of her own gets what sells in her store.
_LISTS = """
insert into features.recommendations
with names as (
    select sku as item_id, product_name as item_name from core.dim_product
    where $level = 'product'
),
personal as (
    select
        people.customer_id,
        people.number,
        made.list,
        made.rank_no,
        made.item_id,
        coalesce(names.item_name, made.item_id) as item_name,
        made.score,
        made.reason_kind,
        made.reason_item_id,
        made.reason_count,
        {reason} as reason,
        true as is_personal,
    from {lists} as made
    inner join {people} as people on made.customer_id = people.number
    left join names on made.item_id = names.item_id
    left join names as because on made.reason_item_id = because.item_id
    anti join {refused} as refused on people.customer_id = refused.customer_id
),
strangers as (
    select
        numbered.customer_id,
        numbered.number,
        coalesce(habits.favourite_store_id, people.home_store_id) as store_id,
    from core.dim_customer as people
    inner join {people} as numbered on people.customer_id = numbered.customer_id
    left join features.shopping_habits as habits on people.customer_id = habits.customer_id
    anti join (select number from personal where list = 'discover') as listed
        on numbered.number = listed.number
),
placed as (
    select
        strangers.customer_id,
        strangers.number,
        coalesce(stores.store_id, 'all') as store_id,
        stores.store_name,
    from strangers
    left join core.dim_store as stores
        on strangers.store_id = stores.store_id
        and stores.store_id in (select store_id from features.popular_items)
),
popular as (
    select
        placed.customer_id,
        placed.number,
        'discover' as list,
        popular.rank_no,
        popular.item_id,
        popular.item_name,
        null::double as score,
        'popular' as reason_kind,
        null::varchar as reason_item_id,
        popular.receipt_count as reason_count,
        {sells} as reason,
        false as is_personal,
    from placed
    inner join features.popular_items as popular
        on placed.store_id = popular.store_id and popular.item_kind = $level
    where popular.rank_no <= $length
),
final as (
    select * from personal
    union all
    select * from popular
)
select
    customer_id, $level, list, rank_no, item_id, item_name, score, reason_kind, reason_item_id,
    reason_count, reason, is_personal,
from final
order by number, list, rank_no
"""


def take_out(con: duckdb.DuckDBPyConnection, wanted: str | None) -> None:
    """Take lists out of ``TABLE``, which last night left or which is created.

    Args:
        con: Connection to the build.
        wanted: Table of whose lists go (customer_id); default: everybody's.
    """
    con.execute(f"delete from {TABLE} where customer_id in (from {wanted})" if wanted else _CREATE)  # noqa: S608 - own names


def add_lists(
    con: duckdb.DuckDBPyConnection, level: str, lists: str, *, refused: str, length: int
) -> None:
    """Add the lists of one level for everybody in ``PEOPLE``.

    Args:
        con: Connection to the build, with core and the basic features finished.
        level: ``product`` or ``category``.
        lists: Relation that ``lists.make_lists`` made.
        refused: Table of who may not be profiled.
        length: Items of a list of what sells.
    """
    words = {"people": PEOPLE, "reason": sentences.REASON, "sells": sentences.SELLS}
    con.execute(
        _LISTS.format(refused=refused, lists=lists, **words), {"level": level, "length": length}
    )
