"""How far customers' forecasts are drawn apart: what past days say of those who come most often.

Purchase models take rates to follow a gamma distribution. Where a few customers come far oftener
than it allows, as wholesalers among households do, or where customers keep a rhythm, the model
draws everybody too near to the mean. Raising each forecast to a power and keeping the total undoes
that. The power is learnt on past days and used only if days that it was not learnt on bear it out.
Chances of a visit stay as the model gives them: they hardly depend on how often the most frequent
come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.histories import Vector

LARGEST_POWER = 1.3

_FEWEST_DAYS = 2
_ROUNDS = 25
_LEAST_VISITS = 1e-9
_LEAST_GAIN = 0.005
_SMALLEST_STEP = 1e-10


@dataclass(frozen=True)
class Sharpness:
    """A power for forecasts, and what it was worth.

    Attributes:
        power: Each forecast is raised to it, the total of visits kept; 1 leaves all as they are.
        error_change: What it did to the mean error of a customer's visits on past days that it was
            not learnt on, as a share; below 0 is better.
    """

    power: float = 1.0
    error_change: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether forecasts stay as they are."""
        return self.power == 1.0


PLAIN = Sharpness()
"""Leaves forecasts as they are."""


def find_sharpness(days: Sequence[tuple[Vector, Vector, Vector]]) -> Sharpness:
    """Return the power that past days bear out; the plain one where they do not.

    Every day must ask for a power above 1, and that of the other days must lower both the mean
    error and the squared one.

    Args:
        days: Forecast visits, chance of a visit and actual visits of each customer, for each past
            day.
    """
    known = [day for day in days if day[0].sum() > 0 and day[2].sum() > 0]
    if len(known) < _FEWEST_DAYS:
        return PLAIN
    powers = np.array([fit_power(said, seen) for said, _, seen in known])
    if powers.min() <= 1.0:
        return PLAIN
    logs = np.log(powers)
    changes = []
    for day, (said, chance, seen) in enumerate(known):
        others = math.exp(float(np.delete(logs, day).mean()))
        drawn = draw_apart(said, chance, min(others, LARGEST_POWER))
        changes.append((_change(said, drawn, seen, 1), _change(said, drawn, seen, 2)))
    mean, squared = (math.fsum(column) / len(changes) for column in zip(*changes, strict=True))
    if mean > -_LEAST_GAIN or squared > 0.0:
        return PLAIN
    power = min(math.exp(float(logs.mean())), LARGEST_POWER)
    return Sharpness(round(power, 6), round(math.expm1(mean), 6))


def fit_power(said: Vector, seen: Vector) -> float:
    """Return the power under which shares of the total are likeliest, by Newton's method.

    Args:
        said: Forecast visits.
        seen: Actual visits; same length.
    """
    logs = np.log(np.maximum(said, _LEAST_VISITS))
    wanted = float((seen * logs).sum() / seen.sum())
    power = 1.0
    for _ in range(_ROUNDS):
        weights = np.exp(power * logs - (power * logs).max())
        weights /= weights.sum()
        mean = float((weights * logs).sum())
        spread = float((weights * (logs - mean) ** 2).sum())
        if spread <= 0.0:
            return 1.0
        step = (wanted - mean) / spread
        power = min(max(power + min(max(step, -0.5), 0.5), 0.1), 5.0)
        if abs(step) < _SMALLEST_STEP:
            break
    return power


def draw_apart(said: Vector, chance: Vector, power: float) -> Vector:
    """Return forecasts raised to a power: the total kept, none below its chance of a visit."""
    everybody = np.ones(len(said))
    scale = scale_of(said, chance, everybody, power)
    drawn: Vector = np.maximum(scale * _raise(said, power), chance)
    return drawn


def scale_of(said: Vector, chance: Vector, count: Vector, power: float) -> float:
    """Return what forecasts raised to a power are multiplied by to keep their total.

    Args:
        said: Forecast visits.
        chance: Chance of a visit, below which none may fall; same length.
        count: Customers behind each.
        power: As learnt.
    """
    return keep_total(_raise(said, power), said, chance, count)


def keep_total(raised: Vector, said: Vector, chance: Vector, count: Vector) -> float:
    """Return what other forecasts are multiplied by to have the total of those that were said.

    Args:
        raised: The other forecasts.
        said: Forecast visits; same length.
        chance: Chance of a visit, below which none may fall; same length.
        count: Customers behind each.
    """
    wanted, scale = float((said * count).sum()), 1.0
    for _ in range(_ROUNDS):
        total = float((np.maximum(scale * raised, chance) * count).sum())
        scale *= wanted / total if total > 0 else 1.0
    return scale


def find_lift(
    alive: Vector,
    ahead: Mapping[str, NDArray[Any]],
    place: NDArray[np.int64],
    count: Vector,
    power: float,
) -> dict[str, float]:
    """Return the parameters by which SQL draws forecasts apart, see ``scoring``.

    The power applies to visits within the horizon of the value; visits within 90 and 365 days are
    multiplied by as much, and then each have a factor that keeps their own total.

    Args:
        alive: Chance of being alive, by history.
        ahead: Visits and chances of a visit while alive: ``value_visits``, ``value_active``,
            ``visits_90d``, ``active_90d``, ``visits_365d``, ``active_365d``.
        place: Row in ``ahead`` of each history.
        count: Customers with the history.
        power: As learnt.
    """
    said, chance = (alive * ahead[name][place] for name in ("value_visits", "value_active"))
    scale = scale_of(said, chance, count, power)
    floor = (ahead["value_active"] / ahead["value_visits"])[place]
    lift = np.maximum(scale * np.maximum(said, _LEAST_VISITS) ** (power - 1.0), floor)
    found = {"power": power, "lift_scale": scale, "least_visits": _LEAST_VISITS}
    for days in ("90d", "365d"):
        visits, active = (alive * ahead[f"{name}_{days}"][place] for name in ("visits", "active"))
        found[f"scale_{days}"] = keep_total(visits * lift, visits, active, count)
    return found


def _raise(said: Vector, power: float) -> Vector:
    raised: Vector = np.maximum(said, _LEAST_VISITS) ** power
    return raised


def _change(said: Vector, drawn: Vector, seen: Vector, order: int) -> float:
    before, after = (float((np.abs(each - seen) ** order).mean()) for each in (said, drawn))
    return math.log(after / before) if before > 0 and after > 0 else 0.0
