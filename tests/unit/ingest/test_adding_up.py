"""Control totals, days rewritten, rows deleted, hubs, and sources that join others."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_pipeline.core.errors import ConfigError, DataQualityError
from cdp_pipeline.ingest.vetting import vet_contract
from cdp_pipeline.project.loader import load_project
from tests.unit.ingest.conftest import NIGHT, Stage, Store, make_contract

TRAILER = {
    "trailer_lines": 1,
    "decimal_mark": ",",
    "thousands_mark": ".",
    "delimiter": ";",
    "control": {"from": "trailer", "pattern": r"^T;(?P<rows>\d+);(?P<amount>[0-9.,-]+)$"},
}
AMOUNTS: dict[str, Any] = {"id": {}, "amount": {"type": "decimal"}}
BODY = "id;amount\n1;1.000,50\n2;-0,25\n"


@pytest.mark.parametrize(
    ("trailer", "cause"),
    [
        ("T;2;1.000,25", ""),
        ("T;3;1.000,25", "rows is stated as 3, the file holds 2"),
        ("T;2;1.000,26", "amount is stated as 1.000,26, the file holds 1000.25"),
        ("END", "the trailer states no totals"),
        ("T;2;-", "amount is stated as '-', which is no number"),
    ],
)
def test_a_file_must_add_up_to_its_trailer(stage: Stage, trailer: str, cause: str) -> None:
    outcome = stage((BODY + trailer + "\n").encode(), make_contract(AMOUNTS, delivery=TRAILER))
    assert outcome.status == ("refused" if cause else "loaded"), outcome.notes.reason
    assert cause in outcome.notes.reason
    control = {**TRAILER["control"], "on_mismatch": "warn"}  # type: ignore[dict-item]
    lenient = make_contract(AMOUNTS, delivery={**TRAILER, "control": control})
    warned = stage((BODY + trailer + "\n").encode(), lenient)
    assert [r["amount"] for r in warned.rows] == [Decimal("1000.50"), Decimal("-0.25")]
    assert len(warned.notes.messages) == bool(cause)


@pytest.mark.parametrize(
    "stated", ["0,25-", "-0,25", "(0,25)", "\u22120,25", "0,25 -", "- 0,25", "0,25\u00a0-"]
)
def test_the_sign_of_a_total_may_stand_as_those_of_records_may(stage: Stage, stated: str) -> None:
    control = {"from": "trailer", "pattern": r"^T;(?P<rows>\d+);(?P<amount>.+)$"}
    contract = make_contract(AMOUNTS, delivery={**TRAILER, "control": control})
    body = f"id;amount\n1;{stated}\n"
    assert stage(f"{body}T;1;{stated}\n".encode(), contract).status == "loaded"
    assert stage(f"{body}T;1;0,25\n".encode(), contract).status == "refused"


def test_totals_count_rows_that_are_set_aside(stage: Stage) -> None:
    contract = make_contract({**AMOUNTS, "id": {"pattern": "[0-9]"}}, delivery=TRAILER)
    outcome = stage((BODY + "x;5,00\nT;3;1.005,25\n").encode(), contract)
    assert (outcome.notes.records, outcome.notes.accepted) == (3, 2)


def test_rows_that_cannot_be_read_are_named_where_a_file_does_not_add_up(stage: Stage) -> None:
    contract = make_contract({**AMOUNTS, "id": {"pattern": "[0-9]"}}, delivery=TRAILER)
    broken = BODY + "3;5.0.0\n4\n" + "".join(f"{n};1,00\n" for n in (5, 6, 7, 8, 9) * 6)
    reason = stage(f"{broken}T;34;1.035,25\n".encode(), contract).notes.reason
    assert "the file holds 1030.25" in reason
    assert "2 of its records would be set aside (amount_type, too_few_fields): mend" in reason


def _orders(**parts: Any) -> dict[str, Any]:
    return {
        "title": "Orders",
        "owner": "tests",
        "delivery": {"path": "orders/*.csv", "format": "csv", **parts.pop("delivery", {})},
        "load": {"mode": "append", "key": ["sku"], **parts.pop("load", {})},
        "columns": {
            "sku": {"required": True},
            "price": {"type": "decimal"},
            **parts.pop("columns", {}),
        },
        "feeds": [
            {
                "entity": "products",
                "columns": {"sku": "sku", "list_price": "price", **parts.pop("feed", {})},
            }
        ],
        **parts,
    }


def _products(store: Store, day: date = NIGHT) -> list[tuple[Any, ...]]:
    return store.query("select sku, list_price::varchar from staging.products order by sku", day)


def test_a_file_waits_for_its_manifest_and_a_mended_one_is_read_again(store: Store) -> None:
    control = {"from": "manifest", "manifest": "{stem}.txt", "pattern": "{name},(?P<rows>[0-9]+)"}
    store.declare("orders", _orders(delivery={"path": "orders/*", "control": control}))
    store.deliver("orders/a_20261120.csv", "sku,price\n1,1\n2,2\n")
    store.night()
    assert _products(store) == []
    assert store.query("select status, reason from ops.deliveries") == [
        ("refused", "its manifest a_20261120.txt has not arrived, so it may be incomplete")
    ]
    store.deliver("orders/a_20261120.txt", "b_20261120.csv,2\na_20261120.csv,3\n")
    store.night()
    assert store.ledger() == [("orders/a_20261120.csv", "refused", 2, 0, 2, 0, 0)]
    store.deliver("orders/a_20261120.txt", "a_20261120.csv,2\n")
    store.night()
    assert store.ledger() == [("orders/a_20261120.csv", "loaded", 2, 2, 0, 0, 0)]
    assert _products(store) == [("1", "1.00"), ("2", "2.00")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_manifest_may_be_written_as_windows_writes_texts(store: Store, encoding: str) -> None:
    control = {"from": "manifest", "pattern": r"^rows=(?P<rows>\d+)$"}
    store.declare("orders", _orders(delivery={"control": control}))
    store.deliver("orders/a_20261120.csv", "sku,price\n1,1\n2,2\n")
    store.deliver("orders/a_20261120.csv.ctl", "rows=2\r\nby=till 4\r\n".encode(encoding))
    store.night()
    assert store.ledger() == [("orders/a_20261120.csv", "loaded", 2, 2, 0, 0, 0)]


REWRITE = {"mode": "rewrite", "key": ["sku"], "day": "day"}
DAY = {"day": {"type": "date", "required": True}}


def test_the_newest_file_of_a_day_counts(store: Store) -> None:
    store.declare("orders", _orders(load=REWRITE, columns=DAY))
    store.deliver("orders/1_20261118.csv", "sku,price,day\n1,1,2026-11-17\n2,1,2026-11-18\n")
    store.deliver("orders/2_20261119.csv", "sku,price,day\n2,2,2026-11-18\n3,2,2026-11-19\n")
    store.deliver("orders/3_20261120.csv", "sku,price,day\n4,3,2026-11-20\n4,3,2026-11-20\n")
    store.night()
    assert _products(store) == [("1", "1.00"), ("2", "2.00"), ("3", "2.00"), ("4", "3.00")]
    assert [row[2:] for row in store.ledger()] == [
        (2, 2, 0, 0, 0),
        (2, 2, 0, 0, 0),
        (2, 1, 0, 1, 0),
    ]


def test_what_a_rewriting_file_lacks_has_been_taken_back(store: Store) -> None:
    store.declare("orders", _orders(load={**REWRITE, "days": 3}, columns=DAY))
    store.deliver("orders/1_20261118.csv", "sku,price,day\n1,1,2026-11-17\n2,1,2026-11-18\n")
    store.deliver("orders/2_20261120.csv", "sku,price,day\n3,2,2026-11-19\n")
    store.night()
    assert _products(store) == [("1", "1.00"), ("3", "2.00")]


def test_a_deleted_row_stays_deleted_until_it_comes_again(store: Store) -> None:
    load = {"mode": "upsert", "updated_at": "day", "deleted_when": "state = 'gone'"}
    store.declare("orders", _orders(load=load, columns={**DAY, "state": {}}))
    store.deliver(
        "orders/1_20261118.csv", "sku,price,day,state\n1,1,2026-11-18,\n2,1,2026-11-18,\n"
    )
    store.deliver("orders/2_20261119.csv", "sku,price,day,state\n1,1,2026-11-19,gone\n")
    store.night()
    assert _products(store) == [("2", "1.00")]
    assert sum(row[3] for row in store.ledger()) == 3
    store.deliver("orders/3_20261120.csv", "sku,price,day,state\n1,9,2026-11-20,\n")
    store.night()
    assert _products(store) == [("1", "9.00"), ("2", "1.00")]


def test_a_hub_names_nobody_but_its_row_counts(store: Store) -> None:
    document = _orders(columns={"card": {"hubs": ["0+", "none@.*"]}})
    people = {"entity": "person_records", "columns": {"loyalty_id": "card"}}
    store.declare("orders", {**document, "feeds": [*document["feeds"], people]})
    store.deliver(
        "orders/20261120.csv", "sku,price,card\n1,1,000\n2,1,0042\n3,1,NONE@x.com\n4,1,\n"
    )
    result = store.night()
    assert len(_products(store)) == 4
    assert store.query("select loyalty_id from staging.person_records") == [("0042",)]
    assert result.messages == ("orders: 2 rows have a value in card that names nobody",)


JOIN = {
    "source": "names",
    "by": {"sku": "article"},
    "columns": {"name": "label"},
    "where": "language = 'en'",
}


def _names(**load: Any) -> dict[str, Any]:
    return {
        "title": "Names",
        "owner": "tests",
        "delivery": {"path": "names/*", "format": "csv"},
        "load": {"mode": "append", "key": ["article", "language"], **load},
        "columns": {"article": {}, "language": {}, "label": {}},
        "feeds": [],
    }


def _vet(store: Store, name: str) -> int:
    project = load_project(store.root)
    return vet_contract(
        project.sources[name],
        project.entities,
        where=project.path_of("source", name),
        sources=project.sources,
    )


def test_a_source_takes_columns_of_another_and_loses_no_row(store: Store) -> None:
    store.declare("orders", _orders(join=[JOIN], feed={"product_name": "name"}))
    store.declare("names", _names())
    assert _vet(store, "orders") > 0
    store.deliver("orders/20261120.csv", "sku,price\n1,1\n2,2\n")
    store.deliver("names/20261120.csv", "article,language,label\n1,en,Cup\n1,de,Tasse\n")
    store.night()
    found = store.query("select sku, product_name from staging.products order by sku")
    assert found == [("1", "Cup"), ("2", None)]
    assert [row[1:4] for row in store.ledger()] == [("loaded", 2, 2), ("loaded", 2, 2)]
    store.deliver("names/20261119.csv", "article,language,label\n2,en,Pot\n")
    store.night()
    assert store.query("select product_name from staging.products order by sku") == [
        ("Cup",),
        ("Pot",),
    ]


def test_a_join_that_would_multiply_rows_stops_the_night(store: Store) -> None:
    join = {key: value for key, value in JOIN.items() if key != "where"}
    store.declare("orders", _orders(join=[join], feed={"product_name": "name"}))
    store.declare("names", _names())
    store.deliver("orders/20261120.csv", "sku,price\n1,1\n")
    store.deliver("names/20261120.csv", "article,language,label\n1,en,Cup\n1,de,Tasse\n")
    with pytest.raises(DataQualityError, match="1 values of article stand more than once"):
        store.night()


def test_a_source_that_feeds_nothing_must_be_joined(store: Store) -> None:
    store.declare("orders", _orders())
    store.declare("names", _names())
    with pytest.raises(ConfigError, match="no other source joins it"):
        _vet(store, "names")


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"source": "nmes"}, "joins unknown source 'nmes'"),
        ({"source": "orders"}, "joins unknown source 'orders'"),
        ({"columns": {"name": "lable"}}, "names has no column 'lable'"),
        ({"by": {"price": "article"}}, "price is decimal"),
        ({"where": "lang = 'en'"}, "unknown column `lang`"),
    ],
)
def test_a_join_is_vetted(store: Store, changed: dict[str, Any], cause: str) -> None:
    store.declare("orders", _orders(join=[{**JOIN, **changed}]))
    store.declare("names", _names())
    project = load_project(store.root)
    with pytest.raises(ConfigError, match=cause):
        vet_contract(
            project.sources["orders"], project.entities, where="o.yml", sources=project.sources
        )


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        ({"load": {"mode": "rewrite"}}, "needs `day:`"),
        ({"load": {"day": "sku"}}, "needs `day:`"),
        ({"load": {"mode": "rewrite", "day": "sku"}}, "no column of type date"),
        ({"join": [{**JOIN, "columns": {"price": "label"}}]}, "is there already"),
        ({"join": [{**JOIN, "by": {"skuu": "article"}}]}, "join refers to column 'skuu'"),
    ],
)
def test_a_contract_that_cannot_add_up_is_refused(parts: dict[str, Any], cause: str) -> None:
    from cdp_pipeline.project.contracts import SourceContract

    with pytest.raises(ValidationError, match=cause):
        SourceContract.model_validate({"name": "orders", **_orders(**parts)})


def test_the_file_name_may_mean_something(store: Store) -> None:
    kind = "case when contains(_file_name, 'unsubscribed') then 'no' else 'yes' end"
    store.declare("orders", _orders(feed={"product_name": kind}))
    store.deliver("orders/unsubscribed_20261120.csv", "sku,price\n1,1\n")
    store.deliver("orders/subscribed_20261120.csv", "sku,price\n2,1\n")
    store.night()
    found = store.query("select sku, product_name from staging.products order by sku")
    assert found == [("1", "no"), ("2", "yes")]
