"""Of a sale whose buyer is erased only what the contract reads stays, and nothing personal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.ingest.detaching import without_person
from cdp_pipeline.ingest.physical_lines import physical_lines
from cdp_pipeline.ingest.redaction import redact_delivery
from cdp_pipeline.project.contracts import SourceContract
from tests.unit.ingest.conftest import Outcome, Stage, make_contract

SALES = {
    "receipt": {"required": True},
    "buyer": {"from": "Kunden Name", "aliases": ["Käufer"], "pii": "name", "optional": True},
    "amount": {"type": "decimal", "aliases": ["total"]},
}


def kept(tmp_path: Path, text: str | bytes, contract: SourceContract, *lines: int) -> str:
    path = tmp_path / "sales"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    pieces = redact_delivery(path, contract, lines, is_detaching=True)
    assert pieces is not None
    return b"".join(pieces).decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("header", "record", "left"),
    [
        ("receipt,Kunden Name,amount,remark", "7,Anna,5.00,for Anna", "7,,5.00,"),
        ("receipt,KÄUFER,total,note", "7,Anna,5.00,Anna", "7,,5.00,"),
        ("amount,receipt,kunden  name", "5.00,7,Anna", "5.00,7,"),  # blanks as readers see them
        ("receipt,kunden name,käufer,amount", "7,Anna,Anna R.,5.00", "7,,,5.00"),
        ('receipt,amount,"says\nAnna"', '7,5.00,"she, Anna"', "7,5.00,"),
        ("receipt,amount", "7,5.00,Anna,Reed", "7,5.00,,"),
        ("\n \nreceipt,käufer,amount", "7,Anna,5.00", "7,,5.00"),
        ("receipt,amount,amount", "7,5.00,Anna", "7,5.00,"),
        ("\ufeffreceipt,amount,amount ", "7,5.00,Anna", "7,5.00,"),
    ],
)
def test_a_row_keeps_declared_fields_that_are_not_personal(
    tmp_path: Path, header: str, record: str, left: str
) -> None:
    line = header.count("\n") + 2
    text = f"{header}\n{record}\n8,Bob,6.00,for Bob\n"
    expected = f"{header}\n{left}\n8,Bob,6.00,for Bob\n"
    assert kept(tmp_path, text, make_contract(SALES), line) == expected


def sold(outcome: Outcome) -> list[dict[str, Any]]:
    """Return rows with what is about nobody."""
    names = ("_line", "receipt", "amount", "note")
    return [{name: row[name] for name in names} for row in outcome.rows]


NOTED = {**SALES, "note": {"optional": True}}
HEADER = "receipt,Käufer,note,amount\n"


@pytest.mark.parametrize(
    "text",
    [
        'receipt, "Käufer", "note", "amount"\n7, "Anna", "a, b", "5.00"\n',
        HEADER + '7, "Anna, R", "a, b" ,5.00\n8,Bob,x,6.00\n',
        HEADER + '7,Anna,5" nail,5.00\n8,Bob,x,6.00\n9,Cid,"y",7.00\n',
        HEADER + '7,An"na,5" nail,5.00\n8,Bob,"y",6.00\n',
        HEADER + '7,"An\nna","a\nb ""c""",5.00\n8,Bob,x,6.00\n',
        HEADER + '7,"An\r\nna\r\n"," a ",5.00\r\n8,Bob,x,6.00\r\n',
        HEADER + "7,Anna,a,5.00\r8,Bob,x,6.00\r\n9,Cid,y,7.00\r",
        HEADER.replace("\n", "\r") + '7,"An\rna\n"," a\r",5.00\r8,Bob,"x\r",6.00\r',
    ],
)
def test_a_sale_reads_as_it_did_and_so_do_those_after_it(
    tmp_path: Path, stage: Stage, text: str
) -> None:
    contract = make_contract(NOTED)
    before = stage(text.encode(), contract)
    after = stage(kept(tmp_path, text, contract, 2).encode(), contract)
    assert len(before.rows) == len(after.rows) == before.notes.records
    assert sold(after) == sold(before)
    assert [row["buyer"] for row in after.rows] == [
        None,
        *[row["buyer"] for row in before.rows[1:]],
    ]


