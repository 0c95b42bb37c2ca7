from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

recordlinkage = pytest.importorskip("recordlinkage")

from cdp_pipeline.identity.scoring.compare import Comparison, Level  # noqa: E402 - after the skip
from cdp_pipeline.identity.scoring.kernel import (  # noqa: E402 - after the skip
    Counted,
    HouseholdECM,
    Population,
)

YES_NO = (Level("same", "true"),)
FIELDS = (
    Comparison("given", "false", YES_NO, "personal", ()),
    Comparison("birth", "false", YES_NO, "birth", ()),
    Comparison("family", "false", YES_NO, "shared", ()),
    Comparison("address", "false", YES_NO, "shared", ()),
    Comparison("phone", "false", YES_NO, "shared", ()),
)
MATCH = np.array([0.90, 0.95, 0.93, 0.85, 0.80])
HOUSEHOLD = np.array([0.01, 0.01, 0.90, 0.95, 0.40])
STRANGERS = np.array([0.01, 0.0001, 0.002, 0.0005, 0.0001])
PAIRS = {"match": 4000.0, "household": 9000.0, "unrelated": 1_000_000.0}
PATTERNS = np.array(list(itertools.product((0, 1), repeat=len(FIELDS))))


def _likelihood(agree: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.prod(np.where(PATTERNS == 1, agree, 1 - agree), axis=1)


def _fit(classes: int = 3) -> recordlinkage.ECMClassifier:
    """Fit on the exact expected counts of a known population."""
    counts = (
        PAIRS["match"] * _likelihood(MATCH)
        + PAIRS["household"] * _likelihood(HOUSEHOLD)
        + PAIRS["unrelated"] * _likelihood(STRANGERS)
    )
    population = Population(
        nodes=5000,
        total_pairs=sum(PAIRS.values()),
        unrelated=tuple(np.array([1 - u, u]) for u in STRANGERS),
    )
    classifier = recordlinkage.ECMClassifier(init="random")
    classifier.kernel = HouseholdECM(FIELDS, population, counts=counts, classes=classes)
    classifier.fit(pd.DataFrame(PATTERNS, columns=[c.name for c in FIELDS]))
    return classifier


def test_known_parameters_are_found() -> None:
    kernel = _fit().kernel
    assert np.allclose([m[1] for m in kernel.match], MATCH, atol=0.02)
    assert np.allclose([h[1] for h in kernel.household[2:]], HOUSEHOLD[2:], atol=0.02)
    total = sum(PAIRS.values())
    assert kernel.priors[0] * total == pytest.approx(PAIRS["match"], rel=0.03)
    assert kernel.priors[1] * total == pytest.approx(PAIRS["household"], rel=0.03)


def test_a_spouse_is_no_match_with_the_household_class_and_one_without() -> None:
    spouse = pd.DataFrame([[0, 0, 1, 1, 1]], columns=[c.name for c in FIELDS])
    assert _fit(classes=3).prob(spouse)[0] < 0.05
    assert _fit(classes=2).prob(spouse)[0] > 0.95


def test_missing_fields_leave_the_odds_alone() -> None:
    kernel = _fit().kernel
    nothing = np.full((1, len(FIELDS)), -1)
    assert np.allclose(kernel.class_shares(nothing)[0], kernel.priors)


def test_recordlinkages_classifier_answers_from_the_kernel() -> None:
    classifier = _fit()
    assert classifier.p == pytest.approx(classifier.kernel.priors[0])
    assert classifier.m_probs["given"][1] == pytest.approx(classifier.kernel.match[0][1])
    assert classifier.u_probs["birth"][1] == pytest.approx(STRANGERS[1])
    agreeing = pd.DataFrame(
        [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]],
        columns=[c.name for c in FIELDS],
        index=pd.MultiIndex.from_tuples([(1, 2), (3, 4)]),
    )
    assert list(classifier.predict(agreeing)) == [(1, 2)]


