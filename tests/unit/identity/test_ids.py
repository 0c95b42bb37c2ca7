from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.errors import IdentityError
from cdp_pipeline.identity import ids
from cdp_pipeline.identity.ids import assign_customers, name_groups

Nights = Callable[[dict[str, int]], tuple[dict[str, str], dict[str, str], list[tuple[Any, ...]]]]


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """Return a runner of nights: from {record: group} to {record: customer id}."""
    number = 0

    def run(
        groups: dict[str, int],
    ) -> tuple[dict[str, str], dict[str, str], list[tuple[Any, ...]]]:
        nonlocal number
        number += 1
        with duckdb.connect() as con:
            con.execute(f"attach '{tmp_path / f'night{number}.duckdb'}' as cdp")
            if number > 1:
                con.execute(
                    f"attach '{tmp_path / f'night{number - 1}.duckdb'}' as base (read_only)"
                )
            con.execute("use cdp; create schema identity")
            rows = sorted(groups.items())
            con.execute(
                "create table identity.records (record_id integer, source varchar, "
                "record_key varchar, evidence_id integer); create temp table identity_groups "
                "(evidence_id integer, group_id integer, match_prob double)"
            )
            for place, (key, group) in enumerate(rows):
                con.execute(
                    "insert into identity.records values (?, 's', ?, ?)", [place, key, place]
                )
                con.execute("insert into identity_groups values (?, ?, 1)", [place, group])
            assign_customers(con, business_date=date(2026, 11, number).isoformat())
            found = {
                name: con.execute(f"select * from identity.{name}").fetchall()
                for name in ("customer_map", "redirects", "changes")
            }
        customers = {row[1]: row[2] for row in found["customer_map"]}
        redirects = {row[0]: row[1] for row in found["redirects"]}
        return customers, redirects, found["changes"]

    return run


def test_ids_look_like_ids(nights: Nights) -> None:
    customers, _, changes = nights({"a": 1, "b": 1, "c": 2})
    assert all(re.fullmatch(r"C[0-9A-F]{16}", value) for value in customers.values())
    assert len(set(customers.values())) == 2
    assert [change[1] for change in changes] == ["created", "created"]


def test_a_merge_keeps_the_larger_ancestor_and_redirects_the_other(nights: Nights) -> None:
    first, _, _ = nights({"a": 1, "b": 2, "c": 2})
    second, redirects, changes = nights({"a": 1, "b": 1, "c": 1})
    assert set(second.values()) == {first["b"]}
    assert redirects == {first["a"]: first["b"]}
    assert [c for c in changes if c[1] == "merged"] == [
        (first["b"], "merged", first["a"], "s", "a", date(2026, 11, 2))
    ]


def test_a_split_leaves_the_id_with_the_larger_part_and_mints_another(nights: Nights) -> None:
    first, _, _ = nights({"a": 1, "b": 1, "c": 1})
    second, redirects, changes = nights({"a": 1, "b": 2, "c": 2})
    # The smaller part holds the smallest record: its new id must not be the old one.
    assert second["b"] == second["c"] == first["a"]
    assert second["a"] != first["a"]
    assert redirects == {}
    assert ("split", first["a"], "a") in [(c[1], c[2], c[4]) for c in changes]


def test_a_record_may_move_between_living_customers(nights: Nights) -> None:
    first, _, _ = nights({"a": 1, "b": 1, "c": 1, "d": 2, "e": 2})
    second, _, changes = nights({"a": 1, "b": 1, "c": 2, "d": 2, "e": 2})
    assert second["c"] == first["d"]
    assert ("moved", first["c"], "c") in [(c[1], c[2], c[4]) for c in changes]


def test_redirects_resolve_in_one_step_after_several_nights(nights: Nights) -> None:
    rest = dict.fromkeys("defg", 3)
    first, _, _ = nights({"a": 1, "b": 2, "c": 2} | rest)
    nights({"a": 1, "b": 1, "c": 1} | rest)
    last, redirects, _ = nights(dict.fromkeys("abcdefg", 1))
    assert set(last.values()) == {first["d"]}
    assert redirects == {first["a"]: first["d"], first["b"]: first["d"]}


def test_erased_people_leave_no_trace(nights: Nights) -> None:
    first, _, _ = nights({"a": 1, "b": 2, "c": 2, "z": 9})
    nights({"a": 1, "b": 1, "c": 1, "z": 9})
    _, redirects, changes = nights({"z": 9})
    assert redirects == {}
    assert {change[0] for change in changes} == {first["z"]}


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 5), min_size=1),
        min_size=2,
        max_size=4,
    )
)
@settings(max_examples=5, deadline=None)
def test_any_history_keeps_its_invariants(
    tmp_path_factory: pytest.TempPathFactory, history: list[dict[str, int]]
) -> None:
    run = nights.__wrapped__(tmp_path_factory.mktemp("history"))
    for groups in history:
        customers, redirects, _ = run(groups)
        by_group = {(groups[key], customers[key]) for key in groups}
        # One id a group and one group an id.
        assert len({g for g, _ in by_group}) == len(by_group) == len({c for _, c in by_group})
        # Redirects lead from retired to living ids, at once.
        assert set(redirects).isdisjoint(customers.values())
        assert set(redirects.values()) <= set(customers.values())


def test_collisions_are_minted_anew_and_endless_ones_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with duckdb.connect() as con:
        con.execute(
            "create temp table identity_members as select 'a' as member, 1 as group_id, "
            "cast(null as varchar) as previous_id"
        )
        con.execute("create temp table identity_used_ids (id varchar)")
        name_groups(con, prefix="C", business_date="2026-11-20")
        first = con.execute("select id from identity_kept_ids").fetchall()[0][0]
        con.execute("insert into identity_used_ids values (?)", [first])
        name_groups(con, prefix="C", business_date="2026-11-20")
        second = con.execute("select id from identity_kept_ids").fetchall()[0][0]
        assert second != first
        monkeypatch.setattr(ids, "MINTING_ATTEMPTS", 1)
        with pytest.raises(IdentityError, match="unique"):
            name_groups(con, prefix="C", business_date="2026-11-20")
