"""What judgements teach the model: a correction of its log odds, used only if it is better.

Two contenders, both scikit-learn's logistic regression: one recalibrates the posterior, one also
weighs the levels of agreement. Both are held against the posterior without labels on records they
have not seen (folds never part a group of records that judgements connect), and the better one is
used if log loss and Brier score both fall by more than chance explains.

Stewards look at unsure pairs. So the model's own expectations stand in as imaginary labels over
all pairs, the correction is bounded, and it fades where nobody has looked: what was certain stays
as it was. That labels were chosen by their score does no harm, as the score is among the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cdp_pipeline.identity.grouping.bonds import tie
from cdp_pipeline.identity.scoring.compare import Codes, Comparison

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MINIMUM_LABELS = 30
"""Pairs judged same, and as many judged different, below which there is no contest."""

MINIMUM_COMPONENTS = 20
"""Groups of connected records; fewer say little about records that were not judged."""

FOLDS = 5

MARGIN = 1.96
"""Standard errors by which a contender must win: one-sided 5 %, halved as there are two of them."""

IMAGINARY_PAIRS = 60.0
"""Weight of the model's own expectations, in labels."""

MOST_BITS = 4.0
"""Bound of a correction."""

FADING_BITS = 3.0
"""Beyond the judged range of log odds, the bits over which a correction fades to nothing."""

RANGE_SHARE = 0.05
"""Labels at either end of the judged range that do not stretch it."""

STEEPEST_BITS = 20.0
"""Log odds and weights beyond are as certain as this to the regression."""

RIDGE = 1.0
"""scikit-learn's C."""

UNSUPERVISED, RECALIBRATED, LEVELS = "unsupervised", "recalibrated", "levels"
NATURAL = math.log(2)


@dataclass(frozen=True)
class Pairs:
    """Weighed pairs.

    Attributes:
        outcomes: Level of each comparison, one row a pair; -1 is missing.
        match_weight: In bits, as are the next two.
        household_weight: Weight of one household against strangers.
        log_odds: Of one person, by the model without labels.
    """

    outcomes: Codes
    match_weight: Floats
    household_weight: Floats
    log_odds: Floats

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.log_odds)

    def take(self, chosen: npt.NDArray[np.bool_] | Integers) -> Pairs:
        """Return some of the pairs."""
        return Pairs(
            self.outcomes[chosen],
            self.match_weight[chosen],
            self.household_weight[chosen],
            self.log_odds[chosen],
        )


