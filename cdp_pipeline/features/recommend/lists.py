"""The lists that are served: the winner's ranking without what may not be shown, and the reasons.

Exclusions, reasons and the table of results belong here. A reason is a fact of the log: how often
the customer bought the item, or what they bought that many others bought beside it. Fewer than
``LEAST_SHARED`` customers are no reason that may be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdp_pipeline.features.recommend.contest import Contest
from cdp_pipeline.features.recommend.log import Batch, Numbers, PurchaseLog, read_columns
from cdp_pipeline.features.recommend.ranking import (
    Entries,
    ListName,
    Models,
    Ranker,
    rank_new,
    rank_own,
)

LEAST_SHARED = 10
"""Customers behind a reason: with fewer it would speak of persons."""

_KEPT_BATCHES = 100
"""Lists of so many batches are stored at once."""

_RESULT = """
create or replace temp table {name}_listed (
    list varchar,
    customer bigint,
    rank_no integer,
    item bigint,
    score double,
    because bigint,
    shared bigint
)
"""
_EXPLAINED = """
create or replace temp table {name}_explained as
select
    customers.customer_id,
    listed.list,
    listed.rank_no,
    items.item_id,
    round(listed.score, 6) as score,
    case
        when listed.list = 'buy_again' then 'own_habit'
        when listed.because >= 0 then 'bought_with'
        else 'popular'
    end as reason_kind,
    because.item_id as reason_item_id,
    case
        when listed.list = 'buy_again' then own.baskets
        when listed.because >= 0 then listed.shared
        else items.customers
    end::bigint as reason_count,
    case
        when listed.list = 'buy_again' then customers.baskets else because.customers
    end::bigint as reason_of_count,
    case
        when listed.because >= 0 then round(
            listed.shared * {customers}::double
            / (items.customers::double * because.customers::double),
            4
        )
    end as reason_lift,
    own.last_at as last_bought_at,
from {name}_listed as listed
inner join {name}_customer as customers on listed.customer = customers.customer
inner join {name}_item as items on listed.item = items.item
left join {name}_item as because on listed.because = because.item
left join {name}_pair as own
    on customers.customer_id = own.customer_id and items.item_id = own.item_id
