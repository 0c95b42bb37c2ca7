from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pytest

from cdp_pipeline.identity.scoring.compare import Comparison, Level, unpack
from cdp_pipeline.identity.scoring.learning import carry_learning, load_correction
from cdp_pipeline.identity.scoring.supervised import (
    LEVELS,
    MINIMUM_LABELS,
    MOST_BITS,
    UNSUPERVISED,
    Labels,
    Pairs,
    fit_correction,
    hold_contest,
)
from cdp_pipeline.identity.stewardship.judgements import record_judgements

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Query, Store, Village

pytest.importorskip("recordlinkage")

FIELDS = tuple(
    Comparison(name, "false", (Level("same", "true"), Level("alike", "true")), "personal", (name,))
    for name in ("given name", "phone")
)


def pairs(size: int, seed: int, *, spread: float = 2.0) -> Pairs:
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, spread, size)
    outcomes = rng.integers(-1, 3, (size, 2))
    return Pairs(outcomes, log_odds + 1, rng.normal(-3, 1, size), log_odds)


def judged(size: int, seed: int, *, shift: float = 0.0) -> Labels:
    """Return labels drawn from the model's own probability, moved where the phone is the same."""
    rng = np.random.default_rng(seed)
    chosen = pairs(size, seed)
    true = chosen.log_odds + np.where(chosen.outcomes[:, 1] == 1, shift, -shift)
    is_same = rng.random(size) < 1 / (1 + np.exp2(-true))
    left = rng.integers(0, 4 * size, size)
    return Labels(chosen, is_same, left, left + 4 * size)


EXPECTED = pairs(300, 99, spread=8.0)


def test_without_enough_judgements_there_is_no_contest() -> None:
    contest = hold_contest(FIELDS, judged(2 * MINIMUM_LABELS - 1, 1), EXPECTED)
    assert contest.figures == ()
    assert contest.chosen == UNSUPERVISED
    assert "too few" in contest.message


def test_judgements_of_one_customer_are_no_contest() -> None:
    many = judged(400, 1, shift=3.0)
    chain = Labels(many.pairs, many.is_same, np.zeros(400, dtype=np.int64), np.arange(1, 401))
    contest = hold_contest(FIELDS, chain, EXPECTED)
    assert contest.components == 1
    assert contest.figures == ()


def test_a_model_that_is_right_is_kept() -> None:
    chosen = [hold_contest(FIELDS, judged(400, seed), EXPECTED).chosen for seed in range(20)]
    assert chosen.count(UNSUPERVISED) >= 19


def test_a_field_that_the_model_misjudges_is_learned() -> None:
    labels = judged(600, 3, shift=3.0)
    contest = hold_contest(FIELDS, labels, EXPECTED)
    assert contest.chosen == LEVELS
    assert contest.correction is not None
    assert "levels is used" in contest.message
    unseen = judged(2000, 4, shift=3.0)
    right = (contest.correction.apply(unseen.pairs) > 0) == unseen.is_same
    before = (unseen.pairs.log_odds > 0) == unseen.is_same
    assert right.mean() > before.mean() + 0.03
    again = hold_contest(FIELDS, labels, EXPECTED)
    assert again.figures == contest.figures
    assert again.correction is not None
    assert (again.correction.apply(unseen.pairs) == contest.correction.apply(unseen.pairs)).all()


def test_what_was_certain_stays_as_it_was() -> None:
    labels = judged(600, 3, shift=3.0)
    correction = fit_correction(FIELDS, labels, EXPECTED, with_levels=True)
    wide = pairs(2000, 5, spread=20.0)
    change = correction.apply(wide) - wide.log_odds
    assert np.abs(change).max() <= MOST_BITS
    certain = np.abs(wide.log_odds) > 8
    assert certain.sum() > 100
    assert np.abs(change[certain]).max() == 0
    assert np.abs(change[~certain]).max() > 1


