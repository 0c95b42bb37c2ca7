from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cdp_pipeline.features.histories import group_histories
from cdp_pipeline.features.likelihood import DropoutLikelihood, StayLikelihood
from cdp_pipeline.features.optimise import Objective, Vector

Columns = dict[str, NDArray[np.float64]]


@pytest.mark.parametrize(
    ("history", "expected"), [((0, 0, 40), -0.59947382), ((200, 38, 40), 100.7957)]
)
def test_bgnbd_log_probability_of_hardies_note_27(
    history: tuple[int, int, int], expected: float
) -> None:
    likelihood = DropoutLikelihood(
        group_histories(*([value] for value in history)), leaves_at_once=False
    )
    value, _ = likelihood.evaluate(r=0.25, alpha=4.0, a=0.8, b=2.5)
    assert value == pytest.approx(expected, rel=1e-6)


def central_differences(objective: Objective, point: Vector, step: float = 1e-5) -> Vector:
    slopes = []
    for i in range(len(point)):
        nudge = np.zeros(len(point))
        nudge[i] = step
        slopes.append((objective(point + nudge)[0] - objective(point - nudge)[0]) / (2 * step))
    return np.array(slopes)


POINTS = [(0.2426, 4.4136, 0.7929, 2.4259), (1.7, 30.0, 0.1, 0.4), (0.05, 0.6, 3.0, 12.0)]


@pytest.mark.parametrize("params", POINTS)
@pytest.mark.parametrize("leaves_at_once", [True, False])
def test_gradient_with_dropout_matches_central_differences(
    cdnow: Columns,
    params: tuple[float, ...],
    leaves_at_once: bool,  # noqa: FBT001 - a case, not a flag
) -> None:
    histories = group_histories(cdnow["x"], cdnow["t_x"], cdnow["age"])
    objective = DropoutLikelihood(histories, leaves_at_once=leaves_at_once)
    point = np.log(params)
    _, gradient = objective(point)
    assert gradient == pytest.approx(central_differences(objective, point), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("params", POINTS)
def test_gradient_of_nbd_matches_central_differences(
    cdnow: Columns, params: tuple[float, ...]
) -> None:
    objective = StayLikelihood(group_histories(cdnow["x"], cdnow["t_x"], cdnow["age"]))
    point = np.log(params[:2])
    _, gradient = objective(point)
    assert gradient == pytest.approx(central_differences(objective, point), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("x", [161, 254, 5_000])
@pytest.mark.parametrize("leaves_at_once", [True, False])
def test_many_purchases_do_not_overflow(
    x: int,
    leaves_at_once: bool,  # noqa: FBT001 - a case, not a flag
) -> None:
    histories = group_histories([x], [1.0], [5_000.0])
    objective = DropoutLikelihood(histories, leaves_at_once=leaves_at_once)
    value, gradient = objective(np.log([0.25, 4.0, 0.8, 2.5]))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_parameters_that_ran_away_cost_infinity(cdnow: Columns) -> None:
    objective = StayLikelihood(group_histories(cdnow["x"], cdnow["t_x"], cdnow["age"]))
    value, _ = objective(np.array([30.0, 0.0]))
    assert value == np.inf
