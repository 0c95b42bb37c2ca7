from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.identity.explaining.explain import _history
from cdp_pipeline.identity.grouping import ids
from cdp_pipeline.identity.grouping.considered import consider_all
from cdp_pipeline.identity.grouping.ids import assign_customers, name_groups
from cdp_pipeline.identity.grouping.remembered import Memory, load_secrets
from cdp_pipeline.storage.warehouse import fetch_dicts

TABLES = ("customer_map", "redirects", "changes", "dormant_ids", "spent_ids")


def keyed(plain: str, secret: str = Memory().secrets[0]) -> str:
    """Return the hash under which an id that nobody has is remembered."""
    inner = hashlib.sha256(f"{secret}{plain}".encode()).hexdigest()
    return hashlib.sha256(f"{secret}{inner}".encode()).hexdigest()


@dataclass
class Night:
    """What a night left behind.

    Attributes:
        customers: Record to customer id.
        redirects: Retired to living id.
        changes: Rows of ``identity.changes`` as dictionaries.
        dormant: Ids whose records are gone.
        spent: Hashes of ids that are nobody's any more.
    """

    customers: dict[str, str]
    redirects: dict[str, str]
    changes: list[dict[str, Any]]
    dormant: set[str]
    spent: set[str]


class History:
    """Nights one after the other: each is a grouping of records, ``{record: group}``.

    A record without a group is nobody's.
    """

    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as cdp; attach ':memory:' as base; use cdp")
        self.con.execute("create schema identity; create schema base.identity")
        self.first_seen: dict[str, date] = {}
        self.number = 0

    def night(
        self,
        groups: Mapping[str, int | None],
        *,
        reasons: list[tuple[str, str, str | None]] | None = None,
        memory: Memory | None = None,
        proposed: dict[str, str] | None = None,
        **causes: bool,
    ) -> Night:
        self.number += 1
        con, day = self.con, date(2026, 1, 1) + timedelta(days=self.number)
        con.execute(
            "create or replace table identity.records (record_id integer, source varchar, "
            "record_key varchar, evidence_id integer, first_seen_on date); create or replace "
            "temp table identity_groups (evidence_id integer, group_id integer, match_prob double)"
        )
        con.execute("drop table if exists temp.identity_record_reasons")
        con.execute(
            "create or replace temp table identity_proposed_map "
            "(source varchar, record_key varchar, customer_id varchar)"
        )
        for key, customer in (proposed or {}).items():
            con.execute("insert into identity_proposed_map values ('s', ?, ?)", [key, customer])
        if reasons is not None:
            con.execute(
                "create temp table identity_record_reasons (source varchar, record_key varchar, "
                "reason varchar, customer_id varchar)"
            )
            for key, reason, customer in reasons:
                con.execute(
                    "insert into identity_record_reasons values ('s', ?, ?, ?)",
                    [key, reason, customer],
                )
        for place, (key, group) in enumerate(sorted(groups.items())):
            seen = self.first_seen.setdefault(key, day)
            con.execute(
                "insert into identity.records values (?, 's', ?, ?, ?)", [place, key, place, seen]
            )
            if group is not None:
                con.execute("insert into identity_groups values (?, ?, 1)", [place, group])
        memory = memory or Memory()
        consider_all(con)
        assign_customers(con, business_date=day.isoformat(), memory=memory, **causes)
        found = {name: fetch_dicts(con, f"from identity.{name}") for name in TABLES}
        for name in TABLES:
            con.execute(f"create or replace table base.identity.{name} as from identity.{name}")
        return Night(
            {row["record_key"]: row["customer_id"] for row in found["customer_map"]},
            {row["old_customer_id"]: row["customer_id"] for row in found["redirects"]},
            found["changes"],
            {row["id"] for row in found["dormant_ids"]},
            {row["id_hash"] for row in found["spent_ids"]},
        )


@pytest.fixture
def history() -> History:
    return History()


def told(night: Night, *names: str) -> set[tuple[Any, ...]]:
    """Return the changes of a night as tuples of the named columns."""
    return {tuple(row[name] for name in names) for row in night.changes}


