"""On which nights people are erased: on every night of a small store, once a week in a large one.

An erasure looks into every file of the data folder and writes every kept version anew, so that its
cost follows the history, not the number of people. In a large store the people of a week are
therefore erased together, and before that only if somebody's request would be overdue by then.
From the night of their request they are held out of everything that is sent.
"""

from __future__ import annotations

from datetime import date, timedelta

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.storage.disk import measure
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.versions import find_base, parse_version

_GIGABYTE = 1e9


def erases_tonight(context: RunContext, *, oldest: date | None = None) -> bool:
    """Return whether the verified requests are carried out tonight.

    The day of the week counts from the night before, so that no week is left out when a night is.

    Args:
        context: The night.
        oldest: Day on which the oldest of them arrived, as far as it is known.
    """
    settings, paths = context.settings.privacy, DataPaths.of(context)
    following = _following(settings.erasure_weekday, context.business_date)
    if oldest and following - oldest > timedelta(days=settings.answer_days):
        return True
    base = find_base(paths, context.business_date)
    before = parse_version(base).business_date if base else None
    if _reaches(settings.erasure_weekday, before, context.business_date):
        return True
    size = measure([context.data_dir, paths.landing])
    return size <= settings.erasure_nightly_gb * _GIGABYTE


def _reaches(weekday: int, before: date | None, tonight: date) -> bool:
    """Return whether a day of the week, 1 for Monday, lies after one night and up to another.

    >>> _reaches(7, date(2026, 11, 20), date(2026, 11, 21))
    False
    >>> _reaches(7, date(2026, 11, 20), date(2026, 11, 23))
    True
    """
    since_then = (tonight.isoweekday() - weekday) % 7
    return tonight - timedelta(days=since_then) > (before or tonight - timedelta(days=1))


def _following(weekday: int, tonight: date) -> date:
    """Return the first day after tonight that is a day of the week, 1 for Monday.

    >>> _following(7, date(2026, 11, 21)), _following(7, date(2026, 11, 22))
    (datetime.date(2026, 11, 22), datetime.date(2026, 11, 29))
    """
    return tonight + timedelta(days=(weekday - tonight.isoweekday() - 1) % 7 + 1)
