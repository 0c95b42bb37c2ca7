"""What a newcomer takes over unread from a draft is right: keys, consent, money, people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import parse_model


def drafted(folder: Path, name: str, text: str) -> SourceContract:
    """Return the drafted contract of a file, its questions answered provisionally."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    (draft,) = draft_sources(path, name=None, landing=folder)
    text = write_draft(draft, is_trial=True)
    return parse_model(SourceContract, text, path=Path("x.yml"), name=draft.name)


def people(header: str, flag: str = "true") -> str:
    rows = [
        f"{90_000 + n},p{n}@example.org,{n * 311 % 99_999:05d},+4477009{n:05d},1950-02-{n + 1:02d},"
        f"{flag if n % 3 else ''}"
        for n in range(25)
    ]
    return "\n".join([f"user_id,email,zip_code,mobile,date_of_birth,{header}", *rows, ""])


def test_what_people_share_is_no_key_however_few_of_a_sample_do(tmp_path: Path) -> None:
    contract = drafted(tmp_path, "contacts.csv", people("opt_in"))
    assert contract.load.key == ("user_id",)


@pytest.mark.parametrize(
    ("header", "yes"),
    [
        ("accepts_marketing", "granted"),
        ("subscribed", "granted"),
        ("email_opt_in", "granted"),
        ("email_opt_out", "withdrawn"),
        ("Unsubscribed from all email", "withdrawn"),
        ("do_not_email", "withdrawn"),
        ("HasOptedOutOfEmail", "withdrawn"),
        ("Werbesperre", "withdrawn"),
    ],
)
def test_yes_to_a_refusal_is_no_consent(tmp_path: Path, header: str, yes: str) -> None:
    contract = drafted(tmp_path, "contacts.csv", people(header))
    (feed,) = (feed for feed in contract.feeds if feed.entity == "consents")
    assert f"then '{yes}' else" in feed.columns["status"]


SALES = {
    "array": json.dumps(
        [
            {
                "saleID": str(n),
                "timeStamp": f"2026-11-{n + 1:02d}T09:00:00Z",
                "shopID": "1",
                "total": f"{n + 1}.00",
                "lines": [
                    {"itemID": str(k), "quantity": "1", "calcTotal": f"{(n + 1) / 2:.2f}"}
                    for k in range(2)
                ],
            }
            for n in range(25)
        ]
    ),
    "table": "receipt_no,sold_at,store_no,sku,qty,total,amount\n"
    + "".join(
        f"{n},2026-11-{n + 1:02d} 09:00:00,001,{k:04d},1,{n + 1}.00,{(n + k + 1) / 2:.2f}\n"
        for n in range(25)
        for k in range(2)
    ),
    "table_without_amounts_of_lines": "receipt_no,sold_at,store_no,sku,qty,price,total\n"
    + "".join(
        f"{n},2026-11-{n + 1:02d} 09:00:00,001,{k:04d},1,{(n + k + 1) / 2:.2f},{n + 1}.00\n"
        for n in range(25)
        for k in range(2)
    ),
}
AMOUNTS = {
    "array": "calc_total",
    "table": "amount",
    "table_without_amounts_of_lines": "round(qty * price, 2)",
}


@pytest.mark.parametrize("case", SALES)
def test_the_total_of_a_sale_is_not_counted_once_a_line(tmp_path: Path, case: str) -> None:
    name = "sales.json" if case == "array" else "sales.csv"
    contract = drafted(tmp_path, name, SALES[case])
    (feed,) = (feed for feed in contract.feeds if feed.entity == "sale_lines")
    assert feed.columns["net_amount"] == AMOUNTS[case]


@pytest.mark.parametrize(
    ("header", "value", "kind"),
    [
        ("ship-city", "Leeds", "address"),
        ("ship-postal-code", "LS1 4DY", "address"),
        ("Shipping Name", "Ann Lee", "name"),
        ("Recipient Phone", "+447700900123", "phone"),
        ("Card Name", "Ann Lee", "name"),
        ("via.source.from.address", "ann@example.org", "email"),
        ("via.source.from.name", "Ann Lee", "name"),
        ("Product Name", "Wool scarf", None),
        ("Store City", "Leeds", None),
    ],
)
def test_the_data_of_others_is_personal_too(
    tmp_path: Path, header: str, value: str, kind: str | None
) -> None:
    steps = header.split(".")
    records = []
    for n in range(25):
        record: object = f"{value[:3]}{n}{value[3:]}" if kind == "email" else value
        for step in reversed(steps):
            record = {step: record}
        records.append(json.dumps({"id": f"A{n}", **record}))
    contract = drafted(tmp_path, "orders.jsonl", "\n".join(records))
    assert [c.pii for name, c in contract.columns.items() if name != "id"] == [kind]


def test_the_print_of_a_payment_card_is_none_of_a_finger(tmp_path: Path) -> None:
    text = "id,card_fingerprint,fingerprint\n" + "".join(f"A{n},f{n}x,g{n}y\n" for n in range(25))
    columns = drafted(tmp_path, "charges.csv", text).columns
    assert columns["card_fingerprint"].special_category is None
    assert columns["fingerprint"].special_category == "biometric"