def followed(customers: dict[str, str], changes: list[dict[str, Any]]) -> dict[str, str]:
    """Return customers by record after a night's changes, each of which must be one that is due."""
    found = dict(customers)
    for change in changes:
        record, customer = change["record_key"], change["customer_id"]
        if change["change"] == "gone":
            assert customer in found.values()
            found = {key: held for key, held in found.items() if held != customer}
        elif change["change"] == "left":
            assert found.pop(record) == customer
        else:
            assert found.get(record) != customer
            found[record] = customer
    return found


def test_ids_look_like_ids(history: History) -> None:
    night = history.night({"a": 1, "b": 1, "c": 2})
    assert all(re.fullmatch(r"C[0-9A-F]{16}", value) for value in night.customers.values())
    assert len(set(night.customers.values())) == 2
    assert told(night, "change", "cause") == {("created", "new record")}
    assert len(night.changes) == 2


def test_an_id_depends_on_its_founder_alone(history: History) -> None:
    history.night({"z": 1})
    late = history.night({"z": 1, "a": 2, "b": 2})
    early = History().night({"a": 7})
    assert late.customers["b"] == early.customers["a"]


def test_a_merge_keeps_the_larger_ancestor_and_redirects_the_other(history: History) -> None:
    first = history.night({"a": 1, "b": 2, "c": 2})
    second = history.night({"a": 1, "b": 1, "c": 1})
    assert set(second.customers.values()) == {first.customers["b"]}
    assert second.redirects == {first.customers["a"]: first.customers["b"]}
    merged = [row for row in second.changes if row["change"] == "merged"]
    assert [(row["previous_customer_id"], row["record_key"]) for row in merged] == [
        (first.customers["a"], "a")
    ]


def test_of_equal_ancestors_the_senior_survives(history: History) -> None:
    first = history.night({"z": 1})
    history.night({"z": 1, "a": 2})
    third = history.night({"z": 1, "a": 1, "b": 1})
    assert set(third.customers.values()) == {first.customers["z"]}
    # A rebuild that knows when records came gives the same id at once.
    rebuilt = History()
    rebuilt.first_seen = dict(history.first_seen)
    assert rebuilt.night({"z": 1, "a": 1, "b": 1}).customers == third.customers


def test_a_split_leaves_the_id_with_the_larger_part_and_mints_another(history: History) -> None:
    first = history.night({"a": 1, "b": 1, "c": 1})
    second = history.night({"a": 1, "b": 2, "c": 2})
    # The smaller part holds the smallest record: its new id must not be the old one.
    assert second.customers["b"] == second.customers["c"] == first.customers["a"]
    assert second.customers["a"] != first.customers["a"]
    assert second.redirects == {}
    split = ("split", first.customers["a"], "a")
    assert split in told(second, "change", "previous_customer_id", "record_key")


def test_a_record_may_move_between_living_customers(history: History) -> None:
    first = history.night({"a": 1, "b": 1, "c": 1, "d": 2, "e": 2})
    second = history.night({"a": 1, "b": 1, "c": 2, "d": 2, "e": 2})
    assert second.customers["c"] == first.customers["d"]
    moved = ("moved", first.customers["c"], "c")
    assert moved in told(second, "change", "previous_customer_id", "record_key")


def test_redirects_resolve_in_one_step_after_several_nights(history: History) -> None:
    rest = dict.fromkeys("defg", 3)
    first = history.night({"a": 1, "b": 2, "c": 2} | rest)
    history.night({"a": 1, "b": 1, "c": 1} | rest)
    last = history.night(dict.fromkeys("abcdefg", 1))
    survivor = first.customers["d"]
    assert set(last.customers.values()) == {survivor}
    assert last.redirects == {first.customers["a"]: survivor, first.customers["b"]: survivor}


