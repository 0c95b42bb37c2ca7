"""Who bought what how often: a log of purchases as counted pairs of customer and item.

Counting, numbering and reading in batches belong here; what follows from the counts does not. Items
are numbered by how many customers bought them, so that a lower number is the more popular item and
the items of a model are the first ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]

BATCH_CUSTOMERS = 2_000
RECENT_DAYS = 90

# Weights are whole millionths: sums of doubles would depend on the order in which threads add.
_COUNTS = """
create or replace temp table {name}_pair as
with baskets as (
    select
        customer_id,
        basket_id,
        item_id,
        min(bought_at) as bought_at,
    from {relation}
    where customer_id is not null and item_id is not null and basket_id is not null
    group by customer_id, basket_id, item_id
)
select
    customer_id,
    item_id,
    count(*) as baskets,
    max(bought_at) as last_at,
    sum(
        cast(
            1000000 * exp(-greatest(date_diff('day', bought_at, $as_of::timestamp), 0) / {days}e0)
            as bigint
        )
    ) as recent,
from baskets
group by customer_id, item_id
"""
_ITEMS = """
create or replace temp table {name}_item as
select
    row_number() over (order by count(*) desc, sum(baskets) desc, item_id) - 1 as item,
    item_id,
    count(*) as customers,
    sum(baskets)::bigint as baskets,
from {name}_pair
group by item_id
"""
_KNOWN = """
create or replace temp table {name}_item as select item, item_id, customers, baskets from {items}
"""
_CUSTOMERS = """
create or replace temp table {name}_customer as
select row_number() over (order by customer_id) - 1 as customer, customer_id, baskets
from (
    select customer_id, count(distinct basket_id) as baskets
    from {relation}
    where customer_id is not null and item_id is not null and basket_id is not null
    group by customer_id
)
"""
_NUMBERED = """
select customer, item, pairs.baskets::double as baskets, pairs.recent / 1e6 as recent
from {name}_pair as pairs
inner join {name}_item using (item_id)
inner join {name}_customer using (customer_id)
order by customer, item
"""


@dataclass(frozen=True)
class Batch:
    """Some customers with all they bought.

    Attributes:
        numbers: Numbers of the customers, ascending.
        baskets: One row a customer, one column an item: baskets with the item.
        recent: The same cells: baskets weighted by age, e-folding in ``RECENT_DAYS``.
    """

    numbers: Numbers
    baskets: sparse.csr_array
    recent: sparse.csr_array

    @property
    def customers(self) -> int:
        """How many they are."""
        return len(self.numbers)


@dataclass(frozen=True)
class PurchaseLog:
    """A counted log: names and sums in temporary tables, counts in memory.

    Attributes:
        con: Connection that holds the tables.
        name: Their prefix.
        items: Names of the items, most bought first.
        item_customers: Customers of each item.
        item_baskets: Baskets with each item.
        all_baskets: Baskets of all customers.
        baskets: One row a customer, one column an item: baskets with the item.
        recent: The same cells, weighted by age.
    """

    con: duckdb.DuckDBPyConnection
    name: str
    items: tuple[str, ...]
    item_customers: Numbers
    item_baskets: Numbers
    all_baskets: int
    baskets: sparse.csr_array
    recent: sparse.csr_array

    @property
    def customers(self) -> int:
        """How many customers it counts."""
        return int(self.baskets.shape[0])

    @property
    def popularity(self) -> Values:
        """Share of all baskets that hold each item."""
        return self.item_baskets / max(self.all_baskets, 1)

    @property
    def reach(self) -> Values:
        """Share of all customers who bought each item."""
        return self.item_customers / max(self.customers, 1)

    def batches(
        self, size: int = BATCH_CUSTOMERS, *, only: Numbers | None = None
    ) -> Iterator[Batch]:
        """Yield customers in their order, ``size`` at a time; all, or ``only`` some (ascending)."""
        wanted = np.arange(self.customers) if only is None else only
        for start in range(0, len(wanted), size):
            numbers = wanted[start : start + size]
            yield Batch(numbers, self.baskets[numbers], self.recent[numbers])


def read_columns(
    con: duckdb.DuckDBPyConnection, sql: str, params: dict[str, object] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the columns of a query as arrays."""
    found = con.execute(sql, params).fetchnumpy()
    return {name: np.asarray(values) for name, values in found.items()}


def count_purchases(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    as_of: date,
    name: str,
    items: str | None = None,
) -> PurchaseLog:
    """Count a relation with ``customer_id``, ``item_id``, ``basket_id`` and ``bought_at``.

    Args:
        con: Connection that has the relation.
        relation: Its name; one row a line, rows without customer, item or basket do not count.
        as_of: Day from which ages are counted.
        name: Prefix of the temporary tables.
        items: Table of items numbered and counted before (item, item_id, customers, baskets):
            others do not count. Default: the items of the relation.
    """
    con.execute(_COUNTS.format(name=name, relation=relation, days=RECENT_DAYS), {"as_of": as_of})
    numbered = _KNOWN if items else _ITEMS
    for sql in (numbered, _CUSTOMERS):
        con.execute(sql.format(name=name, relation=relation, items=items))
    counted = read_columns(
        con,
        f"select item_id, customers, baskets from {name}_item order by item",  # noqa: S608 - own name
    )
    customers, baskets = con.execute(
        f"select count(*), coalesce(sum(baskets), 0)::bigint from {name}_customer"  # noqa: S608 - own name
    ).fetchall()[0]
    shape = (int(customers), len(counted["item_id"]))
    return PurchaseLog(
        con=con,
        name=name,
        items=tuple(counted["item_id"].tolist()),
        item_customers=counted["customers"].astype(np.int64),
        item_baskets=counted["baskets"].astype(np.int64),
        all_baskets=int(baskets),
        **_read_counts(con, name, shape),
    )


def _read_counts(
    con: duckdb.DuckDBPyConnection, name: str, shape: tuple[int, int]
) -> dict[str, sparse.csr_array]:
    """Return baskets and recent baskets, whose rows come in the order of customer and item."""
    found = read_columns(con, _NUMBERED.format(name=name))
    starts = np.zeros(shape[0] + 1, dtype=np.int32)
    np.cumsum(np.bincount(found["customer"], minlength=shape[0]), out=starts[1:])
    items = found["item"].astype(np.int32)
    return {
        counted: sparse.csr_array((found[counted], items, starts), shape=shape)
        for counted in ("baskets", "recent")
    }
