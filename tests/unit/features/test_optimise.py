from __future__ import annotations

import numpy as np
import pytest

from cdp_pipeline.features.optimise import Vector, curvature, invert_curvature, minimise


def rosenbrock(point: Vector) -> tuple[float, Vector]:
    x, y = point
    value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    return float(value), np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


def test_curved_valley_is_followed_to_its_bottom() -> None:
    found = minimise(rosenbrock, np.array([-1.2, 1.0]))
    assert found.converged
    assert found.point == pytest.approx([1.0, 1.0], abs=1e-6)


def test_known_curvature_saves_evaluations() -> None:
    near = np.array([1.02, 1.03])
    inverse = invert_curvature(curvature(rosenbrock, np.array([1.0, 1.0])))
    informed = minimise(rosenbrock, near, inverse_hessian=inverse)
    assert informed.converged
    assert informed.evaluations < minimise(rosenbrock, near).evaluations


def test_misleading_curvature_is_given_up() -> None:
    uphill = -np.eye(2)
    found = minimise(rosenbrock, np.array([0.5, 0.5]), inverse_hessian=uphill)
    assert found.point == pytest.approx([1.0, 1.0], abs=1e-6)


def test_endless_slope_does_not_converge() -> None:
    found = minimise(lambda x: (float(x.sum()), np.ones(2)), np.zeros(2), iterations=20)
    assert not found.converged


def test_edge_of_the_domain_is_respected() -> None:
    def wall(point: Vector) -> tuple[float, Vector]:
        if point[0] > 1:
            return np.inf, np.array([np.nan])
        return float(-point[0]), np.array([-1.0])

    found = minimise(wall, np.array([0.0]))
    assert not found.converged
    assert 0.9 < found.point[0] <= 1.0


def test_infinite_start_does_not_converge() -> None:
    found = minimise(lambda _: (np.inf, np.array([np.nan])), np.zeros(1))
    assert not found.converged


@pytest.mark.parametrize(
    "matrix",
    [np.zeros((2, 2)), np.diag([1.0, -1.0]), np.diag([1.0, 1e-14]), np.full((2, 2), np.nan)],
)
def test_flat_or_broken_curvature_has_no_inverse(matrix: Vector) -> None:
    assert invert_curvature(matrix) is None


def test_curvature_of_a_bowl_and_its_inverse() -> None:
    bowl = np.array([[4.0, 1.0], [1.0, 3.0]])
    hessian = curvature(lambda x: (float(x @ bowl @ x) / 2, bowl @ x), np.array([0.3, -2.0]))
    assert hessian == pytest.approx(bowl, abs=1e-8)
    inverse = invert_curvature(hessian)
    assert inverse is not None
    assert inverse @ bowl == pytest.approx(np.eye(2), abs=1e-8)
