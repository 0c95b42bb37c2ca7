"""Rows of sums in tables: set aside when they add up, records when they do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingest.conftest import Stage, make_contract
from tests.unit.ingest.workbooks import workbook

COLUMNS: dict[str, Any] = {
    "order_id": {"required": True},
    "day": {"type": "date"},
    "quantity": {"type": "integer"},
    "amount": {"type": "decimal", "required": True},
}
HEADER = "order_id,day,quantity,amount\n"
BODY = "A1,2026-11-01,1,10.50\nA2,2026-11-01,2,-0.25\nA3,2026-11-02,1,4.00\n"


@pytest.mark.parametrize(
    "end",
    [
        "TOTAL,,4,14.25\n",
        "Summe:,,,14.25\n",
        "Итого,,4,14.25\n",
        "合計,,4,14.25\n",
        '"** Grand total",,4,14.25\n\n,,,\n',
        "Total 2 days,,4,14.25\nReport of 20 November,,,\n",
        "TOTAL,2026-11-02,4,14.25\n",
        ",Total,4,14.25\n",
    ],
)
def test_a_row_of_sums_at_the_end_is_no_record(stage: Stage, end: str) -> None:
    outcome = stage((HEADER + BODY + end).encode(), make_contract(COLUMNS))
    assert [row["order_id"] for row in outcome.rows] == ["A1", "A2", "A3"]
    aside = next(row for row in outcome.aside if row["rule"] == "totals_row")
    assert (aside["line"], aside["reason"]) == (5, "the row holds the sums of the records above it")
    assert outcome.notes.messages == ()


def test_subtotals_are_proved_by_the_records_since_the_last_one(stage: Stage) -> None:
    first, second, third = BODY.splitlines(keepends=True)
    text = f"{first}{second}Subtotal 01,,3,10.25\n{third}Subtotal 02,,1,4.00\nTotal,,4,14.25\n"
    outcome = stage((HEADER + text).encode(), make_contract(COLUMNS))
    assert outcome.notes.rules == {"totals_row": 3}
    assert sum(row["amount"] for row in outcome.rows) == Decimal("14.25")


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("Total Care,2026-11-02,1,4.00\n", ""),
        ("Totals,2026-11-02,4,4.00\n", ""),
        ("Total,,3,14.20\n", "'Total' is not the sum of the records above it: loaded"),
        ("Totally new,,4,14.25\n", ""),
    ],
)
def test_a_word_alone_makes_no_row_of_sums(stage: Stage, end: str, said: str) -> None:
    outcome = stage((HEADER + BODY + end).encode(), make_contract(COLUMNS))
    assert len(outcome.rows) == 4
    assert outcome.notes.messages == ((said,) if said else ())


def test_a_row_of_sums_that_is_wrong_by_a_penny_is_told(stage: Stage) -> None:
    outcome = stage((HEADER + BODY + "TOTAL,,4,14.26\n").encode(), make_contract(COLUMNS))
    assert outcome.notes.rules == {"totals_row": 1}
    assert "states 14.26 as amount, but the records above add up to 14.25" in str(
        outcome.notes.messages
    )


def test_a_brand_in_the_first_record_is_part_of_the_sum(stage: Stage) -> None:
    text = "Total One,2026-11-01,1,10.00\n" + BODY + "TOTAL,,5,24.25\n"
    outcome = stage((HEADER + text).encode(), make_contract(COLUMNS))
    assert (len(outcome.rows), outcome.notes.rules) == (4, {"totals_row": 1})


def test_two_articles_of_one_price_are_records(stage: Stage) -> None:
    columns = {name: COLUMNS[name] for name in ("order_id", "amount")}
    text = "order_id,amount\nTotal A,5.00\nTotal B,5.00\n"
    assert len(stage(text.encode(), make_contract(columns)).rows) == 2


def test_articles_beside_an_empty_column_are_records(stage: Stage) -> None:
    columns = {name: COLUMNS[name] for name in ("order_id", "day", "quantity")}
    text = "order_id,day,quantity\nTotal A,,1\nTotal B,,1\nTotal C,,1\n"
    assert len(stage(text.encode(), make_contract(columns)).rows) == 3


@pytest.mark.parametrize("brand", ["Total", "Total Energies"])
def test_numbers_of_brands_add_up_to_nothing(stage: Stage, brand: str) -> None:
    columns = {"brand_id": {"type": "integer"}, "brand": {}, "amount": COLUMNS["amount"]}
    text = f"brand_id,brand,amount\n1,Shell,10.00\n2,BP,11.00\n3,{brand},12.50\n"
    outcome = stage(text.encode(), make_contract(columns))
    assert (len(outcome.rows), outcome.notes.messages) == (3, ())


def test_control_totals_leave_rows_of_sums_out(stage: Stage) -> None:
    control = {"from": "trailer", "pattern": r"^T,(?P<rows>\d+),(?P<amount>.+)$"}
    contract = make_contract(COLUMNS, delivery={"trailer_lines": 1, "control": control})
    outcome = stage((HEADER + BODY + "TOTAL,,4,14.25\nT,3,14.25\n").encode(), contract)
    assert (outcome.status, len(outcome.rows)) == ("loaded", 3), outcome.notes.reason


def test_a_rule_of_the_contract_comes_first(stage: Stage) -> None:
    contract = make_contract(COLUMNS, exclude=[{"rule": "totals", "where": "day is null"}])
    outcome = stage((HEADER + BODY + "TOTAL,,4,14.25\n").encode(), contract)
    assert (len(outcome.rows), outcome.notes.rules) == (4, {})


def test_a_sheet_may_end_in_a_row_of_sums(stage: Stage) -> None:
    rows = [["order_id", "amount"], ["A1", 10.5], ["A2", 4.0], ["Total", 14.5]]
    columns = {name: COLUMNS[name] for name in ("order_id", "amount")}
    contract = make_contract(columns, delivery={"format": "excel"})
    outcome = stage(workbook(rows), contract, name="orders.xlsx")
    assert [row["order_id"] for row in outcome.rows] == ["A1", "A2"]


_PENCE = st.integers(-(10**9), 10**9).map(lambda pence: Decimal(pence) / 100)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_PENCE, min_size=1, max_size=8), st.sampled_from([0, 1, -1]))
def test_sums_of_any_amounts_are_told_to_the_penny(
    stage: Stage, amounts: list[Decimal], slip: int
) -> None:
    total = sum(amounts, Decimal(0)) + Decimal(slip) / 100
    lines = [f"A{n},,,{amount}\n" for n, amount in enumerate(amounts)]
    text = HEADER + "".join(lines) + f"TOTAL,,,{total}\n"
    outcome = stage(text.encode(), make_contract(COLUMNS))
    is_sum = total != 0 and slip == 0
    if is_sum or slip == 0:
        assert outcome.notes.rules == ({"totals_row": 1} if is_sum else {})
    else:
        assert len(outcome.rows) == len(amounts) + 1
