"""The systems that are compared, each from the same split to a matrix of scores.

Ours are the rankings of ``cdp_pipeline.features.recommend`` as a night runs them. Peers take the
same counts; the variants are those that did best in earlier comparisons.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import date

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.recommend.scoring import Task
from cdp_pipeline.features.recommend.log import PurchaseLog, count_purchases
from cdp_pipeline.features.recommend.ranking import RANKERS, Models, learn, rank_own

Scores = NDArray[np.float64]
FILL = 1e-6


def read_task(con: duckdb.DuckDBPyConnection, *, as_of: date) -> tuple[PurchaseLog, Task]:
    """Return the counted training log and the task as arrays."""
    log = count_purchases(con, "train", as_of=as_of, name="bench")
    baskets = np.vstack([batch.baskets.toarray() for batch in log.batches()])
    held = con.execute(
        "select customer, item from test inner join bench_customer using (customer_id) "
        "inner join bench_item using (item_id)"
    ).fetchnumpy()
    truth = np.zeros(baskets.shape, dtype=bool)
    truth[held["customer"].astype(int), held["item"].astype(int)] = True
    return log, Task(baskets, truth)


def run_ours(con: duckdb.DuckDBPyConnection, log: PurchaseLog) -> Iterator[tuple[str, str, Scores]]:
    """Yield list, name and scores of each of our rankings; models are learned once."""
    models = learn(con, log, "train", maximum_items=3_000)
    for ranker in RANKERS["buy_again"]:
        if not ranker.is_naive:
            yield "all", f"ours: {ranker.name}", _own(log, models, ranker.name)
    for ranker in RANKERS["discover"]:
        if ranker.matrix:
            matrix = models.matrices[ranker.matrix]
            scores = np.vstack([matrix.score(batch) for batch in log.batches()])
            yield "new", f"ours: {ranker.name}", scores


def _own(log: PurchaseLog, models: Models, name: str) -> Scores:
    ranker = next(one for one in RANKERS["buy_again"] if one.name == name)
    rows = []
    for batch in log.batches():
        scores = np.tile(models.popularity * FILL, (batch.customers, 1))
        own = rank_own(ranker, models, batch)
        scores[own.row, own.item] = own.score
        rows.append(scores)
    return np.vstack(rows)


def popular(log: PurchaseLog, task: Task) -> Scores:
    """Items by the customers who bought them."""
    return np.tile(log.reach, (len(task.baskets), 1))


def own_frequency(log: PurchaseLog, task: Task) -> Scores:
    """Baskets of the customer with the item, then what is popular."""
    return task.baskets + FILL * log.popularity


def als(log: PurchaseLog, task: Task) -> Scores:  # noqa: ARG001 - one signature
    """Alternating least squares of ``implicit``, 8 factors on bought or not."""
    library = importlib.import_module("implicit.als")
    model = library.AlternatingLeastSquares(
        factors=8, regularization=10.0, alpha=1.0, iterations=20, random_state=0, num_threads=2
    )
    model.fit(sparse.csr_matrix((task.baskets > 0).astype(np.float32)), show_progress=False)
    return np.asarray(model.user_factors @ model.item_factors.T, dtype=np.float64)


def svd(log: PurchaseLog, task: Task) -> Scores:  # noqa: ARG001 - one signature
    """Truncated SVD of scikit-learn, 32 components of log counts."""
    library = importlib.import_module("sklearn.decomposition")
    model = library.TruncatedSVD(32, random_state=0)
    return np.asarray(model.fit_transform(np.log1p(task.baskets)) @ model.components_)


def nmf(log: PurchaseLog, task: Task) -> Scores:  # noqa: ARG001 - one signature
    """Non-negative factors of scikit-learn, 16 of log counts."""
    library = importlib.import_module("sklearn.decomposition")
    model = library.NMF(16, init="nndsvda", max_iter=150, random_state=0)
    return np.asarray(
        model.fit_transform(sparse.csr_matrix(np.log1p(task.baskets))) @ model.components_
    )


PEERS: dict[str, tuple[str | None, Callable[[PurchaseLog, Task], Scores]]] = {
    "popular": (None, popular),
    "own frequency": (None, own_frequency),
    "implicit ALS": ("implicit", als),
    "sklearn SVD": ("sklearn", svd),
    "sklearn NMF": ("sklearn", nmf),
}
