from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from cdp_pipeline.features.propensity import forest as trees
from cdp_pipeline.features.propensity.forest import Forest, grow_forest

Rows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    draw = np.random.default_rng(3)
    values = draw.normal(size=(3_000, 5))
    values[draw.random(values.shape) < 0.2] = np.nan
    odds = np.nan_to_num(values[:, 0]) - 2.0 + np.isnan(values[:, 1]) * 1.5
    happened = (draw.random(3_000) < 1 / (1 + np.exp(-odds))).astype(float)
    return values, happened, draw.integers(0, 2, 3_000)


def test_copied_trees_score_as_scikit_learn_does(rows: Rows) -> None:
    values, happened, half = rows
    learner = HistGradientBoostingClassifier(
        learning_rate=trees.LEARNING_RATE,
        max_iter=trees.ROUNDS,
        max_leaf_nodes=trees.LEAVES,
        min_samples_leaf=trees.LEAST_LEAF,
        l2_regularization=trees.SHRINKAGE,
        early_stopping=False,
        random_state=0,
    )
    halves = [(np.flatnonzero(half != one), np.flatnonzero(half == one)) for one in (0, 1)]
    with threadpool_limits(1):
        theirs = CalibratedClassifierCV(learner, method="sigmoid", cv=halves).fit(values, happened)
    ours = grow_forest(values, happened, half)
    np.testing.assert_allclose(
        ours.score(values), theirs.predict_proba(values)[:, 1], rtol=1e-12, atol=0
    )


def test_the_same_rows_give_the_same_bytes_and_a_document_the_same_forest(rows: Rows) -> None:
    grown = grow_forest(*rows)
    document = json.dumps(grown.as_document())
    assert json.dumps(grow_forest(*rows).as_document()) == document
    again = Forest.from_document(json.loads(document))
    assert (again.score(rows[0]) == grown.score(rows[0])).all()


def test_replacing_an_input_changes_what_scoring_anew_would(rows: Rows) -> None:
    grown = grow_forest(*rows)
    columns = np.ascontiguousarray(rows[0].T)
    mixed = columns.copy()
    mixed[0] = np.roll(mixed[0], 7)
    for member in grown.members:
        changed = member.add_up(columns) + member.change(columns, mixed, 0)
        np.testing.assert_allclose(changed, member.add_up(mixed), atol=1e-12)


def test_an_input_that_nobody_of_a_half_has_is_left_out(rows: Rows) -> None:
    values, happened, half = rows
    missing = values.copy()
    missing[:, 3], missing[half == 1, 4] = np.nan, np.nan
    grown = grow_forest(missing, happened, half)
    assert not any(
        tree.asks(i) for member in grown.members for tree in member.trees for i in (3, 4)
    )
    assert np.isfinite(grown.score(missing)).all()


def test_nobody_is_scored_by_nobody() -> None:
    assert Forest(()).score(np.empty((0, 3))).tolist() == []
