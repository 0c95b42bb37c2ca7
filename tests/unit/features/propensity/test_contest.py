from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from cdp_pipeline.features.propensity import contest
from cdp_pipeline.features.propensity.contest import Limits, Trial, hold_contest, learn
from cdp_pipeline.features.propensity.rules import BTYD, FOREST, RULES, apply_rule
from cdp_pipeline.features.propensity.windows import Question, list_events, read_window

from .conftest import AS_OF, add_visits

DEEDS = "select customer_id, happened_on from core.deeds"
AS_CHANCE_HAS_IT = (
    "select customer_id, day::date as happened_on "
    "from (select distinct customer_id from features.customer_day), "
    "range(date '2025-06-01', date '2026-07-01', interval 1 day) as days (day) "
    "where hash(customer_id, day) % 150 = 0"
)
LIMITS = Limits(people=500, events=50)


def hold(con: duckdb.DuckDBPyConnection, sql: str = DEEDS, limits: Limits = LIMITS) -> Trial:
    list_events(con, sql, has_chances=False, as_of=AS_OF, table="asked")
    question = Question("asked", "refused", 30, 365, has_chances=False)
    return hold_contest(con, question, as_of=AS_OF, limits=limits)


@pytest.fixture(scope="module")
def trial(drawn_store: duckdb.DuckDBPyConnection) -> Trial:
    return hold(drawn_store)


def test_what_inputs_foretell_is_learned_and_serves(trial: Trial) -> None:
    assert (trial.verdict.winner, trial.reason) == (FOREST, "")
    losses = {s.entrant: s.relative_loss for s in trial.verdict.standings}
    assert losses[FOREST] < 0.9
    assert all(losses[rule] > losses[FOREST] for rule in RULES)
    assert {s.fold for s in trial.scores} == {1, 2, 3}
    assert all(s.auc > 0.75 for s in trial.scores if s.entrant == FOREST)


def test_chances_keep_their_word(trial: Trial) -> None:
    forest = [s for s in trial.scores if s.entrant == FOREST]
    expected, happened = sum(s.expected for s in forest), sum(s.happened for s in forest)
    assert expected == pytest.approx(happened, rel=0.1)
    best = trial.tenths[-1]
    assert best.predicted == pytest.approx(best.actual, abs=0.12)


def test_what_tells_is_said_first(trial: Trial) -> None:
    first = trial.telling[0]
    assert first.name in {"looks_30d", "web_last_ago"}
    assert first.loss_increase > 10 * trial.telling[-1].loss_increase


def test_nobody_stands_on_both_sides_of_the_cut(
    drawn_store: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, judged = [], []

    def spy(windows: list[contest.Window], even: int | None = None) -> None:
        learned.append({(w.cut_on, even) for w in windows})

    def judge(*given: Any) -> None:
        judged.append(given)
        raise StopIteration

    monkeypatch.setattr(contest, "learn", spy)
    monkeypatch.setattr(contest, "_judge", judge)
    with pytest.raises((StopIteration, RuntimeError)):
        hold(drawn_store)
    for number, windows in enumerate(learned):
        cut_on = AS_OF - timedelta(days=30 * (number + 1))
        for learned_on, even in windows:
            assert learned_on + timedelta(days=30) <= cut_on, "its outcome had ended by the cut"
            assert even == 1 - number % 2, "the other half of the people"
    window = judged[0][2]
    assert set((window.party % 2).tolist()) == {0}


def test_what_nothing_foretells_is_served_by_nobody(
    drawn_store: duckdb.DuckDBPyConnection,
) -> None:
    found = hold(drawn_store, AS_CHANCE_HAS_IT)
    assert found.verdict.standings, "there was enough to compare"
    assert "the rule" in found.reason
    assert not any(standing.serves for standing in found.verdict.standings)


@pytest.mark.parametrize(
    "limits", [Limits(people=5_000, events=50), Limits(people=500, events=5_000)]
)
def test_too_few_people_or_deeds_are_a_result(
    drawn_store: duckdb.DuckDBPyConnection, limits: Limits
) -> None:
    found = hold(drawn_store, limits=limits)
    assert not found.has_winner
    assert found.reason.startswith("not enough data")
    assert (found.scores, found.learned) == ((), ())


def test_a_store_without_anything_is_a_result(con: duckdb.DuckDBPyConnection) -> None:
    assert hold(con).reason.startswith("not enough data")
    add_visits(con, [("A", AS_OF)])
    assert hold(con).reason.startswith("not enough data")


def test_a_deed_that_everybody_does_leaves_nothing_to_learn(
    drawn_store: duckdb.DuckDBPyConnection,
) -> None:
    always = (
        "select customer_id, unnest(range(date '2025-06-01', date '2026-07-01', interval 5 day))"
        "::date as happened_on from (select distinct customer_id from features.customer_day)"
    )
    found = hold(drawn_store, always)
    assert not found.has_winner
    assert FOREST not in {score.entrant for score in found.scores}


def test_the_same_store_gives_the_same_forest(
    drawn_store: duckdb.DuckDBPyConnection, trial: Trial
) -> None:
    drawn_store.execute("set threads = 1")
    again = hold(drawn_store)
    assert again.scores == trial.scores
    one, two = learn(trial.learned), learn(again.learned)
    assert one is not None
    assert two is not None
    assert one.as_document() == two.as_document()


def test_rules_give_each_group_what_it_did(drawn_store: duckdb.DuckDBPyConnection) -> None:
    list_events(drawn_store, DEEDS, has_chances=False, as_of=AS_OF, table="asked")
    question = Question("asked", "refused", 30, 365, has_chances=False)
    past = read_window(drawn_store, question, AS_OF - timedelta(days=60))
    for rule in RULES:
        chance = apply_rule(rule, [past], past)
        assert chance.sum() == pytest.approx(past.has_happened.sum(), rel=0.02)
    assert BTYD not in RULES
    assert np.isfinite(apply_rule("how_often", [past], past.of_parties(0))).all()
