"""Staging: types, formats, conservation, and that nothing is done twice."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cdp_pipeline.core.errors import ConfigError, ContractError
from cdp_pipeline.ingest import landing, rejections, staging
from tests.unit.ingest.conftest import Stage, Store, make_contract

RELAXED = [HealthCheck.function_scoped_fixture]
BLANKS = " \u00a0\u200b\u2060\ufeff"
AT_ENDS = re.compile(
    rf"\A[{BLANKS}]*[{BLANKS[1:]}][{BLANKS}]*|[{BLANKS}]*[{BLANKS[1:]}][{BLANKS}]*\Z"
)
FIELD = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n",;'),
    max_size=12,
)


def _lines(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def _one(stage: Stage, column: dict[str, Any], text: str, **delivery: Any) -> Any:
    contract = make_contract({"id": {}, "value": column}, delivery=delivery)
    quoted = '"' + text.replace('"', '""') + '"'
    outcome = stage(_lines("id,value", f"1,{quoted}"), contract)
    assert outcome.status == "loaded"
    if outcome.aside:
        return outcome.aside[0]["rule"]
    return outcome.rows[0]["value"]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ({"type": "integer"}, " 42 ", 42),
        ({"type": "integer"}, "-7", -7),
        ({"type": "integer"}, "1.0", "value_type"),
        ({"type": "decimal"}, "+5.1", Decimal("5.10")),
        ({"type": "decimal"}, ".5", Decimal("0.50")),
        ({"type": "decimal", "strip": "£$"}, "-$3.00", Decimal("-3.00")),
        ({"type": "decimal", "strip": "£$"}, "£8.00", Decimal("8.00")),
        ({"type": "decimal", "decimals": 0}, "8.50", "value_type"),
        ({"type": "number"}, "1.234567", Decimal("1.234567")),
        ({"type": "number"}, "1.2345678", "value_type"),
        ({"type": "number", "decimals": 3}, "1.2345", "value_type"),
        ({"type": "number", "decimals": 3}, "1.234000", Decimal("1.234000")),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "boolean"}, "perhaps", "value_type"),
        ({"type": "boolean", "true_values": ["A"], "false_values": ["I"]}, "i", False),
        ({"type": "date"}, "2026-11-20", date(2026, 11, 20)),
        ({"type": "date"}, "20.11.2026", "value_type"),
        ({"type": "date", "format": "%d.%m.%Y"}, "20.11.2026", date(2026, 11, 20)),
        ({"type": "date", "format": "%d.%m.%Y"}, "20.11.26", "value_type"),
        ({"type": "date", "null_values": ["1900-01-01"]}, "1900-01-01", None),
        ({"type": "timestamp"}, "2026-07-01 12:00", datetime(2026, 7, 1, 12)),  # noqa: DTZ001 - UTC
        (
            {"type": "timestamp", "time_zone": "Europe/London"},
            "2026-07-01 12:00",
            datetime(2026, 7, 1, 11),  # noqa: DTZ001 - UTC
        ),
        (
            {"type": "timestamp", "format": "%m/%d/%Y %H:%M"},
            "5/31/2016 0:37",
            datetime(2016, 5, 31, 0, 37),  # noqa: DTZ001 - UTC
        ),
        (
            {"type": "timestamp", "format": "%Y-%m-%d %H:%M:%S %z"},
            "2026-05-01 10:00:00 +0200",
            datetime(2026, 5, 1, 8),  # noqa: DTZ001 - UTC
        ),
        ({"strip": "'"}, "'1234AB", "1234AB"),
        ({}, "  kept as it is ", "  kept as it is "),
        ({}, "   ", None),
        ({"null_values": ["n/a"]}, " n/a", None),
        ({"values": ["a", "b"]}, "c", "value_in_set"),
        ({"pattern": "[0-9]{4}"}, "12345", "value_matches"),
        ({"pattern": "[0-9]{4}"}, "0042", "0042"),
        ({"type": "integer", "min": 1, "max": 5}, "6", "value_between"),
        ({"required": True}, "", "value_not_null"),
    ],
)
def test_a_text_becomes_its_type_or_breaks_a_rule(
    stage: Stage, column: dict[str, Any], text: str, value: object
) -> None:
    assert _one(stage, column, text) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.50CR", Decimal("-12.50")),
        ("1,012.50 cr", Decimal("-1012.50")),
        ("Cr 12.50", Decimal("-12.50")),
        ("12.50 DR", Decimal("12.50")),
        ("12.50", Decimal("12.50")),
        ("(12.50)", Decimal("-12.50")),
        ("12.50-", Decimal("-12.50")),
        ("-12.50CR", "value_type"),
        ("12.50CRDR", "value_type"),
        ("CR", "value_type"),
    ],
)
def test_words_stand_for_a_sign_where_they_are_declared(
    stage: Stage, text: str, expected: object
) -> None:
    column = {"type": "decimal", "thousands_mark": ",", "signs": {"CR": "-", "DR": "+"}}
    assert _one(stage, column, text) == expected


@pytest.mark.parametrize("written", [{"type": "text"}, {"type": "decimal", "word": "C|R"}])
def test_signs_are_words_of_numbers(written: dict[str, Any]) -> None:
    word = written.pop("word", "CR")
    with pytest.raises(ValidationError, match="signs"):
        make_contract({"id": {}, "value": {**written, "signs": {word: "-"}}})


@pytest.mark.parametrize(
    ("text", "decimal_mark", "thousands_mark", "value"),
    [
        ("1.234,5", ",", ".", Decimal("1234.50")),
        ("1,234.50", ".", ",", Decimal("1234.50")),
        ("12,34.50", ".", ",", "value_type"),
        ("1\u202f234,5", ",", " ", Decimal("1234.50")),
        ("1'234.50", ".", "'", Decimal("1234.50")),
    ],
)
def test_marks_of_numbers_are_those_declared(
    stage: Stage, text: str, decimal_mark: str, thousands_mark: str, value: object
) -> None:
    marks = {"decimal_mark": decimal_mark, "thousands_mark": thousands_mark}
    assert _one(stage, {"type": "decimal"}, text, **marks) == value


def test_json_lines_follow_paths_and_keep_texts(stage: Stage) -> None:
    contract = make_contract(
        {
            "id": {},
            "agreed": {"from": "consent.email", "type": "boolean"},
            "number": {"aliases": ["nr"]},
            "amount": {"type": "decimal"},
        },
        delivery={"format": "jsonl"},
    )
    lines = [
        {"id": "1", "consent": {"email": True}, "number": "007", "amount": 12.5},
        {"id": "2", "consent": None, "nr": "008", "new": 1},
    ]
    data = _lines(*map(json.dumps, lines), '{"id": "3"', "", "[1]", '"text"')
    outcome = stage(data, contract, quarantine_stop_share=0.9)
    found = [(r["id"], r["agreed"], r["number"], r["amount"], r["_line"]) for r in outcome.rows]
    assert found == [
        ("1", True, "007", Decimal("12.50"), 1),
        ("2", None, "008", None, 2),
    ]
    assert [(r["line"], r["rule"]) for r in outcome.aside] == [
        (3, "not_a_record"),
        (5, "not_a_record"),
        (6, "not_a_record"),
    ]
    assert outcome.notes.messages[0].startswith("unknown columns 'new'")


def test_a_json_array_is_refused_with_the_remedy(stage: Stage) -> None:
    contract = make_contract({"id": {}}, delivery={"format": "jsonl"})
    outcome = stage(b'[{"id": "1"},\n{"id": "2"}]\n', contract)
    assert outcome.status == "refused"
    assert "one object a line" in outcome.notes.reason


def test_a_required_key_that_no_object_has_is_refused_with_a_suggestion(stage: Stage) -> None:
    contract = make_contract({"event_id": {"required": True}}, delivery={"format": "jsonl"})
    outcome = stage(b'{"eventid": "1"}\n', contract)
    assert "Did you mean 'eventid' for event_id?" in outcome.notes.reason


def test_an_empty_file_of_json_lines_is_a_night_without_events(stage: Stage) -> None:
    contract = make_contract({"id": {}}, delivery={"format": "jsonl"})
    outcome = stage(b"", contract)
    assert (outcome.status, outcome.notes.records) == ("loaded", 0)
    assert outcome.notes.messages == ("the file holds no records",)


def test_parquet_is_read_by_name_and_judged_like_text(stage: Stage, tmp_path: Any) -> None:
    path = tmp_path / "x.parquet"
    duckdb.sql(
        "select unnest([1, 2]) as \"ID\", {'email': 'a@b'} as contact, 1.5::double as amount, "
        "timestamptz '2026-07-01 10:00+02' as seen, unnest(['x', null]) as needed"
    ).write_parquet(str(path))
    contract = make_contract(
        {
            "id": {},
            "email": {"from": "contact.email"},
            "amount": {"type": "decimal"},
            "seen": {"type": "timestamp"},
            "needed": {"required": True},
        },
        delivery={"format": "parquet"},
    )
    outcome = stage(path.read_bytes(), contract, name="x.parquet")
    assert [(r["id"], r["email"], r["amount"], r["seen"]) for r in outcome.rows] == [
        ("1", "a@b", Decimal("1.50"), datetime(2026, 7, 1, 8)),  # noqa: DTZ001 - UTC
    ]
    assert outcome.notes.rules == {"needed_not_null": 1}
    assert stage(b"PAR1 and no more", contract, name="y.parquet").status == "refused"


def test_one_bad_row_never_condemns_a_file_but_too_many_do(stage: Stage) -> None:
    contract = make_contract({"id": {}, "n": {"type": "integer"}})
    assert stage(_lines("id,n", "1,x"), contract).status == "loaded"
    refused = stage(_lines("id,n", "1,x", "2,y", *(f"{i},1" for i in range(3, 11))), contract)
    assert refused.status == "refused"
    assert (refused.notes.records, refused.notes.quarantined) == (10, 10)
    tolerated = stage(
        _lines("id,n", "1,x", "2,y", *(f"{i},1" for i in range(3, 11))),
        contract,
        quarantine_stop_share=0.5,
    )
    assert (tolerated.status, len(tolerated.rows)) == ("loaded", 8)


def test_more_rejected_records_than_memory_holds_refuse_a_file_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "_MOST_REJECTED", 3)
    contract = make_contract({"id": {}, "n": {"type": "integer"}})
    refused = stage(_lines("id,n", *(f"{i},1,1" for i in range(5)), "6,1"), contract)
    assert refused.status == "refused"
    assert "5 of 6 records cannot be taken apart" in refused.notes.reason


def test_a_missing_optional_column_is_null(stage: Stage) -> None:
    contract = make_contract({"id": {}, "extra": {"optional": True, "type": "date"}})
    assert stage(_lines("id", "1", "2"), contract).rows[1]["extra"] is None


@pytest.mark.parametrize("ignore", [[], ["diagnosis"]])
def test_what_no_contract_declares_is_stored_nowhere(stage: Stage, ignore: list[str]) -> None:
    contract = make_contract({"id": {}, "n": {"type": "integer"}}, ignore=ignore)
    outcome = stage(_lines("id,n,diagnosis", "1,1,gout", "2,x,gout"), contract)
    assert set(outcome.rows[0]) == {"id", "n", "_file", "_line", "_item", "_business_date"}
    assert "gout" not in str(outcome)
    dropped = [text for text in outcome.notes.messages if "diagnosis" in text]
    assert len(dropped) == (0 if ignore else 1)
    nested = contract.model_copy(
        update={"delivery": contract.delivery.model_copy(update={"format": "jsonl"})}
    )
    data = b'{"id": "1", "n": 1, "diagnosis": "gout"}\n{"id": "2", "n": "x", "diagnosis": "gout"}\n'
    assert "gout" not in str(stage(data, nested, name="a.jsonl"))


def test_ignored_columns_may_be_named_by_pattern(stage: Stage) -> None:
    contract = make_contract({"id": {}}, ignore=["tax * value"])
    outcome = stage(_lines("id,Tax 1 Value,Tax 2 Value", "1,2,3"), contract)
    assert outcome.notes.messages == ()


def test_an_unknown_encoding_is_a_mistake_of_the_contract() -> None:
    with pytest.raises(ValidationError, match="no encoding 'utf8-ish'"):
        make_contract({"id": {}}, delivery={"encoding": "utf8-ish"})


def test_records_of_several_types_are_read_by_filling_short_rows(stage: Stage) -> None:
    contract = make_contract(
        {
            "kind": {"required": True},
            "number": {},
            "third": {},
            "fourth": {},
            "amount": {"type": "decimal", "value": "case when kind = 'L' then fourth end"},
        },
        delivery={
            "header": False,
            "delimiter": "|",
            "short_rows": "fill",
            "fill_down": {"starts": "third", "columns": ["third"]},
        },
        load={"mode": "append", "key": ["_file", "_line"]},
    )
    outcome = stage(b"R|17|LEEDS\nL|1||12.50\nL|2||7.50\nR|18|YORK\nL|1||1.00\n", contract)
    assert outcome.status == "loaded", outcome.notes.reason
    assert [(r["kind"], r["third"], str(r["amount"])) for r in outcome.rows] == [
        ("R", "LEEDS", "None"),
        ("L", "LEEDS", "12.50"),
        ("L", "LEEDS", "7.50"),
        ("R", "YORK", "None"),
        ("L", "YORK", "1.00"),
    ]


def test_fixed_width_is_one_column_cut_by_expressions(stage: Stage) -> None:
    contract = make_contract(
        {
            "line": {},
            "receipt": {"value": "trim(substring(line, 1, 6))"},
            "day": {"type": "date", "value": "try_strptime(substring(line, 7, 8), '%Y%m%d')"},
            "amount": {"type": "decimal", "value": "cast(substring(line, 15, 9) as decimal) / 100"},
        },
        delivery={"header": False, "delimiter": "\x1f", "quote": ""},
        load={"mode": "append", "key": ["receipt"]},
    )
    outcome = stage(b"00017 20261120000001250\n00018 20261120-00000999\n", contract)
    assert [(r["receipt"], str(r["day"]), str(r["amount"])) for r in outcome.rows] == [
        ("00017", "2026-11-20", "12.50"),
        ("00018", "2026-11-20", "-9.99"),
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(
    rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=6),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_all_that_is_seen_of_a_text_survives_csv_bit_by_bit(
    stage: Stage, rows: list[tuple[str, str]], quoting: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=quoting)
    writer.writerow(["id", "left", "right"])
    writer.writerows([number, *row] for number, row in enumerate(rows))
    outcome = stage(text.getvalue().encode(), make_contract({"id": {}, "left": {}, "right": {}}))
    assert outcome.status == "loaded", outcome.notes.reason
    seen = [[AT_ENDS.sub("", value) for value in row] for row in rows]
    expected = [tuple(v if v.strip(" ") else None for v in row) for row in seen]
    assert [(r["left"], r["right"]) for r in outcome.rows] == expected


@settings(max_examples=40, deadline=None, suppress_health_check=RELAXED)
@given(
    body=st.lists(
        st.sampled_from(
            ["1,2", "1", "1,2,3", '"1",2', '"1"x,2', '"a\nb",2', "x,y", "", '5" tv,1', '"open,1']
        ),
        max_size=12,
    )
)
@example(body=["", "", "", "1", "1"])  # empty lines before a rejected one, found once
def test_every_record_is_accepted_set_aside_or_refused(stage: Stage, body: list[str]) -> None:
    contract = make_contract({"id": {}, "n": {"type": "integer"}})
    outcome = stage(_lines("id,n", *body), contract, quarantine_stop_share=1.0)
    if outcome.status == "refused":
        assert outcome.notes.reason
        assert outcome.rows == []
    else:
        notes = outcome.notes
        assert notes.accepted == len(outcome.rows)
        assert sum(notes.rules.values()) == len(outcome.aside) == notes.quarantined
        assert notes.records == notes.accepted + notes.quarantined


def _declare_orders(store: Store, **delivery: object) -> None:
    store.declare(
        "orders",
        {
            "title": "Orders",
            "owner": "tests",
            "delivery": {"path": "orders/*", "format": "csv", **delivery},
            "load": {"mode": "append", "key": ["id"]},
            "columns": {"id": {}, "n": {"type": "integer"}},
            "feeds": [{"entity": "products", "columns": {"sku": "id"}}],
        },
    )


def test_staged_files_are_made_once(store: Store) -> None:
    _declare_orders(store)
    store.deliver("orders/20261120.csv", "id,n\n1,1\n")
    store.night()
    staged = sorted((store.root / "data" / "staging").rglob("*.parquet"))
    before = [(path, path.stat().st_mtime_ns) for path in staged]
    store.night()
    assert [(path, path.stat().st_mtime_ns) for path in staged] == before
    assert len(before) == 1


def test_a_changed_contract_reads_the_file_again(store: Store) -> None:
    _declare_orders(store)
    store.deliver("orders/20261120.csv", "id,n\n1,1\n2,x\n")
    assert store.night().rows_set_aside == 1
    _declare_orders(store, null_values=["", "x"])
    assert store.night().rows_set_aside == 0


def test_a_refused_file_kills_the_night_only_if_its_source_is_required(store: Store) -> None:
    _declare_orders(store)
    store.deliver("orders/20261120.csv", "wrong;header\n1;1\n")
    assert store.night().rows_in == 0
    assert store.ledger()[0][1] == "refused"
    _declare_orders(store, required=True)
    with pytest.raises(ContractError, match="its delivery is refused"):
        store.night()


def test_a_file_that_changes_during_the_night_is_noticed(store: Store) -> None:
    _declare_orders(store)
    path = store.deliver("orders/20261120.csv", "id,n\n1,1\n")
    landing.run(store.context())
    path.write_text("id,n\n1,1\n2,2\n", encoding="utf-8")
    with pytest.raises(ContractError, match="has changed since the night began"):
        staging.run(store.context(), source="orders")


def test_an_unknown_source_is_named(store: Store) -> None:
    _declare_orders(store)
    with pytest.raises(ConfigError, match="no source 'ordres'"):
        staging.run(store.context(), source="ordres")


def test_lines_around_the_records_may_end_as_old_macs_end_them(stage: Stage) -> None:
    contract = make_contract(
        {"id": {}},
        delivery={
            "skip_lines": 2,
            "trailer_lines": 1,
            "control": {"from": "trailer", "pattern": r"^T (?P<rows>\d+)$"},
        },
    )
    for end in ("\r", "\n", "\r\n"):
        data = end.join(["Report", "", "id", "1", "2", "T 2", ""]).encode()
        outcome = stage(data, contract)
        assert [(row["id"], row["_line"]) for row in outcome.rows] == [("1", 4), ("2", 5)]


def test_a_line_feed_within_a_cell_is_no_end_of_an_old_macs_lines(stage: Stage) -> None:
    contract = make_contract({"id": {}, "note": {}}, delivery={"skip_lines": 1, "trailer_lines": 1})
    rows = [f"{number},plain" for number in range(30)]
    rows[9] = '9,"two\nlines"'
    outcome = stage("\r".join(["Report", "id,note", *rows, "END", ""]).encode(), contract)
    assert [row["id"] for row in outcome.rows] == [str(number) for number in range(30)]
    assert outcome.rows[9]["note"] == "two\nlines"


@pytest.mark.parametrize("declared", ["utf-16", "utf-8"])
@pytest.mark.parametrize("real", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_refused_with_the_name_to_declare(
    stage: Stage, declared: str, real: str
) -> None:
    data = "id,name\n1,Zoë\n".encode(real)
    columns: dict[str, Any] = {"id": {}, "name": {}}
    refused = stage(data, make_contract(columns, delivery={"encoding": declared}))
    assert refused.status == "refused"
    assert f"Set `encoding: {real}`" in (refused.notes.reason or "")
    outcome = stage(data, make_contract(columns, delivery={"encoding": real}))
    assert [row["name"] for row in outcome.rows] == ["Zoë"]


@pytest.mark.parametrize("name", ["ORDERS.CSV.GZ", "ORDERS.ZIP"])
def test_suffixes_of_compressed_files_may_be_in_capitals(stage: Stage, name: str) -> None:
    data = gzip.compress(b"id\n1\n", mtime=0)
    if name.endswith(".ZIP"):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as target:
            target.writestr("orders.csv", "id\n1\n")
        data = archive.getvalue()
    outcome = stage(data, make_contract({"id": {}}), name=name)
    assert [row["id"] for row in outcome.rows] == ["1"]
