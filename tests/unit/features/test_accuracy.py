from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.features.accuracy import (
    calibrate,
    correlate,
    log_loss,
    measure,
    rank_probability,
)

ONES = np.ones(4)
ACTUAL = np.array([0.0, 1.0, 2.0, 5.0])


def test_perfect_forecast() -> None:
    accuracy = measure(ACTUAL, ACTUAL, ONES)
    assert (accuracy.bias, accuracy.mae, accuracy.rmse) == (0.0, 0.0, 0.0)
    assert accuracy.spearman == pytest.approx(1.0)
    assert accuracy.gini == pytest.approx(1.0)
    # The best tenth of four people is 0.4 of the best one: 2 of 8 purchases, 2.5 times its share.
    assert accuracy.top_tenth_lift == pytest.approx(2.5)


def test_errors_by_hand() -> None:
    accuracy = measure(np.array([1.0, 1.0, 1.0, 1.0]), ACTUAL, ONES)
    assert accuracy.bias == pytest.approx(-0.5)
    assert accuracy.mae == pytest.approx(1.5)
    assert accuracy.rmse == pytest.approx(math.sqrt(18 / 4))


def test_forecast_that_is_the_same_for_all_ranks_nobody() -> None:
    accuracy = measure(np.ones(4), ACTUAL, ONES)
    assert math.isnan(accuracy.spearman)
    assert accuracy.gini == pytest.approx(0.0)
    assert accuracy.top_tenth_lift == pytest.approx(1.0)


def test_reversed_forecast_ranks_backwards() -> None:
    accuracy = measure(-ACTUAL, ACTUAL, ONES)
    assert accuracy.spearman == pytest.approx(-1.0)
    assert accuracy.gini == pytest.approx(-1.0)
    assert accuracy.top_tenth_lift == pytest.approx(0.0)


def test_nobody_bought() -> None:
    accuracy = measure(ACTUAL, np.zeros(4), ONES)
    assert math.isnan(accuracy.bias)
    assert math.isnan(accuracy.gini)
    assert accuracy.mae == pytest.approx(2.0)


def test_spearman_with_ties_by_hand() -> None:
    # Mid-ranks 1.5 1.5 3 4 against 1 2 3 4: 4.5 / sqrt(4.5 * 5).
    accuracy = measure(np.array([0.0, 0.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0]), ONES)
    assert accuracy.spearman == pytest.approx(4.5 / math.sqrt(22.5))


def test_chance_of_ranking_a_buyer_higher() -> None:
    bought = np.array([0.0, 1.0, 0.0, 1.0])
    assert rank_probability(np.array([1.0, 2.0, 3.0, 4.0]), bought, ONES) == pytest.approx(0.75)
    assert rank_probability(ONES, bought, ONES) == pytest.approx(0.5)
    assert math.isnan(rank_probability(ONES, ONES, ONES))


def test_surprise() -> None:
    bought = np.array([1.0, 0.0])
    assert log_loss(np.array([0.5, 0.5]), bought, np.ones(2)) == pytest.approx(math.log(2))
    assert log_loss(np.array([0.0, 1.0]), bought, np.ones(2)) == pytest.approx(-math.log(1e-6))


def test_tenths_hold_equal_numbers_and_all_purchases() -> None:
    predicted = np.repeat([0.0, 1.0, 2.0], [60, 30, 10])
    tenths = calibrate(predicted, predicted * 2, np.ones(100))
    assert [tenth.tenth for tenth in tenths] == list(range(1, 11))
    assert [tenth.predicted for tenth in tenths] == pytest.approx([0] * 6 + [1] * 3 + [2])
    assert [tenth.actual for tenth in tenths] == pytest.approx([0] * 6 + [2] * 3 + [4])
    assert [tenth.customers for tenth in tenths] == pytest.approx([10] * 10)


def test_constant_column_has_no_correlation() -> None:
    assert math.isnan(correlate(ONES, ACTUAL, ONES))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(1, 4)), min_size=2, max_size=25
    ),
    seed=st.integers(0, 99),
)
def test_counting_and_order_do_not_matter(rows: list[tuple[int, int, int]], seed: int) -> None:
    predicted, actual, count = np.array(rows, dtype=np.float64).T
    each = np.repeat(np.array(rows, dtype=np.float64), count.astype(int), axis=0)
    shuffled = each[np.random.default_rng(seed).permutation(len(each))]
    counted = measure(predicted, actual, count)
    single = measure(shuffled[:, 0], shuffled[:, 1], np.ones(len(each)))
    fields = ("bias", "mae", "rmse", "spearman", "gini", "top_tenth_lift")
    values = [getattr(single, field) for field in fields]
    expected = [getattr(counted, field) for field in fields]
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
