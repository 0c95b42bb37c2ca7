"""Load modes, feeds and the ledger: what becomes of every row."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError, ContractError, DataQualityError
from cdp_pipeline.ingest import entities, landing
from cdp_pipeline.ingest.deliveries import plain_rows, planned_deliveries, staged_places
from cdp_pipeline.ingest.touched import Changes, TouchedFiles
from cdp_pipeline.project.loader import Project
from tests.unit.ingest.conftest import NIGHT, Store

EVE = NIGHT - timedelta(days=1)


def declare(store: Store, **parts: Any) -> None:
    """Declare a source of goods with an id, a version and a price."""
    document: dict[str, Any] = {
        "title": "Goods",
        "owner": "tests",
        "delivery": {"path": "goods/*", "format": "csv"},
        "load": {"mode": "append", "key": ["id"]},
        "columns": {
            "id": {},
            "price": {"type": "decimal"},
            "changed": {"type": "timestamp"},
        },
        "feeds": [
            {"entity": "products", "columns": {"sku": "id", "list_price": "price"}},
        ],
    }
    store.declare("goods", {**document, **parts})


def rows(*lines: str) -> str:
    return "id,price,changed\n" + "".join(f"{line}\n" for line in lines)


def products(store: Store) -> list[tuple[Any, ...]]:
    return store.query("select sku, list_price::varchar from staging.products")


def test_append_counts_repetitions_and_sets_conflicts_aside(store: Store) -> None:
    declare(store)
    store.deliver("goods/20261119.csv", rows("1,1.00,", "2,2.00,", "2,2.00,"))
    store.deliver("goods/20261120.csv", rows("1,1.00,", "2,9.00,", "3,3.00,"))
    store.night()
    assert products(store) == [("1", "1.00"), ("2", "2.00"), ("3", "3.00")]
    assert store.ledger() == [
        ("goods/20261119.csv", "loaded", 3, 2, 0, 1, 0),
        ("goods/20261120.csv", "loaded", 3, 1, 1, 1, 0),
    ]
    assert store.query("select rule, rows from ops.quarantine_summary") == [("conflicting_key", 1)]
    kept = duckdb.sql(
        "select line, rule, raw from "
        f"read_parquet('{store.root}/data/quarantine/goods/conflicting_keys.parquet')"
    ).fetchall()
    assert kept == [(3, "conflicting_key", '{"id":"2","price":"9.00","changed":null}')]


def test_upsert_keeps_the_newest_version_by_key(store: Store) -> None:
    declare(store, load={"mode": "upsert", "key": ["id"], "updated_at": "changed"})
    first = ["1,1.00,2026-11-01 10:00", "2,2.00,2026-11-03 10:00", "3,3.00,"]
    store.deliver("goods/20261119.csv", rows(*first))
    second = ["1,5.00,2026-11-02 10:00", "2,4.00,2026-11-02 10:00", "3,3.00,", "3,6.00,"]
    store.deliver("goods/20261120.csv", rows(*second))
    store.night()
    # 1 is newer, 2 came late and is older, 3 has no times: the later one counts.
    assert products(store) == [("1", "5.00"), ("2", "2.00"), ("3", "6.00")]
    assert store.ledger() == [
        ("goods/20261119.csv", "loaded", 3, 3, 0, 0, 0),
        ("goods/20261120.csv", "loaded", 4, 3, 0, 1, 0),
    ]


def test_without_times_the_latest_delivery_counts(store: Store) -> None:
    declare(store, load={"mode": "upsert", "key": ["id"]})
    store.deliver("goods/20261118.csv", rows("1,1.00,", "2,1.00,", "3,1.00,"))
    store.deliver("goods/20261119.csv", rows("1,2.00,", "2,2.00,", "4,1.00,"))
    store.deliver("goods/20261120.csv", rows("2,3.00,", "1,1.00,", "2,1.00,"))
    store.night()
    # 1 and 2 are again what they were at first; the last line of a file is the last word.
    kept = [("1", "1.00"), ("2", "1.00"), ("3", "1.00"), ("4", "1.00")]
    assert products(store) == kept
    ledger = store.ledger()
    assert [row[:3] for row in ledger] == [
        ("goods/20261118.csv", "loaded", 3),
        ("goods/20261119.csv", "loaded", 3),
        ("goods/20261120.csv", "loaded", 3),
    ]
    assert all(row[2] == sum(row[3:]) for row in ledger)


def test_a_version_sent_again_does_not_win_over_a_newer_one(store: Store) -> None:
    declare(store, load={"mode": "upsert", "key": ["id"], "updated_at": "changed"})
    store.deliver("goods/20261118.csv", rows("1,1.00,2026-11-01 10:00"))
    store.deliver("goods/20261119.csv", rows("1,2.00,2026-11-01 10:00"))
    store.deliver("goods/20261120.csv", rows("1,1.00,2026-11-01 10:00", "2,1.00,"))
    store.night()
    assert products(store) == [("1", "2.00"), ("2", "1.00")]


def test_replace_takes_the_newest_file_that_was_not_refused(store: Store) -> None:
    declare(store, load={"mode": "replace", "key": ["id"]})
    store.deliver("goods/20261118.csv", rows("1,1.00,"))
    store.deliver("goods/20261119.csv", rows("2,2.00,", "2,2.00,", "2,3.00,"))
    store.deliver("goods/20261120.csv", "not;these;columns\n")
    store.night()
    assert products(store) == [("2", "2.00")]
    assert store.ledger() == [
        ("goods/20261118.csv", "loaded", 1, 1, 0, 0, 0),
        ("goods/20261119.csv", "loaded", 3, 1, 1, 1, 0),
        ("goods/20261120.csv", "refused", 0, 0, 0, 0, 0),
    ]


def test_excluded_rows_are_counted_and_free_their_key(store: Store) -> None:
    declare(store, exclude=[{"rule": "free", "where": "price = 0"}])
    store.deliver("goods/20261120.csv", rows("1,0.00,", "1,5.00,", "2,0.00,"))
    store.night()
    assert products(store) == [("1", "5.00")]
    assert store.ledger() == [("goods/20261120.csv", "loaded", 3, 1, 0, 0, 2)]


def test_a_key_of_file_and_line_keeps_repeated_rows(store: Store) -> None:
    declare(
        store,
        load={"mode": "append", "key": ["_file", "_line"]},
        feeds=[
            {
                "entity": "sale_lines",
                "columns": {"sale_id": "id", "line_no": "_line", "net_amount": "price"},
            }
        ],
    )
    store.deliver("goods/20261120.csv", rows("1,1.00,", "1,1.00,"))
    store.night()
    found = store.query("select sale_id, line_no, net_amount from staging.sale_lines")
    assert found == [("1", "2", Decimal("1.00")), ("1", "3", Decimal("1.00"))]


def test_a_repeated_line_key_stops_the_night_instead_of_losing_money(store: Store) -> None:
    feed = {"entity": "sale_lines", "columns": {"sale_id": "'r'", "line_no": "'1'"}}
    declare(store, feeds=[feed])
    store.deliver("goods/20261120.csv", rows("1,1.00,", "2,1.00,"))
    with pytest.raises(DataQualityError, match="1 rows of sale_lines repeat the key"):
        store.night()


def test_local_dates_follow_from_moments_in_the_stores_zone(store: Store) -> None:
    feed = {
        "entity": "sale_lines",
        "columns": {"sale_id": "id", "line_no": "1", "sold_at": "changed"},
    }
    declare(store, feeds=[feed])
    store.deliver("goods/20261120.csv", rows("1,1.00,2026-07-01 23:30"))
    store.night()
    assert store.query("select sold_on from staging.sale_lines") == [(date(2026, 7, 2),)]


def test_nothing_is_rounded_silently(store: Store) -> None:
    feed = {"entity": "products", "columns": {"sku": "id", "list_price": "price / 3"}}
    declare(store, feeds=[feed])
    store.deliver("goods/20261120.csv", rows("1,3.00,"))
    store.night()
    assert products(store) == [("1", "1.00")]
    store.deliver("goods/20261120.csv", rows("1,1.00,"))
    with pytest.raises(DataQualityError, match="more decimals"):
        store.night()
    declare(store, feeds=[{**feed, "columns": {"sku": "id", "list_price": "round(price / 3, 2)"}}])
    store.night()
    assert products(store) == [("1", "0.33")]


@pytest.mark.parametrize(
    ("new", "touched", "is_stopped"),
    [
        ("20261120.csv", {}, False),
        ("20261119.csv", {}, True),
        ("20261120.csv", {"past": "changed < date '2000-01-01'"}, True),
        ("20261120.csv", {"is_known": False}, True),
        ("20261120.csv", {"expired": Path("gone.parquet")}, True),
    ],
)
def test_only_rows_that_no_earlier_night_has_cast_are_tried(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    *,
    new: str,
    touched: dict[str, Any],
    is_stopped: bool,
) -> None:
    def begin(context: RunContext, project: Project) -> Changes:
        entities_begin(context, project)
        contract, more = project.sources["goods"], dict(touched)
        added = [
            plain_rows(context, staged_places(context, delivery, contract).rows)
            for delivery in planned_deliveries(context, "goods")
            if delivery.file_name.endswith(new)
        ]
        added += [more.pop("expired")] if "expired" in more else []
        return Changes("", {"goods": TouchedFiles(tuple(added), **more)})

    entities_begin = entities.begin_changes
    monkeypatch.setattr(entities, "begin_changes", begin)
    columns = {"sale_id": "id", "line_no": "'1'", "quantity": "price / 3"}
    declare(store, feeds=[{"entity": "sale_lines", "columns": columns}])
    store.deliver("goods/20261119.csv", rows("1,1.00,"))
    store.deliver("goods/20261120.csv", rows("2,3.00,"))
    if is_stopped:
        with pytest.raises(DataQualityError, match="more decimals"):
            store.night()
    else:
        assert store.night().facts["entities"]["sale_lines"] == 2


PEOPLE: dict[str, Any] = {
    "title": "Events",
    "owner": "tests",
    "delivery": {"path": "events/*", "format": "csv"},
    "load": {"mode": "append", "key": ["id"]},
    "columns": {"id": {}, "email": {}, "card": {}, "kind": {}},
    "feeds": [
        {"entity": "email_events", "columns": {"event_id": "id", "event_type": "kind"}},
        {
            "entity": "person_records",
            "where": "kind <> 'ghost'",
            "columns": {"record_kind": "'email'", "email": "lower(email)", "loyalty_id": "card"},
        },
        {
            "entity": "consents",
            "where": "kind = 'unsubscribe'",
            "columns": {
                "purpose": "'marketing'",
                "channel": "'email'",
                "status": "'withdrawn'",
                "captured_at": "cast('2026-11-20 10:00' as timestamp)",
            },
        },
    ],
}


def test_equal_identifiers_become_one_record_and_rows_point_to_it(store: Store) -> None:
    store.declare("events", PEOPLE)
    lines = ["1,A@x.com,,open", "2,a@x.com,,unsubscribe", "3,,,open", "4,b@x.com,,ghost"]
    store.deliver("events/20261120.csv", "id,email,card,kind\n" + "\n".join(lines) + "\n")
    store.night()
    ((key, email),) = store.query("select record_key, email from staging.person_records")
    assert (len(key), email) == (32, "a@x.com")
    assert store.query(
        "select event_id, person_source, person_record_key from staging.email_events"
    ) == [
        ("1", "events", key),
        ("2", "events", key),
        ("3", None, None),
        ("4", None, None),
    ]
    assert store.query("select person_record_key, status from staging.consents") == [
        (key, "withdrawn")
    ]


def test_a_named_record_keeps_its_fullest_row(store: Store) -> None:
    feeds = [
        {
            "entity": "person_records",
            "columns": {"record_key": "kind", "email": "email", "loyalty_id": "card"},
        },
        {"entity": "email_events", "columns": {"event_id": "id"}},
    ]
    store.declare("events", {**PEOPLE, "feeds": feeds})
    lines = ["1,a@x.com,,r1", "2,a@x.com,77,r1", "3,,,r1", "4,,,r2"]
    store.deliver("events/20261120.csv", "id,email,card,kind\n" + "\n".join(lines) + "\n")
    store.night()
    found = store.query("select record_key, email, loyalty_id from staging.person_records")
    assert found == [("r1", "a@x.com", "77")]
    assert store.query("select event_id, person_record_key from staging.email_events") == [
        ("1", "r1"),
        ("2", "r1"),
        ("3", "r1"),
        ("4", None),
    ]


def test_every_entity_exists_with_its_declared_types_even_if_nothing_feeds_it(
    store: Store,
) -> None:
    from cdp_pipeline.project.loader import load_project

    declare(store)
    store.night()
    for entity in load_project(store.root).entities.values():
        described = store.query(f"describe staging.{entity.name}")
        found = [(row[0], row[1].lower()) for row in described]
        assert found == [(n, c.type) for n, c in entity.header.columns.items()], entity.name


def test_volumes_stop_or_warn(store: Store) -> None:
    delivery = {"path": "goods/*", "format": "csv"}
    declare(store, delivery={**delivery, "minimum_rows": 2})
    store.deliver("goods/20261120.csv", rows("1,1.00,"))
    with pytest.raises(DataQualityError, match="fewer than minimum_rows"):
        store.night()
    declare(store, delivery={**delivery, "maximum_rows": 1})
    store.deliver("goods/20261120.csv", rows("1,1.00,", "2,1.00,"))
    assert "more than maximum_rows" in store.night().messages[0]


def test_a_misspelt_column_in_a_feed_names_file_feed_and_remedy(store: Store) -> None:
    declare(store, feeds=[{"entity": "products", "columns": {"sku": "idd"}}])
    store.deliver("goods/20261120.csv", rows("1,1.00,"))
    with pytest.raises(ConfigError, match="unknown column `idd`") as caught:
        store.night()
    assert "goods.yml: feed of products: sku" in (caught.value.where or "")
    assert caught.value.hint == "Did you mean `id`?"


def test_loading_before_staging_says_which_step_is_missing(store: Store) -> None:
    declare(store)
    store.deliver("goods/20261120.csv", rows("1,1.00,"))
    with pytest.raises(ConfigError, match="no plan yet"):
        entities.run(store.context())
    landing.run(store.context())
    with pytest.raises(ContractError, match="has not been staged"):
        entities.run(store.context())


def test_dropping_all_history_again_loads_nothing_twice(store: Store) -> None:
    declare(store)
    store.deliver("goods/20261119.csv", rows("1,1.00,", "2,2.00,"))
    store.deliver("goods/20261120.csv", rows("3,3.00,"))
    first = store.night()
    for name in ("20261119", "20261120"):
        text = (store.root / "data" / "landing" / f"goods/{name}.csv").read_text("utf-8")
        store.deliver(f"goods/copy_{name}.csv", text)
    again = store.night()
    assert again.facts["entities"] == first.facts["entities"]
    assert (again.facts["loaded"], again.facts["duplicates"]) == (3, 3)


KEYS = st.sampled_from("abc")
ROW = st.tuples(
    KEYS, st.sampled_from(["1.00", "2.00", "x"]), st.sampled_from(["", "2026-11-01 10:00"])
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.lists(ROW, max_size=5), min_size=1, max_size=3),
    mode=st.sampled_from(["append", "upsert", "replace"]),
)
def test_records_are_loaded_quarantined_duplicates_or_excluded(
    store: Store, files: list[list[tuple[str, str, str]]], mode: str
) -> None:
    load = {"mode": mode, "key": ["id"], "updated_at": "changed"}
    declare(store, load=load, exclude=[{"rule": "dear", "where": "price = 2 and id = 'c'"}])
    for path in (store.root / "data" / "landing").rglob("*.csv"):
        path.unlink()
    for number, lines in enumerate(files):
        store.deliver(f"goods/2026111{number}.csv", rows(*(",".join(line) for line in lines)))
    result = store.night(quarantine_stop_share=1.0)
    ledger = store.ledger()
    assert sum(row[2] for row in ledger) == result.rows_in == sum(len(lines) for lines in files)
    assert all(row[2] == sum(row[3:]) for row in ledger)
    keys = [sku for sku, _ in products(store)]
    assert keys == sorted(set(keys))


def test_without_times_a_file_that_returns_to_old_bytes_is_news(store: Store) -> None:
    declare(store, load={"mode": "upsert", "key": ["id"]})
    for day, price in ((18, 1), (19, 2), (20, 1)):
        store.deliver(f"goods/202611{day}.csv", rows(f"1,{price}.00,"))
    store.deliver("goods/20261120_again.csv", rows("1,3.00,"))
    store.deliver("goods/20261120_at_last.csv", rows("1,1.00,"))
    store.night()
    assert products(store) == [("1", "1.00")]
    assert [row[1:3] for row in store.ledger()] == [("loaded", 1)] * 5


def test_a_person_record_keeps_the_day_of_its_first_delivery(store: Store) -> None:
    """Seniority among founders of an id: a change makes no record younger."""
    store.declare(
        "members",
        {
            "title": "Members",
            "owner": "tests",
            "delivery": {"path": "members/*", "format": "csv"},
            "load": {"mode": "upsert", "key": ["id"], "updated_at": "changed"},
            "columns": {"id": {}, "name": {}, "changed": {"type": "timestamp"}},
            "feeds": [
                {
                    "entity": "person_records",
                    "columns": {
                        "record_key": "id",
                        "record_kind": "'loyalty'",
                        "full_name": "name",
                    },
                }
            ],
        },
    )
    head = "id,name,changed\n"
    store.deliver("members/20261119.csv", f"{head}1,Ann Hay,2026-11-19 10:00\n")
    store.deliver(
        "members/20261120.csv", f"{head}1,Ann Low,2026-11-20 10:00\n2,Bob,2026-11-20 10:00\n"
    )
    store.night()
    found = store.query(
        "select record_key, full_name, first_delivered_on, delivered_on from staging.person_records"
    )
    assert found == [("1", "Ann Low", EVE, NIGHT), ("2", "Bob", NIGHT, NIGHT)]
