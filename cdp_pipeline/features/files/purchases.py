"""Purchases of any CSV or Parquet file: who bought which item in which basket when.

The file's lines become the table ``file_purchases`` that the recommender counts. Where the file has
no column for it, the basket is the customer's day, and the time is the file's order.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from datetime import date
from pathlib import Path

import duckdb

from cdp_pipeline.core.errors import ConfigError, DataQualityError
from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.files.cells import (
    customer_sql,
    date_sql,
    find_column,
    number_sql,
    warn_of_repeated,
)
from cdp_pipeline.features.files.transactions import LARGEST_UNREADABLE_SHARE
from cdp_pipeline.storage.dates import Order
from cdp_pipeline.storage.tabular import ROW, Loaded, load_files
from cdp_pipeline.storage.warehouse import fetch_dicts, quote_column

TABLE = "file_purchases"

_EPOCH = "timestamp '2000-01-01'"

_LINES = """
create or replace temp table file_item_lines as
select
    {row} as line_number,
    {customer} as customer_id,
    nullif(trim({item}), '') as item_id,
    {basket} as basket_id,
    ({date})::timestamp as bought_at,
    {quantity} as quantity,
from {table}
"""
_COUNTS = """
select
    count(*) as rows,
    count(*) filter (where customer_id is null) as without_customer,
    count(*) filter (where customer_id is not null and item_id is null) as without_item,
    count(*) filter (
        where customer_id is not null and item_id is not null
        and (bought_at is null or quantity is null)
    ) as unreadable,
    count(*) filter (
        where customer_id is not null and item_id is not null and bought_at is not null
        and quantity <= 0
    ) as returned_rows,
    max(bought_at)::date as last_on,
from file_item_lines
"""
_SHOWN_COUNTS = ("rows", "without_customer", "without_item", "unreadable", "returned_rows")
_USED = """
select
    count(*) as used_rows,
    count(distinct customer_id) as customers,
    count(distinct item_id) as items,
    count(distinct (customer_id, basket_id)) as baskets,
from file_purchases
"""
_BOUGHT = """
create or replace temp table file_purchases as
select
    customer_id,
    item_id,
    coalesce(basket_id, customer_id || ' ' || bought_at::varchar) as basket_id,
    bought_at,
from file_item_lines
where
    customer_id is not null and item_id is not null and bought_at is not null and quantity > 0
    and bought_at::date <= $as_of::date
