"""Which way to rank serves, as a version and as a contest like all others."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from cdp_pipeline.features.recommend.contest import ContestPlan, hold_contests
from cdp_pipeline.features.recommend.versions import (
    as_verdict,
    judge,
    make_version,
    prediction_of,
    recall_contests,
)
from cdp_pipeline.features.registry import admit, find_serving

from .conftest import AS_OF, load, two_habits


def test_winners_are_kept_and_recalled(con: duckdb.DuckDBPyConnection) -> None:
    relation = load(con, two_habits())
    plan = ContestPlan(minimum_customers=20)
    found = {"product": hold_contests(con, relation, as_of=AS_OF, plan=plan, name="past")}
    version = make_version(found, 730, as_of=AS_OF)
    assert version.data_from == AS_OF - timedelta(days=730)
    versions = admit((), version, judge(found))
    serving = find_serving(versions, "recommendations")
    assert serving is not None
    assert serving.gate == "passed"
    known = recall_contests(serving, "product")
    assert known is not None
    for name, contest in found["product"].items():
        assert known[name].winner is contest.winner
        assert serving.document["mean_precision"]["product"][name]
    assert recall_contests(serving, "brand") is None, "a level that was not compared"


def test_a_contest_is_shown_as_all_others_are(con: duckdb.DuckDBPyConnection) -> None:
    plan = ContestPlan(minimum_customers=20)
    contests = hold_contests(con, load(con, two_habits()), as_of=AS_OF, plan=plan, name="past")
    verdict = as_verdict(contests["discover"])
    losses = [standing.relative_loss for standing in verdict.standings]
    assert losses == sorted(losses)
    assert [s.place for s in verdict.standings] == list(range(1, len(losses) + 1))
    assert [s.entrant for s in verdict.standings if s.serves] == [verdict.winner]
    best_rule = min(s.relative_loss for s in verdict.standings if s.is_naive)
    assert best_rule == 1.0
    assert prediction_of("product", "discover") == "discover_product"


def test_too_few_baskets_fail_the_gate_but_something_serves(
    con: duckdb.DuckDBPyConnection,
) -> None:
    relation = load(con, two_habits(6))
    found = {"product": hold_contests(con, relation, as_of=AS_OF, plan=ContestPlan(), name="past")}
    version = admit((), make_version(found, 730, as_of=AS_OF), judge(found))[0]
    assert (version.gate, version.is_serving) == ("failed", True)
    assert "are needed" in version.reason
    assert as_verdict(found["product"]["discover"]).standings == ()
