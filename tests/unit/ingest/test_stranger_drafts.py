"""Layouts of vendors that no contract is shipped for: what their drafts feed is right, or asked."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from cdp_pipeline.ingest.discovery.asking import Ask
from tests.unit.ingest.conftest import Stage
from tests.unit.ingest.drafted import draft, fed, loaded

STATES = ["accepted", "delivered", "opened", "clicked", "unsubscribed"]


def test_events_of_one_message_are_told_apart_and_have_their_moment(
    tmp_path: Path, stage: Stage
) -> None:
    """As Mailgun writes them: the number of the message stands on all that became of it."""
    events = [
        {
            "id": f"ev{n:03d}",
            "event": STATES[n % 5],
            "timestamp": 1795000000.123456 + n,
            "recipient": f"p{n // 5}@example.com",
            "message": {"headers": {"message-id": f"m{n // 5}@mg"}},
            "url": f"https://shop.example/p?utm=x&sku=00{n}#top" if n % 5 == 3 else None,
        }
        for n in range(40)
    ]
    found = draft(tmp_path, "events.jsonl", "\n".join(map(json.dumps, events)))
    columns = fed(found, "email_events")
    assert (columns["event_id"], columns["occurred_at"]) == ("id", "timestamp")
    assert columns["sku"] == "nullif(regexp_extract(url, '[?&]sku=([^&#]+)', 1), '')"
    row = loaded(found, stage, "events.jsonl")[0]
    assert row["timestamp"] == datetime(2026, 11, 18, 11, 6, 40, 123456)  # noqa: DTZ001 - staged times are UTC


def test_product_numbers_are_articles_and_do_not_name_a_line_alone(tmp_path: Path) -> None:
    """As Shopware writes orders: a short file may hold each article once."""
    head = "orderNumber;orderDateTime;amountTotal;productNumber;productName;quantity;totalPrice"
    lines = [
        f"1{n // 2:04d};{n + 1:02d}.11.2026 14:00:00;9,90;SW{n};Schal;1;4,95" for n in range(28)
    ]
    found = draft(tmp_path, "orders.csv", "\n".join([head, *lines]))
    assert fed(found, "order_lines")["sku"] == "product_number"
    assert fed(found, "orders")["order_amount"] == "amount_total"
    assert found.load["key"] == ["order_number", "product_number"]


def test_returns_that_a_column_names_are_returns_of_their_sale(tmp_path: Path) -> None:
    """As Square writes them: under the number of the sale, with amounts before the discount."""
    head = "Transaction ID,Location,SKU,Qty,Gross Sales,Discounts,Net Sales,Event Type"
    lines = [f"tx{n // 3},Soho,A{n},1.0,{n}.50,-0.25,{n}.25,Payment" for n in range(1, 30)]
    refund = "tx1,Soho,A4,-1.0,-4.50,0.25,-4.25,Refund"
    columns = fed(draft(tmp_path, "items.csv", "\n".join([head, *lines, refund])), "sale_lines")
    assert columns["is_return"] == "event_type = 'Refund'"
    assert columns["original_sale_id"] == "case when event_type = 'Refund' then transaction_id end"
    assert columns["unit_price"] == "round(abs(gross_sales / nullif(qty, 0)), 2)"
    own = fed(
        draft(tmp_path, "own.csv", "\n".join([head, *lines, refund.replace("tx1", "r1")])),
        "sale_lines",
    )
    assert "original_sale_id" not in own
    odd = [line.replace("-0.25", "-0.75") for line in lines]
    assert "unit_price" not in fed(
        draft(tmp_path, "odd.csv", "\n".join([head, *odd])), "sale_lines"
    )


def test_a_sign_in_a_column_of_its_own_is_asked_about(tmp_path: Path) -> None:
    """As SAP writes receipts: without it, returns would count as sales."""
    head = "bonnummer,filiale,artnr,menge,betrag,vorzeichen"
    lines = [f"{n // 3},7,A{n},1,{n}.50,{'-' if n % 7 == 6 else '+'}" for n in range(30)]
    columns = fed(draft(tmp_path, "bons.csv", "\n".join([head, *lines])), "sale_lines")
    amount = columns["net_amount"]
    assert isinstance(amount, Ask)
    assert amount.provisional == "case when vorzeichen = '-' then -abs(betrag) else betrag end"
    assert columns["is_return"] == "vorzeichen = '-'"


def test_words_that_signs_do_not_bear_out_make_no_returns(tmp_path: Path) -> None:
    """A box for returns is sold, and what is charged back is a return without the word."""
    head = "receipt_no,store_no,sku,product_name,qty,amount"
    lines = [f"R{n},7,A{n},{'Scarf' if n % 5 else 'Gift return box'},1,{n}.50" for n in range(40)]
    box = fed(draft(tmp_path, "boxes.csv", "\n".join([head, *lines])), "sale_lines")
    assert "is_return" not in box
    lines = [f"R{n},7,A{n},sale,1,{n}.50" for n in range(40)]
    back = ["R2,7,A2,refund,-1,-2.50", "R3,7,A3,chargeback,-1,-3.50"]
    text = "\n".join([head.replace("product_name", "line_type"), *lines, *back])
    assert "is_return" not in fed(draft(tmp_path, "types.csv", text), "sale_lines")
    columns = fed(draft(tmp_path, "own.csv", text.replace("chargeback", "refund")), "sale_lines")
    assert columns["is_return"] == "line_type = 'refund'"


def test_a_yes_or_no_of_returns_is_fed(tmp_path: Path) -> None:
    head = "invoice_number,outlet_id,sku,quantity,price_total,is_return"
    lines = [f"{n // 3},o1,A{n},1,{n}.50,{str(n % 7 == 6).lower()}" for n in range(30)]
    columns = fed(draft(tmp_path, "sales.csv", "\n".join([head, *lines])), "sale_lines")
    assert columns["is_return"] == "is_return"


def test_of_visits_that_were_seen_once_people_are_asked_whether_they_come_again(
    tmp_path: Path,
) -> None:
    head = "event_id,event_date,event_timestamp,event_name,user_pseudo_id,ga_session_id"
    lines = [f"e{n},2026-11-19,179500{n:04d}000000,page_view,u{n},1" for n in range(30)]
    mode = draft(tmp_path, "events_20261119.csv", "\n".join([head, *lines])).load["mode"]
    assert isinstance(mode, Ask)
    assert mode.provisional == "append"
    assert "rewrite, with a line `day: event_date`" in mode.question


def test_no_column_is_called_like_a_word_of_sql(tmp_path: Path, stage: Stage) -> None:
    head = "receipt_no,store_no,sku,qty,amount,left,at,by"
    lines = [f"R{n},7,A{n},1,{n}.50,{n}.25,x{n},y{n}" for n in range(30)]
    found = draft(tmp_path, "sales.csv", "\n".join([head, *lines]))
    assert [column.name for column in found.columns][-3:] == ["left_value", "at_value", "by_value"]
    assert len(loaded(found, stage, "sales.csv")) == len(lines)
