"""What is no record, no value or no content: told apart from records, and counted as what it is."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.unit.ingest.conftest import Outcome, Stage, make_contract

COLUMNS: dict[str, Any] = {"id": {"required": True}, "name": {}, "amount": {"type": "decimal"}}
HEADER = "id,name,amount\n"


def conserved(outcome: Outcome) -> bool:
    """Return whether each record is a row or was set aside."""
    return outcome.notes.records == len(outcome.rows) + len(outcome.aside)


@pytest.mark.parametrize("blanks", [" ", "   \t", "\u00a0", "\u3000 "])
def test_a_line_of_blanks_is_a_blank_record(stage: Stage, blanks: str) -> None:
    text = f"{HEADER}1,Ann,1.50\n{blanks}\n2,Zoe,2.00\n3,Eve\n"
    outcome = stage(text.encode(), make_contract(COLUMNS), quarantine_stop_share=0.9)
    assert [row["id"] for row in outcome.rows] == ["1", "2"]
    assert [(row["line"], row["rule"]) for row in outcome.aside] == [
        (3, "blank_record"),
        (5, "too_few_fields"),
    ]
    assert conserved(outcome)


def test_many_lines_of_blanks_condemn_no_file(stage: Stage) -> None:
    text = f"{HEADER}1,Ann,1.50\n" + "  \n" * 50
    outcome = stage(text.encode(), make_contract(COLUMNS), quarantine_stop_share=0.1)
    assert outcome.status == "loaded", outcome.notes.reason
    assert len(outcome.aside) == 50
    assert conserved(outcome)


@pytest.mark.parametrize("zeros", [1, 512, (1 << 20) + 7])
@pytest.mark.parametrize("is_further", [False, True])
def test_zeros_behind_gzip_data_are_passed_over(
    stage: Stage, zeros: int, *, is_further: bool
) -> None:
    data = gzip.compress(f"{HEADER}1,Ann,1.50\n".encode()) + b"\0" * zeros
    data += gzip.compress(b"2,Zoe,2.00\n") if is_further else b""
    outcome = stage(data, make_contract(COLUMNS), name="orders.csv.gz")
    assert outcome.status == "loaded", outcome.notes.reason
    assert [row["amount"] for row in outcome.rows] == [
        Decimal("1.50"),
        *[Decimal("2.00")] * is_further,
    ]


@pytest.mark.parametrize("rest", [b"\0\0rubbish", b"rubbish\0\0"])
def test_anything_else_behind_gzip_data_is_refused(stage: Stage, rest: bytes) -> None:
    data = gzip.compress(f"{HEADER}1,Ann,1.50\n".encode()) + rest
    outcome = stage(data, make_contract(COLUMNS), name="orders.csv.gz")
    assert outcome.status == "refused"
    assert "rubbish follows" in outcome.notes.reason


def test_zeros_alone_are_no_gzip_data(stage: Stage) -> None:
    outcome = stage(b"\0" * 99, make_contract(COLUMNS), name="orders.csv.gz")
    assert "it is not gzip" in outcome.notes.reason


MARKS = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_file_of_a_byte_order_mark_alone_is_empty(
    stage: Stage, mark: bytes, encoding: str
) -> None:
    outcome = stage(mark, make_contract(COLUMNS, delivery={"encoding": encoding}))
    assert outcome.status == "refused"
    assert "the file is empty" in outcome.notes.reason


@pytest.mark.parametrize("mark", MARKS[:3])
@pytest.mark.parametrize("written", [{"format": "jsonl"}, {"header": False}])
def test_where_no_header_must_stand_a_mark_alone_is_what_an_empty_file_is(
    stage: Stage, mark: bytes, written: dict[str, object]
) -> None:
    found = stage(mark, make_contract(COLUMNS, delivery=written)).notes
    empty = stage(b"", make_contract(COLUMNS, delivery=written)).notes
    told = (empty.status, empty.records, empty.reason, empty.messages)
    assert (found.status, found.records, found.reason, found.messages) == told


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("form", ["json", "jsonl", "nested"])
def test_what_is_no_number_of_json_sets_its_record_aside(
    stage: Stage, constant: str, form: str
) -> None:
    records = [{"id": str(n), "name": "Ann", "amount": 1.5 * n} for n in range(1, 4)]
    lines = [json.dumps(record) for record in records]
    lines[1] = lines[1].replace("3.0", constant)
    text = "\n".join(lines) if form == "jsonl" else "[\n" + ",\n".join(lines) + "\n]"
    columns = COLUMNS
    if form == "nested":
        text = "[\n" + ",\n".join(f'{{"lines": [{line}]}}' for line in lines) + "\n]"
        columns = {name: {**keys, "from": f"lines[].{name}"} for name, keys in COLUMNS.items()}
    delivery = {"format": "jsonl" if form == "jsonl" else "json"}
    outcome = stage(
        text.encode(), make_contract(columns, delivery=delivery), quarantine_stop_share=0.9
    )
    assert outcome.status == "loaded", outcome.notes.reason
    assert [(row["id"], row["amount"]) for row in outcome.rows] == [
        ("1", Decimal("1.50")),
        ("3", Decimal("4.50")),
    ]
    (aside,) = outcome.aside
    assert (aside["line"], aside["rule"]) == (2 if form == "jsonl" else 3, "amount_type")
    assert constant in aside["reason"]
    assert conserved(outcome)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_missing_number_of_somebody_is_nobodys_number(stage: Stage, form: str) -> None:
    lines = ['{"id": "1", "name": "Ann"}', '{"id": "2", "name": NaN}', '{"id": NaN, "name": "N"}']
    text = "\n".join(lines) if form == "jsonl" else "[\n" + ",\n".join(lines) + "\n]"
    contract = make_contract({"id": {"required": True}, "name": {}}, delivery={"format": form})
    outcome = stage(text.encode(), contract, quarantine_stop_share=0.9)
    assert [row["id"] for row in outcome.rows] == ["1"]
    assert {(row["rule"], row["reason"]) for row in outcome.aside} == {
        (
            "nan_value",
            "a field holds NaN or Infinity, which is no value: have null written (delivered: name)",
        ),
        (
            "nan_value",
            "a field holds NaN or Infinity, which is no value: have null written (delivered: id)",
        ),
    }
    assert conserved(outcome)


@pytest.mark.parametrize("form", ["json", "jsonl", "array"])
def test_a_text_that_says_nan_is_a_text(stage: Stage, form: str) -> None:
    lines = ['{"id": "1", "name": "NaN"}', '{"id": "2", "name" : NaN }', '{"id": "NaN"}']
    columns: dict[str, Any] = {"id": {"required": True}, "name": {}}
    text = "\n".join(lines) if form == "jsonl" else "[\n" + ",\n".join(lines) + "\n]"
    if form == "array":
        text = "\n".join(f'{{"parts": [{line}]}}' for line in lines)
        columns = {name: {**keys, "from": f"parts[].{name}"} for name, keys in columns.items()}
    contract = make_contract(columns, delivery={"format": "json" if form == "json" else "jsonl"})
    outcome = stage(text.encode(), contract, quarantine_stop_share=0.9)
    assert [(row["id"], row["name"]) for row in outcome.rows] == [("1", "NaN"), ("NaN", None)]
    assert [row["rule"] for row in outcome.aside] == ["nan_value"]
    assert conserved(outcome)


@pytest.mark.parametrize("constant", ["nan", "-NaN", "Infinity", "-inf", "NAN"])
@pytest.mark.parametrize("place", ["name", "list"])
def test_no_spelling_of_no_number_becomes_a_text(stage: Stage, constant: str, place: str) -> None:
    columns = {"id": {}, "name": {"from": "names[1]"} if place == "list" else {}}
    names = ["Nan", "x: nan, y", "Infinity"]
    written = [json.dumps(name) for name in names] + [constant]
    if place == "list":
        written = [f'["a", {name}]' for name in written]
    key = "names" if place == "list" else "name"
    lines = [f'{{"id": "{n}", "{key}": {name}}}' for n, name in enumerate(written)]
    contract = make_contract(columns, delivery={"format": "jsonl"})
    outcome = stage("\n".join(lines).encode(), contract, quarantine_stop_share=0.9)
    assert [row["name"] for row in outcome.rows] == names
    assert [row["rule"] for row in outcome.aside] == ["nan_value"]
    assert conserved(outcome)


def test_of_an_archive_of_many_files_the_list_is_read_a_few_times(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for number in range(200):
            archive.writestr(f"{number:03}.csv", f"{HEADER}{number},Ann,1.50\n")
    opened: list[int] = []
    real = zipfile.ZipFile.__init__

    def counted(*args: Any, **kwargs: Any) -> None:
        opened.append(1)
        real(*args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", counted)
    outcome = stage(held.getvalue(), make_contract(COLUMNS), name="orders.zip")
    assert (outcome.status, len(outcome.rows)) == ("loaded", 200)
    assert len(opened) < 5


@pytest.mark.parametrize("encoding", ["utf-7", "shift_jis", "klingon", "rot13", "punycode"])
def test_xml_in_letters_that_the_parser_cannot_take_is_refused(stage: Stage, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><all><row><id>1</id></row></all>'
    contract = make_contract({"id": {}}, delivery={"format": "xml", "records": "row"})
    outcome = stage(text.encode(), contract, name="orders.xml")
    assert outcome.status == "refused"
    assert "names an encoding we do not know" in outcome.notes.reason


def test_a_broken_column_is_named_without_what_stands_in_it(stage: Stage) -> None:
    held = io.BytesIO()
    table = pa.table({"id": ["1"], "name": ['jane "j" doe@example.com'], "amount": [1.5]})
    parquet.write_table(
        table, held, compression="none", use_dictionary=False, write_statistics=False
    )
    data = held.getvalue().replace(b"doe@", b"d\xb9e@")
    contract = make_contract(COLUMNS, delivery={"format": "parquet"})
    outcome = stage(data, contract, name="orders.parquet")
    assert outcome.status == "refused"
    assert "not valid UTF8" in outcome.notes.reason
    assert "Have it sent again" in outcome.notes.reason
    for told in ("jane", "example.com", "orders.parquet"):
        assert told not in outcome.notes.reason


def test_a_line_of_json_beyond_any_buffer_is_named(stage: Stage) -> None:
    data = b'{"id": "1"}\n{"id": "2", "name": "' + b"x" * 31_000_000 + b'"}\n'
    contract = make_contract(COLUMNS, delivery={"format": "jsonl"})
    outcome = stage(data, contract, name="orders.jsonl")
    assert outcome.status == "refused"
    assert "line 2 is longer than 30 MB" in outcome.notes.reason


def test_a_return_after_a_plain_quote_before_megabytes_stops_no_night(stage: Stage) -> None:
    data = b'id,name,amount\n1,5" a\rb,1\n' + b"2,sound,1\n" * 900_000
    outcome = stage(data, make_contract(COLUMNS))
    assert outcome.status == "refused"
    assert "quotes and line ends" in outcome.notes.reason
