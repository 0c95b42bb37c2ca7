"""Who serves a propensity: learned trees, the purchase model or nobody, by the last past days.

The trees learn from days whose outcome had ended before the day they are judged on, and from other
people than those they are judged on: nobody stands on both sides of the cut. What is compared is
log-loss, which rewards chances that keep their word. Too little to learn from is a result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import duckdb
import numpy as np

from cdp_pipeline.features.accuracy import (
    Tenth,
    brier,
    calibrate,
    log_loss,
    measure,
    rank_probability,
)
from cdp_pipeline.features.contest import Entry, Verdict, decide
from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.propensity.forest import Forest, grow_forest
from cdp_pipeline.features.propensity.importance import Telling, rank_inputs
from cdp_pipeline.features.propensity.rules import (
    BTYD,
    FOREST,
    RULES,
    TITLES,
    apply_btyd,
    apply_rule,
    average_chance,
)
from cdp_pipeline.features.propensity.windows import (
    Question,
    Window,
    first_day,
    read_window,
)

FOLDS = 3
"""Past days that are judged."""

LEARNED_WINDOWS = 3
"""Past days that are learned from."""

SURE = 1.96
"""Standard errors by which a model must beat the best rule, person by person."""

LEAST_CHANCE = 1e-6

HISTORY_DAYS = 90
"""Fewest days of purchases before a day that is learned from or judged."""


@dataclass(frozen=True)
class Limits:
    """What a past day must have.

    Attributes:
        people: Fewest people.
        events: Fewest of them who did it.
    """

    people: int
    events: int


@dataclass(frozen=True)
class Score:
    """How one way to predict did on one past day.

    Attributes:
        entrant: Its name.
        fold: 1 for the latest day.
        cut_on: The day.
        people: People judged.
        happened: Those who did it.
        expected: How many were expected.
        log_loss: Mean surprise in nats.
        brier: Mean squared error.
        auc: Chance that one who did it scored above one who did not.
        top_tenth_lift: Share of the best tenth who did it over the share of all.
    """

    entrant: str
    fold: int
    cut_on: date
    people: int
    happened: int
    expected: float
    log_loss: float
    brier: float
    auc: float
    top_tenth_lift: float


@dataclass(frozen=True)
class Trial:
    """Outcome of the contest for one propensity.

    Attributes:
        verdict: Who won; without standings if there was not enough data.
        reason: Why nothing may serve; empty if the winner may.
        scores: All entrants on all days, latest day first.
        tenths: Chances of the winner against what happened on the latest day, by tenth.
        telling: Inputs of the trees, the most telling first.
        learned: Days to learn the serving model from, latest first.
    """

    verdict: Verdict
    reason: str
    scores: tuple[Score, ...] = ()
    tenths: tuple[Tenth, ...] = ()
    telling: tuple[Telling, ...] = ()
    learned: tuple[Window, ...] = ()

    @property
    def has_winner(self) -> bool:
        """Whether anything may serve."""
        return not self.reason


def hold_contest(
    con: duckdb.DuckDBPyConnection, question: Question, *, as_of: date, limits: Limits
) -> Trial:
    """Return how each way to predict would have done on past days.

    Args:
        con: Connection with the tables that the inputs are read from.
        question: The propensity.
        as_of: Last day that is known.
        limits: What a past day must have.
    """
    windows = list(_read_past(con, question, as_of, limits))
    if len(windows) < 2:  # noqa: PLR2004 - one day to learn from and one to be judged on
        reason = (
            f"not enough data: on fewer than two past days {limits.people} people were known and "
            f"{limits.events} did it within {question.horizon_days} days"
        )
        return Trial(Verdict(BTYD, ()), reason)
    chances = [
        _enter_all(windows[number], windows[number + 1 : number + 1 + LEARNED_WINDOWS], number % 2)
        for number in range(min(FOLDS, len(windows) - 1))
    ]
    scores = tuple(
        _judge(name, fold, judged.window, chance)
        for fold, judged in enumerate(chances, start=1)
        for name, chance in judged.chances.items()
    )
    verdict = decide(
        [Entry(s.entrant, s.fold, s.log_loss, s.entrant in RULES) for s in scores],
        default=BTYD,
        allowed=(BTYD, FOREST),
    )
    reason = _find_objection(verdict, chances)
    latest = chances[0]
    winning = latest.chances.get(verdict.winner, latest.chances[BTYD])
    ones = np.ones(latest.window.people)
    return Trial(
        _without_serving(verdict, reason) if reason else verdict,
        reason,
        scores,
        calibrate(winning, latest.window.has_happened, ones),
        rank_inputs(latest.forest, latest.window) if latest.forest else (),
        tuple(windows[:LEARNED_WINDOWS]),
    )


def learn(windows: Sequence[Window], even: int | None = None) -> Forest | None:
    """Return trees learned from past days; None if one half of the people lacks either outcome.

    Args:
        windows: The days.
        even: Learn only from people of even (0) or odd (1) parties.
    """
    kept = [window.of_parties(even) for window in windows]
    values = np.concatenate([window.values for window in kept])
    has_happened = np.concatenate([window.has_happened for window in kept])
    party = np.concatenate([window.party for window in kept])
    half = party % 2 if even is None else party // 2
    if any(len(np.unique(has_happened[half == one])) < 2 for one in (0, 1)):  # noqa: PLR2004 - both
        return None
    return grow_forest(values, has_happened, half)


def _read_past(
    con: duckdb.DuckDBPyConnection, question: Question, as_of: date, limits: Limits
) -> list[Window]:
    first = first_day(con)
    found: list[Window] = []
    for number in range(1, FOLDS + LEARNED_WINDOWS + 1):
        cut_on = as_of - timedelta(days=number * question.horizon_days)
        if first is None or (cut_on - first).days < HISTORY_DAYS:
            break
        window = read_window(con, question, cut_on)
        if window.people < limits.people or window.has_happened.sum() < limits.events:
            break
        found.append(window)
    return found


@dataclass(frozen=True)
class _Judged:
    window: Window
    chances: Mapping[str, Vector]
    forest: Forest | None


def _enter_all(now: Window, past: Sequence[Window], even: int) -> _Judged:
    """Return everybody's chances by every way to predict, for one half of the people of a day."""
    judged = now.of_parties(even)
    chances = {BTYD: apply_btyd(average_chance(past), judged)}
    forest = learn(past, 1 - even)
    if forest:
        chances[FOREST] = forest.score(judged.values)
    return _Judged(judged, chances | {n: apply_rule(n, past, judged) for n in RULES}, forest)


