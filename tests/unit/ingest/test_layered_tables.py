"""Tables that are no plain ones: names in two rows, records of several types, midnights."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.ingest.conftest import Stage, make_contract
from tests.unit.ingest.drafted import draft, loaded
from tests.unit.ingest.workbooks import DATE, MOMENT, workbook

DAY = 46_327


def test_names_in_two_rows_are_joined(tmp_path: Path, stage: Stage) -> None:
    top = ["Receipt", "Store", "Date", "Amount", None, None]
    below = [None, None, None, "Net", "Tax", "Gross"]
    rows = [[f"R{n}", 7, (DAY + n, DATE), n + 0.5, 1, n + 1.5] for n in range(30)]
    found = draft(tmp_path, "sales.xlsx", workbook([top, below, *rows]))
    names = ["receipt", "store", "date", "amount_net", "amount_tax", "amount_gross"]
    assert [column.name for column in found.columns] == names
    staged = loaded(found, stage, "sales.xlsx")
    assert len(staged) == 30
    assert sum(row["amount_net"] for row in staged) == 450  # type: ignore[misc]


def test_units_below_names_belong_to_them(tmp_path: Path, stage: Stage) -> None:
    head = [["Receipt no", "Store", "Sold at", "Net amount"], [None, "id", "UTC", "EUR"]]
    rows = [[f"R{n}", 7, (DAY + n / 100, MOMENT), n + 0.5] for n in range(30)]
    found = draft(tmp_path, "sales.xlsx", workbook([*head, *rows]))
    (sold,) = (c for c in found.columns if c.kind.type == "timestamp")
    assert (sold.name, sold.kind.keys["time_zone"]) == ("sold_at_utc", "UTC")
    assert len(loaded(found, stage, "sales.xlsx")) == 30


def test_a_record_of_words_is_no_second_row_of_names(tmp_path: Path) -> None:
    text = "name,city,spent\n" + "".join(f"Eva,Bonn,{n}.50\n" for n in range(30))
    found = draft(tmp_path, "people.csv", text.replace("Eva,Bonn,0.50", "Eva,,none").encode())
    assert found.sample.has_header


@pytest.mark.parametrize("mark", ["|", ","])
def test_records_of_several_types_are_all_read(tmp_path: Path, stage: Stage, mark: str) -> None:
    lines = []
    for n in range(40):
        lines.append(f"H|{n:06d}|0042|20261120")
        lines += [f"S|{n:06d}|{k}|00{k}123|1|{n}.50" for k in range(1 + n % 3)]
        lines.append(f"T|{n:06d}|CASH")
    text = "\n".join(lines).replace("|", mark) + "\n"
    found = draft(tmp_path, "tape.txt", text.encode())
    assert found.delivery["short_rows"] == "fill"
    assert "skip_lines" not in found.delivery
    assert "H (4 fields), S (6 fields), T (3 fields)" in found.notes[""]
    assert not found.feeds[0].entity  # people say what becomes of them
    rows = loaded(found, stage, "tape.txt")
    assert len(rows) == len(lines)
    assert sum(row["column_1"] == "S" for row in rows) == 79
    assert rows[1]["column_6"] == "0.50"


def test_ragged_rows_are_no_types(tmp_path: Path) -> None:
    rows = "".join(f"S{n % 3},A{n},{n}.50{',x' if n % 7 == 0 else ''}\n" for n in range(60))
    found = draft(tmp_path, "sales.csv", f"store,sku,amount\n{rows}".encode())
    assert "short_rows" not in found.delivery


def test_midnights_of_workbooks_are_moments(stage: Stage) -> None:
    columns = {"receipt": {}, "at": {"type": "timestamp", "time_zone": "Europe/Berlin"}}
    contract = make_contract(columns, delivery={"format": "excel"})
    rows = [["receipt", "at"], ["R1", (DAY, MOMENT)], ["R2", (DAY + 0.5, MOMENT)]]
    staged = stage(workbook(rows), contract, name="orders.xlsx").rows  # type: ignore[attr-defined]
    expected = [datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 1, 11, tzinfo=UTC)]
    assert [row["at"] for row in staged] == [moment.replace(tzinfo=None) for moment in expected]
