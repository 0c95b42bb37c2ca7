from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.features.histories import encode, group_histories


def test_equal_histories_are_counted_in_a_fixed_order() -> None:
    grouped = group_histories([2, 0, 2, 0], [5, 0, 5, 0], [9, 9, 9, 3], [1, 2, 3, 4])
    assert grouped.x.tolist() == [0, 0, 2]
    assert grouped.age.tolist() == [3, 9, 9]
    assert grouped.t_x.tolist() == [0, 0, 5]
    assert grouped.count.tolist() == [4, 2, 4]
    assert (grouped.customers, grouped.rows) == (10, 3)


def test_days_and_weeks_group_alike() -> None:
    days = group_histories([1, 1, 3, 1], [7, 7, 21, 14], [70, 70, 70, 70])
    weeks = group_histories([1, 1, 3, 1], [1 / 7, 1 / 7, 3 / 7, 2 / 7], [1.1] * 4)
    assert days.count.tolist() == weeks.count.tolist() == [2, 1, 1]


def test_thinning_keeps_the_number_of_customers() -> None:
    grouped = group_histories(np.arange(1, 11), np.arange(1, 11), np.full(10, 20), np.arange(1, 11))
    thinned = grouped.thin(3)
    assert thinned.x.tolist() == [1, 4, 7, 10]
    assert thinned.customers == pytest.approx(grouped.customers)
    assert grouped.thin(1) is grouped


HISTORY = st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(9, 12))


@settings(max_examples=50, deadline=None)
@given(st.lists(HISTORY, min_size=1, max_size=40))
def test_days_group_as_times_of_any_unit_do(rows: list[tuple[int, int, int]]) -> None:
    x, t_x, age = (np.array(column) for column in zip(*rows, strict=True))
    t_x = np.where(x > 0, t_x, 0)
    days, parts = group_histories(x, t_x, age), group_histories(x, t_x / 8, age / 8)
    assert days.count.tolist() == parts.count.tolist()
    assert days.x.tolist() == parts.x.tolist()
    assert (days.t_x / 8).tolist() == parts.t_x.tolist()
    again = group_histories(days.x, days.t_x, days.age, days.count)
    assert again.count.tolist() == days.count.tolist()


def test_an_impossible_history_of_days_is_refused() -> None:
    with pytest.raises(DataQualityError, match="impossible"):
        group_histories(np.array([1, 2]), np.array([5, 9]), np.array([9, 8]))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(0, 50).map(float), st.floats(0, 1e9, allow_subnormal=False)),
        max_size=30,
    )
)
def test_codes_point_back_to_the_values(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    distinct, codes = encode(array)
    assert (np.diff(distinct) > 0).all()
    assert distinct[codes].tolist() == values
