from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.identity.stewardship.constraints import (
    CHAIN,
    DISAGREEMENT,
    FROZEN,
    FROZEN_TWICE,
    TORN,
    Constraints,
    resolve,
)
from cdp_pipeline.identity.stewardship.judgements import (
    Freeze,
    Judgements,
    Line,
    PairJudgement,
    Withdrawal,
    ordered_pair,
)

START = datetime(2026, 11, 20, tzinfo=UTC)


def name(number: int) -> str:
    return f"crm:{number}"


def judged(*lines: tuple[Any, ...], who: str = "ann") -> Judgements:
    """Return judgements from (verdict, a, b), (verdict, a, b, who) or ('freeze', records)."""
    made: list[Line] = []
    for place, (verdict, *rest) in enumerate(lines, start=1):
        fields = {
            "id": f"J{place}",
            "at": START + timedelta(minutes=place),
            "verdict": verdict,
            "who": rest[2] if len(rest) > 2 else who,
        }
        if verdict == "freeze":
            customer = f"C{rest[1] if len(rest) > 1 else 0:016X}"
            made.append(Freeze(**fields, customer=customer, records=[name(n) for n in rest[0]]))
        elif verdict == "withdraw":
            made.append(Withdrawal(**fields, withdraws=rest[0]))
        else:
            made.append(PairJudgement(**fields, a=name(rest[0]), b=name(rest[1])))
    return Judgements(tuple(made))


def are_one(found: Constraints, left: int, right: int) -> bool:
    return found.units[name(left)] == found.units[name(right)]


def kinds(found: Constraints) -> list[str]:
    return [conflict.kind for conflict in found.conflicts]


def test_same_and_same_is_same() -> None:
    found = resolve(judged(("same", 1, 2), ("same", 2, 3)))
    assert are_one(found, 1, 3)
    assert found.conflicts == ()
    assert set(found.status.values()) == {"applied"}


def test_different_holds_for_everybody_who_is_the_same() -> None:
    found = resolve(judged(("same", 1, 2), ("different", 2, 3), ("same", 3, 4)))
    assert (found.units[name(1)], found.units[name(4)]) in found.apart


def test_the_newest_judgement_counts_and_a_change_of_mind_is_no_conflict() -> None:
    found = resolve(judged(("different", 1, 2), ("same", 2, 1)))
    assert are_one(found, 1, 2)
    assert found.conflicts == ()
    assert found.status["J1", ordered_pair(name(1), name(2))] == "superseded"


def test_two_stewards_who_disagree_are_reported() -> None:
    found = resolve(judged(("different", 1, 2, "ann"), ("same", 1, 2, "ben")))
    assert are_one(found, 1, 2)
    assert [(c.kind, c.winner, c.loser) for c in found.conflicts] == [(DISAGREEMENT, "J2", "J1")]


def test_unsure_takes_a_verdict_back() -> None:
    found = resolve(judged(("same", 1, 2), ("unsure", 1, 2)))
    assert found.units == {}
    assert found.conflicts == ()


def test_different_cuts_a_chain_of_same_at_its_oldest_link() -> None:
    found = resolve(judged(("same", 1, 2), ("different", 1, 3), ("same", 2, 3)))
    assert are_one(found, 2, 3)
    assert not are_one(found, 1, 2)
    assert [(c.kind, c.winner, c.loser) for c in found.conflicts] == [(CHAIN, "J2", "J1")]
    assert found.status["J1", (name(1), name(2))] == "overridden"


def test_a_withdrawn_judgement_does_not_count() -> None:
    assert resolve(judged(("different", 1, 2), ("withdraw", "J1"))) == Constraints()


def test_a_frozen_customer_takes_nobody_in() -> None:
    found = resolve(judged(("same", 3, 4), ("freeze", [1, 2]), ("same", 2, 3)))
    assert are_one(found, 1, 2)
    assert are_one(found, 3, 4)
    assert not are_one(found, 2, 3)
    assert found.closed == {found.units[name(1)]}
    assert [(c.kind, c.winner, c.loser) for c in found.conflicts] == [(FROZEN, "J2", "J3")]


