"""Nested formats: JSON arrays and lines, XML, Parquet with lists; every record accounted for."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp_pipeline.ingest.documents import Documents, array_to_documents
from cdp_pipeline.project.record_paths import Step, parse_path
from tests.unit.ingest.conftest import Outcome, Stage, make_contract

ORDERS: list[dict[str, Any]] = [
    {"id": "1", "customer": {"email": "a@x"}, "items": [{"sku": "007", "n": 2}, {"sku": "8"}]},
    {"id": "2", "customer": None, "items": []},
    {"id": "3"},
    {"id": "4", "items": {"sku": "9", "n": 1}},
]
COLUMNS: dict[str, Any] = {
    "id": {"required": True},
    "email": {"from": "customer.email"},
    "sku": {"from": "items[].sku"},
    "n": {"from": "items[].n", "type": "integer"},
    "first": {"from": "items[0].sku"},
}
LINES = [
    ("1", "a@x", "007", 2, "007", 1, 1),
    ("1", "a@x", "8", None, "007", 2, 2),
    ("2", None, None, None, None, 3, None),
    ("3", None, None, None, None, 4, None),
    ("4", None, "9", 1, None, 5, 1),
]


def lines_of(outcome: Outcome) -> list[tuple[Any, ...]]:
    assert outcome.status == "loaded", outcome.notes.reason
    names = ("id", "email", "sku", "n", "first", "_line", "_item")
    return [tuple(row[name] for name in names) for row in outcome.rows]


def json_contract(**delivery: Any) -> Any:
    return make_contract(
        COLUMNS,
        load={"mode": "append", "key": ["id", "_item"]},
        delivery={"format": "json", **delivery},
    )


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_becomes_a_row_for_each_element(stage: Stage, indent: int | None) -> None:
    data = json.dumps(ORDERS, indent=indent).encode()
    # An object where an array is expected is one element; a key of the array itself is none.
    assert lines_of(stage(data, json_contract())) == LINES
    nested = json.dumps({"count": 4, "data": {"x": [], "rows": ORDERS}, "next": None}).encode()
    assert lines_of(stage(nested, json_contract(records="data.rows"))) == LINES
    assert lines_of(stage(b"\xef\xbb\xbf" + data, json_contract())) == LINES


SHIPPED: list[dict[str, Any]] = [
    {
        "id": "1",
        "parcels": [
            {"no": "p1", "box": {"items": [{"sku": "007"}, {"sku": "8"}]}},
            {"no": "p2", "box": {"items": []}},
        ],
    },
    {"id": "2", "parcels": [{"no": "p3", "box": {"items": [{"sku": "9"}]}}]},
    {"id": "3", "parcels": []},
    {"id": "4"},
]
IN_PARCELS = [
    ("1", "p1", "007", 1),
    ("1", "p1", "8", 2),
    ("1", "p2", None, 3),
    ("2", "p3", "9", 1),
    ("3", None, None, None),
    ("4", None, None, None),
]


def shipped_contract(**delivery: Any) -> Any:
    columns = {
        "id": {"required": True},
        "parcel": {"from": "parcels[].no"},
        "sku": {"from": "parcels[].box.items[].sku"},
    }
    return make_contract(
        columns, load={"mode": "append", "key": ["id", "_line"]}, delivery=delivery
    )


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet", "xml"])
def test_arrays_within_arrays_become_a_row_for_each_innermost_element(
    stage: Stage, tmp_path: Path, form: str
) -> None:
    if form == "parquet":
        source, path = tmp_path / "a.jsonl", tmp_path / "a.parquet"
        source.write_text("\n".join(map(json.dumps, SHIPPED)), encoding="utf-8")
        duckdb.sql(f"from read_json('{source}', format = 'newline_delimited')").write_parquet(
            str(path)
        )
        outcome = stage(path.read_bytes(), shipped_contract(format=form), name="a.parquet")
    elif form == "xml":
        text = "".join(
            f"<order><id>{o['id']}</id>"
            + "".join(
                f"<parcels><no>{p['no']}</no><box>"
                + "".join(f"<items><sku>{i['sku']}</sku></items>" for i in p["box"]["items"])
                + "</box></parcels>"
                for p in o.get("parcels", [])
            )
            + "</order>"
            for o in SHIPPED
        )
        contract = shipped_contract(format=form, records="order")
        outcome = stage(f"<export>{text}</export>".encode(), contract)
    else:
        text = json.dumps(SHIPPED) if form == "json" else "\n".join(map(json.dumps, SHIPPED))
        outcome = stage(text.encode(), shipped_contract(format=form))
    assert outcome.status == "loaded", outcome.notes.reason
    found = [(r["id"], r["parcel"], r["sku"], r["_item"]) for r in outcome.rows]
    assert found == IN_PARCELS
    assert outcome.notes.records == len(IN_PARCELS)


def test_arrays_beside_each_other_are_two_ways_of_becoming_rows() -> None:
    columns = {"id": {}, "a": {"from": "x[].y[].z"}, "b": {"from": "x[].w[].z"}}
    with pytest.raises(ValidationError, match="in one way only"):
        make_contract(columns, delivery={"format": "json"})


def test_json_lines_and_parquet_become_the_same_rows(stage: Stage, tmp_path: Path) -> None:
    text = "\n".join(map(json.dumps, ORDERS)).encode()
    assert lines_of(stage(text, json_contract(format="jsonl"))) == LINES
    path = tmp_path / "orders.parquet"
    source = tmp_path / "orders.jsonl"
    source.write_text("\n".join(json.dumps(o) for o in ORDERS[:3]), encoding="utf-8")
    duckdb.sql(f"from read_json('{source}', format = 'newline_delimited')").write_parquet(str(path))
    outcome = stage(path.read_bytes(), json_contract(format="parquet"), name="orders.parquet")
    assert lines_of(outcome) == LINES[:4]


def test_what_is_set_aside_names_the_line_of_its_record(stage: Stage) -> None:
    orders = [*ORDERS, {"items": [{"sku": "1"}, {"sku": "2", "n": "two"}]}, 7]
    text = "[\n" + ",\n".join(map(json.dumps, orders)) + "\n]"
    outcome = stage(text.encode(), json_contract(), quarantine_stop_share=1.0)
    assert [(r["line"], r["rules"]) for r in outcome.aside] == [
        (6, "id_not_null"),
        (6, "n_type,id_not_null"),
        (7, "not_a_record,id_not_null"),
    ]
    assert json.loads(outcome.aside[2]["raw"]) == {"_text": "7"}
    assert outcome.notes.records == 8


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (json.dumps(ORDERS).encode()[:-1], "ends too early"),
        (json.dumps(ORDERS).encode()[:40], "ends too early"),
        (b'[{"id": "1"} {"id": "2"}]', "a comma or ] is missing"),
        (b'[{"id": "1"}] {"id": "2"}', "text follows its end"),
        (b'[{"id": nan}]', "cannot be read"),
        (b'[{"id": "1"},, ]', "cannot be read"),
        (b'{"id": "1"}', "holds no array at its root"),
        (b'[{"id": "\xff"}]', "not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"", "holds no array"),
        (b"\x00\x01\x02", "holds no array"),
    ],
)
def test_a_text_that_is_no_json_array_is_refused_whole(
    stage: Stage, data: bytes, cause: str
) -> None:
    outcome = stage(data, json_contract())
    assert outcome.status == "refused"
    assert cause in outcome.notes.reason


def test_an_element_of_pairs_is_found_by_its_key(stage: Stage) -> None:
    contract = make_contract(
        {
            "id": {},
            "page": {"from": "params[key=page].value.string_value"},
            "session": {
                "from": "params[key=session].value.int_value",
                "aliases": ["params[key=session].value.string_value"],
            },
        },
        delivery={"format": "jsonl"},
    )
    params = [
        {"key": "page", "value": {"string_value": "/x"}},
        {"key": "session", "value": {"int_value": "17"}},
    ]
    rows = [{"id": "1", "params": params}, {"id": "2", "params": []}, {"id": "3", "params": 5}]
    outcome = stage("\n".join(map(json.dumps, rows)).encode(), contract)
    assert [(r["page"], r["session"]) for r in outcome.rows] == [
        ("/x", "17"),
        (None, None),
        (None, None),
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        max_size=8,
    ),
    size=st.integers(1, 7),
)
def test_a_json_array_is_cut_at_its_elements_wherever_reading_pauses(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], size: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    source, target = folder / "in", folder / "out"
    source.write_text(json.dumps(values, ensure_ascii=False, indent=size), encoding="utf-8")
    documents = Documents(target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdp_pipeline.ingest.documents._CHUNK", size)
        array_to_documents(source, documents, place=[])
    cut = [json.loads(line) for line in target.read_text("utf-8").split("\n")[:-1]]
    assert len(cut) == len(documents.lines) == len(values)
    for found, value in zip(cut, values, strict=True):
        assert found == value or not isinstance(value, dict)


POSLOG = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE POSLog>
<p:POSLog xmlns:p="http://www.nrf-arts.org/IXRetail/namespace/" xmlns:dtv="urn:x">
 <p:Header><Transaction>not one of ours</Transaction></p:Header>
 <p:Transaction>
  <BusinessUnit><UnitID>S1</UnitID></BusinessUnit><p:SequenceNumber>7</p:SequenceNumber>
  <RetailTransaction>
   <LineItem EntryMethod="Scanned"><Sale><ItemID>007</ItemID>
   <Description>T\xe9a &amp; <![CDATA[<b>]]>
</Description><Amount>10.00</Amount></Sale></LineItem>
   <LineItem VoidFlag="true"><Return><ItemID>8</ItemID><Amount>2.50</Amount></Return></LineItem>
   <Total TotalType="Gross">12.50</Total><Total TotalType="Net">7.50</Total>
  </RetailTransaction>
 </p:Transaction>
 <p:Transaction><p:SequenceNumber>8</p:SequenceNumber></p:Transaction>
</p:POSLog>
"""
XML_COLUMNS: dict[str, Any] = {
    "number": {"from": "SequenceNumber", "required": True},
    "store": {"from": "BusinessUnit.UnitID"},
    "net": {"from": "RetailTransaction.Total[@TotalType=Net]", "type": "decimal"},
    "sku": {
        "from": "RetailTransaction.LineItem[].Sale.ItemID",
        "aliases": ["RetailTransaction.LineItem[].Return.ItemID"],
    },
    "text": {"from": "RetailTransaction.LineItem[].Sale.Description"},
    "is_void": {"from": "RetailTransaction.LineItem[].@VoidFlag", "type": "boolean"},
}