def test_whoever_comes_back_has_the_old_id(history: History) -> None:
    first = history.night({"a": 1, "b": 1, "c": 2, "z": 9})
    second = history.night({"z": 9})
    assert second.dormant == set(first.customers.values()) - {first.customers["z"]}
    assert second.spent == set()
    # Not the founder comes back, nor alone, nor on the next night: the id is the old one.
    history.night({"z": 9})
    fourth = history.night({"b": 1, "z": 9, "new": 1})
    assert fourth.customers["b"] == fourth.customers["new"] == first.customers["b"]
    assert fourth.dormant == {first.customers["c"]}
    told_back = [row for row in fourth.changes if row["change"] == "returned"]
    assert [(row["customer_id"], row["record_key"]) for row in told_back] == [
        (first.customers["b"], "b")
    ]
    assert ("joined", "new") in told(fourth, "change", "record_key")


def test_nobody_is_gone_any_more_who_is_back_after_one_night(history: History) -> None:
    groups = {"a": 1, "b": 1, "z": 9}
    customer = history.night(groups).customers["a"]
    history.night({"z": 9})
    history.night(groups)
    assert _history(history.con, customer) == ("2026-01-04 returned (2 records)",)
    history.night({"a": 1, "z": 9})
    assert _history(history.con, customer)[1:] == ("2026-01-05 left (1 record)",)


def test_changes_whose_records_were_erased_lie_in_one_order() -> None:
    told_twice = []
    for order in ("asc", "desc"):
        history = History()
        history.night({"a": 1, "b": 2, "c": 3, "z": 9})
        history.night({"a": 1, "b": 1, "c": 1, "z": 9})
        history.con.execute(
            "create or replace table base.identity.changes as select * replace "
            "(null as source, null as record_key) from base.identity.changes "
            f"order by previous_customer_id {order}"
        )
        told_twice.append(history.night(dict.fromkeys("abc", 1) | {"z": 9}).changes)
    assert len({row["previous_customer_id"] for row in told_twice[0]} - {None}) == 2
    assert told_twice[0] == told_twice[1]


def test_one_who_comes_back_to_a_living_customer_leads_to_it(history: History) -> None:
    first = history.night({"a": 1, "b": 1, "z": 9})
    history.night({"z": 9})
    third = history.night({"a": 9, "b": 9, "z": 9})
    assert set(third.customers.values()) == {first.customers["z"]}, "the living id stays"
    assert third.redirects == {first.customers["a"]: first.customers["z"]}
    merged = ("merged", first.customers["a"], "a")
    assert merged in told(third, "change", "previous_customer_id", "record_key")
    assert third.dormant == set()


def test_a_dormant_id_is_spent_in_the_end(history: History) -> None:
    memory = Memory(return_days=3)
    first = history.night({"a": 1, "z": 9}, memory=memory)
    for _ in range(3):
        last = history.night({"z": 9}, memory=memory)
        assert last.dormant == {first.customers["a"]}
    last = history.night({"z": 9}, memory=memory)
    assert (last.dormant, last.spent) == (set(), {keyed(first.customers["a"])})
    again = history.night({"a": 1, "z": 9}, memory=memory)
    assert again.customers["a"] != first.customers["a"]


def test_whoever_is_gone_leaves_no_history_and_lost_redirects_are_spent(history: History) -> None:
    first = history.night({"a": 1, "b": 2, "c": 2, "z": 9})
    history.night({"a": 1, "b": 1, "c": 1, "z": 9})
    third = history.night({"z": 9})
    assert third.redirects == {}
    assert told(third, "change", "customer_id", "record_key") == {
        ("created", first.customers["z"], "z"),
        ("gone", first.customers["b"], None),
    }
    assert "gone" not in {row["change"] for row in history.night({"z": 9}).changes}
    assert third.dormant == {first.customers["b"]}
    assert third.spent == {keyed(first.customers["a"])}


def test_secrets_may_be_renewed_but_not_lost(history: History) -> None:
    nothing = {"return_days": 0}
    first = history.night({"a": 1, "z": 9}, memory=Memory(("old",), **nothing))
    second = history.night({"z": 9}, memory=Memory(("old",), **nothing))
    assert second.spent == {keyed(first.customers["a"], "old")}
    with pytest.raises(IdentityError, match="secret that the settings lack"):
        history.night({"a": 1, "z": 9}, memory=Memory(("new",), **nothing))
    third = history.night({"a": 1, "z": 9}, memory=Memory(("new", "old"), **nothing))
    assert third.customers["a"] != first.customers["a"]
    fourth = history.night({"z": 9}, memory=Memory(("new", "old"), **nothing))
    assert fourth.spent == second.spent | {keyed(third.customers["a"], "new")}


