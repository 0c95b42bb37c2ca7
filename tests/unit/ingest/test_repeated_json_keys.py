"""A key that stands twice in a JSON object: its record is set aside, wherever the key stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingest.conftest import Stage, make_contract

FINE = '{"id": "%s", "total": 5, "to": {"city": "Ghent"}, "items": [{"sku": "a"}, {"sku": "b"}]}'
FLAT = {
    "id": {"required": True},
    "total": {"type": "decimal"},
    "city": {"from": "to.city", "optional": True},
}
BY_ITEM = {"id": {"required": True}, "sku": {"from": "items[].sku"}}


@pytest.mark.parametrize("form", ["jsonl", "json"])
@pytest.mark.parametrize(
    ("columns", "broken", "parts"),
    [
        (FLAT, '{"id": "2", "total": 1, "total": 999}', 1),
        (FLAT, '{"id": "2", "total": 1, "to": {"city": "Ghent", "city": "Ypres"}}', 1),
        (FLAT, '{"id": "2", "to": {"city": "Ghent"}, "total": 1, "to": {}}', 1),
        (FLAT, '{"id": "2", "total": 1, "t\\u006ftal": 999}', 1),
        (BY_ITEM, '{"id": "2", "id": "9", "items": [{"sku": "a"}, {"sku": "b"}]}', 2),
        (BY_ITEM, '{"id": "2", "items": [{"sku": "a"}], "items": [{"sku": "b"}, {}, {}]}', 1),
        (BY_ITEM, '{"id": "2", "items": [{"sku": "a", "sku": "b"}]}', 1),
    ],
)
def test_its_record_is_set_aside_and_the_others_are_loaded(
    stage: Stage, form: str, columns: dict[str, object], broken: str, parts: int
) -> None:
    records = [FINE % 1, broken, FINE % 3]
    text = "\n".join(records) if form == "jsonl" else "[" + ",\n".join(records) + "]"
    contract = make_contract(columns, delivery={"format": form}, ignore=["*"])
    outcome = stage(text.encode(), contract, quarantine_stop_share=1.0)
    assert outcome.status == "loaded", outcome.notes.reason
    assert {row["id"] for row in outcome.rows} == {"1", "3"}
    assert [(row["line"], row["rule"]) for row in outcome.aside] == [(2, "repeated_key")] * parts
    assert {json.loads(row["raw"])["_text"] for row in outcome.aside} == {broken}
    assert "which value holds cannot be known" in outcome.aside[0]["reason"]


def test_objects_that_nothing_reads_may_say_what_they_like(stage: Stage) -> None:
    text = '{"id": "1", "total": 5, "extra": {"a": 1, "a": 2}}\n'
    contract = make_contract(FLAT, delivery={"format": "jsonl"}, ignore=["*"])
    outcome = stage(text.encode(), contract)
    assert [row["id"] for row in outcome.rows] == ["1"]


def test_a_file_full_of_them_is_refused_with_the_reason(stage: Stage) -> None:
    text = '{"id": "1", "total": 5, "total": 6}\n' * 20
    outcome = stage(text.encode(), make_contract(FLAT, delivery={"format": "jsonl"}))
    assert outcome.status == "refused"
    assert "repeated_key (20): a key stands twice" in outcome.notes.reason


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.sampled_from("ab'é"), max_size=4), min_size=1, max_size=6))
def test_records_are_loaded_if_and_only_if_no_key_stands_twice(
    stage: Stage, found: list[list[str]]
) -> None:
    pairs = [", ".join(f'{json.dumps(key)}: "x"' for key in ["id", *keys]) for keys in found]
    contract = make_contract({"id": {}}, delivery={"format": "jsonl"}, ignore=["*"])
    outcome = stage(
        "".join(f"{{{pair}}}\n" for pair in pairs).encode(), contract, quarantine_stop_share=1.0
    )
    aside = {row["line"] for row in outcome.aside}
    assert aside == {n for n, keys in enumerate(found, 1) if len(set(keys)) < len(keys)}