@dataclass(frozen=True)
class Labels:
    """Judged pairs.

    Attributes:
        pairs: Their weights.
        is_same: What was judged.
        left: One record of each, by number.
        right: The other.
    """

    pairs: Pairs
    is_same: npt.NDArray[np.bool_]
    left: Integers
    right: Integers

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many pairs were judged same, and how many different."""
        same = int(self.is_same.sum())
        return same, len(self.is_same) - same

    def components(self) -> Integers:
        """Return for each pair the group of records that judgements connect it with."""
        ends = list(zip(self.left.tolist(), self.right.tolist(), strict=True))
        root = tie(ends)
        return np.array([root[left] for left, _ in ends], dtype=np.int64)


@dataclass(frozen=True)
class Correction:
    """A fitted contender: what it adds to the log odds of a pair.

    Attributes:
        comparisons: The fields of the model.
        intercept: In nats, as are the levels.
        slopes: Of log odds, match weight and household weight.
        levels: Of each outcome of each comparison.
        lowest: Log odds in bits from which somebody has looked.
        highest: Log odds up to which somebody has looked.
    """

    comparisons: tuple[Comparison, ...]
    intercept: float
    slopes: tuple[float, float, float]
    levels: tuple[Floats, ...]
    lowest: float
    highest: float

    def shifts(self, outcomes: Codes) -> Floats:
        """Return the part of the regression that depends on the pattern alone, in nats."""
        total = np.full(len(outcomes), self.intercept)
        for place, weights in enumerate(self.levels):
            level = outcomes[:, place]
            total += np.where(level >= 0, weights[np.clip(level, 0, None)], 0.0)
        return total

    def apply(self, pairs: Pairs) -> Floats:
        """Return corrected log odds in bits."""
        inputs = (pairs.log_odds, pairs.match_weight, pairs.household_weight)
        fitted = self.shifts(pairs.outcomes)
        for slope, bits in zip(self.slopes, inputs, strict=True):
            fitted += slope * NATURAL * np.clip(bits, -STEEPEST_BITS, STEEPEST_BITS)
        change = np.clip(fitted / NATURAL - pairs.log_odds, -MOST_BITS, MOST_BITS)
        beyond = np.maximum(self.lowest - pairs.log_odds, pairs.log_odds - self.highest)
        return np.asarray(
            pairs.log_odds + change * np.clip(1 - beyond / FADING_BITS, 0, 1), np.float64
        )

    def corrected_sql(self) -> str:
        """Return SQL for corrected log odds from ``shift`` and the columns of a scored pair."""
        columns = ("log_odds", "match_weight", "household_weight")
        steep = STEEPEST_BITS
        terms = " + ".join(
            f"{slope!r} * greatest(-{steep}, least({steep}, {column}))"
            for slope, column in zip(self.slopes, columns, strict=True)
        )
        fitted = f"shift / {NATURAL!r} + {terms}"
        change = f"greatest(-{MOST_BITS}, least({MOST_BITS}, {fitted} - log_odds))"
        beyond = f"greatest({self.lowest!r} - log_odds, log_odds - {self.highest!r})"
        return f"log_odds + ({change}) * greatest(0, least(1, 1 - {beyond} / {FADING_BITS}))"


@dataclass(frozen=True)
class Figures:
    """How a contender did on records that it had not seen.

    Attributes:
        contender: Its name.
        log_loss: Mean log loss in nats.
        brier: Mean squared error of the probability.
        log_loss_gain: By how much it beats the posterior without labels, and the standard error.
        brier_gain: The same for the Brier score.
    """

    contender: str
    log_loss: float
    brier: float
    log_loss_gain: tuple[float, float] = (0.0, 0.0)
    brier_gain: tuple[float, float] = (0.0, 0.0)

    @property
    def wins(self) -> bool:
        """Whether it is better in both figures by more than chance explains."""
        return all(gain > MARGIN * error for gain, error in (self.log_loss_gain, self.brier_gain))


@dataclass(frozen=True)
class Contest:
    """The outcome of a contest.

    Attributes:
        same: Pairs judged same.
        different: Pairs judged different.
        components: Groups of connected records among them.
        figures: One entry a contender; none without enough labels.
        chosen: Who is used.
        correction: What it adds; None for ``unsupervised``.
    """

    same: int
    different: int
    components: int
    figures: tuple[Figures, ...] = ()
    chosen: str = UNSUPERVISED
    correction: Correction | None = field(default=None, repr=False, compare=False)

    @property
    def message(self) -> str:
        """Return what happened, in a sentence."""
        labels = f"{self.same:,} pairs judged same and {self.different:,} different"
        if not self.figures:
            return (
                f"{labels} are too few to learn from: {MINIMUM_LABELS} of each kind "
                f"among {MINIMUM_COMPONENTS} groups of records are needed"
            )
        before = self.figures[0]
        best = min(self.figures[1:], key=lambda f: f.log_loss)
        said = (
            f"{labels}: log loss {before.log_loss:.4f} without them, {best.log_loss:.4f} with "
            f"{best.contender}; Brier score {before.brier:.4f} and {best.brier:.4f}"
        )
        verdict = f"{self.chosen} is used" if self.correction else "not better beyond chance"
        return f"{said}: {verdict}"


def hold_contest(comparisons: Sequence[Comparison], labels: Labels, expected: Pairs) -> Contest:
    """Let both contenders and the posterior without labels predict judgements they have not seen.

    Args:
        comparisons: The fields of the model.
        labels: Judged pairs.
        expected: Pairs from all over the range, for which the model's expectation stands.
    """
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 - nights without judgements

    same, different = labels.counts
    groups = labels.components()
    contest = Contest(same, different, len(set(groups.tolist())))
    if min(same, different) < MINIMUM_LABELS or contest.components < MINIMUM_COMPONENTS:
        return contest
    kinds = {RECALIBRATED: False, LEVELS: True}
    predicted = {name: np.array(labels.pairs.log_odds) for name in kinds}
    for seen, unseen in GroupKFold(FOLDS).split(groups, groups=groups):
        known = Labels(
            labels.pairs.take(seen), labels.is_same[seen], labels.left[seen], labels.right[seen]
        )
        if min(known.counts) == 0:
            continue
        for name, with_levels in kinds.items():
            correction = fit_correction(comparisons, known, expected, with_levels=with_levels)
            predicted[name][unseen] = correction.apply(labels.pairs.take(unseen))
    base = _losses(labels.pairs.log_odds, labels.is_same)
    figures = [Figures(UNSUPERVISED, float(base[0].mean()), float(base[1].mean()))]
    figures += [
        _compare(name, base, _losses(log_odds, labels.is_same), groups)
        for name, log_odds in predicted.items()
    ]
    winners = sorted((f for f in figures[1:] if f.wins), key=lambda f: (f.log_loss, f.contender))
    chosen = winners[0].contender if winners else UNSUPERVISED
    used = (
        fit_correction(comparisons, labels, expected, with_levels=kinds[chosen])
        if winners
        else None
    )
    return Contest(same, different, contest.components, tuple(figures), chosen, used)


def fit_correction(
    comparisons: Sequence[Comparison], labels: Labels, expected: Pairs, *, with_levels: bool
) -> Correction:
    """Fit one contender on labels and on the model's own expectations."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above

    believed = 1 / (1 + np.exp2(-np.clip(expected.log_odds, -60, 60)))
    inputs = np.concatenate(
        [
            _inputs(comparisons, pairs, with_levels=with_levels)
            for pairs in (labels.pairs, expected, expected)
        ]
    )
    known = np.concatenate([labels.is_same, np.ones(len(expected)), np.zeros(len(expected))])
    each = IMAGINARY_PAIRS / max(len(expected), 1)
    weights = np.concatenate([np.ones(len(labels.is_same)), each * believed, each * (1 - believed)])
    regression = LogisticRegression(C=RIDGE, max_iter=2000, tol=1e-8)
    regression.fit(inputs, known.astype(int), sample_weight=weights)
    found = regression.coef_[0]
    slopes = (float(found[0]), *(float(f) for f in found[1:3])) if with_levels else (found[0], 0, 0)
    levels, place = [], 3
    for comparison in comparisons:
        size = comparison.size
        levels.append(found[place : place + size] if with_levels else np.zeros(size))
        place += size
    low, high = np.quantile(labels.pairs.log_odds, [RANGE_SHARE, 1 - RANGE_SHARE])
    return Correction(
        comparisons=tuple(comparisons),
        intercept=float(regression.intercept_[0]),
        slopes=(float(slopes[0]), float(slopes[1]), float(slopes[2])),
        levels=tuple(np.asarray(level, np.float64) for level in levels),
        lowest=float(low),
        highest=float(high),
    )


