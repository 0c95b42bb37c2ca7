from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.features.btyd import (
    PARAMETER_NAMES,
    BtydFit,
    ModelName,
    alive_table,
    expected_new,
    expected_visits,
    fit_purchases,
    p_active,
    p_alive,
    while_alive,
)

Columns = dict[str, NDArray[np.float64]]

DROPOUT_MODELS: tuple[ModelName, ...] = ("mbg/nbd", "bg/nbd")
MODELS: tuple[ModelName, ...] = (*DROPOUT_MODELS, "nbd")


def fitted(model: ModelName, *params: float) -> BtydFit:
    names = PARAMETER_NAMES[model]
    values = dict(zip(names, params, strict=True))
    return BtydFit(
        model, values, dict.fromkeys(names, 0.1), -1.0, 100.0, 10, converged=True, status="ok"
    )


@pytest.fixture(scope="module")
def bgnbd(cdnow: Columns) -> BtydFit:
    return fit_purchases(cdnow["x"], cdnow["t_x"], cdnow["age"], model="bg/nbd")


def test_bgnbd_reproduces_the_published_fit_on_cdnow(bgnbd: BtydFit) -> None:
    # Fader, Hardie, Lee 2005: .243 4.414 .793 2.426, LL -9582.4.
    published = {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}
    assert bgnbd.status == "ok"
    assert bgnbd.converged
    assert bgnbd.params == pytest.approx(published, abs=5e-5)
    assert bgnbd.loglik == pytest.approx(-9582.429, abs=1e-3)
    assert (bgnbd.n, bgnbd.rows) == (2357, 1016)


def test_bgnbd_standard_errors_on_cdnow(bgnbd: BtydFit) -> None:
    expected = {"r": 0.01256, "alpha": 0.3782, "a": 0.1857, "b": 0.7053}
    assert bgnbd.se == pytest.approx(expected, rel=1e-3)


def test_mbgnbd_reproduces_the_published_fit_on_cdnow(cdnow: Columns) -> None:
    fit = fit_purchases(cdnow["x"], cdnow["t_x"], cdnow["age"])
    published = {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}
    assert fit.model == "mbg/nbd"
    assert fit.params == pytest.approx(published, abs=5e-4)
    assert fit.loglik == pytest.approx(-9582.1357, abs=1e-3)
    assert float(p_alive(fit, 0, 0, 39)[0]) == pytest.approx(0.390, abs=1e-3)


def test_bgnbd_predictions_match_the_published_ones(bgnbd: BtydFit) -> None:
    customer = (2, 30.43, 38.86)
    assert float(expected_visits(bgnbd, *customer, 39)[0]) == pytest.approx(1.226, abs=5e-4)
    assert float(p_alive(bgnbd, *customer)[0]) == pytest.approx(0.72661, abs=1e-5)
    times = [0.1429, 1.0, 3.0, 31.8571, 32.0, 78.0]
    expected = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
    assert expected_new(bgnbd, times) == pytest.approx(expected, abs=5e-4)
    assert float(p_alive(bgnbd, 0, 0, 39)[0]) == 1.0


def test_mbgnbd_expectation_of_a_new_customer_matches_simulation() -> None:
    fit = fitted("mbg/nbd", 0.525, 6.183, 0.891, 1.614)
    draw = np.random.default_rng(7)
    size = 400_000
    rate, chance = draw.gamma(0.525, 1 / 6.183, size), draw.beta(0.891, 1.614, size)
    visits = np.zeros(size)
    rows = np.flatnonzero(draw.random(size) >= chance)
    clock = np.zeros(size)
    while len(rows):
        clock[rows] += draw.exponential(1 / rate[rows])
        rows = rows[clock[rows] <= 39]
        visits[rows] += 1
        rows = rows[draw.random(len(rows)) >= chance[rows]]
    error = visits.std() / math.sqrt(size)
    assert float(expected_new(fit, 39)[0]) == pytest.approx(visits.mean(), abs=4 * error)


