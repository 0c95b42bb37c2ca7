"""Which way to rank serves: everybody's last basket is held back and has to be foreseen.

Choosing the baskets, running every way to rank and testing their difference belong here. Each list
has a contest of its own: ``buy_again`` is asked for all of the last basket, ``discover`` for what
the customer had never bought. A model serves only if it beats the best rule of thumb; too few
baskets are a result, not an error. Of very many customers an even sample, chosen by a hash of the
customer, learns and is judged: ways to rank compare the same on it.

Hit rate: share of customers with one of the held-back items among the first ten. Recall: share of
the held-back items among them. MAP: mean average precision, which also asks for their order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.core.wording import counted
from cdp_pipeline.features.recommend.log import (
    Batch,
    Numbers,
    Values,
    count_purchases,
    read_columns,
)
from cdp_pipeline.features.recommend.ranking import (
    RANKERS,
    Entries,
    ListName,
    Models,
    Ranker,
    learn,
    rank_new,
    rank_own,
    rank_popular,
)

LENGTH = 10
"""Items of a list that are judged."""

_SURE = 1.96

# The evaluated customers are chosen by a hash of their id: the same ones in any order of rows.
_SAMPLE = """
create or replace temp view {name}_some as
select * from {relation}
where hash(coalesce(customer_id::varchar, basket_id::varchar)) % {stride} = 0
"""
_LAST = """
create or replace temp table {name}_last as
with baskets as (
    select customer_id, basket_id, min(bought_at) as bought_at, count(distinct item_id) as items
    from {relation}
    where customer_id is not null and item_id is not null and basket_id is not null
    group by customer_id, basket_id
),
last as (
    select customer_id, basket_id, bought_at
    from baskets
    where items >= $items
    qualify row_number() over (
        partition by customer_id order by bought_at desc, basket_id desc
    ) = 1
),
able as (
    select last.customer_id, last.basket_id, last.bought_at
    from last
    inner join baskets
        on last.customer_id = baskets.customer_id
        and baskets.bought_at < last.bought_at
        and baskets.basket_id <> last.basket_id
    group by last.customer_id, last.basket_id, last.bought_at
    having count(*) >= $baskets
)
select * from able
qualify row_number() over (order by md5(customer_id::varchar), customer_id) <= $customers
"""
_TRAIN = """
create or replace temp table {name}_train as
select rows.customer_id, rows.item_id, rows.basket_id, rows.bought_at
from {relation} as rows
left join {name}_last as last on rows.customer_id = last.customer_id
where
    last.customer_id is null
    or (rows.bought_at < last.bought_at and rows.basket_id <> last.basket_id)
