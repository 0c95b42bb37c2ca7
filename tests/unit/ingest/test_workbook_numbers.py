"""Numbers of a workbook are what they are, whatever marks its texts are written with."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.ingest.conftest import Stage, make_contract
from tests.unit.ingest.workbooks import workbook

WEIGHTS = {"id": {}, "weight": {"type": "number"}}


def test_number_cells_count_beside_texts_with_commas(stage: Stage) -> None:
    delivery = {"format": "excel", "decimal_mark": ",", "thousands_mark": "."}
    sheet = [["1", "1.234,5"], ["2", 1.234], ["3", 1234], ["4", "0,75"], ["5", -0.5], ["6", 1234.5]]
    contract = make_contract(WEIGHTS, delivery=delivery)
    outcome = stage(workbook([["id", "weight"], *sheet]), contract, name="orders.xlsx")
    found = {row["id"]: row["weight"] for row in outcome.rows}
    shown = ["1234.5", "1.234", "1234", "0.75", "-0.5", "1234.5"]
    assert found == {str(number): Decimal(text) for number, text in enumerate(shown, start=1)}
    assert not outcome.aside


def test_a_column_with_marks_of_its_own_is_set_aside_rather_than_misread(stage: Stage) -> None:
    own = {"type": "number", "decimal_mark": ".", "thousands_mark": ","}
    delivery = {"format": "excel", "decimal_mark": ",", "thousands_mark": "."}
    contract = make_contract({"id": {}, "weight": own}, delivery=delivery)
    data = workbook([["id", "weight"], ["1", "1,234.5"], ["2", 1.234]])
    outcome = stage(data, contract, name="orders.xlsx", quarantine_stop_share=0.9)
    assert {row["id"]: row["weight"] for row in outcome.rows} == {"1": Decimal("1234.5")}
    assert [row["line"] for row in outcome.aside] == [3]


def test_times_that_a_spreadsheet_counts_are_read_beside_texts_with_commas(stage: Stage) -> None:
    contract = make_contract(
        {"id": {}, "at": {"type": "timestamp", "format": "excel"}},
        delivery={"format": "excel", "decimal_mark": ","},
    )
    data = workbook([["id", "at"], ["1", 45000.25], ["2", "45000,5"], ["3", 45000]])
    outcome = stage(data, contract, name="orders.xlsx")
    found = [str(row["at"]) for row in outcome.rows]
    assert found == ["2023-03-15 06:00:00", "2023-03-15 12:00:00", "2023-03-15 00:00:00"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_cell_that_is_no_number_is_set_aside(stage: Stage, number: float) -> None:
    data = workbook([["id", "weight"], ["1", number], ["2", 0.5]])
    contract = make_contract(WEIGHTS, delivery={"format": "excel"})
    outcome = stage(data, contract, name="orders.xlsx", quarantine_stop_share=0.9)
    assert [row["id"] for row in outcome.rows] == ["2"]
    assert [row["rule"] for row in outcome.aside] == ["weight_type"]


def test_records_wider_than_a_merged_header_are_read(stage: Stage) -> None:
    head = ["store", "day", "id", "amount"]
    rows = [["S1", "1.", "a", 1.5, 9], [None, None, "b", 2, 9], [None, "2.", "c", 3, 9]]
    contract = make_contract(
        {"store": {}, "day": {}, "id": {}, "amount": {"type": "decimal"}},
        delivery={
            "format": "excel",
            "fill_down": {"starts": "store", "columns": ["store", "day"]},
        },
        load={"mode": "append", "key": ["id"]},
    )
    outcome = stage(workbook([head, *rows]), contract, name="orders.xlsx")
    found = [(row["store"], row["day"], row["id"], str(row["amount"])) for row in outcome.rows]
    assert found == [
        ("S1", "1.", "a", "1.50"),
        ("S1", "1.", "b", "2.00"),
        ("S1", "2.", "c", "3.00"),
    ]
    assert not outcome.aside
    stray = [[*row[:4], *([9] if row[2] == "c" else [])] for row in rows]
    outcome = stage(
        workbook([head, *stray]), contract, name="orders.xlsx", quarantine_stop_share=0.9
    )
    assert [row["rule"] for row in outcome.aside] == ["too_many_fields"]