def test_different_wins_over_a_freeze_and_both_are_reported() -> None:
    found = resolve(judged(("freeze", [1, 2, 3]), ("different", 1, 3)))
    assert are_one(found, 1, 2)
    assert not are_one(found, 1, 3)
    assert len(found.closed) == 2
    assert kinds(found) == [TORN]


def test_a_record_of_two_frozen_customers_stays_with_the_newer() -> None:
    found = resolve(judged(("freeze", [1, 2], 1), ("freeze", [2, 3], 2)))
    assert are_one(found, 2, 3)
    assert not are_one(found, 1, 2)
    assert kinds(found) == [FROZEN_TWICE]


PEOPLE = st.integers(0, 7)
LINES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["same", "same", "different", "unsure"]),
            PEOPLE,
            PEOPLE,
            st.sampled_from(["ann", "ben"]),
        ).filter(lambda line: line[1] != line[2]),
        st.tuples(st.just("freeze"), st.lists(PEOPLE, min_size=1, max_size=4), st.integers(0, 2)),
    ),
    max_size=14,
)


@given(lines=LINES, shuffler=st.randoms(use_true_random=False))
def test_every_demand_without_contradiction_is_met(
    lines: list[Any], shuffler: random.Random
) -> None:
    judgements = judged(*lines)
    found = resolve(judgements)
    newest: dict[tuple[str, str], str] = {}
    for line in judgements.lines:
        if isinstance(line, PairJudgement):
            newest[line.pairs[0]] = line.verdict
    for pair, verdict in newest.items():
        if verdict == "different":
            one, other = sorted(found.units[record] for record in pair)
            assert one != other
            assert (one, other) in found.apart
    frozen = {r for line in judgements.lines if isinstance(line, Freeze) for r in line.records}
    chains = _reachable([pair for pair, verdict in newest.items() if verdict == "same"])
    for pair, verdict in newest.items():
        if verdict != "same":
            continue
        chain = chains[pair[0]]
        contradicted = any(
            newest.get(ordered_pair(a, b)) == "different" for a in chain for b in chain if a != b
        )
        if not contradicted and not chain & frozen:
            assert found.units[pair[0]] == found.units[pair[1]]
    assert not any(one == other for one, other in found.apart)
    shuffled = list(judgements.lines)
    shuffler.shuffle(shuffled)
    assert resolve(Judgements(tuple(shuffled))) == found


def _reachable(pairs: list[tuple[str, str]]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for left, right in pairs:
        merged = groups.get(left, {left}) | groups.get(right, {right})
        for record in merged:
            groups[record] = merged
    return groups


@given(lines=LINES)
def test_a_frozen_customer_is_closed(lines: list[Any]) -> None:
    judgements = judged(*lines)
    found = resolve(judgements)
    owners: dict[str, str] = {}
    newest = {line.customer: line for line in judgements.lines if isinstance(line, Freeze)}
    for line in sorted(newest.values(), key=lambda line: line.at):
        owners.update(dict.fromkeys(line.records, line.customer))
    members: dict[int, set[str]] = {}
    for record, unit in found.units.items():
        members.setdefault(unit, set()).add(record)
    for unit in found.closed:
        assert len({owners.get(record) for record in members[unit]}) == 1
    for records in members.values():
        holders = {owners.get(record) for record in records}
        assert len(holders) == 1
    different = any(
        isinstance(line, PairJudgement) and line.verdict == "different" for line in judgements.lines
    )
    if not different:
        by_customer: dict[str, list[str]] = {}
        for record, customer in owners.items():
            by_customer.setdefault(customer, []).append(record)
        for records_of in by_customer.values():
            assert all(found.units[a] == found.units[b] for a, b in pairwise(records_of))
