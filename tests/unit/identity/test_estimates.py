from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from cdp_pipeline.identity.measuring.estimates import (
    NOTHING,
    Estimate,
    part_of_whole,
    share,
    total,
)


@given(st.integers(1, 9), st.integers(10, 400))
def test_limits_are_the_tails_of_jeffreys_posterior(positive: int, judged: int) -> None:
    found = share(positive, judged)
    posterior = beta(positive + 0.5, judged - positive + 0.5)
    assert posterior.cdf(found.low) == pytest.approx(0.025, abs=1e-6)
    assert posterior.cdf(found.high) == pytest.approx(0.975, abs=1e-6)


def test_none_and_all_reach_the_end() -> None:
    assert share(0, 0) == Estimate(0.5, 0.0, 1.0)
    assert share(0, 10).low == 0.0
    assert share(10, 10).high == 1.0


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 500))
def test_a_share_lies_within_its_limits(judged: int, positive: int, more: int) -> None:
    positive = min(positive, judged)
    wide = share(positive, judged)
    narrow = share(positive, judged, population=judged + more)
    for found in (wide, narrow):
        assert 0 <= found.low <= found.value <= found.high <= 1
    assert narrow.high - narrow.low <= wide.high - wide.low + 1e-12


def test_a_total_of_one_part_is_that_part() -> None:
    part = share(3, 40).scaled(1000)
    for ours, theirs in zip(total([part]).__dict__.values(), part.__dict__.values(), strict=True):
        assert ours == pytest.approx(theirs)


def test_independent_errors_add_up_by_squares() -> None:
    found = total([Estimate(10, 7, 14), Estimate(20, 16, 23)])
    assert (found.value, found.low, found.high) == (30, 25, 35)


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200), st.integers(1, 200))
def test_recall_lies_between_its_limits(found: int, n: int, missed: int, m: int) -> None:
    part = share(min(found, n), max(n, 1)).scaled(5_000)
    rest = share(min(missed, m), m).scaled(8_000)
    recall = part_of_whole(part, rest)
    assert all(math.isfinite(limit) for limit in (recall.low, recall.value, recall.high))
    assert -1e-9 <= recall.low <= recall.value + 1e-9
    assert recall.value <= recall.high + 1e-9 <= 1 + 2e-9


def test_nothing_missed_is_full_recall() -> None:
    assert part_of_whole(Estimate(90, 90, 90), NOTHING) == Estimate(1.0, 1.0, 1.0)
    assert part_of_whole(Estimate(90, 90, 90), Estimate(10, 10, 10)).low == pytest.approx(0.9)
    assert part_of_whole(NOTHING, Estimate(5, 4, 6)).value == 0.0
