"""The shipped contracts: every expression is sound, and small deliveries end where they should."""

from __future__ import annotations

import gzip
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from yaml import safe_load

from cdp_pipeline.ingest.vetting import vet_contract
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.loader import load_project
from tests.unit.ingest.conftest import NIGHT, Store
from tests.unit.ingest.conftest import REPOSITORY as ROOT

FILES = sorted(
    [*(ROOT / "expectations").glob("*.yml"), *(ROOT / "data" / "examples").rglob("*.yml")]
)


def read(path: Path) -> SourceContract:
    return SourceContract.model_validate({"name": path.stem, **safe_load(path.read_text("utf-8"))})


def test_the_thirteen_sources_of_the_store_and_the_real_example_are_there() -> None:
    assert len([path for path in FILES if path.parent == ROOT / "expectations"]) == 13
    assert len({path.parent.parent.name for path in FILES}) == 14


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_expression_of_a_contract_is_vetted(path: Path) -> None:
    project = load_project(path.parent.parent)
    counted = vet_contract(read(path), project.entities, where=path.name, sources=project.sources)
    assert counted >= 4 or not read(path).feeds


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_column_is_described_and_identifiers_are_texts(path: Path) -> None:
    for name, column in read(path).columns.items():
        assert column.description, name
        if name.endswith(("_id", "card_no", "sku", "phone", "postcode")):
            assert column.type == "text", name


POS = (
    "receipt_id,line_no,till_time,store_id,till_id,transaction_type,sku,quantity,unit_price,"
    "discount_amount,line_amount,promotion_id,original_receipt_id,tender,payment_token,"
    "loyalty_card_no,ereceipt_email,ereceipt_phone,currency\n"
)


def test_a_till_file_ends_in_sales_people_quarantine_and_exclusions(store: Store) -> None:
    shutil.copy(ROOT / "expectations" / "pos_sales.yml", store.root / "expectations")
    sale = "{},{},2026-07-01 23:30:00,S001,T1,{},{},{},10.00,0.00,{},,,card,tok,{},,,GBP\n"
    store.deliver(
        "pos_sales/2026-11-20/pos_sales_20261120.csv",
        POS
        + sale.format("r1", 1, "SALE", "0048213", 2, "20.00", "0000000042")
        + sale.format("r1", 2, "SALE", "BAG", 1, "10.00", "")
        + sale.format("r2", 1, "RETURN", "0048213", -1, "-10.00", "")
        + sale.format("r3", 1, "VOID", "0048213", 1, "10.00", "")
        + sale.format("r4", 1, "SALE", "GIFTCARD", 1, "10.00", "")
        + sale.format("r4", 1, "SALE", "GIFTCARD", 1, "10.00", "")
        + sale.format("r5", 1, "SALE", "0048213", "one", "10.00", "")
        + sale.format("r6", 1, "SALE", "0048213", 1, "-10.00", "")[:-5]
        + '"\n',
    )
    store.night(quarantine_stop_share=0.5)
    assert store.ledger() == [
        ("pos_sales/2026-11-20/pos_sales_20261120.csv", "loaded", 8, 4, 2, 1, 1)
    ]
    assert store.query(
        "select sale_id, line_no, sold_on::varchar, line_kind, net_amount, is_return, "
        "person_record_key from staging.sale_lines order by sale_id, line_no"
    ) == [
        ("r1", "1", "2026-07-01", "product", Decimal("20.00"), False, "r1"),
        ("r1", "2", "2026-07-01", "fee", Decimal("10.00"), False, "r1"),
        ("r2", "1", "2026-07-01", "product", Decimal("-10.00"), True, "r2"),
        ("r4", "1", "2026-07-01", "gift_card", Decimal("10.00"), False, "r4"),
    ]
    found = store.query("select record_key, loyalty_id, payment_token from staging.person_records")
    assert found[0] == ("r1", "0000000042", "tok")
    assert NIGHT.isoformat() == str(
        store.query("select max(delivered_on) from staging.sale_lines")[0][0]
    )


def test_the_real_example_nets_returns_and_knows_fees(store: Store) -> None:
    example = (
        ROOT / "data" / "examples" / "online_retail" / "expectations" / "uci_online_retail.yml"
    )
    shutil.copy(example, store.root / "expectations")
    lines = [
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "536365,85123a,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
        "536365,85123a,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
        "C536379,85123A,WHITE HANGING HEART,-1,2010-12-01 09:41:00,2.55,17850.0,United Kingdom",
        "536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,,France",
        "536371,gift_0001_20,Gift Voucher,1,2010-12-01 08:45:00,17.02,,United Kingdom",
        "536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom",
    ]
    data = gzip.compress("\n".join(lines).encode())
    path = store.deliver("2010-12-01.csv.gz", data)
    assert path.is_file()
    store.night()
    assert store.ledger() == [("2010-12-01.csv.gz", "loaded", 6, 5, 0, 0, 1)]
    assert store.query(
        "select sku, line_kind, is_return, net_amount, person_record_key from staging.sale_lines "
        "order by sold_at, line_no"
    ) == [
        ("85123A", "product", False, Decimal("15.30"), "17850"),
        ("85123A", "product", False, Decimal("15.30"), "17850"),
        ("POST", "fee", False, Decimal("54.00"), None),
        ("GIFT_0001_20", "gift_card", False, Decimal("17.02"), None),
        ("85123A", "product", True, Decimal("-2.55"), "17850"),
    ]
    assert store.query("select record_key, account_id, country from staging.person_records") == [
        ("17850", "17850", "United Kingdom")
    ]
