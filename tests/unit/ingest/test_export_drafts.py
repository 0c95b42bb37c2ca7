"""Drafts of what tills, shops, payment firms and mailers export take columns for what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdp_pipeline.ingest.discovery.asking import Ask
from cdp_pipeline.ingest.discovery.writing import write_draft
from tests.unit.ingest.drafted import draft, fed


def table(header: str, row: str, rows: int = 24) -> str:
    """Return a CSV whose rows are a pattern of ``n`` (row), ``m`` (every other) and ``d`` (day)."""
    lines = [row.format(n=n, m=n // 2, d=1 + n % 28, z=n % 5) for n in range(rows)]
    return "\n".join([header, *lines, ""])


def test_an_amount_on_the_first_line_only_is_of_the_whole_order(tmp_path: Path) -> None:
    lines = "".join(
        f"#{n},paid,{n}9.00,web\n#{n},,,\n".replace("\n", f",S{n},2,{n}.50,0.10\n")
        for n in range(1, 12)
    )
    head = "Name,Financial Status,Subtotal,Location,Lineitem sku,Lineitem quantity,Lineitem price"
    found = draft(tmp_path, "orders.csv", f"{head},Lineitem discount\n{lines}")
    assert "subtotal" in found.delivery["fill_down"]["columns"]  # type: ignore[index]
    amount = fed(found, "sale_lines")["net_amount"]
    assert isinstance(amount, Ask)
    assert "before or after lineitem_discount" in amount.question


def test_a_price_that_is_negative_on_returns_may_be_of_the_line(tmp_path: Path) -> None:
    sold = table("item,price,order,quantity,s_store_id", "A{n},{n}.50,O{m},2,7")
    found = draft(tmp_path, "sales.csv", sold + "A1,-3.00,O99,-2,7\n")
    amount = fed(found, "order_lines")["net_amount"]
    assert isinstance(amount, Ask)
    assert "or round(quantity * abs(price), 2)" in amount.question


@pytest.mark.parametrize(
    ("amount", "discount", "expected"),
    [
        ("10.00", "1.50", "row_total - coalesce(discount_amount, 0)"),
        ("10.00", "-1.50", "row_total + coalesce(discount_amount, 0)"),
        ("08.50", "1.50", "row_total"),
    ],
)
def test_an_amount_that_may_be_before_its_discount_is_asked_about(
    tmp_path: Path, amount: str, discount: str, expected: str
) -> None:
    head = "receipt_no,store_id,sku,quantity,price,discount_amount,row_total"
    text = table(head, f"R{{m}},7,A{{n}},10,{{n}}1.00,{discount},{{n}}{amount}")
    found = fed(draft(tmp_path, "sales.csv", text), "sale_lines")["net_amount"]
    told = found.provisional if isinstance(found, Ask) else found
    assert (told, isinstance(found, Ask)) == (expected, amount == "10.00")


def test_of_columns_alike_that_called_so_and_that_of_customers_is_taken(tmp_path: Path) -> None:
    head = "sale_id,outlet_id,user_id,customer_id,shop email,buyer email,product_id,sku,quantity"
    row = "S{m},7,u1,{n},shop@example.com,c{n}@example.com,0a6f-{n},0{n},1"
    found = draft(tmp_path, "sales.csv", table(f"{head},amount", f"{row},2.50"))
    assert fed(found, "sale_lines")["sku"] == "sku"
    person = fed(found, "person_records")
    assert (person["account_id"], person["email"]) == ("customer_id", "buyer_email")


def test_the_total_above_a_settlement_is_no_order_of_its_lines(tmp_path: Path) -> None:
    head = "settlement-id\tend-date\ttotal-amount\torder-id\tamount\torder-item-code\tsku\tquantity"
    lines = "".join(f"123\t\t\t302-{n // 2}\t1.50\t5{n}\tA{n}\t1\n" for n in range(24))
    found = draft(tmp_path, "settled.txt", f"{head}\n123\t2026-11-20\t36.00\t\t\t\t\t\n{lines}")
    assert "fill_down" not in found.delivery
    columns = fed(found, "order_lines")
    assert (columns["order_id"], columns["sku"]) == ("order_id", "sku")


def test_numbers_filled_up_with_zeros_are_no_phones(tmp_path: Path) -> None:
    head = "WERKS;FKDAT;MATNR;VBELN;KONTAKT"
    row = "0007;202611{d:02d};00000000000000{n:04d};00900000{n:02d};0049 30 12345{n:02d}"
    found = draft(tmp_path, "fakt.csv", table(head, row))
    kinds = {column.name: column.kind for column in found.columns}
    assert {name: kind.pii for name, kind in kinds.items() if kind.pii} == {"kontakt": "phone"}
    assert (kinds["fkdat"].type, kinds["fkdat"].keys["format"]) == ("date", "%Y%m%d")
    assert kinds["vbeln"].type == "text"


def test_a_number_in_doubt_has_the_bounds_it_is_read_with(tmp_path: Path) -> None:
    text = table("bon;menge;betrag", "B{n};2,000;{n},50")
    found = draft(tmp_path, "bons.csv", text)
    (bounds,) = (check for check in found.checks if check["name"] == "menge_as_seen")
    assert (str(bounds["min"]), str(bounds["max"])) == ("2.000", "2.000")


def test_a_name_below_somebodys_details_is_shown_nowhere(tmp_path: Path) -> None:
    names = ["Zoë Müller", "Ana Gómez"]
    charges = [
        {"id": f"ch_{n}", "amount": n, "billing_details": {"name": names[n % 2]}} for n in range(60)
    ]
    text = write_draft(draft(tmp_path, "charges.json", json.dumps({"data": charges})))
    assert "pii: name" in text
    assert not any(name in text for name in names)


def test_what_a_product_is_called_is_no_persons_name(tmp_path: Path) -> None:
    reviews = "".join(
        f"<Product><Name>Coat {n}</Name><ExternalId>{n}</ExternalId><Review><DisplayName>Eva {n}"
        f"</DisplayName><UserEmail>c{n}@example.com</UserEmail></Review></Product>"
        for n in range(24)
    )
    person = fed(draft(tmp_path, "reviews.xml", f"<Feed>{reviews}</Feed>"), "person_records")
    assert person["full_name"] == "display_name"
    assert "identifier" not in person


def test_parts_of_an_event_are_known_by_their_number(tmp_path: Path) -> None:
    events = "".join(
        json.dumps(
            {
                "messageId": f"m{n}",
                "type": "track",
                "event": ["Order Completed", "Product Viewed"][n % 2],
                "anonymousId": f"a{n % 7}",
                "timestamp": f"2026-11-20T10:{n:02d}:00Z",
                "products": [{"sku": "A1", "price": 2.5}] * (1 + n % 2),
            }
        )
        + "\n"
        for n in range(24)
    )
    found = draft(tmp_path, "1763596800000.a.1-0.jsonl", events)
    assert found.load["key"] == ["message_id", "_item"]
    columns = fed(found, "web_events")
    assert columns["event_id"] == "message_id || '-' || coalesce(_item, 0)"
    assert "when lower(event) in ('order completed') then 'purchase'" in str(columns["event_type"])


def test_an_items_number_beside_its_article_is_its_line(tmp_path: Path) -> None:
    orders = [
        {
            "increment_id": f"{n:09d}",
            "state": "complete",
            "customer_email": f"c{n}@example.com",
            "created_at": "2026-11-20T10:00:00Z",
            "items": [
                {"item_id": 10 * n + i, "sku": f"A{i}", "qty_ordered": 1, "row_total": 2.5}
                for i in range(2)
            ],
        }
        for n in range(24)
    ]
    found = draft(tmp_path, "orders.json", json.dumps({"items": orders}))
    assert found.load["key"] == ["increment_id", "item_id"]
    lines = fed(found, "order_lines")
    assert (lines["line_no"], lines["sku"], lines["net_amount"]) == ("item_id", "sku", "row_total")
    assert "state" not in fed(found, "person_records")


def test_a_time_of_day_names_no_row_and_a_record_id_does(tmp_path: Path) -> None:
    sold = draft(tmp_path, "t.csv", table("Date,Time,Amount", "2026-11-20,10:{n:02d}:00,1.50"))
    assert sold.load["key"] == ["_file", "_line"]
    people = table("Record ID - Contact,Email,Company", "1510{n:02d},c{z}@example.com,(No value)")
    found = draft(tmp_path, "contacts.csv", people)
    assert found.load["key"] == ["record_id_contact"]
    (company,) = (column for column in found.columns if column.name == "company")
    assert company.kind.note == "only (No value)"


def test_codes_below_item_are_articles(tmp_path: Path) -> None:
    text = table("order,item,quantity,amount,store", "O{m},00{n},1,2.50,7")
    assert fed(draft(tmp_path, "sales.csv", text), "sale_lines")["sku"] == "item"


def test_a_day_without_its_time_is_the_stores_wherever_it_is(tmp_path: Path) -> None:
    text = table(
        "receipt_no,store_id,date,sku,quantity,amount", "R{m},7,2026-11-{d:02d},A{n},1,{n}.50"
    )
    columns = fed(draft(tmp_path, "sales.csv", text), "sale_lines")
    assert (columns["sold_at"], columns["sold_on"]) == ("cast(date as timestamp)", "date")


def test_a_moment_is_taken_rather_than_its_day(tmp_path: Path) -> None:
    head = "event_date,event_timestamp,event_name,user_pseudo_id,session_id"
    text = table(head, "202611{d:02d},17634672000000{n:02d},page_view,{n}.17,s{m}")
    columns = fed(draft(tmp_path, "events.csv", text), "web_events")
    assert columns["occurred_at"] == "event_timestamp"
    assert "occurred_on" not in columns


def test_neither_paid_amounts_nor_staff_are_who_bought(tmp_path: Path) -> None:
    head = "Payment ID,Card,Net Sales,Staff Name,Staff ID,Cashier Number,PAN"
    found = draft(
        tmp_path, "paid.csv", table(head, "P{n},$1{n}.50,$1{n}.50,Jana {z},T{z},9{z},4{n}")
    )
    kinds = {column.name: column.kind for column in found.columns}
    assert kinds["card"].type == "decimal"
    assert kinds["staff_name"].pii == "name"
    assert not any(feed.columns.keys() & {"loyalty_id", "identifier"} for feed in found.feeds)


def test_shares_are_no_amounts_and_words_in_brackets_say_which(tmp_path: Path) -> None:
    head = "Auftragsnr.;Pos.;Artikel-Nr.;Menge;Einzelpreis (brutto);Rabatt %;Gesamtpreis (brutto)"
    text = table(head, "{m:05d};{n};A{n};2;{n},50;10;{n},90")
    columns = fed(draft(tmp_path, "auftraege.csv", text), "order_lines")
    assert columns["unit_price"] == "einzelpreis_brutto"
    assert columns["net_amount"] == "gesamtpreis_brutto"
    assert "discount_amount" not in columns


def test_what_merged_cells_leave_empty_is_filled_down(tmp_path: Path) -> None:
    lines = ""
    for n in range(36):
        store = f"S{n // 12}" if n % 12 == 0 else ""
        day = f"2026-11-0{1 + n % 12 // 3}" if n % 3 == 0 else ""
        lines += f"{store},{day},B{n},A{n},{n}.50\n"
    found = draft(tmp_path, "day.csv", f"store,date,receipt_no,sku,amount\n{lines}")
    assert found.delivery["fill_down"] == {"starts": "store", "columns": ["store", "date"]}


def test_a_key_is_rather_an_id_than_a_moment_that_differs_by_chance(tmp_path: Path) -> None:
    lines = "".join(f"2026-11-20 10:{n:02d}:00\tc6ef-{n:04d}\tshop\n" for n in range(40))
    found = draft(tmp_path, "part-00000.tsv", lines)
    assert found.load["key"] == ["column_2"]


def test_a_sign_of_nothing_is_nobodys_number(tmp_path: Path) -> None:
    head, row = "email,device_id,city", r"c{n}@example.com,\N,Leeds"
    found = draft(tmp_path, "contacts.csv", table(head, row))
    (device,) = (column for column in found.columns if column.name == "device_id")
    assert device.kind.keys["null_values"] == [r"\N"]
    assert "identifier" not in fed(found, "person_records")


def test_a_total_of_orders_of_one_line_is_no_amount_of_lines(tmp_path: Path) -> None:
    head, row = (
        "Order,Email,Subtotal,Lineitem quantity,Lineitem sku",
        "#{n},c{n}@a.com,{n}.50,1,A{n}",
    )
    priced = draft(tmp_path, "orders.csv", table(f"{head},Lineitem price", f"{row},{{n}}.50"))
    amount = fed(priced, "order_lines")["net_amount"]
    assert amount == "round(lineitem_quantity * lineitem_price, 2)"
    asked = fed(draft(tmp_path, "totals.csv", table(head, row)), "order_lines")["net_amount"]
    assert isinstance(asked, Ask)
    assert "which column is the amount of a line?" in asked.question
