"""Judgements over nights of a small store: they outrank scores and survive reruns."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.grouping.judged import touched_records
from cdp_pipeline.identity.stewardship.judgements import Judgements, record_judgements
from cdp_pipeline.identity.stewardship.review import review_queue
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Query, Store, Village

pytest.importorskip("recordlinkage")
pytestmark = pytest.mark.slow  # whole nights of a village

SECOND = date(2026, 11, 21)
THIRD = date(2026, 11, 22)
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@dataclass
class Town:
    """The village of the other tests, to be judged: its second and later nights."""

    store: Store
    people: list[Person]
    first: Path
    read: Query

    def judge(self, verdict: str, *records: Any, **more: Any) -> None:
        fields = {"a": records[0], "b": records[1]} if len(records) == 2 else {}
        if verdict == "withdraw":
            fields = {"withdraws": records[0]}
        folder = self.store.folder / "data" / "stewardship"
        record_judgements(folder, [{"verdict": verdict, **fields, **more}], who="ann", now=NOW)

    def night(self, *newcomers: Person, day: date = SECOND) -> Path:
        return self.store.night([*self.people, *newcomers], day=day)

    def customers(self, made: Path) -> dict[str, str]:
        return dict(
            self.read(
                made,
                "select source || ':' || record_key, customer_id from identity.customer_map",
            )
        )


@pytest.fixture
def town(
    village: Village, make_store: Callable[[Path], Store], tmp_path: Path, read: Query
) -> Town:
    store = make_store(tmp_path)
    first = tmp_path / "first.duckdb"
    shutil.copy(village.made, first)
    store.base = first
    return Town(store, village.people, first, read)


def test_judged_different_splits_and_judged_same_joins(town: Town) -> None:
    before = town.customers(town.first)
    assert before["loyalty:0000"] == before["shop:0000"]
    town.judge("different", "loyalty:0000", "shop:0000")
    town.judge("same", "shop:0002", "loyalty:0101")
    second = town.night()
    after = town.customers(second)
    assert after["loyalty:0000"] != after["shop:0000"]
    assert {after[r] for r in ("loyalty:0002", "shop:0002", "loyalty:0101", "shop:0101")} == {
        after["shop:0002"]
    }
    touched = {"loyalty:0000", "shop:0000", "loyalty:0002", "shop:0002", "loyalty:0101"}
    touched.add("shop:0101")
    unchanged = set(before) - touched
    assert {r: before[r] for r in unchanged} == {r: after[r] for r in unchanged}
    again = town.customers(town.night(day=THIRD))
    assert again == after


def test_judgements_survive_a_rebuild_from_nothing(town: Town) -> None:
    town.judge("different", "loyalty:0000", "shop:0000")
    town.store.base = None
    after = town.customers(town.night())
    assert after["loyalty:0000"] != after["shop:0000"]


def test_withdrawing_brings_the_scores_back(town: Town) -> None:
    town.judge("different", "loyalty:0000", "shop:0000")
    town.night()
    town.judge("withdraw", "J1")
    after = town.customers(town.night(day=THIRD))
    assert after["loyalty:0000"] == after["shop:0000"]


def test_a_judgement_taken_back_leaves_no_edge(town: Town) -> None:
    judged = (
        "select source_a, record_key_a, record_key_b from identity.edges where rule = 'judged same'"
    )
    town.judge("same", "shop:0002", "loyalty:0101")
    assert len(town.read(town.night(), judged)) == 1
    town.judge("withdraw", "J1")
    assert town.read(town.night(day=THIRD), judged) == []


def test_records_that_say_the_same_can_be_told_apart(town: Town) -> None:
    twin = town.people[0] | {"record_key": "copy", "source": "crm", "record_kind": "contact"}
    other = twin | {"record_key": "copy2"}
    town.judge("different", "crm:copy", "loyalty:0000")
    after = town.customers(town.night(twin, other))
    assert after["crm:copy"] != after["loyalty:0000"]


def test_third_records_cannot_bring_together_what_is_apart(town: Town) -> None:
    town.judge("different", "loyalty:0000", "shop:0000")
    copies = [
        town.people[place] | {"record_key": f"c{place}{n}", "source": "crm"}
        for place in (0, 1)
        for n in range(3)
    ]
    after = town.customers(town.night(*copies))
    assert after["loyalty:0000"] != after["shop:0000"]


def receipt(key: str, **fields: Any) -> dict[str, Any]:
    return {"source": "till", "record_kind": "receipt", "record_key": key, **fields}


def test_a_receipt_judged_different_leaves_its_card_holder_and_others_stay(town: Town) -> None:
    card = town.people[0]["loyalty_id"]
    receipts = [receipt(f"n{n}", loyalty_id=card) for n in range(3)]
    town.judge("different", "till:n1", "loyalty:0000")
    after = town.customers(town.night(*receipts))
    assert after["till:n0"] == after["till:n2"] == after["loyalty:0000"]
    assert after["till:n1"] != after["loyalty:0000"]


def test_a_receipt_judged_same_goes_where_the_steward_says(town: Town) -> None:
    card = town.people[0]["loyalty_id"]
    town.judge("same", "till:n1", "loyalty:0003")
    after = town.customers(town.night(*[receipt(f"n{n}", loyalty_id=card) for n in range(2)]))
    assert after["till:n0"] == after["loyalty:0000"]
    assert after["till:n1"] == after["loyalty:0003"]


def test_receipts_judged_same_follow_the_better_holder_and_do_not_join_people(town: Town) -> None:
    town.judge("same", "till:n0", "till:n1")
    after = town.customers(
        town.night(
            receipt("n0", loyalty_id=town.people[0]["loyalty_id"]),
            receipt("n1", loyalty_id=town.people[4]["loyalty_id"]),
        )
    )
    assert after["till:n0"] == after["till:n1"]
    assert after["loyalty:0000"] != after["loyalty:0002"]


def test_a_receipt_that_one_holder_is_excluded_from_goes_to_the_other(town: Town) -> None:
    home = town.people[0]["phone"]
    town.judge("different", "till:n0", "loyalty:0000")
    after = town.customers(town.night(receipt("n0", phone=home), receipt("n1", phone=home)))
    assert after["till:n0"] == after["loyalty:0001"]


def test_a_frozen_customer_neither_gains_nor_loses(town: Town) -> None:
    before = town.customers(town.first)
    customer = before["loyalty:0000"]
    town.judge("freeze", customer=customer, records=["loyalty:0000", "shop:0000"])
    town.judge("same", "shop:0000", "loyalty:0003")
    copy = town.people[0] | {"record_key": "copy", "source": "crm", "record_kind": "contact"}
    second = town.night(copy, receipt("n0", loyalty_id=town.people[0]["loyalty_id"]))
    after = town.customers(second)
    assert {r for r, c in after.items() if c == customer} == {"loyalty:0000", "shop:0000"}
    assert town.read(
        second, "select kind, winner_id, loser_id from identity.judgement_conflicts"
    ) == [("a frozen customer would gain records", "J1", "J2")]


def test_what_was_decided_is_kept_with_the_night(town: Town) -> None:
    town.judge("different", "loyalty:0000", "crm:gone", reason="moved abroad")
    town.judge("unsure", "loyalty:0001", "shop:0001")
    town.judge("same", "shop:0002", "loyalty:0101", match_prob=0.25)
    town.judge("same", "loyalty:0004", "shop:0004")
    town.judge("withdraw", "J4")
    second = town.night()
    assert town.read(
        second,
        "select judgement_id, verdict, record_key_b, status, match_prob, judged_by, reason "
        "from identity.judgements",
    ) == [
        ("J1", "different", "0000", "dangling", None, "ann", "moved abroad"),
        ("J2", "unsure", "0001", "unsure", None, "ann", None),
        ("J3", "same", "0002", "applied", 0.25, "ann", None),
        ("J4", "same", "0004", "withdrawn", None, "ann", None),
    ]
    assert town.read(
        second,
        "select record_key_a, record_key_b, match_prob from identity.edges "
        "where rule = 'judged same'",
    ) == [("0101", "0002", 1.0)]


def test_touched_records_are_those_whose_judgements_changed(town: Town) -> None:
    town.judge("different", "loyalty:0000", "shop:0000")
    town.night()
    town.judge("withdraw", "J1")
    town.judge("same", "shop:0002", "loyalty:0101")
    town.night(day=THIRD)
    with open_build(town.store.context(THIRD)) as con:
        assert touched_records(con) == [
            ("loyalty", "0000"),
            ("loyalty", "0101"),
            ("shop", "0000"),
            ("shop", "0002"),
        ]


def test_a_night_stops_at_a_line_that_is_no_judgement(town: Town) -> None:
    folder = DataPaths.of(town.store.context(SECOND)).stewardship
    folder.mkdir(parents=True)
    (folder / "judgements.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no judgement"):
        town.night()


NAMES = [f"{source}:{number:04d}" for source in ("loyalty", "shop") for number in range(3)]
NAMES += ["till:n0", "till:n1", "till:n2", "till:empty", "crm:copy"]
PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda p: p[0] != p[1])


FEW = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
JUDGED = st.lists(st.tuples(st.sampled_from(["same", "different"]), PAIRS), max_size=8)


@FEW
@given(lines=JUDGED, frozen=st.booleans())
def test_no_customer_ever_holds_what_is_judged_different(
    town: Town, lines: list[tuple[str, tuple[str, str]]], *, frozen: bool
) -> None:
    assert_obeyed(town, lines, frozen=frozen)


@pytest.mark.long
@settings(FEW, max_examples=25)
@given(lines=JUDGED, frozen=st.booleans())
def test_no_customer_ever_holds_what_is_judged_different_in_many_towns(
    town: Town, lines: list[tuple[str, tuple[str, str]]], *, frozen: bool
) -> None:
    assert_obeyed(town, lines, frozen=frozen)


def assert_obeyed(town: Town, lines: list[tuple[str, tuple[str, str]]], *, frozen: bool) -> None:
    shutil.rmtree(town.store.folder / "data" / "stewardship", ignore_errors=True)
    town.store.base = town.first
    for verdict, pair in lines:
        town.judge(verdict, *pair)
    if frozen:
        customer = town.customers(town.first)["loyalty:0002"]
        town.judge("freeze", customer=customer, records=["loyalty:0002", "shop:0002"])
    card, phone = town.people[0]["loyalty_id"], town.people[0]["phone"]
    made = town.night(
        receipt("n0", loyalty_id=card),
        receipt("n1", loyalty_id=card),
        receipt("n2", phone=phone),
        receipt("empty"),
        town.people[0] | {"record_key": "copy", "source": "crm", "record_kind": "contact"},
    )
    after = town.customers(made)
    for verdict, a_source, a_key, b_source, b_key, status in town.read(
        made,
        "select verdict, source_a, record_key_a, source_b, record_key_b, status "
        "from identity.judgements",
    ):
        if status != "applied":
            continue
        one = after.get(f"{a_source}:{a_key}")
        if verdict == "different" and one is not None:
            assert one != after.get(f"{b_source}:{b_key}")
        if verdict == "same":
            assert one == after[f"{b_source}:{b_key}"]


def test_the_weakest_link_of_a_customer_with_two_birth_dates_is_asked_about(town: Town) -> None:
    """However sure the model is: what contradicts itself is worth a look."""
    with duckdb.connect() as con:
        con.execute(f"attach '{town.first}' as made (read_only); attach ':memory:' as cdp; use cdp")
        con.execute("create schema identity")
        for table in ("customer_map", "edges", "records", "cluster_quality"):
            con.execute(f"create table identity.{table} as from made.identity.{table}")
        con.execute("update identity.edges set match_prob = 0.999 where match_prob >= 0.5")
        before = review_queue(con, Judgements(), accept=0.5, limit=500)
        assert not [pair for pair in before if pair.kind == "bridge"]
        con.execute(
            "update identity.cluster_quality set birth_date_count = 2 where weakest_record_key_a "
            "= '0000' and weakest_record_key_b = '0000'"
        )
        queue = review_queue(con, Judgements(), accept=0.5, limit=500)
    doubted = [pair for pair in queue if pair.kind == "bridge"]
    assert [{pair.record_a, pair.record_b} for pair in doubted] == [{"loyalty:0000", "shop:0000"}]
    assert "one customer now with several birth dates" in doubted[0].question
    assert doubted[0].interest > 0.3