def xml_contract(**delivery: Any) -> Any:
    return make_contract(
        XML_COLUMNS,
        load={"mode": "append", "key": ["number", "_item"]},
        ignore=["RetailTransaction"],
        delivery={"format": "xml", "records": "Transaction", **delivery},
    )


def test_line_items_of_xml_become_rows(stage: Stage) -> None:
    text = POSLOG.replace("<Transaction>not one of ours</Transaction>", "")
    outcome = stage(text.encode("latin-1"), xml_contract())
    assert outcome.status == "loaded", outcome.notes.reason
    assert [tuple(row[name] for name in XML_COLUMNS) for row in outcome.rows] == [
        ("7", "S1", Decimal("7.50"), "007", "Téa & <b>", None),
        ("7", "S1", Decimal("7.50"), "8", None, True),
        ("8", None, None, None, None, None),
    ]
    assert outcome.notes.messages == ()


def test_an_xml_record_that_is_none_of_ours_is_set_aside_with_its_line(stage: Stage) -> None:
    outcome = stage(POSLOG.encode("latin-1"), xml_contract())
    assert [(r["line"], r["rule"]) for r in outcome.aside] == [(4, "number_not_null")]
    assert outcome.notes.records == 4


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    "<POSLog><Transaction><SequenceNumber>&b;</SequenceNumber></Transaction></POSLog>"
)
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><POSLog>&a;</POSLog>'


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (POSLOG[:700], "not well-formed XML"),
        (POSLOG + "<x/>", "not well-formed XML"),
        ("<html><br></html>", "not well-formed XML"),
        ("", "empty"),
        (BOMB, "XML entities"),
        (FILE, "XML entities"),
        ("<a>" * 5000, "nested more than"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
        ("\x00\x01", "not well-formed XML"),
    ],
)
def test_unsafe_or_broken_xml_is_refused_whole(stage: Stage, text: str, cause: str) -> None:
    outcome = stage(text.encode("latin-1"), xml_contract())
    assert outcome.status == "refused"
    assert cause in outcome.notes.reason