@pytest.mark.parametrize("heir", ["a", "b"])
def test_who_stays_apart_after_all_keeps_the_id_though_a_merge_was_accepted(
    history: History, heir: str
) -> None:
    groups = {"a": 1, "b": 2, "c": 2}
    first = history.night(groups)
    # A steward froze one of them, or evidence changed, after the proposal that is accepted.
    merged = dict.fromkeys("abc", first.customers[heir])
    second = history.night(groups, proposed=merged, is_released=True)
    assert second.customers == first.customers
    assert second.redirects == {}
    assert second.changes == first.changes


@pytest.mark.parametrize(
    ("reasons", "causes", "expected"),
    [
        ([], {}, "regrouped"),
        ([], {"is_refitted": True}, "model refit"),
        ([("d", "new record", None)], {"is_refitted": True}, "new record"),
        ([("d", "new record", None), ("b", "hub", None)], {}, "hub"),
        ([("b", "steward", None), ("c", "changed evidence", None)], {}, "steward"),
        ([("b", "steward", None)], {"is_released": True}, "released"),
        ([("gone", "removed record", "of a")], {}, "removed record"),
    ],
)
def test_changes_name_their_cause(
    history: History,
    reasons: list[tuple[str, str, str | None]],
    causes: dict[str, bool],
    expected: str,
) -> None:
    first = history.night({"a": 1, "b": 2, "c": 2, "gone": 1})
    given = [(key, why, first.customers["a"] if of else None) for key, why, of in reasons]
    second = history.night({"a": 1, "b": 1, "c": 1, "d": 1}, reasons=given, **causes)
    merged = [row for row in second.changes if row["change"] == "merged"]
    assert {row["cause"] for row in merged} == {expected}
    assert ("joined", "d", "new record") in told(second, "change", "record_key", "cause")


@pytest.mark.parametrize(
    ("groups", "reasons", "causes", "expected"),
    [
        ({"b": 1}, [("a", "removed record")], {}, ("left", "a", "removed record")),
        (
            {"b": 1},
            [("a", "removed record")],
            {"is_released": True},
            ("left", "a", "removed record"),
        ),
        ({"a": None, "b": 1}, [("d", "new record")], {}, ("left", "a", "regrouped")),
        ({"a": None, "b": 1}, [], {"is_refitted": True}, ("left", "a", "model refit")),
        ({"a": None, "b": 1}, [], {"is_released": True}, ("left", "a", "released")),
        ({"a": None, "b": 1}, [("a", "hub")], {}, ("left", "a", "hub")),
        ({"a": None, "b": None}, [], {}, ("gone", None, "regrouped")),
    ],
)
def test_who_is_nobodys_any_more_has_left_and_it_is_told_why(
    history: History,
    groups: dict[str, int | None],
    reasons: list[tuple[str, str]],
    causes: dict[str, bool],
    expected: tuple[str, str | None, str],
) -> None:
    first = history.night({"a": 1, "b": 1, "z": 9})
    customer = first.customers["a"]
    noted = [(key, why, None if key == "d" else customer) for key, why in reasons]
    second = history.night(groups | {"d": 4, "z": 9}, reasons=noted, **causes)
    rows = [row for row in second.changes if row["previous_customer_id"] == customer]
    assert [(row["change"], row["record_key"], row["cause"]) for row in rows] == [expected]
    assert rows[0]["customer_id"] == customer


NIGHTS = st.lists(
    st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 5), min_size=1),
    min_size=2,
    max_size=6,
)