"""
_RETURNED = """
create or replace temp table file_returned as
select customer_id, item_id
from file_item_lines
where customer_id is not null and item_id is not null and bought_at::date <= $as_of::date
group by customer_id, item_id
having sum(quantity) <= 0 and min(quantity) < 0
"""


@dataclass(frozen=True)
class ItemColumns:
    """Names of a file's columns.

    Attributes:
        customer: Who bought.
        item: What: an article, a category.
        date: When; None: in the order of the file.
        basket: Receipt or order; None: the customer's day.
        quantity: How many, negative when given back; None: one a row.
    """

    customer: str
    item: str
    date: str | None = None
    basket: str | None = None
    quantity: str | None = None


@dataclass(frozen=True)
class Purchases:
    """What a file held.

    Attributes:
        file: Its name.
        rows: Rows.
        used_rows: Rows that count.
        without_customer: Rows that name no customer; left out.
        without_item: Rows that name no item; left out.
        unreadable: Rows whose date or quantity cannot be read; left out.
        returned_rows: Rows that give goods back.
        customers: Customers.
        items: Items.
        baskets: Baskets.
        as_of: Last day that counts; of no calendar unless ``is_dated``.
        is_dated: Whether the file says when; else rows count in its order.
        notes: What people should know of the reading.
    """

    file: str
    rows: int
    used_rows: int
    without_customer: int
    without_item: int
    unreadable: int
    returned_rows: int
    customers: int
    items: int
    baskets: int
    as_of: date
    is_dated: bool
    notes: tuple[str, ...]

    @property
    def until(self) -> str:
        """Up to which day purchases count, in words; empty without days."""
        return f"up to {self.as_of}" if self.is_dated else ""

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return asdict(self) | {"as_of": self.as_of if self.is_dated else None}


def read_purchases(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    columns: ItemColumns,
    *,
    as_of: date | None = None,
    order: Order | None = None,
) -> Purchases:
    """Read a file into the temporary tables ``file_purchases`` and ``file_returned``.

    Args:
        con: Connection.
        path: CSV or Parquet file, one row a line of a basket.
        columns: Names of its columns.
        as_of: Last day that counts; default: the last day of the file.
        order: Whether the day or the month comes first in dates that leave it open.

    Raises:
        ConfigError: A column is not there, or no row is left.
        ContractError: The file cannot be read.
        DataQualityError: Too many dates or quantities cannot be read.
    """
    (loaded,) = load_files(con, [path])
    notes = _load_lines(con, loaded, columns, order)
    counts = fetch_dicts(con, _COUNTS)[0]
    named = counts["rows"] - counts["without_customer"] - counts["without_item"]
    _refuse(loaded, columns, named, counts["unreadable"])
    last = as_of or counts["last_on"]
    con.execute(_BOUGHT, {"as_of": last})
    con.execute(_RETURNED, {"as_of": last})
    used = fetch_dicts(con, _USED)[0]
    if not used["used_rows"]:
        readable = named - counts["unreadable"]
        notes.append(_nothing_bought(loaded, last, readable, counts["returned_rows"]))
    if counts["without_customer"]:
        notes.append(f"{counts['without_customer']:,} rows name no customer and are left out")
    if used["items"] == 1:
        notes.append("there is one item only: nobody can discover another")
    return Purchases(
        file=path.name,
        **{name: counts[name] for name in _SHOWN_COUNTS},
        **used,
        as_of=last,
        is_dated=columns.date is not None,
        notes=tuple(notes),
    )


def _load_lines(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, columns: ItemColumns, order: Order | None
) -> list[str]:
    customer = customer_sql(find_column(loaded, columns.customer, "--customer"))
    item = quote_column(find_column(loaded, columns.item, "--item"))
    notes: list[str] = []
    if columns.date:
        day, notes = date_sql(con, loaded, find_column(loaded, columns.date, "--date"), order)
    else:
        day = f"{_EPOCH} + to_milliseconds({ROW})"
        notes = ["without --date, rows count in the order of the file"]
    basket = "null::varchar"
    if columns.basket:
        name = quote_column(find_column(loaded, columns.basket, "--basket"))
        basket = f"nullif(trim({name}), '')"
    elif not columns.date:
        notes.append("without --date and --basket, each row is a basket of its own")
    quantity = "1"
    if columns.quantity:
        quantity = number_sql(con, loaded, find_column(loaded, columns.quantity, "--quantity"))
    con.execute(
        _LINES.format(
            row=ROW,
            customer=customer,
            item=item,
            basket=basket,
            date=day,
            quantity=quantity,
            table=loaded.table,
        )
    )
    return [*notes, *warn_of_repeated(loaded, astuple(columns))]


def _refuse(loaded: Loaded, columns: ItemColumns, named: int, unreadable: int) -> None:
    if not named:
        raise ConfigError(
            f"no row names both a customer in {columns.customer!r} and an item in {columns.item!r}",
            where=loaded.where,
            hint="Name the columns that say who bought what with --customer and --item.",
        )
    if unreadable > LARGEST_UNREADABLE_SHARE * named:
        raise DataQualityError(
            f"{unreadable:,} of {named:,} rows have no readable date or quantity",
            where=loaded.where,
            hint="Check --date and --quantity, or mend the rows.",
        )


def _nothing_bought(loaded: Loaded, last: date, readable: int, returned: int) -> str:
    """Return what is said of a file of returns; any other file without purchases is refused."""
    if returned == readable:
        return (
            f"nothing was bought: all of {counted(readable, 'row')} give goods back; a quantity "
            "above zero is a purchase (check --quantity)"
        )
    raise ConfigError(
        f"no purchase of a named customer up to {last}",
        where=loaded.where,
        hint="Check --customer, --item and --as-of.",
    )
