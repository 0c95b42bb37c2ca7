"""Which way to rank serves each list, in the registry: compared once a week, recalled in between.

What was learned of the goods on the same day is kept as a file (``learned``). What makes a
version belongs here; the registry itself belongs to ``registry``, the comparison to ``contest``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import get_args

from cdp_pipeline.features.contest import Standing, Verdict
from cdp_pipeline.features.recommend.contest import Contest
from cdp_pipeline.features.recommend.ranking import RANKERS, ListName
from cdp_pipeline.features.registry import Check, Version, train

PREDICTION = "recommendations"

_OTHERS = {True: "a rule anybody could apply", False: "not better by enough"}

Contests = Mapping[str, dict[ListName, Contest]]
"""By level and list."""


def make_version(contests: Contests, window_days: int, *, as_of: date) -> Version:
    """Return the winners as a version."""
    document = {
        "winners": {
            level: {name: contest.winner.name for name, contest in lists.items()}
            for level, lists in contests.items()
        },
        "mean_precision": {
            level: {
                name: {s.ranker.name: round(s.mean_precision, 6) for s in contest.scores}
                for name, contest in lists.items()
            }
            for level, lists in contests.items()
        },
    }
    return train(
        PREDICTION,
        model="best way to rank each list",
        status="ok",
        window=(as_of - timedelta(days=window_days), as_of),
        customer_count=max(
            (s.customers for lists in contests.values() for c in lists.values() for s in c.scores),
            default=0,
        ),
        document=document,
    )


def judge(contests: Contests) -> list[Check]:
    """Return the conditions under which winners may serve: each was found on enough baskets."""
    return [
        Check(bool(contest.scores), f"{level}, {name.replace('_', ' ')}: {contest.reason}")
        for level, lists in contests.items()
        for name, contest in lists.items()
    ]


def recall_contests(version: Version, level: str) -> dict[ListName, Contest] | None:
    """Return the winners of a version; None if it knows others than there are today."""
    winners = version.document["winners"].get(level, {})
    found: dict[ListName, Contest] = {}
    for name in get_args(ListName):
        ranker = next((r for r in RANKERS[name] if r.name == winners.get(name)), None)
        if ranker is None:
            return None
        found[name] = Contest(name, ranker, (), f"compared on {version.trained_on}")
    return found


def prediction_of(level: str, list_name: str) -> str:
    """Return the name of a list's contest.

    >>> prediction_of("product", "buy_again")
    'buy_again_product'
    """
    return f"{list_name}_{level}"


def as_verdict(contest: Contest) -> Verdict:
    """Return a contest as all predictions show theirs; loss is what is lacking of MAP 1."""
    rules = [score for score in contest.scores if score.ranker.is_naive]
    if not rules:
        return Verdict(contest.winner.name, ())
    best = max(rules, key=lambda score: score.mean_precision)
    base = 1.0 - best.mean_precision
    order = sorted(contest.scores, key=lambda s: (-s.mean_precision, s.ranker.name))
    standings = tuple(
        Standing(
            entrant=score.ranker.name,
            place=place,
            relative_loss=(1.0 - score.mean_precision) / base if base > 0 else 1.0,
            folds=1,
            is_naive=score.ranker.is_naive,
            serves=score.serves,
            reason=contest.reason if score.serves else _OTHERS[score.ranker.is_naive],
        )
        for place, score in enumerate(order, start=1)
    )
    return Verdict(contest.winner.name, standings)
