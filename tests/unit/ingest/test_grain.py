"""Workbooks, archives, computed columns, and records that become rows or are filled down."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.ingest.vetting import vet_contract
from tests.unit.ingest.conftest import Stage, make_contract
from tests.unit.ingest.workbooks import DATE, MOMENT, PLAIN, Cell, workbook

SHEET: list[list[Cell]] = [
    ["Sales of May", None, None, None],
    [],
    ["Receipt", "Day", "Amount", "Note"],
    ["0001", (46143.0, DATE), 12.5, "two\nlines"],
    [],
    [17850.0, (46143.520833333336, MOMENT), 1.1000000000000001, None],
    [7.210448301122e12, (46144.0, DATE), (3.0, PLAIN), 'say "x", ok'],
    [1e20, (46144.0, DATE), 0.00000123, "lost digits"],
    ["Total", None, 4.0, None],
]
COLUMNS: dict[str, Any] = {
    "receipt": {},
    "day": {"type": "timestamp"},
    "amount": {"type": "number"},
    "note": {"optional": True},
}


def test_a_sheet_is_read_as_it_is_shown_with_its_row_numbers(stage: Stage) -> None:
    # Day alone and day with time stand in one column, as people type them.
    columns = {**COLUMNS, "day": {}}
    written = {"format": "excel", "skip_lines": 1, "trailer_lines": 1}
    outcome = stage(
        workbook(SHEET), make_contract(columns, delivery=written), name="sales.xlsx",
        quarantine_stop_share=1.0,
    )  # fmt: skip
    assert outcome.status == "loaded", outcome.notes.reason
    assert [(r["receipt"], r["day"], r["amount"], r["note"], r["_line"]) for r in outcome.rows] == [
        ("0001", "2026-05-01", Decimal("12.5"), "two\nlines", 4),
        ("17850", "2026-05-01 12:30:00", Decimal("1.1"), None, 6),
        ("7210448301122", "2026-05-02", Decimal(3), 'say "x", ok', 7),
    ]
    assert [(r["line"], r["rules"]) for r in outcome.aside] == [(8, "receipt_type,amount_type")]


def test_a_sheet_is_found_by_name_and_its_absence_explained(stage: Stage) -> None:
    data = workbook([["id"], ["1"]], sheet="Orders", first=["Cover"])
    written = {"format": "excel", "sheet": "Orders"}
    assert stage(data, make_contract({"id": {}}, delivery=written), name="a.xlsx").rows
    contract = make_contract({"id": {}}, delivery={"format": "excel", "sheet": "Other"})
    assert "one of: Cover, Orders" in stage(data, contract, name="b.xlsx").notes.reason
    for broken in (b"PK\x03\x04 and no more", data[: len(data) // 2], b"id\n1\n", b""):
        refused = stage(broken, contract, name="c.xlsx")
        assert refused.status == "refused"
        assert "no readable Excel workbook" in refused.notes.reason


def _zip(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("_csv", ".csv")), content, 8)
    return data.getvalue()


def test_one_member_of_an_archive_is_read(stage: Stage) -> None:
    data = _zip(subscribed_1_csv=b"number\n1\n", cleaned_1_csv=b"id\n2\n")
    contract = make_contract({"id": {}}, delivery={"member": "cleaned_*.csv"})
    assert [r["id"] for r in stage(data, contract, name="a.zip").rows] == ["2"]
    refused = stage(data, make_contract({"id": {}}), name="b.zip")
    assert "two files in it have different headers" in refused.notes.reason
    bomb = _zip(x_csv=b"id\n" + b"1" * 60_000_000)
    assert "bomb" in stage(bomb, make_contract({"id": {}}), name="c.zip").notes.reason
    assert "corrupt zip" in stage(data[:60], contract, name="d.zip").notes.reason


ORDERS = """name,status,total,sku,price
#1,paid,30.00,007,10.00
#1,,,8,20.00
#2,,5.00,9,5.00
#1,,,10,0.00
"""


@pytest.mark.parametrize("fill", [{"by": "name"}, {"starts": "total"}])
def test_a_header_on_the_first_line_only_is_filled_down(stage: Stage, fill: dict[str, str]) -> None:
    contract = make_contract(
        {
            "name": {},
            "status": {},
            "total": {"type": "decimal", "required": True},
            "sku": {},
            "price": {"type": "decimal"},
        },
        load={"mode": "append", "key": ["_file", "_line"]},
        delivery={"fill_down": {**fill, "columns": ["status", "total"]}},
    )
    lines = ORDERS if "by" in fill else ORDERS.replace("#1,,,10,0.00\n", "")
    rows = stage(lines.encode(), contract).rows
    assert [(r["status"], r["total"], r["sku"], r["_line"]) for r in rows][:3] == [
        ("paid", Decimal(30), "007", 2),
        ("paid", Decimal(30), "8", 3),
        (None, Decimal(5), "9", 4),
    ]
    if "by" in fill:
        assert (rows[3]["total"], rows[3]["_line"]) == (Decimal(30), 5)


def test_what_starts_a_group_is_filled_beside_computed_columns(stage: Stage) -> None:
    contract = make_contract(
        {
            "head": {},
            "kind": {},
            "text": {},
            "number": {"value": "case when kind = 'H' then text end"},
        },
        load={"mode": "append", "key": ["_file", "_line"]},
        delivery={"fill_down": {"starts": "head", "columns": ["head", "number"]}},
    )
    rows = stage(b"head,kind,text\nA,H,7\n,L,x\n,L,y\nB,H,8\n,L,z\n", contract).rows
    found = [(row["head"], row["number"]) for row in rows]
    assert found == [("A", "7")] * 3 + [("B", "8")] * 2


def test_lines_of_an_order_whose_header_is_bad_are_set_aside_with_it(stage: Stage) -> None:
    contract = make_contract(
        {"name": {}, "total": {"type": "decimal", "required": True}},
        load={"mode": "append", "key": ["_file", "_line"]},
        delivery={"fill_down": {"by": "name", "columns": ["total"]}},
    )
    outcome = stage(b"name,total\n1,x\n1,\nbroken\n2,5\n2,\n", contract, quarantine_stop_share=1.0)
    assert [r["_line"] for r in outcome.rows] == [5, 6]
    assert [(r["line"], r["rule"]) for r in outcome.aside] == [
        (2, "total_type"),
        (3, "total_type"),
        (4, "too_few_fields"),
    ]


WIDE = make_contract(
    {
        "order": {"required": True},
        "sku": {"from": "Item {n} SKU"},
        "price": {"from": "Item {n} price", "type": "decimal"},
    },
    load={"mode": "append", "key": ["order", "_item"]},
)


def test_numbered_columns_become_rows(stage: Stage) -> None:
    data = (
        b"Order,Item 1 SKU,Item 1 Price,Item 10 SKU,Item 2 SKU,Item 2 price,Note\n"
        b"1,007,1.00,ten,8,2.00,x\n2,,,,9,x,\nshort\n3,,,,,,\n,1,1.00,,,,\n"
    )
    outcome = stage(data, WIDE, quarantine_stop_share=1.0)
    assert outcome.status == "loaded", outcome.notes.reason
    assert [
        tuple(r[n] for n in ("order", "sku", "price", "_line", "_item")) for r in outcome.rows
    ] == [
        ("1", "007", Decimal(1), 1, 1),
        ("1", "8", Decimal(2), 2, 2),
        ("1", "ten", None, 3, 10),
        ("3", None, None, 5, None),
    ]
    assert [(r["line"], r["rule"]) for r in outcome.aside] == [
        (3, "price_type"),
        (4, "too_few_fields"),
        (6, "order_not_null"),
    ]
    assert outcome.notes.records == 7
    assert outcome.notes.messages[0].startswith("unknown columns 'note': declare them")


def test_a_field_of_parts_becomes_rows(stage: Stage) -> None:
    contract = make_contract(
        {
            "order": {},
            "item": {"from": "items", "split": ";"},
            "sku": {"value": "split_part(item, '|', 1)"},
            "amount": {"type": "decimal", "value": "split_part(item, '|', 2)", "required": True},
        },
        load={"mode": "append", "key": ["order", "_item"]},
    )
    data = b"order,items\n1,007|1.50;8|2\n2,9|x; ;10|1\n3,\n"
    outcome = stage(data, contract, quarantine_stop_share=1.0)
    assert [(r["order"], r["_item"], r["sku"], r["amount"]) for r in outcome.rows] == [
        ("1", 1, "007", Decimal("1.5")),
        ("1", 2, "8", Decimal(2)),
        ("2", 3, "10", Decimal(1)),
    ]
    assert [(r["line"], r["rule"]) for r in outcome.aside] == [
        (3, "amount_not_null"),
        (4, "amount_not_null"),
    ]


BODY = ["1,a,1,b,2", "2,,,,", "3,a,x,b,2", "4,a", '"5,a,1,b,2', ",,,c,3", "", "6,a,1,b,2,,"]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.lists(st.sampled_from(BODY), max_size=10))
def test_every_row_of_wide_records_is_accepted_set_aside_or_refused(
    stage: Stage, body: list[str]
) -> None:
    data = "\n".join(["order,item 1 sku,item 1 price,item 2 sku,item 2 price", *body, ""])
    outcome = stage(data.encode(), WIDE, quarantine_stop_share=1.0)
    if outcome.status == "loaded":
        notes = outcome.notes
        assert notes.accepted == len(outcome.rows)
        assert notes.records == notes.accepted + len(outcome.aside)
        assert len({r["_line"] for r in outcome.rows}) == len(outcome.rows)


def test_a_computed_column_is_a_column_like_any_other(stage: Stage) -> None:
    columns = {
        "day": {},
        "time": {},
        "zone": {},
        "sold_at": {
            "type": "timestamp",
            "value": "timezone('UTC', timezone(case zone when 'Eastern Time (US & Canada)' "
            "then 'America/New_York' end, strptime(day || ' ' || time, '%m/%d/%Y %H:%M:%S')))",
            "required": True,
            "min": "2026-01-01",
        },
    }
    contract = make_contract(columns, load={"mode": "append", "key": ["sold_at"]})
    zone = "Eastern Time (US & Canada)"
    outcome = stage(
        f"day,time,zone\n05/01/2026,10:00:00,{zone}\n05/01/2025,10:00:00,{zone}\n13/1/2026,1,{zone}\n"
        "05/01/2026,10:00:00,Mars\n".encode(),
        contract,
        quarantine_stop_share=1.0,
    )
    assert [str(r["sold_at"]) for r in outcome.rows] == ["2026-05-01 14:00:00"]
    assert [r["rule"] for r in outcome.aside] == [
        "sold_at_between",
        "sold_at_not_null",
        "sold_at_not_null",
    ]
    assert "sold_at" not in outcome.aside[0]["raw"]
    entities = {"products": None}
    wrong = make_contract({"a": {}, "b": {"value": "upper(nme)"}})
    with pytest.raises(ConfigError, match="unknown column `nme`"):
        vet_contract(wrong, entities, where="orders.yml")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not allowed"):
        vet_contract(
            make_contract({"a": {}, "b": {"value": "read_text('/etc/passwd')"}}),
            entities,  # type: ignore[arg-type]
            where="orders.yml",
        )


@pytest.mark.parametrize(
    ("columns", "delivery", "cause"),
    [
        ({"id": {"value": "x", "from": "y"}}, {}, "is computed"),
        ({"id": {}, "x": {"from": "a {n}"}, "y": {"split": ";"}}, {}, "in one way only"),
        ({"id": {}}, {"format": "xml"}, "needs `records:`"),
        ({"id": {}}, {"sheet": "x"}, "it is for excel"),
        ({"id": {}}, {"fill_down": {"columns": ["id"]}}, "either `by:`"),
        ({"id": {}}, {"fill_down": {"by": "no", "columns": ["id"]}}, "fill_down refers to"),
        ({"id": {}}, {"control": {"from": "trailer", "pattern": "x"}}, "name what it finds"),
        ({"id": {}}, {"control": {"from": "trailer", "pattern": "(?P<no>x)"}}, "control refers"),
        ({"id": {}}, {"control": {"from": "trailer", "pattern": "(?P<rows>"}}, "not a regular"),
        (
            {"id": {}},
            {"format": "json", "control": {"from": "trailer", "pattern": "(?P<rows>x)"}},
            "has no lines",
        ),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(
    columns: dict[str, Any], delivery: dict[str, Any], cause: str
) -> None:
    with pytest.raises(ValidationError, match=cause):
        make_contract(columns, delivery=delivery)
