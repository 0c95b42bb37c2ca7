"""A small store erases every night, a large one on one of the week; no week and no term is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.rights.due import erases_tonight
from cdp_pipeline.storage.paths import DataPaths

MakeContext = Callable[..., RunContext]
SUNDAY = date(2026, 11, 22)
LARGE = {"erasure_nightly_gb": 0.0}


def publish(context: RunContext, night: date) -> None:
    paths = DataPaths.of(context)
    number = len(list(paths.versions.glob("0*"))) + 1
    folder = paths.versions / f"{number:06d}-{night}"
    folder.mkdir(parents=True)
    (folder / "rows").write_text("x" * 100)
    paths.current.unlink(missing_ok=True)
    paths.current.symlink_to(folder)


@pytest.mark.parametrize("days", range(7))
def test_a_small_store_erases_on_every_night(make_context: MakeContext, days: int) -> None:
    context = make_context(SUNDAY + timedelta(days=days))
    publish(context, context.business_date)
    assert erases_tonight(context)


def test_a_large_store_erases_once_a_week(make_context: MakeContext) -> None:
    erasing = []
    for days in range(-8, 15):
        context = make_context(SUNDAY + timedelta(days=days), privacy=LARGE)
        publish(context, context.business_date)
        erasing += [days] if erases_tonight(context) else []
    assert erasing == [-7, 0, 7, 14]


@pytest.mark.parametrize(("missed", "erases"), [(0, False), (1, True), (2, True), (9, True)])
def test_a_sunday_without_a_night_is_made_up_for(
    make_context: MakeContext, missed: int, *, erases: bool
) -> None:
    tonight = SUNDAY + timedelta(days=1)
    context = make_context(tonight, privacy=LARGE)
    publish(context, tonight - timedelta(days=missed + 1))
    publish(context, tonight)
    assert erases_tonight(context) == erases


def test_no_request_is_overdue_on_the_night_that_it_waits_for(make_context: MakeContext) -> None:
    """Whenever it arrived and however late it was verified."""
    days = make_context(SUNDAY).settings.privacy.answer_days
    for back in range(14):
        tonight = SUNDAY - timedelta(days=back)
        context = make_context(tonight, privacy=LARGE)
        publish(context, tonight - timedelta(days=1))
        publish(context, tonight)
        sunday = SUNDAY + timedelta(days=7 - 7 * ((back + 6) // 7))
        for age in range(days + 3):
            oldest = tonight - timedelta(days=age)
            is_overdue = (sunday - oldest).days > days
            is_sunday = tonight.isoweekday() == SUNDAY.isoweekday()
            assert erases_tonight(context, oldest=oldest) == (is_sunday or is_overdue), oldest
