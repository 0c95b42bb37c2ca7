from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
