from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.identity.scoring import model
from cdp_pipeline.identity.standard import records
from cdp_pipeline.storage.warehouse import fetch_dicts, open_build

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Person, Query, Store, Village

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
    "contact_claims",
    "households",
    "household_changes",
    "household_redirects",
)

TOUCHED = """
select r.record_key
from staging.identity_touched_nodes as t
inner join (
    select row_number() over (order by record_id) - 1 as node_id, record_key
    from identity.records where is_comparable and record_id = evidence_id
) as r using (node_id)
"""


def test_families_stay_apart_and_profiles_come_together(village: Village, read: Query) -> None:
    groups = read(
        village.made,
        "select list(record_key order by source) from identity.customer_map "
        "where source in ('loyalty', 'shop') and record_key < '0200' group by customer_id",
    )
    assert len(groups) == 120
    assert all(len(keys) == 2 and keys[0] == keys[1] for (keys,) in groups)


def test_spouses_share_a_household(village: Village, read: Query) -> None:
    homes = read(
        village.made,
        "select list(distinct cast(m.record_key as integer) // 2), count(*) "
        "from identity.golden_records as g "
        "inner join identity.customer_map as m using (customer_id) "
        "where m.source = 'loyalty' and m.record_key < '0200' group by g.household_id",
    )
    assert len(homes) == 60
    assert all(len(numbers) == 1 and people == 2 for numbers, people in homes)


def test_a_rerun_gives_identical_tables(
    village: Village, make_store: Callable[[Path], Store], tmp_path: Path, read: Query
) -> None:
    again = make_store(tmp_path).night(list(reversed(village.people)))
    for table in TABLES:
        sql = f"select * from identity.{table} order by all"
        assert read(village.made, sql) == read(again, sql), table


def test_ids_without_anything_else_are_customers_of_their_own(store: Store, read: Query) -> None:
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


def test_a_store_without_people_runs(store: Store, read: Query) -> None:
    made = store.night([])
    assert read(made, "select count(*) from identity.golden_records") == [(0,)]


def test_strangers_stay_apart_and_unusable_records_belong_to_nobody(
    store: Store, read: Query
) -> None:
    made = store.night(
        [
            {"record_key": "1", "full_name": "Anna Smith", "email": "anna@web.de"},
            {"record_key": "2", "full_name": "Bernard Jones", "phone": "020 7946 0000"},
            {"record_key": "3", "record_kind": "receipt", "email": "none@none.com"},
        ]
    )
    mapped = read(made, "select record_key, customer_id from identity.customer_map order by 1")
    assert [key for key, _ in mapped] == ["1", "2"]
    assert mapped[0][1] != mapped[1][1]


def test_the_second_night_keeps_ids_and_says_what_is_new(village: Village, read: Query) -> None:
    newcomer = {
        "source": "crm",
        "record_key": "c1",
        "full_name": "Zachary Quill",
        "email": "zq@example.com",
    }
    again = village.people[0] | {"source": "crm", "record_key": "c0", "record_kind": "contact"}
    second = village.store.night([*village.people, newcomer, again], day=date(2026, 11, 21))
    ids = "select source, record_key, customer_id from identity.customer_map order by all"
    before, after = read(village.made, ids), read(second, ids)
    assert set(before) <= set(after)
    changes = read(
        second,
        "select change, record_key from identity.changes where changed_on = ? order by all",
        date(2026, 11, 21),
    )
    assert changes == [("created", "c1"), ("joined", "c0")]
    assert read(second, "select count(*) from identity.changes where change = 'created'") == [
        (122,)
    ]
    homes = "select customer_id, household_id from identity.golden_records"
    assert set(read(village.made, homes)) <= set(read(second, homes))


def test_who_was_mentioned_and_is_an_account_now_is_grouped_again(
    store: Store, families: list[Person]
) -> None:
    """Nobody says anything new, but a person competes otherwise for a name than a receipt does."""
    words = {"given_name": "Quentin", "family_name": "Vane", "email": "q.vane@web.de"}
    receipt = words | {"source": "till", "record_kind": "receipt", "record_key": "t1"}
    store.night([*families, receipt], day=date(2026, 11, 20))
    account = {"source": "shop", "record_kind": "account", "record_key": "s1"}
    for says, touched in ((receipt | {"record_key": "t2"}, []), (words | account, ["t1"])):
        context = store.stage([*families, receipt, says], day=date(2026, 11, 21))
        for stage in (records, model):
            stage.run(context)
        with open_build(context) as con:
            found = fetch_dicts(con, TOUCHED)
        assert [row["record_key"] for row in found] == touched


@pytest.mark.slow
def test_who_is_seen_to_have_written_to_the_store_is_grouped_again(
    store: Store, families: list[Person]
) -> None:
    """Nobody says anything new, but a name that wrote must be surer than one that did not."""
    words = {"given_name": "Quentin", "family_name": "Vane", "birth_date": date(1970, 3, 9)}
    social = words | {"source": "social", "record_kind": "social", "record_key": "s1"}
    wrote = words | {"source": "tickets", "record_kind": "contact", "record_key": "c1"}
    for first, then, touched in (
        ([social], [social, wrote], ["s1"]),
        ([social, wrote], [social], ["s1"]),
        ([social, wrote], [social, wrote | {"record_key": "c2"}], []),
    ):
        store.base = None
        store.night([*families, *first], day=date(2026, 11, 20))
        context = store.stage([*families, *then], day=date(2026, 11, 21))
        for stage in (records, model):
            stage.run(context)
        with open_build(context) as con:
            found = fetch_dicts(con, TOUCHED)
        assert [row["record_key"] for row in found] == touched
