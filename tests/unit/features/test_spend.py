from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.features.spend import (
    SpendFit,
    SpendLikelihood,
    SpendSample,
    expected_spend,
    fit_spend,
)

Columns = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def fit(cdnow: Columns) -> SpendFit:
    repeat = cdnow["x"] > 0
    repeat &= cdnow["mean_amount"] > 0
    return fit_spend(cdnow["x"][repeat], cdnow["mean_amount"][repeat])


def test_gamma_gamma_reproduces_the_published_fit_on_cdnow(fit: SpendFit) -> None:
    assert fit.status == "ok"
    assert fit.n == 946
    assert fit.params == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, abs=5e-3)
    assert fit.loglik == pytest.approx(-4055.9177, abs=1e-3)
    assert all(0 < error < 5 for error in fit.se.values())


def test_expected_spend_lies_between_own_mean_and_everybodys(fit: SpendFit) -> None:
    everybody = fit.params["p"] * fit.params["v"] / (fit.params["q"] - 1)
    once, often, never = expected_spend(fit, [1, 50, 0], [100.0, 100.0, 0.0])
    assert everybody == pytest.approx(35.17, abs=0.01)
    assert never == pytest.approx(everybody)
    assert everybody < once < often < 100.0


def test_missing_mean_of_a_one_time_buyer_is_not_read(fit: SpendFit) -> None:
    assert np.isfinite(expected_spend(fit, 0, np.nan)).all()


def test_order_and_counting_do_not_matter(fit: SpendFit, cdnow: Columns) -> None:
    rows = np.flatnonzero((cdnow["x"] > 0) & (cdnow["mean_amount"] > 0))
    shuffled = np.random.default_rng(5).permutation(rows)
    assert fit_spend(cdnow["x"][shuffled], cdnow["mean_amount"][shuffled]) == fit
    doubled = fit_spend(cdnow["x"][rows], cdnow["mean_amount"][rows], np.full(len(rows), 2))
    assert doubled.params == pytest.approx(fit.params, rel=1e-5)
    assert doubled.se["q"] == pytest.approx(fit.se["q"] / np.sqrt(2), rel=1e-4)


@pytest.mark.parametrize("params", [(6.25, 3.74, 15.44), (1.0, 1.2, 400.0), (30.0, 9.0, 0.5)])
def test_gradient_matches_central_differences(cdnow: Columns, params: tuple[float, ...]) -> None:
    rows = np.flatnonzero((cdnow["x"] > 0) & (cdnow["mean_amount"] > 0))
    objective = SpendLikelihood(SpendSample.collect(cdnow["x"][rows], cdnow["mean_amount"][rows]))
    point, step = np.log(params), 1e-5
    _, gradient = objective(point)
    slopes = [
        (objective(point + nudge)[0] - objective(point - nudge)[0]) / (2 * step)
        for nudge in np.eye(3) * step
    ]
    assert gradient == pytest.approx(slopes, rel=1e-6, abs=1e-8)


def test_equal_amounts_are_pooled() -> None:
    fit = fit_spend([1, 2, 3, 4], [25.0] * 4)
    assert (fit.status, fit.converged) == ("pooled_mean", False)
    assert expected_spend(fit, [0, 3, 900], [0.0, 25.0, 80.0]) == pytest.approx(25.0, rel=1e-3)


@pytest.mark.parametrize("x", [[], [2]])
def test_too_few_customers_are_a_status(x: list[int]) -> None:
    fit = fit_spend(x, [10.0] * len(x))
    assert (fit.status, fit.params) == ("not_enough_data", {})
    assert np.isnan(expected_spend(fit, [0, 2], [0.0, 10.0])).all()


@pytest.mark.parametrize(
    ("x", "amount"), [([0], [5.0]), ([2], [0.0]), ([2], [-3.0]), ([2], [np.nan]), ([1, 2], [5.0])]
)
def test_rows_without_purchase_or_amount_are_refused(x: list[int], amount: list[float]) -> None:
    with pytest.raises(DataQualityError, match="gamma-gamma"):
        fit_spend(x, amount)
