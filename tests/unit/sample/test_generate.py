from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.sample.generate import StoreSpec, StoreSummary, generate_store

Value = Callable[[str], Any]

SMALL = StoreSpec(customers=150, nights=2, history_days=120, future_days=30)
HEADERS = {
    "products": "sku,product_name,department,category,brand,list_price,price_tier,season,"
    "is_active,url_path",
    "stores": "store_id,store_name,street,city,postcode,latitude,longitude,opened_on,time_zone,"
    "is_open",
    "promotions": "promotion_id,promotion_name,starts_on,ends_on,department,discount_percent,"
    "channel",
    "pos_sales": "receipt_id,line_no,till_time,store_id,till_id,transaction_type,sku,quantity,"
    "unit_price,discount_amount,line_amount,promotion_id,original_receipt_id,tender,"
    "payment_token,loyalty_card_no,ereceipt_email,ereceipt_phone,currency",
    "loyalty_members": "member_no,title,first_name,last_name,birth_date,sex,email,mobile,street,"
    "city,postcode,country,joined_on,home_store_id,tier,email_consent,sms_consent,post_consent,"
    "consent_updated_at,updated_at,status",
    "ecommerce_orders": "order_id,ordered_at,updated_at,status,account_id,email,first_name,"
    "last_name,phone,ship_street,ship_city,ship_postcode,ship_country,click_collect_store_id,"
    "promotion_id,shipping_amount,order_amount,currency,payment_token",
    "ecommerce_order_lines": "order_id,line_no,sku,quantity,unit_price,discount_amount,"
    "line_amount,returned_quantity,updated_at",
    "email_events": "event_id,campaign_id,occurred_at,event_type,email,is_machine_open,link_sku,"
    "user_agent",
    "crm_contacts": "contact_id,full_name,email,phone,postcode,topic,opened_at,updated_at,"
    "channel,notes",
    "privacy_requests": "request_id,received_at,request_type,email,phone,member_no,full_name,"
    "status",
}
KEYS = {
    "ecommerce_accounts": "account_id created_at updated_at email first_name last_name phone "
    "birth_date address loyalty_no push_token consent consent_updated_at",
    "web_events": "event_id occurred_at cookie_id account_id session_id event_type url sku "
    "search_terms order_id email_click_id device consent_analytics",
    "social_events": "event_id occurred_at network handle email event_type campaign_id sku text",
}


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def generate(spec: StoreSpec, folder: Path) -> dict[str, str]:
    generate_store(spec, folder / "landing", folder / "truth")
    return fingerprint(folder)


def test_the_same_spec_gives_the_same_bytes(tmp_path: Path) -> None:
    first = generate(SMALL, tmp_path / "a")
    again = generate(SMALL, tmp_path / "b")
    assert first == again
    assert len(first) > 30


def test_another_seed_gives_another_store(tmp_path: Path) -> None:
    first = generate(SMALL, tmp_path / "a")
    other = generate(
        StoreSpec(customers=150, nights=2, history_days=120, future_days=30, seed=8),
        tmp_path / "b",
    )
    assert first.keys() == other.keys()
    same = {name for name in first if first[name] == other[name]}
    # The shops stay where they are; some nights of so small a store have empty files.
    at_start = {name for name in same if "2026-11-16" in name}
    assert at_start == {"landing/stores/2026-11-16/stores.csv"}


@pytest.mark.parametrize("customers", [50, 51, 333])
def test_any_number_of_customers_is_met(tmp_path: Path, customers: int) -> None:
    spec = StoreSpec(customers=customers, nights=0, history_days=60, future_days=0)
    summary = generate_store(spec, tmp_path / "landing", tmp_path / "truth")
    assert summary.persons == customers
    assert summary.dates == (date(2026, 11, 16),)


def test_a_year_that_ends_at_christmas_works(tmp_path: Path) -> None:
    spec = StoreSpec(customers=200, nights=10, first_night=date(2026, 12, 20), history_days=400)
    summary = generate_store(spec, tmp_path / "landing", tmp_path / "truth")
    assert summary.dates[-1] == date(2026, 12, 29)
    assert (tmp_path / "landing/pos_sales/2026-12-25/pos_sales_20261225.csv").exists()


@pytest.mark.parametrize(
    "spec",
    [StoreSpec(customers=10), StoreSpec(history_days=5), StoreSpec(nights=-1)],
)
def test_a_store_too_small_is_refused(tmp_path: Path, spec: StoreSpec) -> None:
    with pytest.raises(ConfigError):
        generate_store(spec, tmp_path / "landing", tmp_path / "truth")


def test_every_source_has_a_file_for_every_delivery(summary: StoreSummary, landing: Path) -> None:
    full = {"products", "stores", "promotions"}
    sources = {path.name for path in landing.iterdir()}
    assert sources == HEADERS.keys() | KEYS.keys()
    assert summary.dates == tuple(date(2026, 11, day) for day in (16, 17, 18, 19))
    for source in sources - full:
        ending = "jsonl" if source in KEYS else "csv"
        for day in summary.dates:
            path = landing / source / day.isoformat() / f"{source}_{day:%Y%m%d}.{ending}"
            assert path.exists(), path
    for source in full:
        assert (landing / source / "2026-11-16" / f"{source}.csv").exists()


@pytest.mark.parametrize("source", sorted(HEADERS))
def test_headers_are_as_laid_out(landing: Path, source: str) -> None:
    paths = list((landing / source).rglob("*.csv"))
    assert paths
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            assert file.readline() == HEADERS[source] + "\n"


@pytest.mark.parametrize("source", sorted(KEYS))
def test_json_keys_are_as_laid_out(landing: Path, source: str) -> None:
    path = landing / source / "2026-11-16" / f"{source}_20261116.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines()[:50]:
        assert " ".join(json.loads(line)) == KEYS[source]


def test_nested_fields_are_as_laid_out(landing: Path) -> None:
    path = landing / "ecommerce_accounts/2026-11-16/ecommerce_accounts_20261116.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with_address = [record["address"] for record in records if record["address"]]
    assert 0 < len(with_address) < len(records)
    assert set(with_address[0]) == {"street", "city", "postcode", "country"}
    assert set(records[0]["consent"]) == {"email", "push", "sms", "profiling"}
    assert {answer for r in records for answer in r["consent"].values()} == {True, False, None}


def test_summary_counts_what_was_written(
    value: Value, summary: StoreSummary, landing: Path
) -> None:
    counted = {
        source: value(f"select count(*) from {source}")
        for source in ("pos_sales", "web_events", "loyalty_members", "ecommerce_orders")
    }
    assert {source: summary.rows_by_source[source] for source in counted} == counted
    assert summary.files == sum(1 for path in landing.rglob("*") if path.is_file())


def test_volumes_are_those_of_a_department_store(value: Value, summary: StoreSummary) -> None:
    per_person = {source: n / summary.persons for source, n in summary.rows_by_source.items()}
    assert 7 < per_person["pos_sales"] < 13
    assert 0.7 < per_person["ecommerce_orders"] < 1.4
    assert 10 < per_person["web_events"] < 20
    assert 12 < per_person["email_events"] < 25
    nights = value("select count(*) from pos_sales where filename not like '%20261116.csv'")
    assert 10 < nights < 500
