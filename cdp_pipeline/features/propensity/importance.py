"""Which inputs tell, and in which direction, in words: by shuffling one at a time.

An input matters as much as forecasts get worse when everybody is given somebody else's value of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdp_pipeline.features.accuracy import log_loss, measure
from cdp_pipeline.features.histories import Vector
from cdp_pipeline.features.propensity.forest import Forest
from cdp_pipeline.features.propensity.inputs import INPUTS
from cdp_pipeline.features.propensity.windows import Window

SHUFFLES = 2
LARGEST_SAMPLE = 4_000
LEAST_LOSS = 1e-5

_CLEAR = 0.05


@dataclass(frozen=True)
class Telling:
    """One input and what it tells.

    Attributes:
        name: As in ``INPUTS``.
        loss_increase: Log-loss with the input shuffled less that without, in nats.
        direction: ``likelier``, ``less likely`` or ``mixed``: what a higher value goes with.
    """

    name: str
    loss_increase: float
    direction: str


def rank_inputs(forest: Forest, window: Window) -> tuple[Telling, ...]:
    """Return the inputs that tell, the most telling first.

    Shuffling is a shift by part of the rows, which stand in the order of hashed ids: as good as
    chance, and the same every time.
    """
    some = slice(None, None, max(1, window.people // LARGEST_SAMPLE))
    columns = np.ascontiguousarray(window.values[some].T)
    happened = window.has_happened[some]
    odds = [member.add_up(columns) for member in forest.members]
    chance = _average(forest, odds)
    ones = np.ones(len(happened))
    base = log_loss(chance, happened, ones)
    found = []
    for position, name in enumerate(INPUTS):
        losses = []
        for shuffle in range(1, SHUFFLES + 1):
            mixed = columns.copy()
            mixed[position] = np.roll(columns[position], shuffle * len(happened) // 3 + shuffle)
            changed = [
                before + member.change(columns, mixed, position)
                for before, member in zip(odds, forest.members, strict=True)
            ]
            losses.append(log_loss(_average(forest, changed), happened, ones))
        increase = math.fsum(losses) / len(losses) - base
        if increase > LEAST_LOSS:
            found.append(Telling(name, increase, _direction(columns[position], chance)))
    return tuple(sorted(found, key=lambda each: (-each.loss_increase, each.name)))


def _average(forest: Forest, odds: Sequence[Vector]) -> Vector:
    each = [member.calibrate(part) for member, part in zip(forest.members, odds, strict=True)]
    mean: Vector = np.mean(each, axis=0)
    return mean


def put_into_words(name: str, event: str) -> str:
    """Return an input in words.

    >>> put_into_words("event_last_ago", "footwear bought")
    'days since footwear bought last'
    """
    return INPUTS[name].format(event=event)


def _direction(column: Vector, chance: Vector) -> str:
    is_known = np.isfinite(column)
    if not is_known.any():
        return "mixed"
    rho = measure(column[is_known], chance[is_known], np.ones(int(is_known.sum()))).spearman
    if not abs(rho) >= _CLEAR:
        return "mixed"
    return "likelier" if rho > 0 else "less likely"
