from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad

from cdp_pipeline.features.btyd import BtydFit, expected_visits, fit_purchases, p_active, p_alive
from cdp_pipeline.features.histories import group_histories
from cdp_pipeline.features.pareto import ParetoLikelihood, pareto_alive

Columns = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def fit(cdnow: Columns) -> BtydFit:
    return fit_purchases(cdnow["x"], cdnow["t_x"], cdnow["age"], model="pareto/nbd")


def test_reproduces_the_published_fit_on_cdnow(fit: BtydFit) -> None:
    """CLVTools: .55315 10.57633 .60625 11.67150, LL -9594.976, errors .0476 .8427 .1873 6.2105."""
    assert fit.loglik == pytest.approx(-9594.976, abs=1e-3)
    published = {"r": 0.55315, "alpha": 10.57633, "s": 0.60625, "beta": 11.67150}
    assert fit.params == pytest.approx(published, rel=3e-4)
    errors = {"r": 0.0476264, "alpha": 0.8427222, "s": 0.1872594, "beta": 6.2105448}
    assert fit.se == pytest.approx(errors, rel=3e-4)


def test_predictions_match_the_published_ones(fit: BtydFit) -> None:
    """Customer 1516 of the BTYD vignette."""
    history = ([26.0], [30.86], [31.0])
    assert p_alive(fit, *history)[0] == pytest.approx(0.9979, abs=1e-4)
    assert expected_visits(fit, *history, 52.0)[0] == pytest.approx(25.46, abs=5e-3)
    assert p_alive(fit, [0.0], [0.0], [39.0])[0] == pytest.approx(0.2943, abs=1e-4)


def test_many_purchases_give_a_number(fit: BtydFit) -> None:
    x = np.array([161.0, 254.0, 5_000.0, 0.0])
    alive = p_alive(fit, x, [38.0, 38.9, 38.99, 0.0], [39.0, 39.0, 39.0, 0.0])
    assert ((alive >= 0.0) & (alive <= 1.0)).all()
    assert alive[3] == 1.0


def test_gradient_matches_central_differences(cdnow: Columns) -> None:
    likelihood = ParetoLikelihood(group_histories(cdnow["x"], cdnow["t_x"], cdnow["age"]))
    point = np.log([0.7, 9.0, 0.4, 20.0])
    gradient = likelihood(point)[1]
    for i, step in enumerate(np.eye(4) * 1e-5):
        slope = (likelihood(point + step)[0] - likelihood(point - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize(
    "shape", [(0.05, 0.1, 0.05, 60.0), (5.0, 400.0, 4.0, 0.1), (0.6, 3.0, 1.0, 5.0)]
)
@pytest.mark.parametrize("history", [(0.0, 0.0, 40.0), (7.0, 12.0, 40.0), (60.0, 39.0, 40.0)])
def test_alive_matches_numerical_integration(
    shape: tuple[float, ...], history: tuple[float, float, float]
) -> None:
    r, alpha, s, beta = shape
    x, last, age = history

    def left(u: float) -> float:
        stay = ((alpha + age) / (alpha + u)) ** (r + x)
        return stay * s * (beta + age) ** s / (beta + u) ** (s + 1.0)

    odds = quad(left, last, age, epsabs=0.0, epsrel=1e-11, limit=500)[0]
    params = dict(zip(("r", "alpha", "s", "beta"), shape, strict=True))
    found = pareto_alive(params, *(np.array([value]) for value in history))
    assert found[0] == pytest.approx(1.0 / (1.0 + odds), rel=1e-9)


def test_chance_and_expectation_match_simulation(fit: BtydFit) -> None:
    draw = np.random.default_rng(5)
    r, alpha, s, beta = fit.params.values()
    rate = draw.gamma(r + 3.0, 1.0 / (alpha + 39.0), 400_000)
    stay = draw.exponential(1.0 / draw.gamma(s, 1.0 / (beta + 39.0), 400_000))
    visits = draw.poisson(rate * np.minimum(stay, 30.0))
    alive = p_alive(fit, [3.0], [20.0], [39.0])[0]
    history = ([3.0], [20.0], [39.0], 30.0)
    assert expected_visits(fit, *history)[0] / alive == pytest.approx(visits.mean(), rel=0.01)
    assert p_active(fit, *history)[0] / alive == pytest.approx((visits > 0).mean(), rel=0.01)
