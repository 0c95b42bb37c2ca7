from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.features.contest import MARGIN, Entry, decide

MODELS = ("default", "other")


def entries(**losses: float) -> list[Entry]:
    return [
        Entry(name, fold, loss, is_naive=name.startswith("rule"))
        for name, loss in losses.items()
        for fold in (1, 2)
    ]


def test_the_better_model_serves() -> None:
    verdict = decide(entries(default=1.0, other=0.9), default="default", allowed=MODELS)
    assert verdict.winner == "other"
    assert [standing.entrant for standing in verdict.standings] == ["other", "default"]
    assert "10.0% better" in verdict.standings[0].reason


def test_a_hair_is_not_enough() -> None:
    verdict = decide(
        entries(default=1.0, other=1.0 - MARGIN / 2), default="default", allowed=MODELS
    )
    assert verdict.winner == "default"
    assert "less than the margin" in verdict.standings[0].reason


def test_one_past_day_is_little_evidence() -> None:
    found = [Entry("default", 1, 1.0), Entry("default", 2, 1.0), Entry("other", 1, 0.98)]
    assert decide(found, default="default", allowed=MODELS).winner == "default"


def test_another_kind_must_beat_the_best_variant_of_the_default() -> None:
    found = entries(default=1.0, variant=0.7, other=0.699)
    allowed = ("default", "variant", "other")
    verdict = decide(found, default="default", allowed=allowed, preferred=["variant"])
    assert verdict.winner == "variant"


def test_a_variant_in_doubt_serves_unless_it_did_much_worse() -> None:
    allowed, preferred = ("default", "variant"), ["variant"]
    found = entries(default=1.0, variant=1.03, other=0.97)
    verdict = decide(found, default="default", allowed=allowed, preferred=preferred, doubt=0.1)
    assert verdict.winner == "variant"
    reasons = {standing.entrant: standing.reason for standing in verdict.standings}
    assert "knew too little" in reasons["variant"]
    found = entries(default=1.0, variant=1.2, other=0.97)
    verdict = decide(found, default="default", allowed=allowed, preferred=preferred, doubt=0.1)
    assert verdict.winner == "default"


def test_a_rule_never_serves_but_is_named_when_it_wins() -> None:
    verdict = decide(entries(default=1.0, rule_last=0.5), default="default", allowed=MODELS)
    assert (verdict.winner, verdict.beaten_by) == ("default", "rule_last")


def test_whoever_cannot_serve_today_does_not() -> None:
    verdict = decide(entries(default=1.0, other=0.5), default="default", allowed=["default"])
    assert verdict.winner == "default"


def test_entrants_are_compared_on_common_days_only() -> None:
    found = [Entry("default", 1, 1.0), Entry("default", 2, 10.0), Entry("other", 1, 0.9)]
    verdict = decide(found, default="default", allowed=MODELS)
    assert math.isclose(verdict.standings[0].relative_loss, 0.9)
    assert verdict.standings[0].folds == 1


def test_without_the_default_nobody_is_compared() -> None:
    verdict = decide(entries(other=0.5), default="default", allowed=MODELS)
    assert (verdict.winner, verdict.standings) == ("default", ())


@given(st.dictionaries(st.sampled_from(["default", "other", "rule_a", "rule_b"]),
                       st.floats(0.01, 100.0)))  # fmt: skip
def test_order_of_entries_never_matters(losses: dict[str, float]) -> None:
    found = entries(**losses)
    verdicts = [decide(given, default="default", allowed=MODELS) for given in (found, found[::-1])]
    assert verdicts[0] == verdicts[1]
    assert not verdicts[0].winner.startswith("rule")


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=6))
def test_a_model_as_good_as_the_default_never_takes_over(losses: list[float]) -> None:
    found = [
        Entry(name, fold, loss)
        for name in ("a_twin", "default", "twin")
        for fold, loss in enumerate(losses, start=1)
    ]
    verdict = decide(found, default="default", allowed=["a_twin", "default", "twin"])
    assert verdict.winner == "default"


def test_two_equal_models_hardly_ever_change_places() -> None:
    """A/A: both know the truth up to errors of one size, so neither is better but by chance."""
    draw, contests, folds = np.random.default_rng(11), 300, 3
    switched = 0
    for _ in range(contests):
        found = []
        for fold in range(1, folds + 1):
            rates = draw.gamma(0.5, 1.2, size=2_000)
            visits = draw.poisson(rates)
            for name in MODELS:
                said = rates * np.exp(draw.normal(0.0, 0.1, size=len(rates)))
                off = abs(float((said - visits).mean()))
                found.append(
                    Entry(name, fold, math.sqrt(float(((said - visits) ** 2).mean())) + off)
                )
        switched += decide(found, default="default", allowed=MODELS).winner != "default"
    assert switched / contests < 0.1  # 0.06 as measured: the margin is of losses, no test of chance
