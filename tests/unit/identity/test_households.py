"""Who lives together, by example: couples, flat-mates, blocks of flats, children who move out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.identity.golden.household_history import recount_households
from tests.unit.identity.golden import DAY, Statement, build, fill, open_warehouse, remember, rows

if TYPE_CHECKING:
    import duckdb

OLD, NEW = datetime(2024, 1, 1), datetime(2026, 1, 1)  # noqa: DTZ001 - UTC by contract
HOME = {"street": "12 High Street", "city": "Hull", "postcode": "HU1 1AA"}
AWAY = {"street": "7 Low Road", "city": "York", "postcode": "YO1 1AA"}


def person(customer: str, given: str, family: str, **values: object) -> Statement:
    moment = values.pop("updated_at", None)
    kind = values.pop("kind", "loyalty")
    key = f"{customer}{kind}{len(str(values))}"
    values |= {"given_name": given, "family_name": family}
    return Statement(key, customer, str(kind), updated_at=moment, values=values)  # type: ignore[arg-type] # tests give moments


def live(*people: Statement, model: Iterable[tuple[str, str]] = ()) -> duckdb.DuckDBPyConnection:
    """Return a warehouse; ``model`` names pairs of customers that the model calls a household."""
    con = open_warehouse()
    fill(con, people)
    believe(con, model)
    build(con)
    return con


def believe(con: duckdb.DuckDBPyConnection, model: Iterable[tuple[str, str]]) -> None:
    for left, right in model:
        con.execute(
            "insert into staging.identity_household_pairs "
            "select min(a.record_id), min(b.record_id), 0.99 from identity.records as a, "
            "identity.records as b where starts_with(a.record_key, ?) "
            "and starts_with(b.record_key, ?)",
            [left, right],
        )


def homes(con: duckdb.DuckDBPyConnection) -> list[list[str]]:
    found = rows(
        con,
        "select list(customer_id order by customer_id) as people from identity.golden_records "
        "group by household_id order by people",
    )
    return [people for (people,) in found]


def test_a_couple_with_two_names_and_a_flat_mate_live_at_one_door() -> None:
    con = live(
        person("C1", "Ann", "Hay", **HOME),
        person("C2", "Bob", "Low", **{**HOME, "street": "12 High St."}),
        person("C3", "Cat", "Moss", **{**HOME, "street": "Flat 2, 12 High Street"}),
        person("C4", "Dan", "Moor", **{**HOME, "street": "14 High Street"}),
    )
    assert homes(con) == [["C1", "C2"], ["C3"], ["C4"]]


def test_a_present_sent_to_a_friend_makes_no_household() -> None:
    con = live(
        person("C1", "Ann", "Hay", **HOME),
        person("C2", "Bob", "Low", kind="order", **HOME),
        person("C3", "Cat", "Hay", kind="order", **HOME),
    )
    assert homes(con) == [["C1", "C3"], ["C2"]]


def test_a_block_without_flat_numbers_does_not_chain() -> None:
    letters = "abcdefghij"
    names = [("Ann", "Hay"), ("Bob", "Hay"), *((f"Given{x}", f"Family{x}") for x in letters)]
    block = [person(f"C{n:02}", *name, **HOME) for n, name in enumerate(names)]
    con = live(*block, model=[("C00", "C01")])
    assert homes(con) == [["C00", "C01"], *([f"C{n:02}"] for n in range(2, 12))]


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("Chaussée Ravel 12", "12, Ch. Ravel"),
        ("Boulevard Pasteur 12 bte 4", "12/4 Bd Pasteur"),
        ("ul. Długa 12 m. 4", "Długa 12/4"),
    ],
)
def test_a_door_is_one_however_its_street_is_written(line: str, other: str) -> None:
    con = live(
        person("C1", "Ann", "Hay", **{**HOME, "street": line}),
        person("C2", "Bob", "Low", **{**HOME, "street": other}),
    )
    assert homes(con) == [["C1", "C2"]]


def test_a_family_of_which_one_leaves_out_the_flat_is_one_household() -> None:
    con = live(
        person("C1", "Ann", "Hay", **{**HOME, "street": "12 High Street, Flat 2"}),
        person("C2", "Bob", "Hay", **HOME),
        person("C3", "Cat", "Low", **{**HOME, "street": "Flat 3, 12 High Street"}),
        person("C4", "Dan", "Hay", **{**HOME, "street": "14 High Street"}),
    )
    assert homes(con) == [["C1", "C2"], ["C3"], ["C4"]]


def test_a_name_alone_joins_nobody_in_a_block_of_many_flats() -> None:
    letters = "abcdefghij"
    block = [
        person(f"C{n:02}", f"Given{x}", "Hay", **{**HOME, "street": f"12 High Street, Flat {n}"})
        for n, x in enumerate(letters)
    ]
    con = live(*block, person("C10", "Bob", "Hay", **HOME))
    assert homes(con) == [[f"C{n:02}"] for n in range(11)]


def test_a_child_who_moved_out_leaves_and_a_partner_who_moved_in_joins() -> None:
    con = live(
        person("C1", "Ann", "Hay", updated_at=NEW, **HOME),
        person("C2", "Bob", "Hay", updated_at=NEW, **HOME),
        person("C3", "Cat", "Hay", updated_at=OLD, kind="order", **HOME),
        person("C3", "Cat", "Hay", updated_at=NEW, **AWAY),
        person("C4", "Dan", "Low", updated_at=OLD, **AWAY),
        person("C4", "Dan", "Low", updated_at=NEW, kind="account", **HOME),
        model=[("C1", "C2"), ("C1", "C3"), ("C2", "C3")],
    )
    assert homes(con) == [["C1", "C2", "C4"], ["C3"]]


def test_neighbours_who_share_a_number_do_not_join_two_families() -> None:
    next_door = {**HOME, "street": "14 High Street"}
    con = live(
        person("C1", "Ann", "Hay", phone="01482 100000", **HOME),
        person("C2", "Bob", "Hay", **HOME),
        person("C3", "Cat", "Low", phone="01482 100000", **next_door),
        person("C4", "Dan", "Low", **next_door),
    )
    assert homes(con) == [["C1", "C2"], ["C3", "C4"]]


def test_a_name_and_the_model_are_enough_where_an_address_is_missing() -> None:
    con = live(
        person("C1", "Ann", "Hay", **HOME),
        person("C2", "Bob", "Hay", email="bob@web.de"),
        person("C3", "Cat", "Low", email="cat@web.de"),
        model=[("C1", "C2"), ("C1", "C3")],
    )
    assert homes(con) == [["C1", "C2"], ["C3"]]


def test_the_person_to_address_is_an_adult_with_an_address_and_stays() -> None:
    people = [
        person("C1", "Ann", "Hay", birth_date="2010-05-05", **HOME),
        person("C2", "Bob", "Hay", birth_date="1975-05-05", **HOME),
    ]
    con = live(*people)
    head = "select head_customer_id, member_count, adult_count, street from identity.households"
    assert rows(con, head) == [("C2", 2, 1, "12 High Street")]
    remember(con)
    fill(con, [person("C0", "Old", "Hay", birth_date="1940-05-05", **HOME)])
    con.execute("update identity.records set record_id = 9 where record_key like 'C0%'")
    build(con)
    assert rows(con, head) == [("C2", 3, 2, "12 High Street")]


def test_households_that_merge_and_split_leave_their_history() -> None:
    con = live(
        person("C1", "Ann", "Hay", **HOME),
        person("C2", "Bob", "Hay", **HOME),
        person("C3", "Cat", "Low", **AWAY),
    )
    ids = dict(rows(con, "select customer_id, household_id from identity.golden_records"))
    assert [row[0] for row in rows(con, "select change from identity.household_changes")] == [
        "created"
    ] * 3
    remember(con)
    fill(con, [person("C3", "Cat", "Low", kind="account", updated_at=NEW, **HOME)])
    con.execute("update identity.records set record_id = 9 where record_kind = 'account'")
    build(con)
    assert homes(con) == [["C1", "C2", "C3"]]
    assert rows(con, "select * from identity.household_redirects") == [(ids["C3"], ids["C1"], DAY)]
    tonight = "select customer_id, change, previous_household_id from identity.household_changes"
    assert rows(con, f"{tonight} where change <> 'created'") == [("C3", "merged", ids["C3"])]


def test_a_home_whose_only_person_became_another_leads_to_hers() -> None:
    con = live(person("C1", "Ann", "Hay", **HOME), person("C3", "Cat", "Low", **AWAY))
    ids = dict(rows(con, "select customer_id, household_id from identity.golden_records"))
    remember(con)
    con.execute("update identity.customer_map set customer_id = 'C1'")
    con.execute("insert into identity.redirects values ('C3', 'C1')")
    build(con)
    assert rows(con, "select * from identity.household_redirects") == [(ids["C3"], ids["C1"], DAY)]
    assert rows(con, "select id from identity.dormant_ids") == []


def test_people_who_come_back_find_their_household_again() -> None:
    con = live(person("C1", "Ann", "Hay", **HOME), person("C3", "Cat", "Low", **AWAY))
    ids = dict(rows(con, "select customer_id, household_id from identity.golden_records"))
    remember(con)
    con.execute("create table away as from identity.customer_map where customer_id = 'C3'")
    con.execute("delete from identity.customer_map where customer_id = 'C3'")
    build(con)
    assert rows(con, "select id from identity.dormant_ids") == [(ids["C3"],)]
    for table in ("golden_records", "dormant_ids", "spent_ids"):
        con.execute(f"create or replace table base.identity.{table} as from cdp.identity.{table}")
    con.execute("insert into identity.customer_map from away")
    build(con)
    assert dict(rows(con, "select customer_id, household_id from identity.golden_records")) == ids
    back = "select customer_id from identity.household_changes where change = 'returned'"
    assert rows(con, back) == [("C3",)]


def test_households_that_are_counted_again_stand_in_order() -> None:
    con = live(
        *(person(f"C{n}", "Ann", f"Family{n}", **HOME | {"city": f"Town{n}"}) for n in range(60))
    )
    con.execute("create temp table homes as select household_id as id from identity.households")
    before = rows(con, "from identity.households")
    con.execute("delete from identity.households; drop view identity_golden")
    recount_households(con, homes="homes", business_date=str(DAY))
    assert rows(con, "from identity.households") == before
    assert [row[0] for row in before] == sorted(row[0] for row in before)
