"""Drafts from exports of a small shop: nothing that the night needs is left out unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from tests.unit.ingest.drafted import draft

PEOPLE = (
    "Kundennummer;Vorname;Nachname;Geburtsdatum;E-Mail;Werbung erlaubt;Angelegt am\n"
    + "".join(
        f"K{n};Eva;Klein;{n}.10.1986;eva{n}@gmx.de;{'JN'[n % 2]};12.03.2024\n"
        for n in range(10, 31)
    )
)


def test_an_order_export_feeds_orders_beside_their_lines(tmp_path: Path) -> None:
    lines = "".join(
        f"{n // 2},2026-11-18T10:00:00+01:00,{status},eva@gmx.de,A{n},1,9.95,19.90\n"
        for n, status in enumerate(["completed", "completed", "refunded", "on-hold"] * 10)
    )
    head = "order_id,created_at,status,billing_email,line_sku,line_qty,line_total,order_total\n"
    orders, order_lines, person = draft(tmp_path, "web_20261118.csv", head + lines).feeds
    assert (orders.entity, order_lines.entity) == ("orders", "order_lines")
    assert person.entity == "person_records"
    assert orders.columns["ordered_at"] == "created_at"
    assert orders.columns["order_amount"] == "order_total"
    status = orders.columns["status"]
    assert isinstance(status, Ask)
    assert "what is on-hold?" in status.question
    assert status.provisional == (
        "case when lower(status) in ('refunded') then 'returned' "
        "when lower(status) in ('completed') then 'shipped' else 'paid' end"
    )


def test_what_has_not_been_shipped_counts_as_paid(tmp_path: Path) -> None:
    words = ["fulfilled", "unfulfilled", "Awaiting shipment", "fulfilled"]
    lines = "".join(
        f"{n // 2},2026-11-18T10:00:00+01:00,{words[n % 4]},eva@gmx.de,A{n},1,9.95,19.90\n"
        for n in range(40)
    )
    head = "order_id,created_at,fulfillment_status,billing_email,line_sku,line_qty,line_total,"
    orders, *_ = draft(tmp_path, "web_20261118.csv", f"{head}order_total\n{lines}").feeds
    assert orders.columns["status"] == (
        "case when lower(fulfillment_status) in ('fulfilled') then 'shipped' else 'paid' end"
    )


def test_what_people_agreed_to_becomes_consent(tmp_path: Path) -> None:
    found = draft(tmp_path, "kunden.csv", PEOPLE)
    (consent,) = [feed for feed in found.feeds if feed.entity == "consents"]
    assert consent.where == "werbung_erlaubt is not null"
    words = ("subscribed", "unsubscribed", "cleaned")
    listed = "Email Address,First Name,LAST_CHANGED,status\n" + "".join(
        f"eva{n}@gmx.de,Eva,2026-01-01 10:00:{n},{words[n % 3]}\n" for n in range(10, 40)
    )
    (consent,) = [f for f in draft(tmp_path, "list.csv", listed).feeds if f.entity == "consents"]
    assert consent.where == "lower(status) in ('subscribed', 'unsubscribed')"
    assert consent.columns["captured_at"] == "last_changed"


def test_of_people_the_latest_file_counts(tmp_path: Path) -> None:
    found = draft(tmp_path, "kunden.csv", PEOPLE)
    assert found.load["mode"] == "upsert"
    text = write_draft(found)
    assert "mode: upsert" in text
    assert "updated_at:" not in text


def test_a_date_is_read_as_the_other_dates_of_its_file(tmp_path: Path) -> None:
    kinds = {c.name: c.kind for c in draft(tmp_path, "kunden.csv", PEOPLE).columns}
    assert kinds["angelegt_am"].question is None
    assert kinds["angelegt_am"].keys["format"] == "%d.%m.%Y"


def test_receipts_that_may_be_numbered_anew_are_mentioned(tmp_path: Path) -> None:
    lines = "".join(
        f"001;{n};18.11.2026 10:{n};A{n};1;9,95\n001;{n};18.11.2026 10:{n};B{n};1;4,95\n"
        for n in range(10, 40)
    )
    found = draft(tmp_path, "kasse.csv", "Filiale;BonNr;Datum;ArtNr;Menge;Betrag\n" + lines)
    assert "numbered anew by day, store or till, filiale, datum" in write_draft(found)


EVENTS = (
    "ClientID,SendID,SubscriberKey,EmailAddress,ListID,EventDate,EventType\n"
    "7001,55,C17,ann@example.com,1,11/19/2026 6:30:00 PM,Open\n"
)


def test_events_of_mailings_are_no_visits_though_they_name_a_client(tmp_path: Path) -> None:
    found = draft(tmp_path, "Opens.csv", EVENTS)
    assert found.feeds[0].entity == "email_events"
    assert found.feeds[0].columns["email"] == "email_address"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (EVENTS, ["send_id"]),
        (EVENTS, ["send_id", "subscriber_key"]),
        ("order_id,sku,qty,line_total,created_at\n1,A,1,9.95,2026-11-18\n", ["order_id"]),
        ("doc,sku,qty,line_total,created_at\n1,A,1,9.95,2026-11-18\n", ["sku"]),
    ],
)
def test_a_few_rows_do_not_make_a_key_of_what_names_something_else(
    tmp_path: Path, text: str, wrong: list[str]
) -> None:
    found = draft(tmp_path, "export_20261118.csv", text)
    assert [found.columns[i].name for i in found.key.columns] != wrong


@pytest.mark.parametrize(
    ("heading", "feed"), [("Name", "order_lines"), ("Receipt No", "sale_lines")]
)
def test_what_groups_lines_names_the_order_unless_it_says_receipt(
    tmp_path: Path, heading: str, feed: str
) -> None:
    head = f"{heading},Email,Created at,Lineitem quantity,Lineitem sku,Lineitem price\n"
    first, second = "#{n},a{n}@x.de,2026-11-18 10:0{n}:00,1,A{n},9.95\n", "#{n},,,2,B{n},1.50\n"
    lines = "".join((first + second).format(n=n) for n in range(1, 9))
    found = draft(tmp_path, "export_20261118.csv", head + lines)
    assert feed in [proposal.entity for proposal in found.feeds]
    assert found.delivery["fill_down"]["by"] == found.columns[0].name


def test_lines_below_a_customer_make_no_order_of_the_customers_number(tmp_path: Path) -> None:
    lines = "".join(
        f"K{n},Ann{n},ann{n}@example.com,A{n},3\nK{n},,,B{n},4\n" for n in range(10, 40)
    )
    head = "Customer number,Given name,Email,SKU,Quantity\n"
    found = draft(tmp_path, "wishes_20261118.csv", head + lines)
    assert found.delivery["fill_down"] == {
        "by": "customer_number",
        "columns": ["given_name", "email"],
    }
    assert next(c.kind.tag for c in found.columns) == "account_id"


def test_what_no_night_takes_for_a_delivery_is_none_for_a_draft(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    names = (
        "b_20261119.csv.part",
        "Thumbs.db",
        "~$a.xlsx",
        "desktop.ini",
        "LICENSE",
        "a.csv.ready",
    )
    for name in ("a_20261118.csv", *names):
        (folder / name).write_text("id,amount\n1,2.50\n2,3.50\n", encoding="utf-8")
    drafts = draft_sources(folder, name=None, landing=tmp_path)
    assert [(found.files, found.path) for found in drafts] == [
        (("a_20261118.csv",), "shop/a_*.csv*")
    ]
