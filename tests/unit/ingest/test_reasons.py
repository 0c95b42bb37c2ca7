"""Reasons of rows set aside say which column, what was expected and what came, and name nobody."""

from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.ingest.entities import CONFLICTS_FILE
from tests.unit.ingest.conftest import Stage, Store, make_contract

YEARS = ", or not between 1900 and 2199"
USUAL = "such as 2026-11-20"


def reasons(stage: Stage, columns: dict[str, Any], text: str, **parts: Any) -> list[str]:
    """Return the reasons of the rows that are set aside of a file whose first column is ``id``."""
    contract = make_contract({"id": {}, **columns}, **parts)
    outcome = stage(text.encode(), contract, quarantine_stop_share=1.0)
    assert outcome.status == "loaded", outcome.notes.reason
    return [row["reason"] for row in outcome.aside]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (
            {"values": ["web", "store"], "from": "Kanal"},
            "TILL9",
            (
                "v ('Kanal' in the file) is none of the declared values web, store "
                "(delivered: 'TILL9')"
            ),
        ),
        (
            {"type": "decimal"},
            "1.005",
            "v is not an amount with at most 2 decimals, such as 1234.50 (delivered: '1.005')",
        ),
        (
            {"type": "number", "decimals": 1, "decimal_mark": ",", "thousands_mark": "."},
            "1.2",
            "v is not a number with at most 1 decimals, such as 1.234,5 (delivered: '1.2')",
        ),
        ({"type": "integer"}, "2.5", "v is not a whole number (delivered: '2.5')"),
        (
            {"type": "date", "format": "%d.%m.%Y"},
            "2026-11-20",
            f"v is not a date of the declared format, %d.%m.%Y{YEARS} (delivered: '2026-11-20')",
        ),
        (
            {"type": "boolean", "true_values": ["J"], "false_values": ["N"]},
            "X",
            "v is none of the declared words for yes (J) and no (N) (delivered: 'X')",
        ),
        ({"required": True}, "", "v is missing, but required"),
        ({"pattern": "[A-Z]{2}"}, "abc", "v does not match ^(?:[A-Z]{2})$ (delivered: 'abc')"),
        ({"type": "integer", "min": 1}, "0", "v is less than 1 (delivered: '0')"),
        (
            {"type": "integer", "min": 1, "max": 9},
            "10",
            "v is not between 1 and 9 (delivered: '10')",
        ),
        ({"pattern": "x"}, "y" * 80, f"v does not match ^(?:x)$ (delivered: '{'y' * 60}…')"),
        (
            {"pattern": "[a-z]+@[a-z.]+", "pii": "email"},
            "Ann-3@ä.example",
            "v does not match ^(?:[a-z]+@[a-z.]+)$ (delivered: 'xxx-9@x.xxxxxxx')",
        ),
        (
            {"type": "date", "pii": "birth_date"},
            "31/12/1980",
            f"v is not a date of the declared format, {USUAL}{YEARS} (delivered: '99/99/9999')",
        ),
        ({}, "9.9E+12", "v is a number as spreadsheets write it (9.9E+12)"),
    ],
)
def test_a_value_that_breaks_a_rule(
    stage: Stage, column: dict[str, Any], value: str, reason: str
) -> None:
    header = column.get("from", "v")
    drift = {"unknown_values": "quarantine"} if "values" in column else {}
    found = reasons(stage, {"v": column}, f"id,{header}\n1,{value}\n", drift=drift)
    assert len(found) == 1
    assert found[0].startswith(reason) if "E+12" in value else found == [reason]


def test_a_row_that_breaks_several_rules_has_them_all(stage: Stage) -> None:
    columns = {"a": {"type": "integer"}, "b": {"required": True}}
    assert reasons(stage, columns, "id,a,b\n1,x,\n") == [
        "a is not a whole number (delivered: 'x'); b is missing, but required"
    ]


def test_a_value_of_another_type_is_not_called_missing(stage: Stage) -> None:
    columns = {"a": {"type": "integer", "required": True}}
    assert reasons(stage, columns, "id,a\n1,x\n2,\n") == [
        "a is not a whole number (delivered: 'x')",
        "a is missing, but required",
    ]


def test_a_condition_is_told_with_the_values_of_its_columns(stage: Stage) -> None:
    check = {"expect": "true", "where": "paid <= total or\n  who = 'x'", "severity": "quarantine"}
    columns = {"total": {"type": "decimal"}, "paid": {"type": "decimal"}, "who": {"pii": "name"}}
    found = reasons(stage, columns, "id,total,paid,who\n1,5,9,Ann\n", checks=[check])
    holds = "it does not hold that paid <= total or who = 'x'"
    assert found == [f"{holds} (delivered: total '5', paid '9', who 'xxx')"]


def test_records_that_cannot_be_taken_apart_say_how_many_fields_they_have(stage: Stage) -> None:
    found = reasons(stage, {"a": {}, "b": {}}, 'id,a,b\n1\n1,2,3,4,5\n4,5,6\n1,"x"y,3\n')
    assert [text[text.rindex("(") :] for text in found[:2]] == [
        "(delivered: 1 of 3 fields)",
        "(delivered: 5 of 3 fields)",
    ]
    assert "`short_rows: fill`" in found[0]
    assert "doubled" in found[2]


def test_a_field_that_must_not_be_kept_is_named_not_shown(stage: Stage) -> None:
    columns = {"a": {}, "note": {"pii": "free_text"}}
    text = f"id,a,note\n1,x\0y,fine\n2,{'z' * 70_000},fine\n3,fine,4111 1111 1111 1111\n"
    assert reasons(stage, columns, text) == [
        "a field holds a NUL character (delivered: a)",
        "a field is longer than 64 KB (delivered: a)",
        "a free text holds what looks like a payment card number (delivered: note)",
    ]


def test_a_nul_that_json_spells_is_set_aside_with_the_column(stage: Stage) -> None:
    contract = make_contract({"id": {}, "a": {}}, delivery={"format": "jsonl"})
    outcome = stage(b'{"id": "1", "a": "x\\u0000y"}\n', contract, quarantine_stop_share=1.0)
    assert [row["rule"] for row in outcome.aside] == ["nul_character"]


def test_a_key_that_came_with_other_content_is_shown(store: Store) -> None:
    store.declare(
        "goods",
        {
            "title": "Goods",
            "owner": "tests",
            "delivery": {"path": "goods/*", "format": "csv"},
            "load": {"mode": "append", "key": ["sku", "mail"]},
            "columns": {"sku": {"from": "Item"}, "mail": {"pii": "email"}, "price": {}},
            "feeds": [{"entity": "products", "columns": {"sku": "sku"}}],
        },
    )
    store.deliver("goods/20261120.csv", "Item,mail,price\n7,a@b.de,1\n7,a@b.de,2\n")
    store.night()
    quarantine = store.root / "data" / "quarantine" / "goods" / CONFLICTS_FILE
    ((reason,),) = store.query(f"select reason from '{quarantine}'")
    assert reason == (
        "another row with this key (sku ('Item' in the file), mail) and other content was loaded "
        "before: lengthen `key:` if both are right, or set `mode: upsert` if the later one is "
        "(delivered: sku '7', mail 'x@x.xx')"
    )