@pytest.mark.parametrize(
    ("a", "x", "age", "horizon", "expected"),
    [
        # 60-digit mpmath values of Fader, Hardie, Lee (2005), equation 10, without P(alive), at
        # r=.2426, alpha=4.4136, b=2.4259; at a=1 as the limit, where 2F1 has a pole.
        (0.02, 0, 39, 39, 0.2170927584980584),
        (0.02, 0, 39, 3650, 19.332262230641767),
        (0.02, 1, 39, 365, 10.205321830160424),
        (0.02, 200, 39, 39, 178.62156539791476),
        (0.02, 5000, 39, 39, 4460.199609492995),
        (0.02, 5000, 39, 365, 40793.33421620736),
        (1.0, 0, 39, 39, 0.19022709008906266),
        (1.0, 0, 39, 3650, 3.321248936845513),
        (1.0, 1, 39, 365, 4.36118711560094),
        (1.0, 200, 39, 39, 128.71345310751684),
        (1.0, 5000, 39, 39, 3205.410183615689),
        (1.0, 5000, 39, 365, 11211.024050795688),
        (6.0, 0, 39, 39, 0.15931517320931823),
        (6.0, 0, 39, 3650, 0.9239527531574082),
        (6.0, 1, 39, 365, 1.4865225227066663),
        (6.0, 200, 39, 39, 39.656436102800676),
        (6.0, 5000, 39, 39, 960.7233072050885),
        (6.0, 5000, 39, 365, 1001.4715008299206),
    ],
)
def test_expectation_matches_the_hypergeometric_form(
    a: float, x: int, age: int, horizon: int, expected: float
) -> None:
    fit = fitted("bg/nbd", 0.2426, 4.4136, a, 2.4259)
    table = alive_table(fit, x, age, horizons=(horizon,))
    assert float(table[f"visits_{horizon}d"][0]) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("start", [(10, 0.2, 14, 50), (0.02, 90, 0.04, 0.1), (5, 1, 1, 1)])