FILLED = {"order": {}, "line": {}, "mail": {"pii": "email"}, "amount": {}}


@pytest.mark.parametrize(
    ("starts", "refused", "is_rewritten"),
    [("order", [], True), ("order", [2], False), ("mail", [], False)],
)
def test_a_file_is_not_rewritten_where_lines_would_join_the_order_before(
    tmp_path: Path, starts: str, refused: list[int], *, is_rewritten: bool
) -> None:
    filled = {"starts": starts, "columns": ["order", "mail"]}
    contract = make_contract(FILLED, delivery={"fill_down": filled})
    path = tmp_path / "sales.csv"
    path.write_text("order,line,mail,amount\n1,1,a@x.org,5\n,2,,6\n", encoding="utf-8")
    pieces = redact_delivery(path, contract, [2, 3], is_detaching=True, refused=refused)
    assert (pieces is not None) == is_rewritten


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_that_end_otherwise_than_others_are_those_of_the_reader(
    tmp_path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    contract = make_contract(NOTED, delivery={"skip_lines": 1})
    text = '5" \r\n' + HEADER + '1,A,"\r\n\r",1\r\n2,B,"\n",2\r3,C,,3\r\n\n4,D,"\r",4\r\r5,E,,5'
    monkeypatch.setattr("cdp_pipeline.ingest.physical_lines._PIECE", size)
    path = tmp_path / "sales.csv"
    path.write_bytes(text.encode())
    lines = list(physical_lines(path, "utf-8", contract.delivery))
    assert "".join(lines) == text
    found = {row["_line"]: row["receipt"] for row in stage(text.encode(), contract).rows}
    assert {n: lines[n - 1][:1] for n in found} == found
    assert len(found) == 5


@pytest.mark.parametrize("number", ["12345678901234567.5", "1.50", "1E5", "17850.0"])
def test_numbers_of_a_json_sale_are_spelt_as_they_were(tmp_path: Path, number: str) -> None:
    contract = make_contract({"id": {}, "buyer": {"pii": "name"}}, delivery={"format": "jsonl"})
    text = f'\ufeff{{"id": [{number}], "buyer": "Anna"}}\n'
    assert kept(tmp_path, text, contract, 1) == f'{{"id": [{number}], "buyer": null}}\n'


def test_a_json_sale_that_is_nested_too_deep_is_not_rewritten(tmp_path: Path) -> None:
    contract = make_contract({"id": {}}, delivery={"format": "jsonl"})
    with pytest.raises(ValueError, match="too deep"):
        kept(tmp_path, f'{{"id": 7, "note": {"[" * 9000}{"]" * 9000}}}\n', contract, 1)


def test_without_a_header_the_declared_order_tells(tmp_path: Path) -> None:
    contract = make_contract(SALES, delivery={"header": False, "skip_lines": 1})
    text = "sales\n7,Anna,5.00,for Anna\n8,Bob,6.00,x\n"
    assert kept(tmp_path, text, contract, 2) == "sales\n7,,5.00,\n8,Bob,6.00,x\n"


def test_a_header_in_the_other_encoding_of_its_file_is_read(tmp_path: Path) -> None:
    contract = make_contract(SALES, delivery={"fallback_encoding": "cp1252"})
    text = "receipt,Käufer,total\n7,Anna,5.00\n".encode("cp1252")
    assert kept(tmp_path, text, contract, 2).endswith("\n7,,5.00\n")


def test_numbered_and_twin_columns_are_told_apart(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"id": {}, "sku": {"from": "item_{n}"}, "who": {"from": "name#2"}}
    text = "id,item_1,name,item_2,name,gift_for\n7,A,Anna,B,till 4,Anna\n"
    assert kept(tmp_path, text, make_contract(columns), 2).splitlines()[1] == "7,A,,B,till 4,"


def test_a_column_that_is_read_twice_is_personal_if_either_is(tmp_path: Path) -> None:
    columns = {"id": {}, "mail": {"pii": "email"}, "domain": {"from": "mail"}}
    assert kept(tmp_path, "id,mail\n7,a@x.org\n", make_contract(columns), 2) == "id,mail\n7,\n"


def test_a_key_stays_though_it_is_personal(tmp_path: Path) -> None:
    columns = {"account": {"pii": "identifier"}, "mail": {"pii": "email"}}
    text = "account,mail\nA7,a@x.org\n"
    assert kept(tmp_path, text, make_contract(columns), 2) == "account,mail\nA7,\n"


ORDERS = {
    "id": {},
    "mail": {"from": "buyer.mail", "aliases": ["e_mail", "contact[0].mail"], "pii": "email"},
    "vip": {"type": "boolean", "from": "buyer.vip"},
    "page": {"from": "tags[key=page].value"},
    "first": {"from": "lines[0].sku"},
    "last": {"from": "lines[-1].sku"},
    "sold": {"from": '"sold.to"', "pii": "name"},
}


@pytest.mark.parametrize(
    ("record", "left"),
    [
        ({"id": 7, "e_mail": "a@x.org"}, {"id": 7, "e_mail": None}),
        ({"id": 7, "note": "Anna", "a@x.org": 1}, {"id": 7}),
        (
            {"buyer": {"mail": "a@x.org", "vip": True, "name": {"given": "Anna"}}},
            {"buyer": {"mail": None, "vip": True}},
        ),
        ({"contact": [{"mail": "a@x.org", "name": "Anna"}]}, {"contact": [{"mail": None}]}),
        (
            {"tags": [{"key": "who", "value": "Anna"}, {"key": "page", "value": "/", "by": "A"}]},
            {"tags": [None, {"key": "page", "value": "/"}]},
        ),
        (
            {"lines": [{"sku": "A", "for": "Anna"}, {"sku": "B"}, {"sku": "C"}]},
            {"lines": [{"sku": "A"}, None, {"sku": "C"}]},
        ),
        (
            {"tags": [{"key": "page", "value": "/"}, {"key": "page", "value": "Anna"}]},
            {"tags": [{"key": "page", "value": "/"}, None]},
        ),
        ({"lines": "Anna"}, {"lines": None}),
        ({"sold.to": "Anna", "sold": {"to": "Anna"}}, {"sold.to": None}),
        (["Anna"], None),
    ],
)
def test_a_json_record_keeps_what_paths_lead_to(record: object, left: object) -> None:
    contract = make_contract(ORDERS, delivery={"format": "jsonl"})
    assert without_person(record, contract) == left


def test_of_arrays_each_element_keeps_what_is_read() -> None:
    columns = {
        "id": {},
        "sku": {"from": "lines[].sku"},
        "by": {"from": "lines[].by", "pii": "name"},
    }
    contract = make_contract(columns, delivery={"format": "jsonl"})
    record = {"id": 7, "lines": [{"sku": "A", "by": "Anna", "note": "Anna"}, {"sku": "B"}]}
    left = {"id": 7, "lines": [{"sku": "A", "by": None}, {"sku": "B"}]}
    assert without_person(record, contract) == left
    assert without_person({"lines": {"sku": "A", "note": "x"}}, contract) == {"lines": {"sku": "A"}}


def test_a_line_that_was_set_aside_goes_whole_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    lines = ['{"id": 7, "note": "Anna"}', '{"id": "Anna"', '{"id": 8, "note": "Bob"}']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    contract = make_contract({"id": {}}, delivery={"format": "jsonl"})
    pieces = redact_delivery(path, contract, [1, 2], is_detaching=True, refused=[2])
    assert pieces is not None
    first, second, third = b"".join(pieces).decode().splitlines()
    assert (json.loads(first), second, third) == ({"id": 7}, "", lines[2])