def test_folds_never_part_connected_records(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = judged(300, 6, shift=2.0)
    tied = np.arange(300) // 3  # three pairs each share a record
    labels = Labels(labels.pairs, labels.is_same, tied, np.arange(1000, 1300))
    seen: list[set[int]] = []

    def spy(_fields: object, known: Labels, expected: Pairs, *, with_levels: bool) -> object:
        seen.append(set(known.left.tolist()))
        return fit_correction(FIELDS, known, expected, with_levels=with_levels)

    monkeypatch.setattr("cdp_pipeline.identity.scoring.supervised.fit_correction", spy)
    hold_contest(FIELDS, labels, EXPECTED)
    for known in seen[:-1]:
        unseen = set(tied.tolist()) - known
        assert unseen
        assert not unseen & known
    assert len(set(labels.components().tolist())) == 100


def test_sql_and_numpy_correct_alike() -> None:
    correction = fit_correction(FIELDS, judged(600, 3, shift=3.0), EXPECTED, with_levels=True)
    wide = pairs(500, 7, spread=6.0)
    shifts = correction.shifts(wide.outcomes)
    with duckdb.connect() as con:
        con.execute(
            "create table p as select unnest($1) as log_odds, unnest($2) as match_weight, "
            "unnest($3) as household_weight, unnest($4) as shift, unnest($5) as place",
            [
                wide.log_odds.tolist(),
                wide.match_weight.tolist(),
                wide.household_weight.tolist(),
                shifts.tolist(),
                list(range(500)),
            ],
        )
        sql = f"select {correction.corrected_sql()} as bits from p order by place"
        found = con.execute(sql).fetchnumpy()["bits"]
    assert np.allclose(found, correction.apply(wide))


def test_a_night_learns_and_says_so(
    village: Village,
    make_store: Callable[[Path], Store],
    tmp_path: Path,
    read: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdp_pipeline.identity.scoring.supervised.MINIMUM_LABELS", 5)
    monkeypatch.setattr("cdp_pipeline.identity.scoring.supervised.MINIMUM_COMPONENTS", 5)
    monkeypatch.setattr("cdp_pipeline.identity.scoring.supervised.MARGIN", -1e9)
    store = make_store(tmp_path)
    keys = [f"{number:04d}" for number in range(0, 60, 2)]
    drafts = [{"verdict": "same", "a": f"loyalty:{k}", "b": f"shop:{k}"} for k in keys]
    drafts += [
        {"verdict": "different", "a": f"loyalty:{one}", "b": f"loyalty:{other}"}
        for one, other in zip(keys[::2], keys[1::2], strict=True)
    ]
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    record_judgements(tmp_path / "data" / "stewardship", drafts, who="ann", now=moment)
    made = store.night(village.people)
    rows = read(
        made,
        "select contender, pairs_same, pairs_different, components, is_used, fitted_on "
        "from identity.supervised order by contender",
    )
    assert [row[0] for row in rows] == ["levels", "recalibrated", "unsupervised"]
    assert {row[1:4] for row in rows} == {(30, 15, 15)}
    assert sum(row[4] for row in rows) == 1
    assert {row[5] for row in rows} == {date(2026, 11, 20)}


def test_a_night_that_keeps_the_model_keeps_its_correction() -> None:
    codes = np.arange(16)
    code = int(codes[(unpack(codes, FIELDS) == [-1, 1]).all(axis=1)][0])
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as base; attach ':memory:' as cdp; use cdp")
        con.execute("create schema base.identity; create schema cdp.identity")
        con.execute(
            "create table base.identity.supervised as select 'levels' as contender, 1 as a, "
            "1 as b, 1 as c, 0.1 as d, 0.1 as e, 0.1 as f, 0.1 as g, 0.1 as h, 0.1 as i, "
            "true as j, date '2026-11-20' as k"
        )
        con.execute(
            "create table base.identity.supervised_weights as select * from (values "
            "('intercept', '', 0.5), ('range', 'lowest', -3.0), ('range', 'highest', 3.0), "
            "('slope', 'log odds', 1.0), ('slope', 'match weight', 0.0), "
            "('slope', 'household weight', 0.0), ('phone', 'same', 0.25)) as t (a, b, c)"
        )
        con.execute(
            "create temp table identity_scored as select cast(p as bigint) as pattern, "
            "0.0 as match_weight, 0.0 as household_weight, 1.0 as log_odds "
            "from (values (0), ($1)) as t (p)",
            [code],
        )
        carry_learning(con, FIELDS)
        correction = load_correction(con, FIELDS)
        found = con.execute("select log_odds from identity_scored order by pattern").fetchall()
    assert correction is not None
    assert correction.levels[1].tolist() == [0.0, 0.25, 0.0]
    assert [round(bits, 6) for (bits,) in found] == [
        round(1 + 0.5 / math.log(2), 6),
        round(1 + 0.75 / math.log(2), 6),
    ]
