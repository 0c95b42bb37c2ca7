"""For whom something has changed since last night, so that their lists are made anew.

Between two trainings a person's lists follow from what was learned, from the person's own
purchases and consent, and from the articles; what strangers are shown, from their store. All these
are compared with the version that the night builds upon, so the lists that stand are those that
would be made again. Where that cannot be told, or would touch too many, all lists are made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import duckdb

from cdp_pipeline.core.recommend_settings import RecommendSettings
from cdp_pipeline.features.carrying import can_carry
from cdp_pipeline.features.recommend.learned import Learned
from cdp_pipeline.features.recommend.purchases import LEVELS, list_offered
from cdp_pipeline.features.recommend.shown import TABLE
from cdp_pipeline.storage.basis import changes_of, has_changes, rebuild_reason
from cdp_pipeline.storage.warehouse import fetch_value, has_base_table

TOUCHED = "recommend_touched"
"""Temporary table of the customers whose lists are made anew."""

MOST_SHARE = 0.5
"""Share of people above which making all lists costs less."""

_SALES = "core.fct_sales"
_COMPARED = (
    _SALES,
    "core.dim_customer",
    "core.dim_product",
    "core.dim_store",
    "features.popular_items",
    "features.shopping_habits",
)
_DIFFERENT = """
select {columns} from {table} except select {columns} from base.{table}
union
(select {columns} from base.{table} except select {columns} from {table})
"""
# A person whose lists show purchases has refused since, or one without has agreed: what the consent
# gate said last night need not be asked again.
_TOUCHED = """
create or replace temp table {touched} as
with listed as (
    select customer_id, item_kind, list, rank_no, item_id, reason_item_id, is_personal
    from base.{lists}
),
personal as (
    select distinct customer_id from listed where is_personal
),
-- What sells is shown on the levels on which a person has nothing of her own to discover.
served as (
    select customer_id from listed
    where is_personal and list = 'discover' and rank_no = 1
    group by customer_id
    having count(*) = $levels
),
articles as (
    select distinct sku from ({articles})
),
stores_before as (
    select people.customer_id, coalesce(habits.favourite_store_id, people.home_store_id) as store_id
    from base.core.dim_customer as people
    left join base.features.shopping_habits as habits using (customer_id)
),
stores as (
    select people.customer_id, coalesce(habits.favourite_store_id, people.home_store_id) as store_id
    from core.dim_customer as people
    left join features.shopping_habits as habits using (customer_id)
),
popular as (
    select distinct store_id from ({popular}) where rank_no <= $length
)
select customer_id from {changes} where customer_id is not null
union
select customer_id from ({people})
union
-- sent before its day, and counted since
select customer_id from core.fct_sales
where customer_id is not null and sold_on > $since::date and sold_on <= $as_of::date
union
select customer_id from core.fct_sales semi join articles using (sku)
where customer_id is not null
union
select customer_id from listed
where
    item_kind = 'product'
    and (item_id in (from articles) or reason_item_id in (from articles))
union
select customer_id from listed
where item_kind = 'category' and list_contains($gone::varchar[], item_id)
union
select customer_id from personal semi join {refused} using (customer_id)
union
select customer_id from features.customer_day
anti join personal using (customer_id)
anti join {refused} using (customer_id)
where purchased_on > $window_from::date and (is_store_visit or is_web_visit)
union
select customer_id from (from stores except from stores_before)
union
select stores.customer_id from stores
anti join served using (customer_id)
where
    stores.store_id in (from popular)
    or (
        'all' in (from popular)
        and (
            stores.store_id is null
            or stores.store_id not in (select store_id from features.popular_items)
            or stores.store_id not in (select store_id from core.dim_store)
        )
    )
"""


def find_touched(
    con: duckdb.DuckDBPyConnection,
    known: Mapping[str, Learned],
    *,
    refused: str,
    since: date | None,
    as_of: date,
    settings: RecommendSettings,
) -> str:
    """Create the temporary table ``TOUCHED``, or say why everybody's lists are made anew.

    Args:
        con: Connection to the build, with core and the basic features finished.
        known: What last night's lists followed from, by level.
        refused: Table of who may not be profiled.
        since: Business date of the version that the night builds upon.
        as_of: Business date.
        settings: Days of purchases before the training that count, and items of a list.

    Returns:
        The reason; empty if the table has been created.
    """
    reason = _why_everybody(con, known, since=since, as_of=as_of)
    if reason or since is None:
        return reason
    moved = {level: _moved(con, level, learned) for level, learned in known.items()}
    if any(come for come, _ in moved.values()):
        return "what was not on offer last night is now"
    learned_on = next(iter(known.values())).learned_on
    params = {
        "since": since,
        "as_of": as_of,
        "gone": moved["category"][1],
        "levels": len(LEVELS),
        "length": settings.list_length,
        "window_from": learned_on - timedelta(days=settings.window_days),
    }
    con.execute(_list_touched(refused), params)
    touched = fetch_value(con, f"select count(*) from {TOUCHED}")  # noqa: S608 - own name
    people = fetch_value(con, "select count(*) from core.dim_customer")
    if touched > MOST_SHARE * people:
        return f"{touched:,} of {people:,} people are touched"
    return ""


def _list_touched(refused: str) -> str:
    articles = ("sku", "product_name", "category", "is_active", "is_in_stock")
    return _TOUCHED.format(
        touched=TOUCHED,
        lists=TABLE,
        changes=changes_of(_SALES),
        refused=refused,
        people=_different("core.dim_customer", ("customer_id",)),
        articles=_different("core.dim_product", articles),
        popular=_different("features.popular_items", ("*",)),
    )


def _why_everybody(
    con: duckdb.DuckDBPyConnection, known: Mapping[str, Learned], *, since: date | None, as_of: date
) -> str:
    if len(known) < len(LEVELS):
        return "the models are new"
    reason = rebuild_reason(con)
    if reason:
        return reason
    is_there = all(has_base_table(con, table) for table in _COMPARED) and can_carry(con, (TABLE,))
    if since is None or since > as_of or not is_there:
        return "there is no earlier night to build upon"
    if not has_changes(con, _SALES):
        return "which purchases have changed is not known"
    stores = _different("core.dim_store", ("*",))
    have_changed = fetch_value(con, f"select count(*) from ({stores})")  # noqa: S608 - own names
    return "stores have changed" if have_changed else ""


def _moved(
    con: duckdb.DuckDBPyConnection, level: str, learned: Learned
) -> tuple[list[str], list[str]]:
    """Return the items of one level that are offered since last night, and those no longer."""
    found = []
    for products in ("base.core.dim_product", "core.dim_product"):
        table = list_offered(con, level, learned.in_range, products)
        rows = con.execute(f"select item_id from {table} order by 1").fetchall()  # noqa: S608 - own name
        found.append({item for (item,) in rows})
    before, now = found
    return sorted(now - before), sorted(before - now)


def _different(table: str, columns: tuple[str, ...]) -> str:
    return _DIFFERENT.format(table=table, columns=", ".join(columns))
