from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.features.quadrature import beta_rule


@settings(max_examples=60, deadline=None)
@given(a=st.floats(0.01, 50.0), b=st.floats(0.01, 5_000.0), nodes=st.integers(2, 128))
def test_rule_gives_the_beta_moments(a: float, b: float, nodes: int) -> None:
    p, weight = beta_rule(a, b, nodes=nodes)
    mean, second = a / (a + b), a * (a + 1) / ((a + b) * (a + b + 1))
    assert (p > 0).all()
    assert (p < 1 + 1e-12).all()
    assert float(weight.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float((p * weight).sum()) == pytest.approx(mean, rel=1e-9, abs=1e-14)
    assert float((p**2 * weight).sum()) == pytest.approx(second, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 0.5), (1.0, 0.000001), (0.3, 0.7)])
def test_sums_of_one_and_two_have_no_pole(a: float, b: float) -> None:
    p, weight = beta_rule(a, b, nodes=16)
    assert float((p * weight).sum()) == pytest.approx(a / (a + b), rel=1e-9)


def test_uniform_weight_is_the_gauss_legendre_rule() -> None:
    p, weight = beta_rule(1.0, 1.0, nodes=10)
    nodes, legendre = np.polynomial.legendre.leggauss(10)
    assert p == pytest.approx((1 + nodes) / 2, abs=1e-14)
    assert weight == pytest.approx(legendre / 2, abs=1e-14)
