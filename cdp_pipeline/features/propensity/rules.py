"""Ways to say how likely somebody is to do it that anybody could apply, learned from past days.

``btyd`` is the purchase model with the person's own share of such visits; the others are rules of
thumb. A model that learns has to beat them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.propensity.windows import Groups, Window

BTYD = "btyd"
FOREST = "gradient_boosting"
AVERAGE, RECENT, OFTEN = "average", "did_it_recently", "how_often"

TITLES = {
    FOREST: "Gradient-boosted trees",
    BTYD: "Purchase model times the own share of such visits",
    AVERAGE: "Everybody the average",
    RECENT: "By whether it was done lately",
    OFTEN: "By how often it was done in a year",
}

_OFTEN_STEPS = np.array([1.0, 2.0, 3.0, 5.0, 10.0])
_PRIOR_PEOPLE = 5.0

Grouping = Callable[[Window], Groups]


def _all_alike(window: Window) -> Groups:
    return np.zeros(window.people, dtype=np.int64)


def _by_recent(window: Window) -> Groups:
    return (window.column("events_recent") > 0).astype(np.int64)


def _by_count(window: Window) -> Groups:
    return np.searchsorted(_OFTEN_STEPS, window.column("events_365d"), side="right").astype(
        np.int64
    )


RULES: dict[str, Grouping] = {AVERAGE: _all_alike, RECENT: _by_recent, OFTEN: _by_count}


def average_chance(past: Sequence[Window]) -> float:
    """Return the share of people of past days who did it."""
    people = sum(window.people for window in past)
    return math.fsum(float(window.has_happened.sum()) for window in past) / max(people, 1)


def apply_rule(name: str, past: Sequence[Window], now: Window) -> Vector:
    """Return the chance that a rule gives each person, from how its groups did on past days."""
    grouping = RULES[name]
    groups = grouping(now)
    before = np.concatenate([grouping(window) for window in past])
    happened = np.concatenate([window.has_happened for window in past])
    size = int(max(before.max(initial=0), groups.max(initial=0))) + 1
    done = np.bincount(before, happened, minlength=size)
    people = np.bincount(before, minlength=size)
    chance = (done + _PRIOR_PEOPLE * average_chance(past)) / (people + _PRIOR_PEOPLE)
    given: Vector = chance[groups]
    return given


def apply_btyd(average: float, now: Window) -> Vector:
    """Return the chance by the purchase model; the average for those who never bought."""
    chance = now.column("p_event")
    given: Vector = np.where(np.isnan(chance), average, chance)
    return given
