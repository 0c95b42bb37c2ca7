"""What would have to be different for a score to fall on the other side of the threshold.

Every level of every field is tried, one field at a time, then two. The answer speaks of the score
of the pair alone: whether the score decided is said in ``reasons``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

from cdp_pipeline.identity.explaining.evidence import Model, Weighed
from cdp_pipeline.identity.scoring.compare import Level, linked_places

SHOWN_FLIPS = 4


@dataclass(frozen=True)
class Change:
    """One field with another outcome.

    Attributes:
        field: Compared field.
        level: What it is now.
        instead: What it would have to be.
        match_bits: How much the match weight would change.
    """

    field: str
    level: str
    instead: str
    match_bits: float


@dataclass(frozen=True)
class Flip:
    """A smallest set of changes after which the score decides the other way.

    Attributes:
        changes: One or two fields.
        match_prob: Probability that both are one person afterwards.
        is_accepted: Whether that is a link.
    """

    changes: tuple[Change, ...]
    match_prob: float
    is_accepted: bool

    @property
    def text(self) -> str:
        """The sentence for people."""
        conditions = " and ".join(
            f'{change.field} were "{change.instead}" instead of "{change.level}" '
            f"({change.match_bits:+.1f} bits)"
            for change in self.changes
        )
        verdict = "be accepted" if self.is_accepted else "not be accepted"
        return f"if {conditions}, the pair would {verdict} ({self.match_prob:.3f})"


@dataclass(frozen=True)
class _Trial:
    distance: float
    places: tuple[int, ...]
    outcomes: tuple[int, ...]
    match_prob: float


def find_flips(model: Model, weighed: Weighed, *, accept: float) -> tuple[Flip, ...]:
    """Return the smallest changes that flip the score, nearest first; empty if two do not do.

    To be accepted, fields would have to agree better; to be refused, worse. Of each field, or pair
    of fields, plain agreement or plain difference is told if it flips, else the mildest change
    that does. Who wrote the records is context that nobody can imagine otherwise.

    Args:
        model: The stored model.
        weighed: The pair.
        accept: Probability from which a pair is a link.
    """
    table = _Bits(model, weighed)
    comparisons = model.parameters.comparisons
    places = [place for place, found in enumerate(comparisons) if found.kind != "context"]
    for size in (1, 2):
        trials = [
            trial
            for chosen in combinations(places, size)
            if (trial := _mildest(table, chosen, accept=accept)) is not None
        ]
        if trials:
            trials.sort(key=lambda trial: (trial.distance, trial.places))
            return tuple(_flip(table, trial, accept=accept) for trial in trials[:SHOWN_FLIPS])
    return ()


class _Bits:
    """Bits of every outcome of every field, looked up instead of computed for each trial."""

    def __init__(self, model: Model, weighed: Weighed) -> None:
        self.model, self.weighed = model, weighed
        self.parameters = parameters = model.parameters
        self.linked = linked_places(parameters.comparisons)
        self.of = [
            [self._alone(place, outcome) for outcome in range(-1, comparison.size)]
            for place, comparison in enumerate(parameters.comparisons)
        ]

    def _alone(self, place: int, outcome: int) -> tuple[float, float]:
        """Return the bits of one outcome; without a frequency, the level's usual one."""
        outcomes = [-1] * len(self.parameters.comparisons)
        outcomes[place] = outcome
        known = self.weighed.frequencies.get(place)
        if known is None:
            match, household = self.parameters.level_bits(place)
            return (float(match[outcome]), float(household[outcome])) if outcome >= 0 else (0, 0)
        return self.parameters.pair_bits(outcomes, {place: known})[place]

    def weights(self, outcomes: Sequence[int]) -> tuple[float, float]:
        """Return match and household weight of a pair with these outcomes."""
        bits = [self.of[place][outcome + 1] for place, outcome in enumerate(outcomes)]
        both = self.linked is not None and all(outcomes[place] == 1 for place in self.linked)
        linked = self.parameters.linked_bits if both else 0.0
        return (
            self.parameters.match_bits + sum(match for match, _ in bits) - linked,
            self.parameters.household_bits + sum(household for _, household in bits) - linked,
        )

    def alternatives(self, place: int, *, is_accepted: bool) -> list[int]:
        """Return the outcomes that speak more, or less, for one person; the plainest first.

        What is known does not become unknown.
        """
        now = self.weighed.outcomes[place]
        levels = self.parameters.comparisons[place].levels
        # a level that silences another field cannot come alone
        able = [n for n, level in enumerate(levels, 1) if n == now or self._is_alone(place, level)]
        ranks = [*able, 0]  # from best to worst
        at = ranks.index(now) if now >= 0 else None
        if is_accepted:
            return ranks[: at if at is not None else None : -1]
        return ranks[:at]

    def _is_alone(self, place: int, level: Level) -> bool:
        others = [c for n, c in enumerate(self.parameters.comparisons) if n != place]
        return not any(level.condition in other.missing for other in others)


def _mildest(table: _Bits, places: tuple[int, ...], *, accept: float) -> _Trial | None:
    """Return the least change of some fields that flips the score."""
    now = list(table.weighed.outcomes)
    before = table.weights(now)
    is_accepted = table.weighed.match_prob >= accept
    best: _Trial | None = None
    for chosen in product(*(table.alternatives(p, is_accepted=is_accepted) for p in places)):
        outcomes = now.copy()
        for place, outcome in zip(places, chosen, strict=True):
            outcomes[place] = outcome
        after = table.weights(outcomes)
        _, probability = table.model.posterior(outcomes, *after)
        if (probability >= accept) == is_accepted:
            continue
        distance = abs(after[0] - before[0]) + abs(after[1] - before[1])
        trial = _Trial(distance, places, chosen, probability)
        if all(outcome == (0 if is_accepted else 1) for outcome in chosen):
            return trial
        if best is None or distance < best.distance:
            best = trial
    return best


def _flip(table: _Bits, trial: _Trial, *, accept: float) -> Flip:
    changes = []
    for place, outcome in zip(trial.places, trial.outcomes, strict=True):
        comparison, now = table.parameters.comparisons[place], table.weighed.outcomes[place]
        changes.append(
            Change(
                field=comparison.name,
                level=comparison.level_name(now),
                instead=comparison.level_name(outcome),
                match_bits=table.of[place][outcome + 1][0] - table.of[place][now + 1][0],
            )
        )
    return Flip(tuple(changes), trial.match_prob, trial.match_prob >= accept)