@pytest.mark.parametrize(
    ("records", "text", "others"),
    [
        ("Sale", "<day><sale><id>1</id></sale></day>", "sale"),
        ("p:sale", "<day xmlns:p='x'><p:sale><id>1</id></p:sale></day>", "sale"),
        ("Receipt", "<day><s><n><id>1</id></n><n><id>2</id></n></s></day>", "n"),
        ("Sale", "<day><at>2026-11-01</at><sales/></day>", ""),
        ("Sale", "<Day><key>a</key><key>b</key><head><id>1</id></head></Day>", ""),
        ("day", "<Day/>", ""),
    ],
)
def test_xml_whose_records_are_called_otherwise_is_no_quiet_day(
    stage: Stage, records: str, text: str, others: str
) -> None:
    contract = make_contract({"id": {}}, delivery={"format": "xml", "records": records})
    outcome = stage(text.encode(), contract, name="sales.xml")
    if others:
        assert outcome.status == "refused"
        assert f"it holds no element {records}, but {others}." in outcome.notes.reason
    else:
        assert (outcome.status, outcome.notes.records) == ("loaded", 0), outcome.notes.reason


def test_xml_records_are_cut_wherever_reading_pauses(stage: Stage) -> None:
    one = POSLOG[POSLOG.index(" <p:Transaction>\n") : POSLOG.index(" <p:Transaction><p:Seq")]
    head, tail = POSLOG[: POSLOG.index(" <p:Header>")], "</p:POSLog>"
    text = head + "".join(one.replace(">7<", f">{n}<") for n in range(2000)) + tail
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdp_pipeline.ingest.inflation.CHUNK", 997)
        outcome = stage(text.encode("latin-1"), xml_contract())
    assert (outcome.notes.records, outcome.notes.accepted) == (4000, 4000)
    assert outcome.rows[-1]["_line"] == 4000


