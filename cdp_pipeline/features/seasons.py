"""The season's clock: time that runs faster in weeks in which the whole store is busier.

In a purchase model whose customers buy at random moments, a season multiplies everybody's rate. The
model stays exactly the same when time is measured not in days but in what those days are worth,
so that every formula, table and fit serves a seasonal store unchanged. Finding what a week is worth
and translating days into that time belong here.

The index compares the repeat visits of each week of the year with those that the model expects of
the customers known by then, so that neither growth nor the loss of customers passes for a season.

While the store is closed the clock stands still: nobody who did not come then stayed away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cdp_pipeline.features.btyd import expected_new
from cdp_pipeline.features.fitting import BtydFit
from cdp_pipeline.features.histories import Vector

WEEKS = 52
LEAST_HISTORY_DAYS = 365

_YEARS_READ = 3
_ROUNDS = 4
_GRID = 1_500
_LEAST_GAIN = 3.0
_HALF = 0.5
_STEPS = np.array([0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0])
_NUGGETS = np.array([0.0, 1e-3, 4e-3, 0.015, 0.06])
_SHORTEST_CLOSURE_DAYS = 14
_BEFORE_DAYS = 28
_LACKING_VISITS = 30.0
_LARGEST_CLOSED_SHARE = 1 / 3
_CLOSED_WORTH = 1e-6
"""Next to nothing, but more: who came in such days after all (what they bought then was given back
or told of later) has come on different days."""

Refit = Callable[["SeasonClock"], BtydFit]
Spans = tuple[tuple[date, date], ...]
"""First and last day of each of several spans of days."""


@dataclass(frozen=True)
class SeasonClock:
    """Days translated into what they are worth.

    Attributes:
        as_of: Last day of the history.
        index: What a day of each of the 52 weeks of the year is worth, 1 on average; empty where
            all days are worth the same.
        closed: Days on which the store was closed, which are worth next to nothing.
    """

    as_of: date
    index: tuple[float, ...] = ()
    closed: Spans = ()

    @property
    def is_seasonal(self) -> bool:
        """Whether days differ."""
        return bool(self.index)

    @property
    def is_even(self) -> bool:
        """Whether all days are worth the same, those of closures too."""
        return not (self.index or self.closed)

    def since(self, days_ago: Vector) -> Vector:
        """Return the time from the end of each day, so many days ago, to the end of ``as_of``."""
        if self.is_even or not len(days_ago):
            return days_ago
        return self._elapsed(days_ago, -1)

    def ahead(self, days: Vector) -> Vector:
        """Return the time from the end of ``as_of`` to so many days later."""
        if self.is_even or not len(days):
            return days
        return self._elapsed(days, 1)

    def at(self, as_of: date) -> SeasonClock:
        """Return the same clock with another last day."""
        return SeasonClock(as_of, self.index, self.closed)

    def _elapsed(self, days: Vector, direction: int) -> Vector:
        most = int(np.ceil(days.max()))
        offsets = np.arange(1, most + 1) if direction > 0 else np.arange(0, -most, -1)
        worth = np.ones(most)
        if self.index:
            worth = np.asarray(self.index)[week_of_year(self.as_of, offsets)]
        for first, last in self.closed:
            from_first, to_last = ((day - self.as_of).days for day in (first, last))
            worth[(offsets >= from_first) & (offsets <= to_last)] = _CLOSED_WORTH
        total = np.concatenate(([0.0], np.cumsum(worth)))
        elapsed: Vector = np.interp(days, np.arange(most + 1), total)
        return elapsed


@dataclass(frozen=True)
class DailyVisits:
    """How many customers came for the first time and how many came again, day by day.

    Attributes:
        as_of: Day of the last entries.
        first: First visits.
        repeat: Repeat visits; same length.
    """

    as_of: date
    first: Vector
    repeat: Vector

    @property
    def days(self) -> int:
        """Number of days from the first visit of all."""
        return len(self.first)


def week_of_year(as_of: date, offsets: NDArray[Any]) -> NDArray[np.int64]:
    """Return the week of the year, from 0 to 51, of days counted from ``as_of``.

    >>> week_of_year(date(2026, 12, 31), np.array([-364, 0, 1])).tolist()
    [0, 51, 0]
    """
    days = np.datetime64(as_of, "D") + offsets.astype("timedelta64[D]")
    day_of_year = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    weeks: NDArray[np.int64] = np.minimum(day_of_year // 7, WEEKS - 1)
    return weeks


def expected_repeats(visits: DailyVisits, fit: BtydFit, clock: SeasonClock) -> Vector:
    """Return the repeat visits that the model expects on each day, given who had come by then."""
    moments = clock.since(np.arange(visits.days, -1, -1, dtype=np.float64))
    moments = moments[0] - moments  # from the eve of the first day to the end of each day
    grid = np.linspace(0.0, moments[-1], _GRID)
    curve = expected_new(fit, grid)
    first_day = max(0, visits.days - _YEARS_READ * 365)
    expected = np.zeros(visits.days)
    for day in range(first_day, visits.days):
        came = moments[1 : day + 1]
        until = np.interp(moments[day + 1] - came, grid, curve)
        before = np.interp(moments[day] - came, grid, curve)
        expected[day] = float((visits.first[:day] * (until - before)).sum())
    return expected


def find_closures(visits: DailyVisits) -> Spans:
    """Return the spans of two weeks and more without a visit in which many had been due.

    Due is what had come in the four weeks before. Where such spans make up more than a third of all
    days they are how the store keeps its books or its season, not closures.
    """
    totals = visits.first + visits.repeat
    busy = np.flatnonzero(totals > 0)
    ends = np.append(busy, visits.days)[1:]
    spans = []
    for last_open, reopened in zip(busy.tolist(), ends.tolist(), strict=True):
        days = reopened - last_open - 1
        if days < _SHORTEST_CLOSURE_DAYS or last_open + 1 < _BEFORE_DAYS:
            continue
        usual = float(totals[last_open + 1 - _BEFORE_DAYS : last_open + 1].mean())
        if usual * days >= _LACKING_VISITS:
            ago = visits.days - 1 - last_open - 1, visits.days - reopened
            first, last = (visits.as_of - timedelta(days=each) for each in ago)
            spans.append((first, last))
    closed = sum((last - first).days + 1 for first, last in spans)
    return tuple(spans) if closed <= _LARGEST_CLOSED_SHARE * visits.days else ()


def describe_closures(closed: Spans) -> list[str]:
    """Return a sentence for each span of days on which the store was closed."""
    return [
        f"nobody came from {first} to {last}: the store counts as closed, nobody as lost by it"
        for first, last in closed
    ]


def find_season(visits: DailyVisits, refit: Refit, closed: Spans = ()) -> SeasonClock:
    """Return the clock of the store; the plain one where no season can be told from chance.

    Args:
        visits: The store's days.
        refit: Fits the purchase model to the histories measured by a clock.
        closed: Days on which the store was closed.
    """
    clock = plain = SeasonClock(visits.as_of, closed=closed)
    if visits.days < LEAST_HISTORY_DAYS:
        return clock
    logs = np.zeros(WEEKS)
    first_day = max(0, visits.days - _YEARS_READ * 365)
    weeks = week_of_year(visits.as_of, np.arange(first_day - visits.days + 1, 1))
    seen = np.bincount(weeks, visits.repeat[first_day:], WEEKS)
    for _ in range(_ROUNDS):
        fit = refit(clock)
        if fit.status == "not_enough_data":
            return plain
        expected = expected_repeats(visits, fit, clock)[first_day:]
        by_week = np.bincount(weeks, expected, WEEKS)
        ratio = np.log((seen + _HALF) / (by_week + _HALF))
        smooth = _smooth(np.asarray(logs + ratio), np.asarray(1.0 / (seen + _HALF)))
        if smooth is None:
            return plain
        logs = smooth
        index = np.exp(logs)
        index /= index.mean()
        clock = SeasonClock(visits.as_of, tuple(index.tolist()), closed)
    return clock


def _smooth(logs: Vector, noise: NDArray[Any]) -> Vector | None:
    """Return the smooth yearly course behind noisy weekly logs; None where noise explains them.

    A circular random walk plus independent weekly noise, both sizes by restricted likelihood.
    """
    step = np.eye(WEEKS) - np.roll(np.eye(WEEKS), 1, axis=1)
    walk = np.linalg.pinv(step.T @ step)
    best, course, plain = -np.inf, None, -np.inf
    for nugget in _NUGGETS:
        for size in _STEPS:
            cover = size * walk + np.diag(noise + nugget)
            inverse = np.linalg.inv(cover)
            mean = float(inverse.sum(axis=0) @ logs) / float(inverse.sum())
            rest = logs - mean
            score = -0.5 * float(
                np.linalg.slogdet(cover)[1] + np.log(inverse.sum()) + rest @ inverse @ rest
            )
            if size == 0.0:
                plain = max(plain, score)
            if score > best:
                best, course = score, size * walk @ inverse @ rest
    if course is None or best < plain + _LEAST_GAIN:
        return None
    return np.asarray(course)