def _judge(name: str, fold: int, window: Window, chance: Vector) -> Score:
    ones = np.ones(window.people)
    return Score(
        entrant=name,
        fold=fold,
        cut_on=window.cut_on,
        people=window.people,
        happened=int(window.has_happened.sum()),
        expected=float(chance.sum()),
        log_loss=log_loss(chance, window.has_happened, ones),
        brier=brier(chance, window.has_happened, ones),
        auc=rank_probability(chance, window.has_happened, ones),
        top_tenth_lift=measure(chance, window.has_happened, ones).top_tenth_lift,
    )


def _find_objection(verdict: Verdict, days: Sequence[_Judged]) -> str:
    """Return why the winner may not serve: the best rule was better, or might as well have been."""
    rules = [standing.entrant for standing in verdict.standings if standing.is_naive]
    if verdict.beaten_by:
        return f"the rule {_quote(verdict.beaten_by)} was better on past days"
    if not rules:
        return ""
    gains = np.concatenate(
        [
            _surprise(day.chances[rules[0]], day.window)
            - _surprise(day.chances[verdict.winner], day.window)
            for day in days
            if verdict.winner in day.chances
        ]
    )
    sure = SURE * float(gains.std()) / math.sqrt(len(gains))
    if float(gains.mean()) > sure:
        return ""
    return f"it did not beat the rule {_quote(rules[0])} by more than {SURE} standard errors"


def _quote(rule: str) -> str:
    return f"'{TITLES[rule]}'"


def _surprise(chance: Vector, window: Window) -> Vector:
    """Return the log-loss of each person."""
    safe = np.clip(chance, LEAST_CHANCE, 1.0 - LEAST_CHANCE)
    loss: Vector = -np.where(window.has_happened > 0, np.log(safe), np.log1p(-safe))
    return loss


def _without_serving(verdict: Verdict, why: str) -> Verdict:
    """Return the verdict in which nobody serves."""
    standings = tuple(
        replace(standing, serves=False, reason=f"does not serve: {why}")
        if standing.serves
        else standing
        for standing in verdict.standings
    )
    return replace(verdict, standings=standings)