"""
_TEST = """
select customers.customer as customer, coalesce(items.item, -1) as item
from (
    select distinct rows.customer_id, rows.item_id
    from {relation} as rows
    inner join {name}_last as last
        on rows.customer_id = last.customer_id and rows.basket_id = last.basket_id
    where rows.item_id is not null
) as held
inner join {log}_customer as customers on held.customer_id = customers.customer_id
left join {log}_item as items on held.item_id = items.item_id
order by 1, 2
"""


@dataclass(frozen=True)
class ContestPlan:
    """How a contest is run.

    Attributes:
        minimum_customers: Fewest customers to judge; with fewer, nothing is decided.
        customers: Most customers to judge.
        learned: About how many customers to learn from: of half as many again or more, an even
            sample takes part in the contest.
        items: Fewest items of a basket that is held back.
        baskets: Fewest baskets before it.
        maximum_items: Items of the models.
    """

    minimum_customers: int = 200
    customers: int = 20_000
    learned: int = 100_000
    items: int = 1
    baskets: int = 1
    maximum_items: int = 3_000


@dataclass(frozen=True)
class Score:
    """How one way to rank did.

    Attributes:
        ranker: The way to rank.
        customers: Customers judged.
        hit_share: Share of customers with a hit.
        recall: Mean share of the held-back items that the list held.
        mean_precision: MAP.
        gain: Mean difference of average precision from the best rule of thumb; 0 for itself.
        gain_error: Standard error of that difference, customer by customer.
        serves: Whether its list is served.
    """

    ranker: Ranker
    customers: int
    hit_share: float
    recall: float
    mean_precision: float
    gain: float
    gain_error: float
    serves: bool


@dataclass(frozen=True)
class Contest:
    """Outcome of the contest for one list.

    Attributes:
        list_name: ``buy_again`` or ``discover``.
        winner: Who serves.
        scores: Everybody, as listed; empty without enough data.
        reason: Why the winner serves, in words.
    """

    list_name: ListName
    winner: Ranker
    scores: tuple[Score, ...]
    reason: str


@dataclass(frozen=True)
class _Judged:
    hit: Values
    recall: Values
    precision: Values


def hold_contests(
    con: duckdb.DuckDBPyConnection, relation: str, *, as_of: date, plan: ContestPlan, name: str
) -> dict[ListName, Contest]:
    """Return the contest of each list.

    Args:
        con: Connection that has the relation.
        relation: Purchases: ``customer_id``, ``item_id``, ``basket_id``, ``bought_at``.
        as_of: Day from which ages are counted.
        plan: How it is run.
        name: Prefix of temporary tables.
    """
    relation, learners = _take_sample(con, relation, plan, name)
    limits = {"items": plan.items, "baskets": plan.baskets, "customers": plan.customers}
    con.execute(_LAST.format(name=name, relation=relation), limits)
    judged = con.execute(f"select count(*) from {name}_last").fetchall()[0][0]  # noqa: S608 - own name
    if judged < plan.minimum_customers:
        return {list_name: _undecided(list_name, judged, plan) for list_name in get_args(ListName)}
    con.execute(_TRAIN.format(name=name, relation=relation))
    log_name = f"{name}_log"
    log = count_purchases(con, f"{name}_train", as_of=as_of, name=log_name)
    models = learn(con, log, f"{name}_train", maximum_items=plan.maximum_items)
    held = read_columns(con, _TEST.format(name=name, relation=relation, log=log_name))
    truth = _Truth(held["customer"].astype(np.int64), held["item"].astype(np.int64), len(log.items))
    found: dict[tuple[ListName, str], list[_Judged]] = {}
    for batch in log.batches(only=np.unique(truth.customer)):
        for key, judged_batch in _judge_batch(batch, models, truth).items():
            found.setdefault(key, []).append(judged_batch)
    return {
        list_name: _decide(
            list_name,
            {r.name: _concatenate(found[list_name, r.name]) for r in RANKERS[list_name]},
            plan,
            learners,
        )
        for list_name in get_args(ListName)
    }


def _take_sample(
    con: duckdb.DuckDBPyConnection, relation: str, plan: ContestPlan, name: str
) -> tuple[str, str]:
    """Return the relation of those who take part, and what share they are in words, if not all."""
    sql = "select count(distinct customer_id) from "
    customers = con.execute(sql + relation).fetchall()[0][0]
    stride = max(1, round(customers / plan.learned))
    if stride == 1:
        return relation, ""
    con.execute(_SAMPLE.format(name=name, relation=relation, stride=stride))
    taken = con.execute(f"{sql}{name}_some").fetchall()[0][0]
    return f"{name}_some", f"; learned on {taken:,} of {customers:,} customers"


@dataclass(frozen=True)
class _Truth:
    """Held-back items of customers; -1 stands for an item that nobody had bought before."""

    customer: Numbers
    item: Numbers
    size: int

    def of(self, batch: Batch, *, only_new: bool) -> tuple[Numbers, Numbers]:
        """Return the batch's cells (row times items, plus item) and held-back items by row."""
        borders = [batch.numbers[0], batch.numbers[-1] + 1]
        first, last = np.searchsorted(self.customer, borders)
        row = np.searchsorted(batch.numbers, self.customer[first:last])
        item = self.item[first:last]
        cells = row * self.size + item
        is_known = item >= 0
        if only_new:
            cols = batch.baskets.tocoo()
            own = cols.coords[0].astype(np.int64) * self.size + cols.coords[1]
            is_wanted = ~(is_known & np.isin(cells, own))
        else:
            is_wanted = np.ones(len(row), dtype=bool)
        wanted = np.bincount(row[is_wanted], minlength=batch.customers)
        return cells[is_wanted & is_known], wanted


