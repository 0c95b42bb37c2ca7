"""A three-class kernel for recordlinkage's ECMClassifier: match, household, unrelated.

Fellegi-Sunter with two classes takes surname, address, landline and mailbox for independent
evidence and merges families. Here a third latent class, "same household, other person", has the
personal fields of strangers and learns its shared fields, so that what a family shares counts
once. The kernel keeps recordlinkage's contract (``fit``, ``predict``, ``predict_proba`` and the
fitted attributes), so the classifier's ``prob``, ``m_probs`` and ``log_weights`` answer as usual.
It works on distinct patterns with counts and on levels instead of booleans; -1 is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from recordlinkage.algorithms.nb_sklearn import ECM
from sklearn.preprocessing import LabelBinarizer

from cdp_pipeline.identity.scoring.compare import Comparison, are_linked, linked_places

Floats = npt.NDArray[np.float64]
Outcomes = npt.NDArray[np.int64]

TWIN_SHARE = 0.01
"""Share of household pairs with one birth date. The fit hardly depends on it (.001 to .05)."""

NAMED_AFTER_SHARE = 0.01
"""Share of household pairs with one given name: sons named after fathers, daughters after mothers.
Without it John Smith's son of the same name teaches that birth dates of one person often differ."""

EVEN = 0.5

APART_SHARE = 0.05
"""Least share of household pairs that differ in a shared field. Children move out and couples keep
two mailboxes; blocking by address and mailbox shows too few of them."""

MOST_DIFFERENT = 0.4
"""Largest share of one person's pairs that differ in a field of the person. Without the bound, the
match class can come to mean "namesakes" in data where two fields depend on each other."""

MOST_RENAMED = 0.15
"""The same bound for given names where registers name everybody's parents: brothers and sisters
agree in all else, and would come to be what the match class means."""

_PARENTS = frozenset({"father_name", "mother_name"})

MOST_LINKED_BITS = 8.0
"""Bound of the correction for fields that go together among strangers."""

PRIOR_PAIRS = 50.0
"""Imaginary pairs that pull the estimates of tiny data sets to the starting values."""


@dataclass(frozen=True)
class Counted:
    """How many pairs could agree on what hardly any two strangers share, such as a mailbox.

    Attributes:
        pairs: Pairs of which the comparison says something.
        dropped: Pairs that agree and that blocking has left out.
    """

    pairs: float
    dropped: float = 0.0


@dataclass(frozen=True)
class Population:
    """What the fit must know about the records beyond the candidate patterns.

    Attributes:
        nodes: Number of compared records.
        total_pairs: Number of pairs that could exist; the priors are shares of these.
        unrelated: Level probabilities of random pairs, one array a comparison.
        linked_share: Share of pairs in which both linked comparisons have values.
        counted: By place, comparisons of which blocking proposes all pairs that agree fully.
        namesakes: Pairs with both names in common that blocking has left out.
    """

    nodes: int
    total_pairs: float
    unrelated: tuple[Floats, ...]
    linked_share: float = 1.0
    counted: Mapping[int, Counted] = field(default_factory=dict)
    namesakes: float = 0.0