def test_the_start_does_not_matter(
    cdnow: Columns, model: ModelName, start: tuple[float, ...]
) -> None:
    data = (cdnow["x"], cdnow["t_x"], cdnow["age"])
    reference = fit_purchases(*data, model=model)
    names = PARAMETER_NAMES[model]
    fit = fit_purchases(*data, model=model, start=fitted(model, *start[: len(names)]))
    assert fit.converged
    assert fit.loglik == pytest.approx(reference.loglik, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_order_of_rows_and_counting_do_not_matter(cdnow: Columns, model: ModelName) -> None:
    order = np.random.default_rng(3).permutation(len(cdnow["x"]))
    data = (cdnow["x"], cdnow["t_x"], cdnow["age"])
    rows = np.stack(data)
    counted, n = np.unique(rows, axis=1, return_counts=True)
    reference = fit_purchases(*data, model=model)
    assert fit_purchases(*(column[order] for column in data), model=model) == reference
    assert fit_purchases(*counted, n, model=model) == reference


@pytest.mark.parametrize("model", MODELS)
def test_large_data_give_the_same_maximum_from_a_sample(
    cdnow: Columns, model: ModelName, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (cdnow["x"], cdnow["t_x"], cdnow["age"])
    reference = fit_purchases(*data, model=model)
    monkeypatch.setattr("cdp_pipeline.features.fitting._SAMPLE_ROWS", 200)
    fit = fit_purchases(*data, model=model)
    assert fit.loglik == pytest.approx(reference.loglik, abs=1e-6)
    assert fit.params == pytest.approx(reference.params, rel=1e-4)
    assert fit.se == pytest.approx(reference.se, rel=0.35)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("x", "t_x", "age"),
    [
        pytest.param([], [], [], id="nobody"),
        pytest.param([4], [20], [30], id="one customer"),
        pytest.param([0] * 50, [0] * 50, list(range(50)), id="no repeat purchase"),
        pytest.param([0] * 50, [0] * 50, [0] * 50, id="all bought today for the first time"),
    ],
)
def test_too_little_data_is_a_status(
    model: ModelName, x: list[int], t_x: list[int], age: list[int]
) -> None:
    fit = fit_purchases(x, t_x, age, model=model)
    assert (fit.status, fit.converged, fit.params) == ("not_enough_data", False, {})
    assert np.isnan(expected_visits(fit, [0, 3], [0, 9], [9, 9], 90)).all()
    assert np.isnan(p_active(fit, 0, 0, 9, 90)).all()
    assert np.isnan(p_alive(fit, 0, 0, 9)).all()
    assert np.isnan(expected_new(fit, 9)).all()


@pytest.mark.parametrize("model", DROPOUT_MODELS)
def test_constant_data_fall_back_to_the_common_rate(model: ModelName) -> None:
    fit = fit_purchases([3] * 40, [20] * 40, [30] * 40, model=model)
    assert (fit.status, fit.model, fit.converged) == ("nbd_fallback", "nbd", False)
    assert float(expected_visits(fit, 3, 20, 30, 30)[0]) == pytest.approx(3.0, rel=1e-3)
    assert p_alive(fit, [0, 3], [0, 20], [30, 30]).tolist() == [1.0, 1.0]


def simulate(
    random: np.random.Generator, rate: NDArray[np.float64], leave: NDArray[np.float64], ahead: float
) -> tuple[Columns, float]:
    """Return histories of customers who may leave after any purchase, and what they buy ahead."""
    age = random.uniform(300, 700, len(rate))
    x, t_x, later = (np.zeros(len(rate)) for _ in range(3))
    now = np.zeros(len(rate))
    alive = random.random(len(rate)) >= leave
    while alive.any():
        now = now + random.exponential(1 / rate)
        is_seen = alive & (now <= age)
        x, t_x = x + is_seen, np.where(is_seen, now, t_x)
        later += alive & (now > age) & (now <= age + ahead)
        alive &= (random.random(len(rate)) >= leave) & (now <= age + ahead)
    return {"x": x, "t_x": t_x, "age": age}, float(later.sum())


@pytest.mark.parametrize("rates_alike", [True, False])
@pytest.mark.parametrize("leavers_alike", [True, False])
def test_customers_who_are_alike_are_forecast_too(
    *, rates_alike: bool, leavers_alike: bool
) -> None:
    random = np.random.default_rng(11)
    count = 20_000
    rate = np.full(count, 0.02) if rates_alike else random.gamma(2.0, 0.01, count)
    leave = np.full(count, 0.2) if leavers_alike else random.beta(1.0, 4.0, count)
    seen, bought = simulate(random, rate, leave, ahead=365.0)
    fit = fit_purchases(seen["x"], seen["t_x"], seen["age"])
    assert (fit.status, fit.model) == ("ok", "mbg/nbd")
    expected = expected_visits(fit, seen["x"], seen["t_x"], seen["age"], 365.0).sum()
    assert expected == pytest.approx(bought, rel=0.05)
    assert fit.params["a"] / (fit.params["a"] + fit.params["b"]) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("model", DROPOUT_MODELS)
def test_data_without_dropout_fall_back_to_nbd(model: ModelName) -> None:
    draw = np.random.default_rng(11)
    x = draw.poisson(draw.gamma(2.0, 6.0, 800)) + 1
    age = np.full(800, 365.0)
    # Everybody's last visit was yesterday: nobody can have left.
    fit = fit_purchases(x, age - 1, age, model=model)
    direct = fit_purchases(x, age - 1, age, model="nbd")
    assert (fit.status, fit.model) == ("nbd_fallback", "nbd")
    assert fit.params == direct.params
    assert direct.status == "ok"
    assert float(expected_visits(fit, 12, 364, 365, 365)[0]) == pytest.approx(12.4, abs=1.5)


@pytest.mark.parametrize(
    ("x", "t_x", "age"),
    [
        pytest.param([1.5], [2], [3], id="fraction of a purchase"),
        pytest.param([1], [4], [3], id="last purchase after the end"),
        pytest.param([0], [2], [3], id="time without repeat purchase"),
        pytest.param([2], [0], [3], id="repeat purchase without time"),
        pytest.param([1], [1], [math.nan], id="missing"),
        pytest.param([1, 1], [1], [3], id="lengths"),
    ],
)
def test_impossible_histories_are_refused(
    x: list[float], t_x: list[float], age: list[float]
) -> None:
    with pytest.raises(DataQualityError, match="purchase histories") as caught:
        fit_purchases(x, t_x, age)
    assert caught.value.hint


positive = st.floats(0.05, 20.0)


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    params=st.tuples(positive, positive, positive, positive),
    x=st.integers(0, 2_000),
    silence=st.floats(0.0, 3_000.0),
    horizon=st.floats(1.0, 730.0),
)
def test_predictions_stay_within_their_bounds(
    model: ModelName,
    params: tuple[float, ...],
    x: int,
    silence: float,
    horizon: float,
) -> None:
    fit = fitted(model, *params[: len(PARAMETER_NAMES[model])])
    last = float(x)
    history = (x, last, last + silence)
    alive, active = (
        float(f[0]) for f in (p_alive(fit, *history), p_active(fit, *history, horizon))
    )
    visits = float(expected_visits(fit, *history, horizon)[0])
    rate = (fit.params["r"] + x) / (fit.params["alpha"] + last + silence)
    assert 0.0 <= active <= alive <= 1.0
    assert active <= visits * (1 + 1e-9) + 1e-12
    assert visits <= alive * rate * horizon * (1 + 1e-9) + 1e-12