@given(NIGHTS)
@settings(max_examples=10, deadline=None)
def test_any_history_keeps_its_invariants(nights: list[dict[str, int]]) -> None:
    history = History()
    ever: dict[str, set[str]] = {}
    living: set[str] = set()
    dormant: set[str] = set()
    for groups in nights:
        night = history.night(groups)
        by_group = {(groups[key], night.customers[key]) for key in groups}
        now = set(night.customers.values())
        # One id a group and one group an id.
        assert len({g for g, _ in by_group}) == len(by_group) == len(now)
        # Redirects lead from retired to living ids, at once.
        assert set(night.redirects).isdisjoint(now)
        assert set(night.redirects.values()) <= now
        # Every id ever given out lives, redirects, is dormant or spent; once spent, for good.
        for value in ever:
            places = value in now, value in night.redirects, value in night.dormant
            assert sum(places) + (keyed(value) in night.spent) == 1
        # An id is given again only to people who had a record in common with it, night by night.
        for value in now & set(ever):
            members = {key for key, held in night.customers.items() if held == value}
            assert value in living | dormant
            assert members & ever[value]
        ever |= {
            value: {key for key, held in night.customers.items() if held == value} for value in now
        }
        living, dormant = now, night.dormant


@given(NIGHTS)
@settings(max_examples=6, deadline=None)
def test_a_replay_gives_the_same_history(nights: list[dict[str, int]]) -> None:
    first, second = History(), History()
    assert [first.night(groups) for groups in nights] == [second.night(groups) for groups in nights]


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.integers(1, 4), min_size=1),
        min_size=2,
        max_size=6,
    )
)
@settings(max_examples=10, deadline=None)
def test_the_changes_of_a_night_make_its_customers_from_those_of_the_night_before(
    nights: list[dict[str, int | None]],
) -> None:
    history = History()
    before = history.night(nights[0]).customers
    for groups in nights[1:]:
        night = history.night(groups)
        tonight = [change for change in night.changes if is_of(change, history)]
        assert followed(before, tonight) == night.customers
        before = night.customers


NOBODY_SETTLED = """
create or replace temp table identity_settled as
select 0 as group_id, '' as id, 0 as records where $released and false
"""


@given(NIGHTS)
@settings(max_examples=6, deadline=None)
def test_settled_customers_are_named_as_if_everybody_was_named_anew(
    nights: list[dict[str, int]],
) -> None:
    history, thorough = History(), History()
    for groups in nights:
        night = history.night(groups)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ids, "_SETTLED", NOBODY_SETTLED)
            assert thorough.night(groups) == night
        settled = history.con.execute("select id from identity_settled").fetchall()
        gained = {
            change["customer_id"]
            for change in night.changes
            if is_of(change, history) and change["change"] != "left"
        }
        assert gained & {customer for (customer,) in settled} == set()


def is_of(change: dict[str, Any], history: History) -> bool:
    """Return whether a change is of a history's last night."""
    return bool(change["changed_on"] == date(2026, 1, 1) + timedelta(days=history.number))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=10, deadline=None)
def test_growth_one_record_at_a_time_agrees_with_a_rebuild(data: st.DataObject) -> None:
    """Records come in any order; each may join one customer or found one, none ever leaves."""
    keys = data.draw(st.permutations("abcdefgh"))
    history, groups = History(), {}
    for place, key in enumerate(keys):
        groups[key] = data.draw(st.integers(0, place))
        night = history.night(dict(groups))
    rebuilt = History()
    rebuilt.first_seen = dict(history.first_seen)
    assert rebuilt.night(groups).customers == night.customers


def test_collisions_are_minted_anew_and_endless_ones_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with duckdb.connect() as con:
        con.execute(
            "create temp table identity_members as select 'a' as member, 1 as group_id, "
            "cast(null as date) as since, cast(null as varchar) as previous_id"
        )
        con.execute("create temp table identity_spent (id_hash varchar)")
        con.execute("create temp table identity_dormant (id varchar)")
        load_secrets(con, Memory())
        con.execute("create temp table identity_used_ids (id varchar)")
        name_groups(con, prefix="C")
        first = con.execute("select id from identity_kept_ids").fetchall()[0][0]
        con.execute("insert into identity_used_ids values (?)", [first])
        name_groups(con, prefix="C")
        second = con.execute("select id from identity_kept_ids").fetchall()[0][0]
        assert second != first
        monkeypatch.setattr(ids, "MINTING_ATTEMPTS", 1)
        with pytest.raises(IdentityError, match="unique"):
            name_groups(con, prefix="C")