class HouseholdECM(ECM):  # type: ignore[misc]  # recordlinkage ships no types
    """EM over pattern counts; of the unrelated class it learns what no sample can show.

    Args:
        comparisons: Sizes and kinds of the fields.
        population: Record counts and the unrelated class.
        counts: Pairs a pattern stands for, in the order of the rows given to ``fit``.
        classes: 3, or 2 to leave the household out (for ablation).
        max_iter: Iterations at most.
        atol: Largest change of a match probability at which the fit stops.
    """

    def __init__(
        self,
        comparisons: Sequence[Comparison],
        population: Population,
        *,
        counts: Floats,
        classes: int = 3,
        max_iter: int = 300,
        atol: float = 1e-5,
    ) -> None:
        """See the class; scikit-learn's conventions ask for one attribute an argument."""
        super().__init__(init="random", max_iter=max_iter, binarize=None, atol=atol)
        self.comparisons = tuple(comparisons)
        self.population = population
        self.counts = counts
        self.has_household = classes == 3  # noqa: PLR2004 - two or three classes
        self.iterations = 0
        self.linked_bits = 0.0

    def fit(self, patterns: Outcomes) -> HouseholdECM:
        """Estimate match and household classes; starts are fixed, so equal data fit equally."""
        self._prepare()
        indicators = self._indicators(patterns)
        self._linked = are_linked(patterns, self.comparisons)
        for iteration in range(1, self.max_iter + 1):
            self.iterations = iteration
            before = np.concatenate(self.match)
            shares = self._responsibilities(indicators) * self.counts[:, None]
            self._maximise(indicators, shares)
            self._link(shares[:, 2])
            if np.abs(np.concatenate(self.match) - before).max() < self.atol:
                break
        self._publish()
        return self

    def class_shares(self, patterns: Outcomes) -> Floats:
        """Return the probabilities of match, household and unrelated, one row a pattern."""
        self._linked = are_linked(patterns, self.comparisons)
        return self._responsibilities(self._indicators(patterns))

    def predict_proba(self, patterns: Outcomes) -> Floats:
        """Return the probabilities of non-match and match, one row a pattern."""
        match = self.class_shares(patterns)[:, 0]
        return np.stack([1 - match, match], axis=1)

    def predict(self, patterns: Outcomes) -> Outcomes:
        """Return 1 for patterns that are rather a match than not."""
        return (self.predict_proba(patterns)[:, 1] >= EVEN).astype(np.int64)

    def _indicators(self, patterns: Outcomes) -> list[Floats]:
        return [
            (patterns[:, place, None] == np.arange(c.size)).astype(np.float64)
            for place, c in enumerate(self.comparisons)
        ]

    def _prepare(self) -> None:
        unrelated = self.unrelated = list(self.population.unrelated)
        self.match = [
            _starting_match(c, u) for c, u in zip(self.comparisons, unrelated, strict=True)
        ]
        self.household = [
            _starting_household(c, u) for c, u in zip(self.comparisons, unrelated, strict=True)
        ]
        self._match_start = [start.copy() for start in self.match]
        self._household_start = [start.copy() for start in self.household]
        start = min(self.population.nodes / self.population.total_pairs, 0.25)
        self.priors = np.array([start, start if self.has_household else 0.0, 0.0])
        self.priors[2] = 1 - self.priors.sum()

    def _responsibilities(self, indicators: list[Floats]) -> Floats:
        tiny = np.finfo(float).tiny
        classes = (self.match, self.household, self.unrelated)
        logs = np.stack(
            [
                np.log(max(prior, tiny))
                + sum(i @ np.log(p) for i, p in zip(indicators, probabilities, strict=True))
                for prior, probabilities in zip(self.priors, classes, strict=True)
            ],
            axis=1,
        )
        logs[:, 2] += np.log(2) * self.linked_bits * self._linked
        if not self.has_household:
            logs[:, 1] = -np.inf
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float64)

    def _maximise(self, indicators: list[Floats], shares: Floats) -> None:
        for place, comparison in enumerate(self.comparisons):
            seen = indicators[place].T @ shares
            self._count(place, seen[1, 2])
            match = _share(seen[:, 0] + PRIOR_PAIRS * self._match_start[place])
            if comparison.kind not in {"shared", "context"}:
                most = min(self._most_different(place), self._least_against(place, match))
                match = _with_share(match, most) if match[0] > most else match
            self.match[place] = match
            if comparison.kind == "context":
                # It tells kin from strangers alone: who wrote a record says not which of a family.
                self.household[place] = match.copy()
            elif comparison.kind == "shared" and self.has_household:
                household = _share(seen[:, 1] + PRIOR_PAIRS * self._household_start[place])
                household[0] = max(household[0], APART_SHARE)
                # A family's records have the slips that one person's have, though blocking by
                # equal values hides them where given names differ.
                household[1:] = np.maximum(household[1:], household[1] * match[1:] / match[1])
                self.household[place] = _share(household)
        total = self.population.total_pairs
        match, household = shares[:, 0].sum() / total, shares[:, 1].sum() / total
        self.priors = np.array([match, household, max(1 - match - household, 0.0)])

    def _most_different(self, place: int) -> float:
        names_parents = any(_PARENTS.intersection(c.fields) for c in self.comparisons)
        is_given = "given_name" in self.comparisons[place].fields
        return MOST_RENAMED if names_parents and is_given else MOST_DIFFERENT

    def _least_against(self, place: int, match: Floats) -> float:
        """Return the share of differing pairs that speaks against a match as the worst level does.

        Thirty years apart is never less against one person than three are, though a town full of
        fathers and sons of one name may look like people whose age nobody knows.
        """
        unrelated = self.unrelated[place]
        is_graded = len(match) > 2  # noqa: PLR2004 - one level and what differs from it
        return float(unrelated[0] * match[-1] / unrelated[-1]) if is_graded else 1.0

    def _count(self, place: int, met: float) -> None:
        """Learn how often strangers share what a sample of them is too small to show.

        A million pairs show no mailbox that two of them share. Taking it for as common as once in
        a million would let it weigh the less, beside the prior, the more people a store knows.
        """
        counted = self.population.counted.get(place)
        if counted is None:
            return
        shares = self.population.unrelated[place].copy()
        shares[1] = min((met + counted.dropped + 1) / (counted.pairs + 1), shares[1])
        shares[0] = 1 - shares[1:].sum()
        self.unrelated[place] = shares
        if self.comparisons[place].kind != "shared":  # two of a household agree as strangers do
            self.household[place] = _starting_household(self.comparisons[place], shares)

    def _link(self, unrelated: Floats) -> None:
        """Learn how much oftener strangers agree on both linked fields than independence says.

        Blocking proposes all namesakes but those of the commonest names, of whom nearly all are
        strangers; without them, the larger a store, the less names would seem to go together.
        """
        places = linked_places(self.comparisons)
        if places is None:
            return
        population = self.population
        both = np.prod([self.unrelated[place][1] for place in places])
        expected = population.total_pairs * population.linked_share * both
        seen = unrelated[self._linked].sum() + population.namesakes
        self.linked_bits = float(np.clip(np.log2((seen + 1) / (expected + 1)), 0, MOST_LINKED_BITS))

    def _publish(self) -> None:
        """Fill the attributes that recordlinkage's classifier reads."""
        self.classes_ = np.array([0, 1])
        self._binarizers: list[Any] = [
            LabelBinarizer().fit(np.arange(c.size)) for c in self.comparisons
        ]
        self.feature_log_prob_ = np.log(
            np.stack([np.concatenate(self.unrelated), np.concatenate(self.match)])
        )
        self.class_log_prior_ = np.log([1 - self.priors[0], self.priors[0]])


def _starting_match(comparison: Comparison, unrelated: Floats) -> Floats:
    if comparison.kind == "context":
        return unrelated.copy()
    start = np.full(comparison.size, 0.02)
    start[:2] = 0.06, 0.9
    return _share(start)


def _starting_household(comparison: Comparison, unrelated: Floats) -> Floats:
    if comparison.kind in {"personal", "context"}:
        return unrelated.copy()
    if comparison.kind in {"birth", "name"}:
        share = TWIN_SHARE if comparison.kind == "birth" else NAMED_AFTER_SHARE
        same: Floats = np.eye(comparison.size, dtype=np.float64)[1]
        return np.asarray((1 - share) * unrelated + share * same, np.float64)
    start = np.full(comparison.size, 0.05)
    start[:2] = 0.3, 0.6
    return _share(start)


def _share(values: Floats) -> Floats:
    return np.asarray(values / values.sum(), np.float64)


def _with_share(shares: Floats, first: float) -> Floats:
    """Return shares whose first is given and whose others keep their proportions."""
    rest = shares[1:] * (1 - first) / shares[1:].sum()
    return np.concatenate([[first], rest])