history_lists = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 60), st.integers(0, 400)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(model=st.sampled_from(MODELS), rows=history_lists)
def test_no_data_set_raises_and_forecasts_are_finite(
    model: ModelName, rows: list[tuple[int, int, int]]
) -> None:
    x = [row[0] for row in rows]
    t_x = [row[1] if row[0] else 0 for row in rows]
    age = [last + row[2] for last, row in zip(t_x, rows, strict=True)]
    fit = fit_purchases(x, t_x, age, model=model)
    visits = expected_visits(fit, [0, 3, 6], [0, 20, 60], [5, 20, 400], 365)
    assert fit.converged == (fit.status == "ok")
    if fit.status == "not_enough_data":
        assert np.isnan(visits).all()
    else:
        assert np.isfinite(visits).all()
        assert (visits >= 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_longer_silence_lowers_the_chance_to_be_active(model: ModelName) -> None:
    params = (0.5, 40.0, 0.9, 1.6)[: len(PARAMETER_NAMES[model])]
    chances = p_active(fitted(model, *params), 5, 100, [100, 150, 300, 900], 90)
    assert (np.diff(chances) < 0).all()


def test_alive_table_agrees_with_the_forecast_per_customer() -> None:
    fit = fitted("mbg/nbd", 0.525, 43.0, 0.891, 1.614)
    x, t_x, age = [3, 0, 3, 3], [100, 0, 50, 20], [200, 200, 200, 90]
    table = alive_table(fit, x, age, months=12, month_days=30.0, monthly_discount=0.0)
    assert list(zip(table["x"].tolist(), table["T"].tolist(), strict=True)) == [
        (0, 200),
        (3, 90),
        (3, 200),
    ]
    alive = table["visits_90d"][[2, 0, 2, 1]]
    expected = expected_visits(fit, x, t_x, age, 90)
    assert alive * p_alive(fit, x, t_x, age) == pytest.approx(expected, rel=1e-12)
    year = alive_table(fit, x, age, horizons=(360,))["visits_360d"]
    assert table["discounted_visits"] == pytest.approx(year, rel=1e-12)


@pytest.mark.parametrize("model", ["mbg/nbd", "bg/nbd"])
@pytest.mark.parametrize(
    ("params", "x"),
    [((0.6, 70.0, 0.6, 1.3), 0), ((0.05, 0.1, 0.02, 90.0), 3), ((20.0, 900.0, 7.0, 0.2), 400)],
)
def test_many_ages_at_once_are_as_exact_as_each_by_itself(
    model: ModelName, params: tuple[float, ...], x: int
) -> None:
    fit = fitted(model, *params)
    ages = np.arange(0.0, 3_000.0)
    (together,) = while_alive(fit, x, ages, [365.0])
    for age in (0, 1, 700, 2_999):
        (alone,) = while_alive(fit, x, ages[age], [365.0])
        assert together.visits[age] == pytest.approx(alone.visits[0], rel=1e-12)
        assert together.pairs[age] == pytest.approx(alone.pairs[0], rel=1e-6)
        assert together.active[age] == pytest.approx(alone.active[0], rel=1e-12)


def test_discount_counts_visits_at_the_end_of_their_month() -> None:
    fit = fitted("nbd", 1.0, 99.0)
    table = alive_table(fit, 0, 1, months=2, monthly_discount=0.1)
    # (r + x) / (alpha + T) = 1/100 a day, hence .3 visits in each month of 30 days.
    expected = 0.3 / 1.1 + 0.3 / 1.21
    assert float(table["discounted_visits"][0]) == pytest.approx(expected, rel=1e-12)


def test_fit_as_plain_data(bgnbd: BtydFit) -> None:
    plain = bgnbd.as_dict()
    assert plain["params"] == bgnbd.params
    assert BtydFit(**plain) == bgnbd
    assert replace(bgnbd, status="nbd_fallback").as_dict()["status"] == "nbd_fallback"