def _judge_batch(
    batch: Batch, models: Models, truth: _Truth
) -> dict[tuple[ListName, str], _Judged]:
    offered = np.ones(truth.size, dtype=bool)
    found: dict[tuple[ListName, str], _Judged] = {}
    cells, wanted = truth.of(batch, only_new=False)
    fill = rank_popular(models, batch, most=LENGTH, is_offered=offered)
    for ranker in RANKERS["buy_again"]:
        own = rank_own(ranker, models, batch)
        if ranker.own is None:  # popularity ranks bought and never bought alike
            fill_up = Entries(fill.row, fill.item, models.popularity[fill.item])
        else:
            fill_up = fill
        found["buy_again", ranker.name] = _judge(_join(own, fill_up), cells, wanted, truth.size)
    cells, wanted = truth.of(batch, only_new=True)
    for ranker in RANKERS["discover"]:
        new = rank_new(ranker, models, batch, most=LENGTH, is_offered=offered)
        found["discover", ranker.name] = _judge(new, cells, wanted, truth.size)
    return found


def _join(one: Entries, two: Entries) -> Entries:
    return Entries(
        np.concatenate([one.row, two.row]),
        np.concatenate([one.item, two.item]),
        np.concatenate([one.score, two.score]),
    )


def _judge(entries: Entries, cells: Numbers, wanted: Numbers, size: int) -> _Judged:
    """Return hit, recall and average precision of the customers with anything to foresee."""
    best, rank = entries.top(LENGTH)
    is_hit = np.isin(best.row * size + best.item, cells)
    customers = len(wanted)
    hits = np.bincount(best.row, is_hit, minlength=customers)
    running = np.cumsum(is_hit)
    before = np.concatenate(([0], running))[np.searchsorted(best.row, best.row, side="left")]
    precision = np.where(is_hit, (running - before) / rank, 0.0)
    total = np.bincount(best.row, precision, minlength=customers)
    some = wanted > 0
    return _Judged(
        (hits[some] > 0).astype(np.float64),
        hits[some] / wanted[some],
        total[some] / np.minimum(wanted[some], LENGTH),
    )


def _concatenate(parts: Sequence[_Judged]) -> _Judged:
    return _Judged(
        np.concatenate([part.hit for part in parts]),
        np.concatenate([part.recall for part in parts]),
        np.concatenate([part.precision for part in parts]),
    )


def _decide(
    list_name: ListName, judged: Mapping[str, _Judged], plan: ContestPlan, learners: str
) -> Contest:
    rankers = RANKERS[list_name]
    customers = len(judged[rankers[0].name].hit)
    if customers < plan.minimum_customers:  # such as nobody who bought anything new
        return _undecided(list_name, customers, plan)
    means = {r.name: float(judged[r.name].precision.mean()) for r in rankers}
    rule = max((r for r in rankers if r.is_naive), key=lambda r: means[r.name])
    best = max((r for r in rankers if not r.is_naive), key=lambda r: means[r.name])
    gains = {r.name: _gain(judged[r.name].precision, judged[rule.name].precision) for r in rankers}
    gain, error = gains[best.name]
    is_better = gain > _SURE * error
    winner = best if is_better else rule
    reason = (
        f"beats {rule.name} by {gain:.4f} of MAP, {_SURE} standard errors are {_SURE * error:.4f}"
        if is_better
        else f"no model beats {rule.name} by more than {_SURE} standard errors"
    )
    scores = tuple(
        Score(
            ranker=ranker,
            customers=len(judged[ranker.name].hit),
            hit_share=float(judged[ranker.name].hit.mean()),
            recall=float(judged[ranker.name].recall.mean()),
            mean_precision=means[ranker.name],
            gain=gains[ranker.name][0],
            gain_error=gains[ranker.name][1],
            serves=ranker is winner,
        )
        for ranker in rankers
    )
    return Contest(list_name, winner, scores, reason + learners)


def _gain(one: NDArray[np.float64], two: NDArray[np.float64]) -> tuple[float, float]:
    difference = one - two
    error = float(difference.std()) / math.sqrt(max(len(difference), 1))
    return float(difference.mean()), error


def _undecided(list_name: ListName, judged: int, plan: ContestPlan) -> Contest:
    fallback = {"buy_again": "own_share", "discover": "popular"}[list_name]
    winner = next(r for r in RANKERS[list_name] if r.name == fallback)
    people = counted(judged, "customer")
    reason = f"{people} with a basket to hold back, {plan.minimum_customers} are needed"
    return Contest(list_name, winner, (), reason)