def _inputs(comparisons: Sequence[Comparison], pairs: Pairs, *, with_levels: bool) -> Floats:
    """Return the inputs of the regression: log odds, and weights and levels if wanted."""
    columns = [pairs.log_odds]
    if with_levels:
        columns += [pairs.match_weight, pairs.household_weight]
    inputs = [NATURAL * np.clip(bits, -STEEPEST_BITS, STEEPEST_BITS) for bits in columns]
    if with_levels:
        for place, comparison in enumerate(comparisons):
            inputs += [
                (pairs.outcomes[:, place] == outcome).astype(np.float64)
                for outcome in range(comparison.size)
            ]
    return np.stack(inputs, axis=1)


def _losses(log_odds: Floats, is_same: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return log loss and squared error of each pair."""
    signed = np.where(is_same, log_odds, -log_odds) * NATURAL
    probability = 1 / (1 + np.exp(-np.clip(log_odds * NATURAL, -60, 60)))
    return np.logaddexp(0, -signed), (probability - is_same) ** 2


def _compare(
    name: str, base: tuple[Floats, Floats], mine: tuple[Floats, Floats], groups: Integers
) -> Figures:
    gains = [_gain(before - after, groups) for before, after in zip(base, mine, strict=True)]
    return Figures(name, float(mine[0].mean()), float(mine[1].mean()), gains[0], gains[1])


def _gain(differences: Floats, groups: Integers) -> tuple[float, float]:
    """Return the mean and its standard error, records of one group counted together."""
    mean = float(differences.mean())
    place = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(place, differences - mean)
    count = len(sums)
    error = math.sqrt(float((sums**2).sum()) * count / max(count - 1, 1)) / len(differences)
    return mean, error
