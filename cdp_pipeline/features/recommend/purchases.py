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
"""Temporary table of the number of each ``customer_id`` who gets lists, in the order of ids."""

# Counting by numbers costs a fraction of counting by names: customers have the number of their
# place among all, and baskets a hash, as only whether two are the same matters.
_NUMBERED = """
create or replace temp table recommend_person as
select customer_id, row_number() over (order by customer_id) - 1 as number
from (
    select customer_id from core.dim_customer {wanted}
    union
    select customer_id from core.fct_sales {wanted} where customer_id is not null
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
{join} join recommend_person as people on lines.customer_id = people.customer_id
left join core.dim_product as products on lines.sku = products.sku
where
    lines.line_kind = 'product'
    and is_recent(lines.sold_on, $business_date::date, $window_days)
"""
_IN_RANGE = """
select distinct sku
from core.fct_sales
where
    sku is not null
    and not is_return
    and is_recent(sold_on, $business_date::date, $in_range_days)
order by sku
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
select distinct {item} as item_id
from {products}
where
    is_active
    and is_in_stock
    and {item} is not null
    and sku in (select unnest($in_range::varchar[]))
"""


def number_people(con: duckdb.DuckDBPyConnection, wanted: str | None = None) -> None:
    """Create the temporary table ``PEOPLE``.

    Args:
        con: Connection to the build, with core finished.
        wanted: Table of who gets lists (customer_id); default: everybody.
    """
    semi = f"semi join {wanted} using (customer_id)" if wanted else ""
    con.execute(_NUMBERED.format(wanted=semi))


def read_purchases(
    con: duckdb.DuckDBPyConnection,
    settings: RecommendSettings,
    *,
    as_of: date,
    learned_on: date,
    only_people: bool = False,
) -> None:
    """Create the temporary table of lines that all levels read.

    Args:
        con: Connection on which ``number_people`` ran.
        settings: Days that count.
        as_of: Business date.
        learned_on: Day of the training. The window begins so many days before it, so that nothing
            leaves it until the next.
        only_people: Leave out what nobody of ``PEOPLE`` bought; baskets of strangers count for
            what goes together.
    """
    con.execute(
        _LINES.format(join="inner" if only_people else "left"),
        {
            "business_date": as_of,
            "window_days": settings.window_days + (as_of - learned_on).days,
        },
    )


def list_range(
    con: duckdb.DuckDBPyConnection, settings: RecommendSettings, *, as_of: date
) -> tuple[str, ...]:
    """Return the articles that somebody bought lately, in order."""
    params = {"business_date": as_of, "in_range_days": settings.in_range_days}
    return tuple(sku for (sku,) in con.execute(_IN_RANGE, params).fetchall())


def list_offered(
    con: duckdb.DuckDBPyConnection,
    level: str,
    in_range: tuple[str, ...],
    products: str = "core.dim_product",
) -> str:
    """Return the temporary table of what may be shown: in the range, active and in stock.

    Args:
        con: Connection to the build, with core finished.
        level: Of ``LEVELS``.
        in_range: Articles that were bought lately.
        products: The articles; those of another night make a table of the same name.
    """
    words = {"level": level, "item": LEVELS[level], "products": products}
    con.execute(_OFFERED.format(**words), {"in_range": list(in_range)})
    return f"recommend_{level}_offered"


def read_level(con: duckdb.DuckDBPyConnection, level: str) -> str:
    """Return the relation of what was bought, by the items of one level.

    Beside it, ``recommend_<level>_returned`` lists what a customer gave back altogether.

    Args:
        con: Connection on which ``read_purchases`` ran.
        level: Of ``LEVELS``.
    """
    words = {"level": level, "item": LEVELS[level]}
    con.execute(_BOUGHT.format(**words))
    con.execute(_RETURNED.format(**words))
    return f"recommend_{level}_bought"
