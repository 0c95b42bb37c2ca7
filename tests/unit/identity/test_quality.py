from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cdp_pipeline.identity.measuring.accuracy import (
    JudgedStratum,
    estimate_accuracy,
)
from cdp_pipeline.identity.measuring.sampling import STRATA
from cdp_pipeline.identity.stewardship.judgements import record_judgements
from cdp_pipeline.storage.paths import DataPaths
from tests.unit.identity.conftest import Person, Query, Store

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Village

pytest.importorskip("recordlinkage")


def test_each_customer_of_several_records_has_its_weakest_link(
    village: Village, read: Query
) -> None:
    rows = read(
        village.made,
        "select customer_id, distinct_record_count, weakest_link_prob, bridge_count, part_count, "
        "weakest_source_a || ':' || weakest_record_key_a from identity.cluster_quality order by 1",
    )
    several = read(
        village.made,
        "select customer_id, count(distinct r.evidence_id) as n from identity.records as r "
        "inner join identity.customer_map using (source, record_key) where r.is_comparable "
        "group by all having n > 1 order by 1",
    )
    assert [row[:2] for row in rows] == several
    for _, records, weakest, bridge_count, parts, record in rows:
        assert 0.5 <= weakest <= 1
        assert parts == 1
        assert bridge_count <= records - 1
        assert record is not None
    pairs = [row for row in rows if row[1] == 2]
    assert pairs
    assert {row[3] for row in pairs} == {1}, "two records hang on one link"


def test_the_sample_covers_every_kind_of_pair(village: Village, read: Query) -> None:
    strata = read(
        village.made,
        "select stratum, frame, pair_count, sampled_count from identity.clerical_strata",
    )
    sizes = {s.name: s.size for s in STRATA}
    assert {row[1] for row in strata} == {"joined", "apart"}
    for stratum, _, pairs, sampled in strata:
        assert sampled == min(pairs, sizes[stratum])
    assert read(
        village.made,
        "select count(*) from identity.clerical_sample as s "
        "inner join identity.customer_map as a "
        "on a.source = s.source_a and a.record_key = s.record_key_a "
        "inner join identity.customer_map as b "
        "on b.source = s.source_b and b.record_key = s.record_key_b "
        "where (a.customer_id = b.customer_id) <> (s.frame = 'joined')",
    ) == [(0,)]


@pytest.mark.slow
def test_the_sample_stays_for_its_month_and_is_drawn_anew_after(
    store: Store, families: list[Person], read: Query
) -> None:
    def sample() -> list[tuple[object, ...]]:
        assert store.base is not None
        return read(store.base, "from identity.clerical_sample order by all")

    store.night(families, day=date(2026, 11, 20))
    first = sample()
    newcomer = families[0] | {"record_key": "9999", "loyalty_id": "007999999"}
    store.night([*families, newcomer], day=date(2026, 11, 21))
    assert sample() == first
    gone = str(first[0][4])
    left = [p for p in families if p["record_key"] != gone]
    store.night(left, day=date(2026, 11, 22))
    assert {row for row in first if gone not in (row[4], row[6])} == set(sample())
    store.night(families, day=date(2026, 12, 1))
    assert {row[0] for row in sample()} == {"2026-12"}


def test_every_night_keeps_its_figures(store: Store, families: list[Person], read: Query) -> None:
    for day in (20, 21):
        made = store.night(families, day=date(2026, 11, day))
    rows = read(
        made,
        "select business_date, figure, value, low, high, basis from "
        "identity.quality_figures order by all",
    )
    by_night: dict[object, list[object]] = {}
    for night, *row in rows:
        by_night.setdefault(night, []).append(tuple(row))
        assert 0 <= row[2] <= row[1] <= row[3] <= 1
    assert len(by_night) == 2
    first, second = by_night.values()
    assert first == second
    names = {row[0] for row in first}
    assert names >= {"precision", "recall_among_compared", "over_3_given_names"}
    assert {row[4] for row in first if row[0] == "precision"} == {"model"}


def test_a_store_without_people_is_measured_too(store: Store, read: Query) -> None:
    made = store.night([])
    for table in ("cluster_quality", "clerical_sample", "clerical_strata", "quality_figures"):
        assert read(made, f"select count(*) from identity.{table}") == [(0,)], table


def simulate(seed: int) -> tuple[bool, bool]:
    """Judge a sample of a known population; say whether the intervals hold the true values."""
    random = np.random.default_rng(seed)
    shape = [
        ("joined", 40_000, 0.995, 120),
        ("joined", 900, 0.7, 40),
        ("joined", 500, 0.5, 40),
        ("apart", 900, 0.1, 40),
        ("apart", 8_000, 0.01, 40),
        ("apart", 60_000, 0.0002, 80),
    ]
    strata, found, missed = [], 0, 0
    for frame, pairs, true_share, size in shape:
        same = round(pairs * true_share)
        positive = int(random.hypergeometric(same, pairs - same, size))
        strata.append(JudgedStratum(frame, pairs, true_share, size, size, positive))
        found, missed = (found + same, missed) if frame == "joined" else (found, missed + same)
    joined = sum(pairs for frame, pairs, *_ in shape if frame == "joined")
    precision, recall = (figure.estimate for figure in estimate_accuracy(strata))
    return (
        precision.low <= found / joined <= precision.high,
        recall.low <= found / (found + missed) <= recall.high,
    )


def test_intervals_hold_the_true_values() -> None:
    held = np.array([simulate(seed) for seed in range(300)])
    assert (held.mean(axis=0) >= 0.93).all()


def test_few_judgements_leave_it_to_the_model() -> None:
    strata = [
        JudgedStratum("joined", 1000, 0.99, 40, 9, 9),
        JudgedStratum("apart", 50, 0.1, 40, 0, 0),
    ]
    precision, recall = estimate_accuracy(strata)
    assert (precision.basis, recall.basis) == ("model", "model")
    assert precision.estimate.value == pytest.approx(0.99)
    strata[0] = JudgedStratum("joined", 1000, 0.99, 40, 40, 38)
    precision, recall = estimate_accuracy(strata)
    assert (precision.basis, recall.basis) == ("judged", "model")
    assert precision.estimate.value == pytest.approx(0.95)
    assert estimate_accuracy([]) == []


def test_judgements_on_the_sample_count(store: Store, families: list[Person], read: Query) -> None:
    made = store.night(families)
    sample = read(
        made,
        "select source_a || ':' || record_key_a, source_b || ':' || record_key_b, frame "
        "from identity.clerical_sample order by all",
    )
    drafts = [
        {"verdict": "same" if frame == "joined" else "different", "a": a, "b": b}
        for a, b, frame in sample
    ]
    day = date(2026, 11, 21)
    record_judgements(
        DataPaths.of(store.context(day)).stewardship,
        drafts,
        who="anna",
        now=datetime(2026, 11, 20, 9, tzinfo=UTC),
    )
    made = store.night(families, day=day)
    figures = {
        row[0]: row[1:]
        for row in read(
            made,
            "select figure, value, basis from identity.quality_figures "
            "where business_date = date '2026-11-21'",
        )
    }
    assert figures["precision"] == (1.0, "judged")
    assert figures["recall_among_compared"][1] == "judged"
    assert read(
        made,
        "select count(*) from identity.clerical_strata where judged_count < sampled_count",
    ) == [(0,)]
