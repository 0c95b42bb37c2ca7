"""Blanks between a separator and a quote: the quote still opens a field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.ingest.conftest import Stage, make_contract

COLUMNS: dict[str, Any] = {"id": {"required": True}, "name": {}, "quantity": {"type": "integer"}}


@pytest.mark.parametrize(
    ("text", "delivery"),
    [
        ('id, name, quantity\n1, "a,b", 2\n', {}),
        ('"id", "name", "quantity"\n"1", "a,b", "2"\n', {}),
        ('"id" , "name" , "quantity" \n"1" , "a,b" , "2" \n', {}),
        ('1, "a,b", 2\n', {"header": False}),
        ("id; name; quantity\n1; 'a,b' ; 2\n", {"delimiter": ";", "quote": "'"}),
    ],
)
def test_quotes_behind_blanks_are_quotes(stage: Stage, text: str, delivery: dict[str, Any]) -> None:
    (row,) = stage(text.encode(), make_contract(COLUMNS, delivery=delivery)).rows
    assert (row["id"], row["name"], row["quantity"]) == ("1", "a,b", 2)


def test_one_that_does_not_close_costs_one_line(stage: Stage) -> None:
    lines = ['1, "a,b", 2', '2, "c, 3', *(f'{n}, "d", 4' for n in range(3, 12))]
    contract = make_contract(COLUMNS, delivery={"multiline": False})
    outcome = stage("\n".join(["id, name, quantity", *lines, ""]).encode(), contract)
    assert (len(outcome.rows), outcome.notes.rules) == (10, {"broken_quotes": 1})