def test_a_son_named_after_his_father_does_not_teach_that_birth_dates_differ() -> None:
    fields = (replace(FIELDS[0], kind="name"), *FIELDS[1:])
    juniors = np.array([1.0, 0.0, 1.0, 1.0, 0.4])
    counts = (
        PAIRS["match"] * _likelihood(MATCH)
        + PAIRS["household"] * (_likelihood(HOUSEHOLD) * 0.99 + _likelihood(juniors) * 0.01)
        + PAIRS["unrelated"] * _likelihood(STRANGERS)
    )
    population = Population(
        nodes=5000,
        total_pairs=sum(PAIRS.values()),
        unrelated=tuple(np.array([1 - u, u]) for u in STRANGERS),
    )
    kernels = [
        HouseholdECM(comparisons, population, counts=counts).fit(PATTERNS)
        for comparisons in (FIELDS, fields)
    ]
    junior = np.array([[1, 0, 1, 1, 0]])
    odds = [kernel.class_shares(junior)[0, 0] for kernel in kernels]
    assert odds[1] < 0.4 < odds[0]  # 28 of 82 such pairs are matches


@pytest.mark.parametrize(("counted", "expected"), [(False, 1e-3), (True, 1e-4)])
def test_what_a_sample_of_strangers_is_too_small_to_show_is_counted(
    *, counted: bool, expected: float
) -> None:
    counts = (
        PAIRS["match"] * _likelihood(MATCH)
        + PAIRS["household"] * _likelihood(HOUSEHOLD)
        + PAIRS["unrelated"] * _likelihood(STRANGERS)
    )
    total = sum(PAIRS.values())
    sampled = np.array([*STRANGERS[:4], 1e-3])
    population = Population(
        nodes=5000,
        total_pairs=total,
        unrelated=tuple(np.array([1 - u, u]) for u in sampled),
        counted={4: Counted(total)} if counted else {},
    )
    kernel = HouseholdECM(FIELDS, population, counts=counts).fit(PATTERNS)
    assert kernel.unrelated[4][1] == pytest.approx(expected, rel=0.1)
    assert kernel.unrelated[4].sum() == pytest.approx(1)


@pytest.mark.parametrize(("dropped", "expected"), [(0, 1e-4), (200, 3e-4), (5000, 1e-3)])
def test_pairs_that_blocking_drops_are_strangers_who_share_a_value(
    dropped: float, expected: float
) -> None:
    counts = PAIRS["unrelated"] * _likelihood(STRANGERS) + PAIRS["match"] * _likelihood(MATCH)
    population = Population(
        nodes=5000,
        total_pairs=counts.sum(),
        unrelated=tuple(np.array([1 - u, u]) for u in [*STRANGERS[:4], 1e-3]),
        counted={4: Counted(PAIRS["unrelated"], dropped)},
    )
    kernel = HouseholdECM(FIELDS, population, counts=counts).fit(PATTERNS)
    assert kernel.unrelated[4][1] == pytest.approx(expected, rel=0.15)  # never above the sample's


@pytest.mark.parametrize(("kind", "expected"), [("personal", 1e-4), ("birth", 0.0101)])
def test_two_of_a_household_share_what_is_counted_no_oftener_than_strangers(
    kind: str, expected: float
) -> None:
    fields = (*FIELDS[:4], replace(FIELDS[4], kind=kind))
    counts = PAIRS["unrelated"] * _likelihood(STRANGERS) + PAIRS["match"] * _likelihood(MATCH)
    population = Population(
        nodes=5000,
        total_pairs=counts.sum(),
        unrelated=tuple(np.array([1 - u, u]) for u in [*STRANGERS[:4], 1e-3]),
        counted={4: Counted(counts.sum())},
    )
    kernel = HouseholdECM(fields, population, counts=counts).fit(PATTERNS)
    assert kernel.household[4][1] == pytest.approx(expected, rel=0.05)
    assert kernel.household[4].sum() == pytest.approx(1)


def test_names_go_together_as_much_where_blocking_leaves_the_commonest_out() -> None:
    """A larger store has more namesakes than may be compared; its names fit each other as well."""
    fields = (FIELDS[0], FIELDS[1], replace(FIELDS[2], goes_with="given"), *FIELDS[3:])
    together = _likelihood(STRANGERS)
    are_namesakes = (PATTERNS[:, 0] == 1) & (PATTERNS[:, 2] == 1)
    together[are_namesakes] *= 16
    strangers = PAIRS["unrelated"] * together
    kin = PAIRS["match"] * _likelihood(MATCH) + PAIRS["household"] * _likelihood(HOUSEHOLD)
    dropped = 0.75 * strangers * are_namesakes
    population = Population(
        nodes=5000,
        total_pairs=(strangers + kin).sum(),
        unrelated=tuple(np.array([1 - u, u]) for u in STRANGERS),
    )
    counts = (strangers + kin, strangers + kin - dropped)
    compared, unaware = (
        HouseholdECM(fields, population, counts=count).fit(PATTERNS).linked_bits for count in counts
    )
    aware = replace(population, namesakes=dropped.sum())
    told = HouseholdECM(fields, aware, counts=counts[1]).fit(PATTERNS).linked_bits
    assert compared == pytest.approx(4, abs=0.2)
    assert unaware < 3
    assert told == pytest.approx(compared, abs=0.2)


