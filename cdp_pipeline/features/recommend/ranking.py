"""Ways to rank items for a customer, and the best of a ranking.

Two lists: ``buy_again`` ranks what the customer bought before, ``discover`` what they never did. A
way to rank is a name and two functions of a batch; which one serves is decided by ``contest``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.recommend.alike import (
    Alike,
    Matrix,
    count_grams,
    fit_cosines,
    fit_ease,
)
from cdp_pipeline.features.recommend.log import Batch, Numbers, PurchaseLog, Values
from cdp_pipeline.features.recommend.rules import count_pairs, read_pairs

ListName = Literal["buy_again", "discover"]

PRIOR_BASKETS = 4.0
"""Baskets of the store at large that a customer's own are mixed with."""

_OLD_SHARE = 0.3
_ALIKE_WEIGHT = 2.0
_POPULARITY_WEIGHT = 0.5
_FILL = 1e-6
_TIE = 1e-9
_RULE_SUPPORT = 5


@dataclass(frozen=True)
class Entries:
    """Scored items of a batch, one entry a customer and item.

    Attributes:
        row: Customer, counted from the start of the batch.
        item: Item.
        score: Higher is better.
    """

    row: Numbers
    item: Numbers
    score: Values

    def top(self, most: int) -> tuple[Entries, Numbers]:
        """Return the best of each customer, best first, and their ranks from 1.

        Equal scores go to the more popular item.
        """
        order = np.lexsort((self.item, -np.round(self.score, 9), self.row))
        row = self.row[order]
        starts = np.searchsorted(row, row, side="left")
        rank = np.arange(len(row)) - starts + 1
        kept = order[rank <= most]
        return Entries(self.row[kept], self.item[kept], self.score[kept]), rank[rank <= most]

    def where(self, is_kept: NDArray[np.bool_]) -> Entries:
        """Return some of the entries."""
        return Entries(self.row[is_kept], self.item[is_kept], self.score[is_kept])


@dataclass(frozen=True)
class Models:
    """All that was learned from a log.

    Attributes:
        size: Items of the models, the first of the log.
        customers: Customers of the log.
        popularity: Share of all baskets that hold each item.
        reach: Share of all customers who bought each item.
        shared: Customers who bought both of two items; None if no model was asked for.
        matrices: Models by name.
    """

    size: int
    customers: int
    popularity: Values
    reach: Values
    shared: NDArray[np.int32] | None
    matrices: Mapping[str, Alike]


@dataclass(frozen=True)
class Ranker:
    """One way to rank.

    Attributes:
        name: Its name in tables.
        title: Its name in words.
        is_naive: Whether it is a rule that anybody could apply.
        matrix: Model that scores what customers never bought, or None.
        own: Score of what they bought, from baskets, recent baskets and popularity; None: 0.
    """

    name: str
    title: str
    is_naive: bool = False
    matrix: str | None = None
    own: Callable[[Values, Values, Values], Values] | None = None


def _own_count(baskets: Values, recent: Values, popularity: Values) -> Values:  # noqa: ARG001 - one signature
    return baskets


def _own_share(baskets: Values, recent: Values, popularity: Values) -> Values:  # noqa: ARG001 - one signature
    return baskets + PRIOR_BASKETS * popularity


def _own_recent(baskets: Values, recent: Values, popularity: Values) -> Values:
    return _OLD_SHARE * baskets + recent + PRIOR_BASKETS / 2 * popularity


BUY_AGAIN = (
    Ranker("popular", "What most baskets hold", is_naive=True),
    Ranker("own_frequency", "How often they bought it", is_naive=True, own=_own_count),
    Ranker("own_share", "Their own share, shrunk to that of the store", own=_own_share),
    Ranker("own_recent", "Their own share, recent purchases first", own=_own_recent),
    Ranker(
        "own_and_alike",
        "Their own recent share, and what goes with it",
        matrix="ease",
        own=_own_recent,
    ),
)
DISCOVER = (
    Ranker("popular", "What most customers bought", is_naive=True),
    Ranker("basket_partners", "What lies in the same baskets", matrix="baskets"),
    Ranker("alike", "What customers alike buy (EASE)", matrix="ease"),
    Ranker("alike_popular", "The same, leaning to what is popular", matrix="ease_popular"),
)
RANKERS: Mapping[ListName, tuple[Ranker, ...]] = {"buy_again": BUY_AGAIN, "discover": DISCOVER}


