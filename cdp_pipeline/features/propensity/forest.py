"""Gradient-boosted trees, learned by scikit-learn and kept as plain numbers.

A fitted model becomes a document that the registry can hold, that anybody can read, and that scores
by itself: a night that does not learn imports no scikit-learn and unpickles nothing. Each member
learns from one half of the people and is calibrated on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.propensity.windows import Groups, Matrix

# Small trees: on stores of two, eight and twenty thousand customers larger ones were never better,
# and worse the fewer people there are to learn from.
ROUNDS = 60
LEAVES = 4
LEARNING_RATE = 0.08
LEAST_LEAF = 60
SHRINKAGE = 10.0

_BLOCK = 20_000


@dataclass(frozen=True)
class Tree:
    """One tree: a row begins at node 0 and ends where ``left`` is 0.

    Attributes:
        feature: Input asked at each node.
        threshold: Rows up to it go left.
        goes_left: Whether rows without the input go left.
        left: Next node on the left; 0 at a leaf.
        right: Next node on the right.
        value: What a leaf adds to the log-odds.
    """

    feature: NDArray[np.int64]
    threshold: Vector
    goes_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: Vector

    def score(self, columns: Matrix) -> Vector:
        """Return what the tree adds for each row; ``columns`` holds one input a row of its own."""
        found = np.empty(columns.shape[1])
        waiting = [(0, np.arange(columns.shape[1]))]
        while waiting:
            node, rows = waiting.pop()
            if not self.left[node]:
                found[rows] = self.value[node]
                continue
            asked = columns[self.feature[node]][rows]
            goes = asked <= self.threshold[node]
            if self.goes_left[node]:
                goes |= np.isnan(asked)
            waiting += [(self.left[node], rows[goes]), (self.right[node], rows[~goes])]
        return found

    def asks(self, feature: int) -> bool:
        """Return whether any node asks for an input."""
        return bool(((self.feature == feature) & (self.left > 0)).any())


@dataclass(frozen=True)
class Member:
    """Trees with the line that turns their log-odds into calibrated ones."""

    base: float
    slope: float
    offset: float
    trees: tuple[Tree, ...]

    def add_up(self, columns: Matrix) -> Vector:
        """Return the log-odds of each row, not yet calibrated."""
        odds = np.full(columns.shape[1], self.base)
        for tree in self.trees:
            odds += tree.score(columns)
        return odds

    def change(self, columns: Matrix, mixed: Matrix, feature: int) -> Vector:
        """Return by how much the log-odds change where one input is replaced."""
        odds = np.zeros(columns.shape[1])
        for tree in self.trees:
            if tree.asks(feature):
                odds += tree.score(mixed) - tree.score(columns)
        return odds

    def calibrate(self, odds: Vector) -> Vector:
        """Return the chance that belongs to log-odds."""
        chance: Vector = expit(-(self.slope * odds + self.offset))
        return chance


@dataclass(frozen=True)
class Forest:
    """Members whose chances are averaged."""

    members: tuple[Member, ...]

    def score(self, values: Matrix) -> Vector:
        """Return the chance of each row."""
        parts = []
        for start in range(0, len(values), _BLOCK):
            columns = np.ascontiguousarray(values[start : start + _BLOCK].T)
            each = [member.calibrate(member.add_up(columns)) for member in self.members]
            parts.append(np.mean(each, axis=0))
        return np.concatenate(parts) if parts else np.zeros(0)

    def as_document(self) -> list[dict[str, Any]]:
        """Return plain data; ``from_document`` gives back the same forest."""
        return [
            {
                "base": member.base,
                "slope": member.slope,
                "offset": member.offset,
                "trees": [
                    {name: getattr(tree, name).tolist() for name in Tree.__dataclass_fields__}
                    for tree in member.trees
                ],
            }
            for member in self.members
        ]

    @classmethod
    def from_document(cls, document: Sequence[Mapping[str, Any]]) -> Forest:
        """Return the forest that a document describes."""
        types = {"threshold": np.float64, "value": np.float64, "goes_left": np.bool_}
        return cls(
            tuple(
                Member(
                    member["base"],
                    member["slope"],
                    member["offset"],
                    tuple(
                        Tree(**{k: np.array(v, types.get(k, np.int64)) for k, v in tree.items()})
                        for tree in member["trees"]
                    ),
                )
                for member in document
            )
        )


def grow_forest(values: Matrix, has_happened: Vector, half: Groups) -> Forest:
    """Return a forest learned from rows.

    The same rows in the same order give the same forest: one thread, no chance.

    Args:
        values: Inputs, NaN where there is none.
        has_happened: 1 for those who did it; both kinds in both halves.
        half: 0 or 1; all rows of a person are in one half.
    """
    # Importing it costs seconds, and most nights learn nothing.
    from sklearn.calibration import CalibratedClassifierCV  # noqa: PLC0415
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    learner = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE,
        max_iter=ROUNDS,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAST_LEAF,
        l2_regularization=SHRINKAGE,
        early_stopping=False,
        random_state=0,
    )
    halves = [(np.flatnonzero(half != one), np.flatnonzero(half == one)) for one in (0, 1)]
    # An input that nobody of a half has, such as e-mails in a store that sends none, cannot be cut.
    is_empty = np.any([np.isnan(values[half == one]).all(axis=0) for one in (0, 1)], axis=0)
    values = np.where(is_empty, 0.0, values)
    with threadpool_limits(1):
        fitted = CalibratedClassifierCV(learner, method="sigmoid", cv=halves, ensemble=True)
        fitted.fit(values, has_happened)
    return Forest(tuple(_copy(each) for each in fitted.calibrated_classifiers_))


def _copy(fitted: Any) -> Member:  # noqa: ANN401 - scikit-learn does not publish the type
    (line,) = fitted.calibrators
    # No public way leads to the trees; a test holds this copy against scikit-learn's own scores.
    grown = fitted.estimator._predictors  # noqa: SLF001
    base = float(np.ravel(fitted.estimator._baseline_prediction)[0])  # noqa: SLF001
    return Member(
        base, float(line.a_), float(line.b_), tuple(_copy_tree(t.nodes) for (t,) in grown)
    )


def _copy_tree(nodes: Any) -> Tree:  # noqa: ANN401 - a structured array
    is_leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(is_leaf, 0.0, nodes["num_threshold"]),
        goes_left=nodes["missing_go_to_left"].astype(bool),
        left=np.where(is_leaf, 0, nodes["left"]).astype(np.int64),
        right=np.where(is_leaf, 0, nodes["right"]).astype(np.int64),
        value=np.where(is_leaf, nodes["value"], 0.0),
    )
