from __future__ import annotations

from datetime import date

import pytest

pytest.importorskip("recordlinkage")

TABLES = (
    "records",
    "hubs",
    "blocking",
    "model_parameters",
    "edges",
    "review",
    "customer_map",
    "changes",
    "redirects",
    "golden_records",
    "golden_sources",
)


@pytest.fixture(scope="module")
def first_night(make_store, tmp_path_factory, families):
    return make_store(tmp_path_factory.mktemp("chain")).night(families)


def test_families_stay_apart_and_profiles_come_together(first_night, read):
    groups = read(
        first_night,
        "select list(record_key order by source) from identity.customer_map group by customer_id",
    )
    assert len(groups) == 120
    assert all(len(keys) == 2 and keys[0] == keys[1] for (keys,) in groups)


def test_spouses_share_a_household(first_night, read):
    homes = read(
        first_night,
        "select list(distinct cast(m.record_key as integer) // 2), count(*) "
        "from identity.golden_records as g "
        "inner join identity.customer_map as m using (customer_id) "
        "where m.source = 'loyalty' group by g.household_id",
    )
    assert len(homes) == 60
    assert all(len(numbers) == 1 and people == 2 for numbers, people in homes)


def test_a_rerun_gives_identical_tables(first_night, make_store, tmp_path, families, read):
    again = make_store(tmp_path).night(list(reversed(families)))
    for table in TABLES:
        sql = f"select * from identity.{table}"
        assert read(first_night, sql) == read(again, sql), table


def test_ids_without_anything_else_are_customers_of_their_own(store, read):
    # The UCI data: invoices with a customer number and no person at all.
    made = store.night(
        {"record_key": f"{i:05d}", "record_kind": "account", "account_id": str(12346 + i)}
        for i in range(300)
    )
    assert read(
        made, "select count(*), count(distinct customer_id) from identity.customer_map"
    ) == [(300, 300)]
    assert read(made, "select count(*) from identity.model_parameters") == [(0,)]
    assert read(made, "select count(account_id) from identity.golden_records") == [(300,)]


def test_a_store_without_people_runs(store, read):
    made = store.night([])
    assert read(made, "select count(*) from identity.golden_records") == [(0,)]


def test_two_records_that_differ_in_everything_are_two_people(store, read):
    made = store.night(
        [
            {"record_key": "1", "full_name": "Anna Smith", "email": "anna@web.de"},
            {"record_key": "2", "full_name": "Bernard Jones", "phone": "020 7946 0000"},
        ]
    )
    assert read(made, "select count(distinct customer_id) from identity.customer_map") == [(2,)]


def test_unusable_records_belong_to_nobody(store, read):
    made = store.night(
        [
            {"record_key": "1", "record_kind": "receipt", "email": "none@none.com"},
            {"record_key": "2", "full_name": "Anna Smith"},
        ]
    )
    assert read(made, "select record_key from identity.customer_map") == [("2",)]


def test_the_second_night_keeps_ids_and_says_what_is_new(store, families, read):
    first = store.night(families)
    newcomer = {
        "source": "crm",
        "record_key": "c1",
        "full_name": "Zachary Quill",
        "email": "zq@example.com",
    }
    again = families[0] | {"source": "crm", "record_key": "c0", "record_kind": "contact"}
    second = store.night([*families, newcomer, again], day=date(2026, 11, 21))
    ids = "select source, record_key, customer_id from identity.customer_map order by all"
    before, after = read(first, ids), read(second, ids)
    assert set(before) <= set(after)
    changes = read(
        second,
        "select change, record_key from identity.changes where changed_on = ? order by all",
        date(2026, 11, 21),
    )
    assert changes == [("created", "c1"), ("joined", "c0")]
    assert read(second, "select count(*) from identity.changes where change = 'created'") == [
        (121,)
    ]
    homes = "select customer_id, household_id from identity.golden_records"
    assert set(read(first, homes)) <= set(read(second, homes))
