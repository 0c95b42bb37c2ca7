"""Forecasts are drawn apart where past days bear it out, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.features.sharpness import (
    LARGEST_POWER,
    PLAIN,
    draw_apart,
    find_sharpness,
    fit_power,
)

Day = tuple[np.ndarray, np.ndarray, np.ndarray]


def past_days(power: float, *, days: int = 4, customers: int = 4_000, seed: int = 5) -> list[Day]:
    """Days on which visits follow forecasts raised to a power, each with a season of its own."""
    draw = np.random.default_rng(seed)
    found = []
    for day in range(days):
        said = draw.gamma(0.7, 1.5, customers)
        truth = said**power * said.sum() / (said**power).sum()
        seen = draw.poisson(truth * (0.7 + 0.3 * day)).astype(np.float64)
        found.append((said, 1.0 - np.exp(-said), seen))
    return found


def test_the_power_behind_the_visits_is_found_whatever_the_season() -> None:
    found = find_sharpness(past_days(1.2))
    assert found.power == pytest.approx(1.2, abs=0.03)
    assert found.error_change < -0.005


@pytest.mark.parametrize("power", [0.8, 1.0])
def test_forecasts_that_need_none_stay(power: float) -> None:
    assert find_sharpness(past_days(power)) == PLAIN


def test_one_past_day_bears_nothing_out() -> None:
    assert find_sharpness(past_days(1.2, days=1)) == PLAIN
    assert find_sharpness([]) == PLAIN


def test_days_that_disagree_bear_nothing_out() -> None:
    assert find_sharpness([*past_days(1.25, days=3), *past_days(0.8, days=1)]) == PLAIN


def test_the_power_has_a_limit() -> None:
    assert find_sharpness(past_days(1.8)).power == LARGEST_POWER


def test_days_without_visits_and_equal_forecasts_say_nothing() -> None:
    nothing, ones = np.zeros(50), np.ones(50)
    assert find_sharpness([(nothing, nothing, ones), (ones, ones, nothing)] * 2) == PLAIN
    assert fit_power(ones, ones) == 1.0


@given(
    said=st.lists(st.floats(0.01, 40.0), min_size=2, max_size=40),
    power=st.floats(1.0, LARGEST_POWER),
)
def test_drawing_apart_keeps_total_order_and_chances(said: list[float], power: float) -> None:
    before = np.array(said)
    chance = 1.0 - np.exp(-before)
    after = draw_apart(before, chance, power)
    assert after.sum() == pytest.approx(before.sum(), rel=1e-3)
    assert (after >= chance).all()
    assert (np.diff(after[np.argsort(before)]) >= -1e-12).all()
