"""Numbers of a workbook are what they are, whatever marks its texts are written with."""

from __future__ import annotations

from decimal import Decimal

from tests.unit.ingest.conftest import Stage, make_contract
from tests.unit.ingest.workbooks import workbook


def test_a_number_below_two_is_not_read_as_more_than_a_thousand(stage: Stage) -> None:
    columns = {"id": {}, "weight": {"type": "number"}}
    delivery = {"format": "excel", "decimal_mark": ",", "thousands_mark": "."}
    data = workbook([["id", "weight"], ["1", "1.234,5"], ["2", 1.234], ["3", 1234], ["4", "0,75"]])
    contract = make_contract(columns, delivery=delivery)
    outcome = stage(data, contract, name="orders.xlsx", quarantine_stop_share=0.9)
    found = {row["id"]: row["weight"] for row in outcome.rows}
    assert found.pop("2", None) != Decimal(1234)
    assert found == {"1": Decimal("1234.5"), "3": Decimal(1234), "4": Decimal("0.75")}
    assert [row["line"] for row in outcome.aside] == [3], "it is set aside, as are all such cells"
