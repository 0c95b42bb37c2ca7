from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest

from cdp_pipeline.identity.scoring.blocking import BlockingRule, key_caps, propose_pairs
from cdp_pipeline.identity.scoring.design import fitting_design, shipped_design
from cdp_pipeline.identity.standard import records
from cdp_pipeline.identity.standard.nodes import build_nodes
from cdp_pipeline.storage.warehouse import fetch_dicts, open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Store

RULES = (BlockingRule("card", ("card",)), BlockingRule("name and town", ("name", "town")))


@pytest.fixture
def con(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_build(store.stage([])) as con:
        con.execute(
            "create temp table identity_nodes as select * from (values "
            "(0, 1, 'a', 'x'), (1, 1, 'a', 'x'), (2, null, 'a', 'x'), (3, null, 'a', null), "
            "(4, 2, 'b', 'y'), (5, 2, 'c', 'y'), (6, 2, 'd', 'y'), (7, 2, 'e', 'y')"
            ") as t (node_id, card, name, town)"
        )
        yield con


def test_pairs_share_a_key_and_carry_the_first_rule(con: duckdb.DuckDBPyConnection) -> None:
    count = propose_pairs(con, RULES, cap=3)
    pairs = con.execute("select * from identity_pairs order by all").fetchall()
    assert pairs == [(0, 1, 0), (0, 2, 1), (1, 2, 1)]
    assert count == 3


def test_keys_over_the_cap_are_dropped_and_reported(con: duckdb.DuckDBPyConnection) -> None:
    propose_pairs(con, RULES, cap=3)
    report = fetch_dicts(con, "select * from identity.blocking order by rule")
    assert report == [
        {"rule": "card", "keys": 1, "pairs": 1, "dropped_keys": 1, "dropped_records": 4},
        {"rule": "name and town", "keys": 1, "pairs": 2, "dropped_keys": 0, "dropped_records": 0},
    ]


def test_pairs_of_dropped_keys_are_counted_by_rule(con: duckdb.DuckDBPyConnection) -> None:
    propose_pairs(con, RULES, cap=3)
    dropped = con.execute("select rule, pairs from identity_dropped order by rule").fetchall()
    assert dropped == [("card", 6.0), ("name and town", 0.0)]


def test_missing_values_never_block_together(con: duckdb.DuckDBPyConnection) -> None:
    propose_pairs(con, (BlockingRule("card", ("card",)),), cap=10)
    nodes = con.execute("select distinct unnest([node_a, node_b]) from identity_pairs").fetchall()
    assert {2, 3}.isdisjoint({row[0] for row in nodes})


def test_only_a_wide_rule_is_dropped_as_a_whole(con: duckdb.DuckDBPyConnection) -> None:
    rules = (BlockingRule("card", ("card",)), BlockingRule("name", ("name",), is_wide=True))
    propose_pairs(con, rules, cap=10, most_pairs=0.1)
    report = {row["rule"]: row for row in fetch_dicts(con, "from identity.blocking")}
    assert report["card"]["pairs"] == 7
    assert report["name"]["pairs"] == 0
    assert report["name"]["dropped_records"] == 4


def test_without_rules_nobody_is_proposed(con: duckdb.DuckDBPyConnection) -> None:
    assert propose_pairs(con, (), cap=10, most_pairs=1.0) == 0


def test_rules_are_wide_when_their_keys_tell_little() -> None:
    wide = {rule.name for rule in shipped_design("files").rules if rule.is_wide}
    assert "same given name" in wide
    assert wide.isdisjoint({"same mailbox", "same birth date and given name", "same address"})


def test_namesakes_are_counted_where_it_is_names_that_go_together() -> None:
    design = shipped_design()
    names = next(rule for rule in design.rules if rule.name == "same names in either order")
    assert design.rule_of_names() == names
    linked = [
        replace(c, goes_with={"family name": None, "sex": "address"}.get(c.name, c.goes_with))
        for c in design.comparisons
    ]
    assert replace(design, comparisons=tuple(linked)).rule_of_names() is None


def test_a_rare_rule_has_a_cap_of_its_own_that_never_exceeds_the_general_one(
    con: duckdb.DuckDBPyConnection,
) -> None:
    rules = (BlockingRule("card", ("card",)), BlockingRule("name", ("name",), most=3))
    propose_pairs(con, rules, cap=10)
    report = {row["rule"]: row for row in fetch_dicts(con, "from identity.blocking")}
    assert (report["name"]["keys"], report["name"]["dropped_keys"]) == (0, 1)
    assert report["card"]["dropped_keys"] == 0
    assert key_caps(rules, cap=10).tolist() == [10, 3]
    assert key_caps(rules, cap=2).tolist() == [2, 2]


def test_declared_rare_rules_come_last_and_are_capped() -> None:
    rules = shipped_design().rules
    rare = [rule.most is not None for rule in rules]
    assert any(rare)
    assert rare == sorted(rare)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"family_name": "Adams", "street": "12 High Street, Flat 3"}, {"family_name": "Adaps"}),
        ({"family_name": "Vicente Amaral", "street": None}, {"family_name": "Amaral"}),
    ],
    ids=["one names the flat, both have a slip", "a double name and its last part"],
)
def test_a_slip_beside_a_flat_or_half_a_name_hides_nobody(
    store: Store, one: dict[str, str], other: dict[str, str]
) -> None:
    kornelia = {"given_name": "Kornelia", "street": "12 High Street", "postcode": "HA1 1AA"}
    people = [kornelia | {"record_key": "1"} | one, kornelia | {"record_key": "2"} | other]
    context = store.stage(people)
    records.run(context)
    with open_build(context) as con:
        build_nodes(con)
        assert propose_pairs(con, fitting_design(con, shipped_design()).rules, cap=60) == 1
