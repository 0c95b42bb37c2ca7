from __future__ import annotations

from datetime import date

import numpy as np

from cdp_pipeline.sample.generate import StoreSpec
from cdp_pipeline.sample.rendering import SECONDS_PER_DAY
from cdp_pipeline.sample.seasons import Timeline, measure_trade


def test_days_are_counted_from_the_first_day_of_history() -> None:
    timeline = StoreSpec(nights=3, history_days=730, future_days=180).timeline()
    assert timeline.date_of(timeline.start_day) == date(2026, 11, 16)
    assert timeline.date_of(timeline.last_day) == date(2026, 11, 19)
    assert timeline.date_of(0) == date(2024, 11, 17)
    assert timeline.date_of(timeline.end_day) == date(2027, 5, 18)
    assert len(timeline.delivery_days) == 4


def test_summer_time_is_an_hour_ahead_of_utc() -> None:
    timeline = Timeline(date(2026, 1, 1), 0, 0, 400)
    noon = SECONDS_PER_DAY // 2
    # In 2026 the clocks change on 29 March and 25 October.
    days = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25)]
    seconds = np.array([(day - date(2026, 1, 1)).days * SECONDS_PER_DAY + noon for day in days])
    assert (seconds - timeline.to_utc(seconds)).tolist() == [0, 3600, 3600, 0]


def test_trade_peaks_before_christmas_and_rests_on_the_day() -> None:
    timeline = Timeline(date(2025, 1, 1), 364, 364, 364)
    trade = measure_trade(timeline, 0)
    assert trade[(date(2025, 12, 25) - date(2025, 1, 1)).days] == 0
    december = trade[334:358].mean()
    assert december > 1.6 * trade[31:59].mean()
    saturdays = trade[3::7]
    tuesdays = trade[6::7]
    assert saturdays.mean() > 1.5 * tuesdays.mean()
    assert 0.95 < trade.mean() < 1.1