"""


@dataclass(frozen=True)
class ListPlan:
    """What may be listed.

    Attributes:
        length: Items a list.
        is_offered: By item, whether it may be shown at all: in the range and in stock.
        blocked: Cells (customer times items, plus item) that may not be shown again, ascending:
            what was returned.
    """

    length: int
    is_offered: NDArray[np.bool_]
    blocked: Numbers


def plan_lists(
    log: PurchaseLog,
    *,
    length: int,
    offered: str | None = None,
    returned: str | None = None,
) -> ListPlan:
    """Return what may be listed.

    Args:
        log: The counted purchases.
        length: Items a list.
        offered: Table with ``item_id`` of all that may be shown; everything without one.
        returned: Table with ``customer_id`` and ``item_id`` that a customer gave back.
    """
    is_offered = np.ones(len(log.items), dtype=bool)
    if offered:
        shown = read_columns(
            log.con,
            f"select item from {log.name}_item semi join {offered} using (item_id)",  # noqa: S608 - own names
        )
        is_offered[:] = False
        is_offered[shown["item"].astype(np.int64)] = True
    blocked = np.zeros(0, dtype=np.int64)
    if returned:
        cells = read_columns(
            log.con,
            f"select customer, item from {returned} "  # noqa: S608 - own names
            f"inner join {log.name}_customer using (customer_id) "
            f"inner join {log.name}_item using (item_id)",
        )
        blocked = cells["customer"].astype(np.int64) * len(log.items)
        blocked = np.sort(blocked + cells["item"].astype(np.int64))
    return ListPlan(length, is_offered, blocked)


def make_lists(
    log: PurchaseLog, models: Models, contests: Mapping[ListName, Contest], plan: ListPlan
) -> str:
    """List and explain, batch by batch.

    Returns:
        Name of a temporary table. Grain: one row per customer, list and rank. Columns:
        ``item_id``, ``score``, ``reason_kind`` (own_habit, bought_with, popular),
        ``reason_item_id``, ``reason_count`` (baskets of the customer with the item; customers who
        bought both; customers of the item), ``reason_of_count`` (all their baskets; customers of
        the reason's item), ``reason_lift`` and ``last_bought_at``. No order.
    """
    con = log.con
    con.execute(_RESULT.format(name=log.name))
    made: list[pa.RecordBatch] = []
    for batch in log.batches():
        again = _rank_again(contests["buy_again"].winner, models, batch, plan)
        made.append(_as_rows("buy_again", batch, *again.top(plan.length), None))
        winner = contests["discover"].winner
        new = rank_new(winner, models, batch, most=plan.length, is_offered=plan.is_offered)
        best, rank = new.top(plan.length)
        reasons = _explain(winner, models, batch, best)
        made.append(_as_rows("discover", batch, best, rank, reasons))
        if len(made) >= _KEPT_BATCHES:
            _store(log, made)
            made = []
    if made:
        _store(log, made)
    con.execute(_EXPLAINED.format(name=log.name, customers=models.customers))
    return f"{log.name}_explained"


def _rank_again(ranker: Ranker, models: Models, batch: Batch, plan: ListPlan) -> Entries:
    own = rank_own(ranker, models, batch)
    cells = batch.numbers[own.row] * len(plan.is_offered) + own.item
    ends = np.array([batch.numbers[0], batch.numbers[-1] + 1]) * len(plan.is_offered)
    first, last = np.searchsorted(plan.blocked, ends)
    return own.where(plan.is_offered[own.item] & ~np.isin(cells, plan.blocked[first:last]))


def _explain(
    ranker: Ranker, models: Models, batch: Batch, best: Entries
) -> tuple[Numbers, Numbers]:
    """Return for each entry the bought item that speaks most for it, or -1, and who bought both."""
    because = np.full(len(best.row), -1, dtype=np.int64)
    shared = np.zeros(len(best.row), dtype=np.int64)
    if not ranker.matrix or models.shared is None or not len(best.row):
        return because, shared
    matrix = models.matrices[ranker.matrix]
    history = matrix.history(batch).tocsr()
    starts, lengths = history.indptr[best.row], np.diff(history.indptr)[best.row]
    entry = np.repeat(np.arange(len(best.row)), lengths)
    offset = np.arange(len(entry)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    cell = np.repeat(starts, lengths) + offset
    bought = history.indices[cell].astype(np.int64)
    target = best.item[entry]
    speaks = history.data[cell].astype(np.float64) * matrix.weights[bought, target]
    both = models.shared[bought, target].astype(np.int64)
    told = (speaks > 0) & (both >= LEAST_SHARED)
    entry, bought, speaks, both = entry[told], bought[told], speaks[told], both[told]
    order = np.lexsort((bought, -np.round(speaks, 9), entry))
    first = order[np.unique(entry[order], return_index=True)[1]]
    because[entry[first]], shared[entry[first]] = bought[first], both[first]
    return because, shared


def _as_rows(
    list_name: ListName,
    batch: Batch,
    best: Entries,
    rank: Numbers,
    reasons: tuple[Numbers, Numbers] | None,
) -> pa.RecordBatch:
    none = np.full(len(best.row), -1, dtype=np.int64)
    because, shared = reasons or (none, np.zeros(len(best.row), dtype=np.int64))
    return pa.record_batch(
        {
            "list": pa.repeat(list_name, len(best.row)),
            "customer": batch.numbers[best.row],
            "rank_no": rank.astype(np.int32),
            "item": best.item,
            "score": best.score,
            "because": because,
            "shared": shared,
        }
    )


def _store(log: PurchaseLog, made: list[pa.RecordBatch]) -> None:
    log.con.register("recommend_rows", pa.Table.from_batches(made))
    log.con.execute(f"insert into {log.name}_listed select * from recommend_rows")  # noqa: S608 - own name
    log.con.unregister("recommend_rows")
