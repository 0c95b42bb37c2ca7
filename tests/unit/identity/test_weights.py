from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.scoring.compare import frequency_columns
from cdp_pipeline.identity.scoring.design import shipped_design
from cdp_pipeline.identity.scoring.weights import (
    RAREST_BITS,
    Parameters,
    load_parameters,
    match_probability,
    score_patterns,
    store_parameters,
)

COMPARISONS = shipped_design().comparisons

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Query, Village


def _parameters() -> Parameters:
    def levels(first: float) -> tuple[np.ndarray, ...]:
        return tuple(
            np.array([1 - first, *[first / (c.size - 1)] * (c.size - 1)]) for c in COMPARISONS
        )

    return Parameters(
        comparisons=COMPARISONS,
        match=levels(0.9),
        household=levels(0.5),
        unrelated=levels(0.01),
        match_bits=-12.5,
        household_bits=-13.25,
        linked_bits=1.5,
    )


def test_a_stored_model_is_read_back_to_the_last_bit() -> None:
    before = _parameters()
    with duckdb.connect() as con:
        con.execute("create schema identity")
        store_parameters(con, before)
        after = load_parameters(con, COMPARISONS)
        store_parameters(con, None)
        assert load_parameters(con, COMPARISONS) is None
    assert after is not None
    assert (after.match_bits, after.household_bits, after.linked_bits) == (-12.5, -13.25, 1.5)
    for name in ("match", "household", "unrelated"):
        pairs = zip(getattr(before, name), getattr(after, name), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_a_model_without_a_level_that_is_declared_since_is_told_with_a_remedy() -> None:
    with duckdb.connect() as con:
        con.execute("create schema identity")
        store_parameters(con, _parameters())
        con.execute("delete from identity.model_parameters where level = 'one slip'")
        with pytest.raises(ConfigError, match="without the level 'one slip' of 'birth date'"):
            load_parameters(con, COMPARISONS)


def test_a_rare_name_weighs_more_but_not_without_end() -> None:
    parameters = _parameters()
    outcomes = [1] + [-1] * (len(COMPARISONS) - 1)
    common, rare, rarest = (
        parameters.pair_bits(outcomes, {0: bits})[0][0] for bits in (-5.0, -15.0, -40.0)
    )
    assert rare - common == pytest.approx(10)
    assert rarest == pytest.approx(common - 5 - RAREST_BITS)


def test_names_that_go_together_count_for_less() -> None:
    parameters = _parameters()
    names = {0: -10.0, 1: -10.0}
    missing = [-1] * (len(COMPARISONS) - 2)
    both = parameters.pair_bits([1, 1, *missing], names)
    alone = parameters.pair_bits([-1, 1, *missing], names)
    assert both[1][0] == pytest.approx(alone[1][0] - 1.5)
    assert both[0] == parameters.pair_bits([1, -1, *missing], names)[0]


@pytest.mark.parametrize(
    ("given", "other", "is_counted"),
    [
        ("same", "e-mail", False),
        ("alike", "e-mail", True),
        ("missing", "e-mail", True),
        ("same", "family name", True),
        ("same", "birth date", True),
        ("same", "sex", True),
    ],
)
def test_another_mailbox_is_no_conflict_of_records_with_one_name(
    given: str, other: str, *, is_counted: bool
) -> None:
    """People have several; but relatives of names alike are told apart by them."""
    parameters = _parameters()
    names = [c.name for c in COMPARISONS]
    outcomes = [-1] * len(COMPARISONS)
    levels = [COMPARISONS[0].level_name(n) for n in range(COMPARISONS[0].size)]
    outcomes[0] = levels.index(given) if given in levels else -1
    outcomes[names.index(other)] = 0
    code, factor = 0, 1
    for outcome, comparison in zip(outcomes, COMPARISONS, strict=True):
        code += factor * (outcome + 1)
        factor *= comparison.size + 1
    with duckdb.connect() as con:
        frequencies = ", ".join(f"0.0 as f{n}" for n in frequency_columns(COMPARISONS))
        con.execute(
            f"create table pairs as select cast({code} as bigint) as pattern, {frequencies}"
        )
        score_patterns(con, parameters, pairs="pairs", scored="scored")
        found = con.execute("select conflict from scored").fetchall()[0][0]
    assert (found < 0) == is_counted


@pytest.mark.parametrize(
    ("match", "household", "expected"),
    [(0.0, -100.0, 0.5), (10.0, 10.0, 0.5), (3.0, -100.0, 8 / 9), (2000.0, 1990.0, 1024 / 1025)],
)
def test_probability_is_one_persons_share_of_the_odds(
    match: float, household: float, expected: float
) -> None:
    assert match_probability(match, household) == pytest.approx(expected, rel=1e-3)


def test_edges_carry_the_probability_of_their_weights(village: Village, read: Query) -> None:
    rows = read(
        village.made,
        "select match_weight, household_weight, match_prob from identity.edges "
        "where pattern is not null",
    )
    assert rows
    for match, household, probability in rows:
        assert probability == pytest.approx(match_probability(match, household), abs=1e-9)
