"""What holds of golden records whatever the sources say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.identity.golden import (
    SPEC,
    Statement,
    build,
    fill,
    open_warehouse,
    remember,
    resolve,
    rows,
)

TABLES = (
    "golden_records",
    "golden_sources",
    "contact_claims",
    "households",
)
OWNED = ("email", "phone", "push_token", "loyalty_id", "account_id")
UNHURRIED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


def maybe(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


POOLS = {
    "title": maybe("Mr", "Mrs"),
    "given_name": maybe("Ann", "Anna", "A", "Bob"),
    "family_name": maybe("Smith", "Jones"),
    "birth_date": maybe("1980-02-11", "1980-01-01", "1890-05-05", "2025-05-05"),
    "sex": maybe("F", "M"),
    "email": maybe("ann@web.de", "bob@web.de", "Smith.family@web.de"),
    "phone": maybe("07700 900123", "07700 900456", "020 7946 0000"),
    "street": maybe("1 High Street", "1 high st", "2 Low Road"),
    "city": maybe("Hull", "York"),
    "postcode": maybe("HU1 1AA", "YO1 1AA"),
    "country": maybe("GB", "IE"),
    "loyalty_id": maybe("0071", "0072"),
    "home_store_id": maybe("S1", "S2"),
    "tier": maybe("gold", "silver"),
    "account_id": maybe("A1", "A2"),
    "push_token": maybe("t1", "t2"),
}
MOMENTS = maybe(datetime(2024, 1, 1), datetime(2025, 1, 1), datetime(2026, 1, 1))  # noqa: DTZ001 - UTC by contract


@st.composite
def stores(draw: st.DrawFn) -> list[Statement]:
    kinds = st.sampled_from(["loyalty", "account", "order", "contact", "receipt", "email"])
    count = draw(st.integers(1, 9))
    return [
        Statement(
            key=f"k{number}",
            customer=draw(st.sampled_from(["C1", "C2", "C3"])),
            kind=draw(kinds),
            source=draw(st.sampled_from(["shop", "till"])),
            updated_at=draw(MOMENTS),
            values=draw(st.fixed_dictionaries(POOLS)),
        )
        for number in range(count)
    ]


@settings(max_examples=3, **UNHURRIED)
@given(stores(), st.randoms(use_true_random=False))
def test_golden_records(store: list[Statement], random: Any) -> None:
    assert_every_property(store, random)


@pytest.mark.long
@settings(max_examples=15, **UNHURRIED)
@given(stores(), st.randoms(use_true_random=False))
def test_golden_records_of_many_stores(store: list[Statement], random: Any) -> None:
    assert_every_property(store, random)


@settings(max_examples=3, **UNHURRIED)
@given(stores())
def test_of_equally_frequent_statements_the_newest_wins(store: list[Statement]) -> None:
    alike = [Statement(s.key, "C1", "loyalty", "shop", s.updated_at, s.values) for s in store]
    con = resolve(*alike)
    told = [s for s in alike if s.get("sex")]
    votes = {sex: sum(s.get("sex") == sex for s in told) for sex in "FM"}
    if told and votes["F"] == votes["M"]:
        newest = max((s.updated_at or datetime.min) for s in told)  # noqa: DTZ901 - null is oldest
        said = {s.get("sex") for s in told if (s.updated_at or datetime.min) == newest}  # noqa: DTZ901 - same
        assert rows(con, "select sex from identity.golden_records")[0][0] in said


def assert_every_property(store: list[Statement], random: Any) -> None:
    con = open_warehouse()
    fill(con, store)
    build(con)
    values_come_from_records_of_their_customer(con, store)
    groups_come_from_one_record(con, store)
    nothing_has_two_owners(con)
    shuffled = list(store)
    random.shuffle(shuffled)
    again = resolve(*shuffled)
    for table in TABLES:
        sql = f"select * from identity.{table}"
        assert rows(con, sql) == rows(again, sql), table
    a_second_night_changes_nothing(con)


def values_come_from_records_of_their_customer(
    con: duckdb.DuckDBPyConnection, store: list[Statement]
) -> None:
    owner = {(s.source, s.key): s.customer for s in store}
    for customer, source, key in rows(
        con, "select customer_id, source, record_key from identity.golden_sources"
    ):
        assert owner[source, key] == customer
    listed = ", ".join(f"cast({name} as varchar) as {name}" for name in POOLS)
    unexplained = (
        f"select * from (unpivot (select customer_id, {listed} from identity.golden_records) "
        "on columns(* exclude customer_id) into name field value printed) as g "
        "anti join identity.golden_sources as s "
        "on s.customer_id = g.customer_id and s.field = g.field"
    )
    assert rows(con, unexplained) == []


def groups_come_from_one_record(con: duckdb.DuckDBPyConnection, store: list[Statement]) -> None:
    for group in SPEC.groups.values():
        fields = ", ".join(f"'{name}'" for name in group.fields)
        mixed = (
            f"select customer_id from identity.golden_sources where field in ({fields}) "
            "group by customer_id having count(distinct source || '/' || record_key) > 1"
        )
        assert rows(con, mixed) == []
    by_key = {s.key: s for s in store}
    homes = (
        "select g.street, g.city, s.record_key from identity.golden_records as g "
        "inner join identity.golden_sources as s using (customer_id) where s.field = 'postcode'"
    )
    for street, city, key in rows(con, homes):
        assert (street, city) == (by_key[key].get("street"), by_key[key].get("city"))


def nothing_has_two_owners(con: duckdb.DuckDBPyConnection) -> None:
    for field in OWNED:
        twice = f"select {field} from identity.golden_records group by 1 having count({field}) > 1"
        assert rows(con, twice) == [], field
    envious = (
        "select * from identity.contact_claims as c "
        "inner join identity.golden_records as g on g.customer_id = c.customer_id "
        "where c.field = 'email' and g.email is null and c.rule = 'has_a_better_one'"
    )
    assert rows(con, envious) == []


def a_second_night_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    people = "select * from identity.golden_records"
    homes = "select household_id, head_customer_id from identity.households"
    before = rows(con, people), rows(con, homes)
    remember(con)
    build(con)
    assert (rows(con, people), rows(con, homes)) == before