@pytest.mark.parametrize(
    "path", ["", "a.", ".a", "a[", "a[x", "a[]b", "a[].b[].c[].d", "a..b", "a[=1"]
)
def test_a_path_that_is_none_is_a_mistake_of_the_contract(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|arrays"):
        parse_path(path)
    if path:
        with pytest.raises(ValidationError):
            make_contract({"id": {"from": path}}, delivery={"format": "jsonl"})


def test_paths_are_taken_apart() -> None:
    assert parse_path('a."b.c"[-1].d[key=v w].@e') == (
        Step("a"),
        Step("b.c", index=-1),
        Step("d", selector=("key", "v w")),
        Step("@e"),
    )


def test_a_record_becomes_rows_in_one_way_only() -> None:
    with pytest.raises(ValidationError, match="in one way only"):
        make_contract(
            {"id": {"from": "a[].id"}, "x": {"from": "b[].x"}}, delivery={"format": "json"}
        )


def test_objects_on_one_line_are_a_record_each_and_a_broken_line_is_one(stage: Stage) -> None:
    contract = make_contract({"id": {}}, delivery={"format": "jsonl"})
    first = "".join(json.dumps({"id": f"a}}{{{n}"}) + " " * (n % 3) for n in range(40))
    lines = [first, '{"id": "d"}7', '{"id": "e"}{"id": ', "", '{"id": "f"}']
    outcome = stage("\n".join(lines).encode(), contract)
    assert [row["id"] for row in outcome.rows] == [*(f"a}}{{{n}" for n in range(40)), "f"]
    assert outcome.notes.records == 43
    assert [row["line"] for row in outcome.aside] == [2, 3]


def test_a_line_longer_than_any_record_is_refused_in_bounded_memory(stage: Stage) -> None:
    text = b'{"id": "' + b"x" * (70 << 20) + b'"}'
    outcome = stage(text, make_contract({"id": {"from": "a[].id"}}, delivery={"format": "jsonl"}))
    assert outcome.notes.status == "refused"
    assert "line 1 is longer than 64 MB" in outcome.notes.reason


SEQUENCES: dict[str, bytes] = {
    "printed": json.dumps({"id": "1", "n": {"m": 1}}, indent=2).encode()
    + b"\n"
    + b'{\n"id": "2"}\n',
    "printed_without_a_break": b'\n{\n"id": "1"}{\n"id": "2"}',
    "separated": b'\x1e{"id": "1"}\n\x1e{"id":\n "2"}\n',
    "separated_with_mark": b'\xef\xbb\xbf\x1e{"id": "1"}\n\x1e{"id": "2"}\n',
    "on_one_line": b'{"id": "1"}{"id": "2"}\n',
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_json_texts_may_follow_each_other_in_any_way(stage: Stage, case: str) -> None:
    outcome = stage(
        SEQUENCES[case], make_contract({"id": {}}, delivery={"format": "jsonl"}), name="a.jsonl"
    )
    assert outcome.status == "loaded"
    assert [row["id"] for row in outcome.rows] == ["1", "2"]


def test_a_broken_text_between_separators_is_set_aside_alone(stage: Stage) -> None:
    data = b'\x1e{"id": "1"}\n\x1e{"id": \n\x1e{"id": "3"}\n'
    outcome = stage(data, make_contract({"id": {}}, delivery={"format": "jsonl"}), name="a.jsonl")
    assert [row["id"] for row in outcome.rows] == ["1", "3"]
    assert [(row["rule"], row["line"]) for row in outcome.aside] == [("not_a_record", 2)]


def test_printed_texts_that_break_off_are_refused_with_the_line(stage: Stage) -> None:
    data = b'{\n"id": "1"\n}\n{\n"id": '
    outcome = stage(data, make_contract({"id": {}}, delivery={"format": "jsonl"}), name="a.jsonl")
    assert outcome.status == "refused"
    assert "line 4" in outcome.notes.reason


@pytest.mark.parametrize("key", [["id"], ["_file", "_line"]])
@pytest.mark.parametrize(
    "listed",
    [
        {"id": ["A1", "A2"], "name": ["x", None]},
        {"id": {"0": "A1", "1": "A2"}, "name": {"0": "x", "1": None}},
        {"id": [f"A{number}" for number in range(9000)], "name": ["x"] * 9000},
    ],
)
def test_json_that_lists_its_columns_is_refused(
    stage: Stage, listed: dict[str, Any], key: list[str]
) -> None:
    load = {"mode": "append", "key": key}
    columns: dict[str, Any] = {"id": {}, "name": {}}
    for form in ("jsonl", "json"):
        contract = make_contract(columns, delivery={"format": form}, load=load)
        outcome = stage(json.dumps(listed).encode(), contract, name="orders.json")
        assert outcome.status == "refused"
        assert "orient='records'" in outcome.notes.reason


def test_a_single_record_may_hold_a_list(stage: Stage) -> None:
    contract = make_contract({"id": {}, "tags": {}}, delivery={"format": "jsonl"})
    outcome = stage(b'{"id": "A1", "tags": ["new", "vip"]}\n', contract, name="orders.jsonl")
    assert [row["tags"] for row in outcome.rows] == ['["new","vip"]']


def test_mixed_text_of_an_element_is_read_whole(stage: Stage) -> None:
    data = (
        b"<List><Item><id>1</id><note>Call <b>Ann <i>Lee</i></b> back</note>"
        b"<street>12 High St<br/>Flat 3</street><sum>\n <net>5</net>\n <tax>1</tax>\n</sum>"
        b"</Item></List>"
    )
    columns = {
        "id": {},
        "note": {},
        "name": {"from": "note.b"},
        "street": {},
        "sum": {},
        "net": {"from": "sum.net"},
    }
    contract = make_contract(columns, delivery={"format": "xml", "records": "Item"})
    (row,) = stage(data, contract, name="orders.xml").rows
    assert [row[name] for name in columns] == [
        "1", "Call Ann Lee back", "Ann Lee", "12 High St Flat 3", None, "5",
    ]  # fmt: skip


def test_mixed_text_within_mixed_text_has_a_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp_pipeline.ingest.markup.MAXIMUM_TEXT", 1 << 20)
    data = b"<L><R><id>1</id>" + b"<a>x" * 60 + b"y" * 50_000 + b"</a>" * 60 + b"</R></L>"
    contract = make_contract({"id": {}}, delivery={"format": "xml", "records": "R"}, ignore=["a"])
    outcome = stage(data, contract, name="orders.xml")
    assert "one R holds more than 1 MB of text" in outcome.notes.reason


def test_a_json_value_nested_too_deep_is_called_that(stage: Stage) -> None:
    data = b'[{"id": "1", "email": ' + b"[" * 20_000 + b"]" * 20_000 + b"}]"
    contract = make_contract({"id": {}, "email": {}}, delivery={"format": "json"})
    outcome = stage(data, contract, name="orders.json")
    assert "a value is nested too deep to be read (line 1)" in outcome.notes.reason


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_whole_numbers_that_a_tool_wrote_as_fractions_are_whole(stage: Stage, form: str) -> None:
    """As from tables in which an identifier met an empty cell; a text stays as it is."""
    records = [
        (
            '{"id": 17850.0, "lines": [{"sku": 7.0, "n": 2.0}, {"sku": "7.0", "n": 1}], '
            '"more": [{"name": "card", "value": 12.0}]}'
        ),
        '{"id": "1.0", "lines": [{"sku": 1.50, "n": -3.0}], "more": [{"name": "card"}]}',
    ]
    contract = make_contract(
        {
            "id": {},
            "sku": {"from": "lines[].sku"},
            "n": {"from": "lines[].n", "type": "integer"},
            "first": {"from": "lines[0].sku"},
            "card": {"from": "more[name=card].value"},
        },
        delivery={"format": form},
        load={"mode": "append", "key": ["id", "_item"]},
    )
    text = "\n".join(records) if form == "jsonl" else f"[{', '.join(records)}]"
    rows = [tuple(row[c] for c in contract.columns) for row in stage(text.encode(), contract).rows]
    assert rows == [
        ("17850", "7", 2, "7", "12"),
        ("17850", "7.0", 1, "7", "12"),
        ("1.0", "1.5", -3, "1.5", None),
    ]


LONG = "1234567890123456.78"


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_numbers_longer_than_binary_fractions_keep_every_digit(stage: Stage, form: str) -> None:
    """A number that no declared type holds is set aside; none is rounded on its way."""
    records = [
        (
            '{"id": 98765432109876543210, "rate": 123456789012.123456, '
            f'"note": "a \\"b\\": {LONG}, \\\\", '
            f'"lines": [{{"net": -{LONG}, "sku": 12345678901234567.5}}, {{"net": 1.10}}]}}'
        ),
        f'{{"id": 3, "lines": {{"net": {LONG}}}, "note": "{LONG}", "rate" :0.30000000000000004}}',
        '{"id": 4, "rate": 1234567890.1234567891}',
        *(f'{{"id": {number}}}' for number in range(5, 25)),
    ]
    contract = make_contract(
        {
            "id": {},
            "rate": {"type": "number"},
            "note": {},
            "net": {"from": "lines[].net", "type": "decimal"},
            "sku": {"from": "lines[].sku"},
        },
        delivery={"format": form},
        load={"mode": "append", "key": ["id", "_item"]},
    )
    text = "\n".join(records) if form == "jsonl" else f"[{', '.join(records)}]"
    outcome = stage(text.encode(), contract)
    rows = [tuple(row[c] for c in contract.columns) for row in outcome.rows][:3]
    rate, long, note = Decimal("123456789012.123456"), Decimal(LONG), f'a "b": {LONG}, \\'
    assert rows == [
        ("98765432109876543210", rate, note, -long, "12345678901234567.5"),
        ("98765432109876543210", rate, note, Decimal("1.10"), None),
        ("3", Decimal("0.3"), LONG, long, None),
    ]
    assert outcome.notes.rules == {"rate_type": 1}


def test_long_whole_numbers_with_a_fraction_of_nothing_are_whole(stage: Stage) -> None:
    """Card numbers have 16 digits; sums of amounts that Java writes have an exponent."""
    numbers = ["123456789012345.0", "-1234567890123456.0", "98765432109876543.00", "7.0"]
    amounts = ["1.2345678299999999E7", "12.00000000000000000e1", "100.000000000000000000", "7.0"]
    records = [
        f'{{"id": {number}, "card": {{"no": [{number}, 9e+22, {number}]}}, "count": {number}, '
        f'"amount":{amount}}}'
        for number, amount in zip(numbers, amounts, strict=True)
    ]
    contract = make_contract(
        {
            "id": {},
            "card": {"from": "card.no[2]"},
            "count": {"type": "integer"},
            "amount": {"type": "decimal"},
        },
        delivery={"format": "jsonl"},
    )
    rows = stage("\n".join(records).encode(), contract).rows
    whole = [number.partition(".")[0] for number in numbers]
    assert [(r["id"], r["card"], r["count"]) for r in rows] == [(w, w, int(w)) for w in whole]
    assert [str(row["amount"]) for row in rows] == ["12345678.30", "120.00", "100.00", "7.00"]
