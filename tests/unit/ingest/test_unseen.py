"""What nobody sees or means: marks at the ends of values, headers among records, filling."""

from __future__ import annotations

import json

import pytest

from tests.unit.ingest.conftest import Stage, make_contract

COLUMNS = {"id": {"required": True}, "day": {"type": "date"}, "note": {}}


@pytest.mark.parametrize("mark", ["\u200b", "\u2060", "\ufeff", "\u00a0"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_marks_that_nobody_sees_are_no_part_of_a_value(stage: Stage, form: str, mark: str) -> None:
    values = {"id": f"{mark}A1 {mark}", "day": f"{mark}2026-11-01", "note": f"a{mark}b{mark}"}
    written = {
        "csv": "id,day,note\n" + ",".join(values.values()),
        "jsonl": json.dumps(values),
    }[form]
    outcome = stage(written.encode(), make_contract(COLUMNS, delivery={"format": form}))
    assert [(row["id"], str(row["day"]), row["note"]) for row in outcome.rows] == [
        ("A1", "2026-11-01", f"a{mark}b")
    ]


def test_blanks_belong_to_texts_but_not_to_keys(stage: Stage) -> None:
    outcome = stage(b"id,day,note\n A1 ,2026-11-01, x \n", make_contract(COLUMNS))
    assert [(row["id"], row["note"]) for row in outcome.rows] == [("A1", " x ")]


def test_a_joiner_belongs_to_its_letters(stage: Stage) -> None:
    family = "\U0001f468\u200d"
    outcome = stage(f"id,day,note\nA1,2026-11-01,{family}\n".encode(), make_contract(COLUMNS))
    assert [row["note"] for row in outcome.rows] == [family]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_headers_among_the_records_are_set_aside_and_condemn_no_file(
    stage: Stage, mark: str
) -> None:
    page = "id,note\nA{0},x\nB{0},note\n"
    text = mark.join(page.format(n) for n in range(4))
    outcome = stage(text.encode(), make_contract({"id": {}, "note": {}}))
    assert [row["id"] for row in outcome.rows] == [f"{c}{n}" for n in range(4) for c in "AB"]
    assert [(row["line"], row["rule"]) for row in outcome.aside] == [
        (line, "repeated_header") for line in (4, 7, 10)
    ]


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_filling_after_the_last_record_is_named_as_what_it_may_mean(
    stage: Stage, size: int
) -> None:
    data = b"id,note\nA1,x\n" + b"\0" * size
    outcome = stage(data, make_contract({"id": {}, "note": {}}))
    assert [row["rule"] for row in outcome.aside] == ["nul_filling"]
    assert outcome.notes.accepted == 1


@pytest.mark.parametrize("value", ["  ", "\u200b", " \u00a0 ", ""])
def test_a_key_of_nothing_that_shows_is_none(stage: Stage, value: str) -> None:
    data = f"id,note\nA1,{value}\n{value},x\n".encode()
    outcome = stage(data, make_contract({"id": {"required": True}, "note": {}}))
    assert [row["rule"] for row in outcome.aside] == ["id_not_null"]
    assert [row["note"] for row in outcome.rows] == [None]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("3.3000000000000003", "3.30"),
        ("-2.6799999999999997", "-2.68"),
        ("0.30000000000000004", "0.30"),
        ("1.005", None),
        ("1.0050000000000001", None),
        ("1.00001", None),
        ("12.3400000000000000000000000001", None),
    ],
)
def test_the_dust_of_binary_sums_is_no_part_of_an_amount(
    stage: Stage, text: str, amount: str | None
) -> None:
    contract = make_contract({"id": {}, "total": {"type": "decimal"}})
    outcome = stage(f"id,total\nA1,{text}\n".encode(), contract)
    assert [str(row["total"]) for row in outcome.rows] == ([amount] if amount else [])
    assert [row["rule"] for row in outcome.aside] == ([] if amount else ["total_type"])
