"""The store's calendar: which days exist, how busy each is, and how far local time is from UTC.

Dates and their rhythm belong here; what people do on them does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from cdp_pipeline.sample.arrays import Days, Floats, Ints
from cdp_pipeline.sample.rendering import SECONDS_PER_DAY

# Monday first: Saturday is the busiest day of a department store.
_WEEKDAY_TRADE = np.array([0.80, 0.82, 0.88, 0.97, 1.15, 1.55, 0.95])
_MONTH_TRADE = np.array([0.92, 0.78, 0.88, 0.93, 0.95, 0.97, 1.0, 0.90, 0.93, 1.0, 1.28, 1.75])
_CHRISTMAS_EVE = 24
_MARCH, _OCTOBER, _DECEMBER = 2, 9, 11  # months counted from 0


@dataclass(frozen=True)
class Timeline:
    """The days of a generated store, numbered from the first day of its history.

    Attributes:
        origin: Date of day 0.
        start_day: Day of the initial load.
        last_day: Day of the last night; equals ``start_day`` without nights.
        end_day: Last day of the known future.
    """

    origin: date
    start_day: int
    last_day: int
    end_day: int

    @property
    def dates(self) -> Days:
        """Dates of day 0 to ``end_day``."""
        return np.asarray(np.datetime64(self.origin, "D") + np.arange(self.end_day + 1))

    def date_of(self, day: int) -> date:
        """Return the date of one day number."""
        return self.origin + timedelta(days=day)

    @property
    def delivery_days(self) -> range:
        """Days on which files arrive: the initial load and each night."""
        return range(self.start_day, self.last_day + 1)

    def delivered_on(self, days: Ints) -> Ints:
        """Return the day whose delivery holds each day's records (history comes with START)."""
        return np.maximum(days, self.start_day)

    def to_utc(self, seconds: Ints) -> Ints:
        """Return London clock seconds since day 0 as UTC seconds since day 0 (of UTC)."""
        days = seconds // SECONDS_PER_DAY
        return seconds - 3600 * np.asarray(_is_summer_time(self._date_array(days)), dtype=np.int64)

    def months(self, days: Ints) -> Ints:
        """Return the month, 0 to 11, of each day."""
        return self._date_array(days).astype("datetime64[M]").astype(np.int64) % 12

    def _date_array(self, days: Ints) -> Days:
        return np.asarray(np.datetime64(self.origin, "D") + days.astype("timedelta64[D]"))


def measure_trade(timeline: Timeline, first_day: int) -> Floats:
    """Return how busy each day from ``first_day`` to ``end_day`` is; 1 is an average day."""
    days = np.arange(first_day, timeline.end_day + 1)
    dates = np.datetime64(timeline.origin, "D") + days.astype("timedelta64[D]")
    weekday = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7
    month = dates.astype("datetime64[M]").astype(np.int64) % 12
    day_of_month = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    trade = _WEEKDAY_TRADE[weekday] * _MONTH_TRADE[month]
    december = month == _DECEMBER
    trade *= np.where(december & (day_of_month <= _CHRISTMAS_EVE), 1.15, 1.0)
    closed = december & (day_of_month == _CHRISTMAS_EVE + 1)
    return np.asarray(np.where(closed, 0.0, trade), dtype=np.float64)


def _is_summer_time(dates: Days) -> Ints:
    january = dates.astype("datetime64[Y]").astype("datetime64[M]").astype(np.int64)
    spring, autumn = _last_sunday(january + _MARCH), _last_sunday(january + _OCTOBER)
    return np.asarray((dates >= spring) & (dates < autumn), dtype=np.int64)


def _last_sunday(months: Ints) -> Days:
    """Return the last Sunday of months counted from January 1970."""
    last = (months + 1).astype("datetime64[M]").astype("datetime64[D]") - 1
    weekday = (last.astype(np.int64) + 3) % 7
    return np.asarray(last - ((weekday + 1) % 7).astype("timedelta64[D]"))
