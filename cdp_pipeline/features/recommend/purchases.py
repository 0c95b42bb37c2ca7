"""What everybody bought, as recommendations count it: read once, then seen by article or category.

Reading the warehouse belongs here; counting belongs to ``log``.
"""

from __future__ import annotations

from datetime import date

import duckdb

from cdp_pipeline.core.recommend_settings import RecommendSettings

LEVELS = {"product": "sku", "category": "category"}
"""Column that names the item, by level."""

PEOPLE = "recommend_person"
"""Temporary table of the number of each ``customer_id``, in the order of ids."""

# Counting by numbers costs a fraction of counting by names: customers have the number of their
# place among all, and baskets a hash, as only whether two are the same matters.
_NUMBERED = """
create or replace temp table recommend_person as
select customer_id, row_number() over (order by customer_id) - 1 as number
from (
    select customer_id from core.dim_customer
    union
    select customer_id from core.fct_sales where customer_id is not null
)
"""
_LINES = """
create or replace temp table recommend_line as
select
    people.number as customer_id,
    lines.sku,
    products.category,
    hash(lines.source, lines.sale_id) as basket_id,
    lines.sold_at as bought_at,
    lines.quantity,
    lines.is_return,
from core.fct_sales as lines
left join recommend_person as people on lines.customer_id = people.customer_id
left join core.dim_product as products on lines.sku = products.sku
where
    lines.line_kind = 'product'
    and is_recent(lines.sold_on, $business_date::date, $window_days)
"""
_BOUGHT = """
create or replace temp view recommend_{level}_bought as
select customer_id, {item} as item_id, basket_id, bought_at
from recommend_line
where not is_return and {item} is not null
"""
_RETURNED = """
create or replace temp table recommend_{level}_returned as
with returned as (
    select distinct customer_id, {item} from recommend_line where is_return
)
select lines.customer_id, lines.{item} as item_id
from recommend_line as lines
inner join returned
    on lines.customer_id = returned.customer_id and lines.{item} = returned.{item}
group by lines.customer_id, lines.{item}
having sum(lines.quantity) <= 0
"""
_OFFERED = """
create or replace temp table recommend_{level}_offered as
select distinct products.{item} as item_id
from core.fct_sales as lines
inner join core.dim_product as products on lines.sku = products.sku
where
    products.is_active
    and products.is_in_stock
    and products.{item} is not null
    and not lines.is_return
    and is_recent(lines.sold_on, $business_date::date, $in_range_days)
"""


def read_purchases(
    con: duckdb.DuckDBPyConnection, settings: RecommendSettings, *, as_of: date
) -> None:
    """Create the temporary tables that all levels read.

    Args:
        con: Connection to the build, with core finished.
        settings: Days that count.
        as_of: Business date.
    """
    con.execute(_NUMBERED)
    con.execute(_LINES, {"business_date": as_of, "window_days": settings.window_days})


def read_level(
    con: duckdb.DuckDBPyConnection, level: str, settings: RecommendSettings, *, as_of: date
) -> str:
    """Return the relation of what was bought, by the items of one level.

    Beside it, ``recommend_<level>_returned`` lists what a customer gave back altogether, and
    ``recommend_<level>_offered`` what may be shown.

    Args:
        con: Connection on which ``read_purchases`` ran.
        level: Of ``LEVELS``.
        settings: Days in which somebody must have bought what is shown.
        as_of: Business date.
    """
    words = {"level": level, "item": LEVELS[level]}
    con.execute(_BOUGHT.format(**words))
    con.execute(_RETURNED.format(**words))
    con.execute(
        _OFFERED.format(**words),
        {"business_date": as_of, "in_range_days": settings.in_range_days},
    )
    return f"recommend_{level}_bought"