def test_context_tells_kin_from_strangers_but_not_who_of_a_family() -> None:
    fields = (*FIELDS[:4], replace(FIELDS[4], kind="context"))
    counts = PAIRS["match"] * _likelihood(MATCH) + PAIRS["unrelated"] * _likelihood(STRANGERS)
    population = Population(
        nodes=5000,
        total_pairs=sum(PAIRS.values()),
        unrelated=tuple(np.array([1 - u, u]) for u in STRANGERS),
    )
    kernel = HouseholdECM(fields, population, counts=counts).fit(PATTERNS)
    assert np.array_equal(kernel.household[4], kernel.match[4])
    assert kernel.match[4][1] == pytest.approx(MATCH[4], abs=0.02)


def test_a_family_slips_as_often_as_one_person() -> None:
    """Blocking finds relatives by equal addresses: slips in theirs say nothing."""
    fields = (
        *FIELDS[:2],
        Comparison("address", "false", (*YES_NO, Level("alike", "")), "shared", ()),
    )
    patterns = np.array(list(itertools.product((0, 1), (0, 1), (0, 1, 2))))

    def expected(agree: list[float], levels: list[float]) -> npt.NDArray[np.float64]:
        personal = np.where(patterns[:, :2] == 1, agree, 1 - np.array(agree)).prod(axis=1)
        return np.asarray(personal * np.array(levels)[patterns[:, 2]])

    strangers = [0.994, 0.002, 0.004]
    counts = (
        4000 * expected([0.9, 0.95], [0.1, 0.7, 0.2])
        + 9000 * expected([0.01, 0.01], [0.1, 0.899, 0.001])
        + 1_000_000 * expected([0.01, 0.0001], strangers)
    )
    population = Population(
        nodes=5000,
        total_pairs=1_013_000.0,
        unrelated=(np.array([0.99, 0.01]), np.array([0.9999, 0.0001]), np.array(strangers)),
    )
    kernel = HouseholdECM(fields, population, counts=counts).fit(patterns)
    same, alike = kernel.household[2][1:]
    assert alike / same >= kernel.match[2][2] / kernel.match[2][1] - 1e-9
    assert kernel.class_shares(np.array([[0, 0, 2]]))[0, 0] < 0.01


def test_equal_data_fit_equally() -> None:
    first, second = _fit().kernel, _fit().kernel
    assert all(np.array_equal(a, b) for a, b in zip(first.match, second.match, strict=True))


def test_what_differs_speaks_against_a_match_no_less_than_the_worst_level() -> None:
    """Strangers of one name and house look like people whose age nobody knows: they are not."""
    graded = Comparison(
        "year", "false", (Level("same", "true"), Level("near", "true")), "birth", ()
    )
    fields = (FIELDS[0], graded, *FIELDS[2:4])
    patterns = np.array(list(itertools.product((0, 1), (0, 1, 2), (0, 1), (0, 1))))
    unrelated = [np.array([1 - u, u]) for u in STRANGERS[:4]]
    unrelated[1] = np.array([0.9, 0.02, 0.08])

    def likelihood(given: float, year: list[float], family: float, address: float) -> np.ndarray:
        shares = (np.array([1 - given, given]), np.array(year))
        rest = (np.array([1 - family, family]), np.array([1 - address, address]))
        levels = zip((*shares, *rest), patterns.T, strict=True)
        return np.prod([share[outcomes] for share, outcomes in levels], axis=0)

    counts = (
        4000 * likelihood(0.9, [0.01, 0.98, 0.01], 0.93, 0.85)
        + 2000 * likelihood(1.0, [1.0, 0.0, 0.0], 1.0, 0.95)  # fathers and sons of one name
        + 1e6 * likelihood(0.01, list(unrelated[1]), 0.002, 0.0005)
    )
    population = Population(5000, counts.sum(), tuple(unrelated))
    kernel = HouseholdECM(fields, population, counts=counts, classes=2).fit(patterns)
    weights = np.log2(kernel.match[1] / unrelated[1])
    assert weights[0] <= weights[2] + 1e-6
