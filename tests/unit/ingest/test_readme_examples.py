"""The vendors of the README: its contracts are taken from the page and fed small exports."""

from __future__ import annotations

import re
from decimal import Decimal

import yaml

from cdp_pipeline.project.checks import Check
from cdp_pipeline.project.contracts import Column, Join, Load, SourceContract
from cdp_pipeline.project.layout import Control, Delivery, FillDown
from tests.unit.ingest.conftest import REPOSITORY, Store

PAGE = (REPOSITORY / "expectations" / "README.md").read_text("utf-8")
EXAMPLES = {
    document["title"]: document
    for document in map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
}


def test_every_key_of_a_contract_stands_on_the_page() -> None:
    for model in (SourceContract, Delivery, Control, FillDown, Load, Join, Column, Check):
        for name, field in model.model_fields.items():
            spelt = field.alias or name
            assert re.search(rf"`[^`]*\b{spelt}\b[^`]*`", PAGE), f"{model.__name__}.{spelt}"


def test_every_entity_and_its_columns_stand_on_the_page() -> None:
    filled = {"source", "delivered_on", "person_source", "person_record_key"}
    for path in (REPOSITORY / "sql" / "staging").glob("*.yml"):
        header = yaml.safe_load(path.read_text("utf-8"))
        (row,) = re.findall(rf"^\| `{path.stem}`.*$", PAGE, re.MULTILINE)
        for name in set(header["columns"]) - filled:
            assert re.search(rf"\b{name}\b", row), f"{path.stem}.{name}"
        assert (" P |" in row) == ("person_source" in header["columns"])


def test_shopify_orders(store: Store) -> None:
    store.declare("shopify_orders", EXAMPLES["Shopify orders"])
    header = (
        "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,"
        "Lineitem price,Lineitem sku,Billing Name,Billing Zip,Vendor,Tax 1 Name,Phone,"
        "Lineitem discount\n"
    )
    first = "#1001,a@x.com,paid,EUR,25.00,2026-05-01 10:00:00 +0200,2,Cup,10.00,'007,Ann Lee,"
    store.deliver(
        "shopify_orders/2026-11-20/orders.csv",
        header
        + first
        + "'1234AB,V,VAT,'+31612345678,0.00\n"
        + "#1001,a@x.com,,,,2026-05-01 10:00:00 +0200,1,Tea,5.00,008,,,V,,,\n",
    )
    result = store.night()
    assert result.messages == ()
    assert store.query(
        "select order_id, ordered_at::varchar, status, order_amount, person_record_key "
        "from staging.orders"
    ) == [("#1001", "2026-05-01 08:00:00", "paid", Decimal("25.00"), "#1001")]
    assert store.query("select line_no, sku, net_amount from staging.order_lines") == [
        ("2", "007", Decimal("20.00")),
        ("3", "008", Decimal("5.00")),
    ]
    assert store.query(
        "select record_key, full_name, email, phone, postcode from staging.person_records"
    ) == [("#1001", "Ann Lee", "a@x.com", "+31612345678", "1234AB")]


def test_square_items(store: Store) -> None:
    store.declare("square_items", EXAMPLES["Square items"])
    header = (
        "Date,Time,Time Zone,Category,Item,Qty,SKU,Gross Sales,Discounts,Net Sales,"
        "Transaction ID,Event Type,Location,Customer ID,Customer Name\n"
    )
    zone = "Eastern Time (US & Canada)"
    store.deliver(
        "square_items/2026-11-20/items.csv",
        header
        + f'2026-07-01,18:30:00,{zone},Tea,Pot,2.0,01,"$1,008.00",-$8.00,"$1,000.00",T1,Payment,'
        + "Main St,C1,Ann Lee\n"
        + f"2026-07-01,18:31:00,{zone},Tea,Pot,-1.0,01,-$504.00,$0.00,-$504.00,T2,Refund,,,\n",
    )
    store.night()
    assert store.query(
        "select sale_id, sold_at::varchar, unit_price, discount_amount, net_amount, is_return, "
        "person_record_key from staging.sale_lines order by sale_id"
    ) == [
        (
            "T1",
            "2026-07-01 22:30:00",
            Decimal("504.00"),
            Decimal("8.00"),
            Decimal("1000.00"),
            False,
            "C1",
        ),
        (
            "T2",
            "2026-07-01 22:31:00",
            Decimal("504.00"),
            Decimal("0.00"),
            Decimal("-504.00"),
            True,
            None,
        ),
    ]


def test_a_loyalty_batch_without_header(store: Store) -> None:
    store.declare("loyalty", EXAMPLES["Loyalty batch"])
    store.deliver(
        "loyalty/20261120/customers_1.txt",
        "7|1900-01-01 00:00:00.000|2026-11-19 08:00:00.000|A|0042|Ann|Lee|N1 9GU|a@x.com|1\n"
        "7|2020-02-01 00:00:00.000|2026-11-19 09:00:00.500|I|0043|Bob|Ray|||\n",
    )
    store.night()
    assert store.query(
        "select record_key, given_name, joined_on::varchar, updated_at::varchar "
        "from staging.person_records"
    ) == [
        ("0042", "Ann", None, "2026-11-19 08:00:00"),
        ("0043", "Bob", "2020-02-01", "2026-11-19 09:00:00.5"),
    ]
    assert store.query("select person_record_key, channel, status from staging.consents") == [
        ("0042", "email", "granted")
    ]