def learn(
    con: duckdb.DuckDBPyConnection,
    log: PurchaseLog,
    relation: str,
    *,
    maximum_items: int,
    rankers: Sequence[Ranker] = (*BUY_AGAIN, *DISCOVER),
) -> Models:
    """Return the models of a log that some ways to rank ask for.

    Args:
        con: Connection that has the relation.
        log: The counted relation.
        relation: Its name: baskets are counted from it.
        maximum_items: Items of the models, the most bought ones; memory grows with its square.
        rankers: Who will rank.
    """
    size = min(len(log.items), maximum_items)
    asked = {ranker.matrix for ranker in rankers if ranker.matrix}
    grams = count_grams(log, size) if asked else None
    weights: dict[str, Matrix] = {}
    if grams and asked & {"ease", "ease_popular"}:
        weights["ease"] = fit_ease(grams.weighted)
    if "baskets" in asked:
        count_pairs(con, relation, support=_RULE_SUPPORT, name=log.name)
        pairs = read_pairs(con, name=log.name, log_name=log.name)
        weights["baskets"] = fit_cosines(pairs, log.item_baskets, size)
    shared = grams.customers if grams else None
    matrices = as_matrices(weights, log.popularity[:size])
    return Models(size, log.customers, log.popularity, log.reach, shared, matrices)


def as_matrices(weights: Mapping[str, Matrix], popularity: Values) -> dict[str, Alike]:
    """Return the models that some weights make.

    Args:
        weights: ``ease`` and ``baskets``, or one of them, or none.
        popularity: Share of all baskets that hold each item of the models.
    """
    none = np.zeros(len(popularity))
    matrices: dict[str, Alike] = {}
    if "ease" in weights:
        ease, start = weights["ease"], _POPULARITY_WEIGHT * popularity
        matrices["ease"] = Alike(ease, is_counted=True, popularity=none)
        matrices["ease_popular"] = Alike(ease, is_counted=True, popularity=start)
    if "baskets" in weights:
        matrices["baskets"] = Alike(weights["baskets"], is_counted=False, popularity=none)
    return matrices


def rank_own(ranker: Ranker, models: Models, batch: Batch) -> Entries:
    """Return everything the customers bought, scored."""
    row, item, baskets, recent = own_cells(batch)
    popularity = models.popularity[item]
    if ranker.own is None:
        return Entries(row, item, popularity)
    score = ranker.own(baskets, recent, popularity)
    if ranker.matrix:
        known = models.matrices[ranker.matrix].score(batch)
        inside = item < known.shape[1]
        score[inside] += _ALIKE_WEIGHT * known[row[inside], item[inside]]
    return Entries(row, item, score)


def rank_new(
    ranker: Ranker, models: Models, batch: Batch, *, most: int, is_offered: NDArray[np.bool_]
) -> Entries:
    """Return the best that the customers never bought, scored; ``most`` each or fewer.

    Args:
        ranker: The way to rank.
        models: What was learned.
        batch: The customers.
        most: Items a customer.
        is_offered: By item, whether it may be recommended.
    """
    size = models.size
    if ranker.matrix:
        scores = models.matrices[ranker.matrix].score(batch)
    else:
        scores = np.tile(models.reach[:size], (batch.customers, 1))
    row, item, _, _ = own_cells(batch)
    inside = item < size
    scores[row[inside], item[inside]] = -np.inf
    scores[:, ~is_offered[:size]] = -np.inf
    return _best_cells(scores, most)


def rank_popular(
    models: Models, batch: Batch, *, most: int, is_offered: NDArray[np.bool_]
) -> Entries:
    """Return the most popular items that the customers never bought, scored below all others."""
    popular = Ranker("popular", "")
    found = rank_new(popular, models, batch, most=most, is_offered=is_offered)
    return Entries(found.row, found.item, found.score * _FILL)


def own_cells(batch: Batch) -> tuple[Numbers, Numbers, Values, Values]:
    """Return customer, item, baskets and recent baskets of everything bought."""
    cells = batch.baskets.tocoo()
    row, item = cells.coords
    return (
        row.astype(np.int64),
        item.astype(np.int64),
        cells.data,
        batch.recent.tocoo().data,
    )


def _best_cells(scores: Values, most: int) -> Entries:
    size = scores.shape[1]
    most = min(most, size)
    if not most:
        empty = np.zeros(0, dtype=np.int64)
        return Entries(empty, empty, np.zeros(0))
    # Cells that tie with the last place all stay, so that top() can break the tie by popularity.
    least = np.partition(scores, size - most, axis=1)[:, size - most : size - most + 1]
    row, item = np.nonzero((scores >= least - _TIE) & np.isfinite(scores))
    found, _ = Entries(row.astype(np.int64), item.astype(np.int64), scores[row, item]).top(most)
    return found
