"""Cells that show something else than what is stored in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.ingest.workbook import write_sheet
from tests.unit.ingest.workbooks import CODED, workbook

if TYPE_CHECKING:
    from pathlib import Path


def _workbook(path: Path, values: list[float | str], code: str) -> Path:
    cells = [[1000 + n, v if isinstance(v, str) else (v, CODED)] for n, v in enumerate(values)]
    path.write_bytes(workbook([["order_id", "area"], *cells], code=code))
    return path


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1234, "00000", "01234"),
        (123456, "00000", "123456"),
        (12345678, "00000\\-0000", "01234-5678"),
        (7, "[$-409]000", "007"),
        (0, "000;-000", "000"),
        (-7, "000", "-7"),
        (1.5, "000", "1.5"),
        (7, "0", "7"),
        (7, "0.00", "7"),
        (7, '"A"00', "7"),
        ("7", "000", "7"),
    ],
)
def test_whole_numbers_keep_the_zeros_that_their_format_shows(
    tmp_path: Path, value: float | str, code: str, shown: str
) -> None:
    path = _workbook(tmp_path / "areas.xlsx", [value], code)
    write_sheet(path, tmp_path / "areas.csv", sheet="", skipped=0)
    assert (tmp_path / "areas.csv").read_text().splitlines()[1] == f"1000,{shown}"


def test_a_column_shown_with_leading_zeros_is_drafted_as_text(tmp_path: Path) -> None:
    path = _workbook(tmp_path / "areas.xlsx", [number * 997 for number in range(30)], "00000")
    draft = write_draft(draft_sources(path, name="areas", landing=tmp_path / "landing")[0])
    line = next(line for line in draft.splitlines() if "area:" in line)
    assert "integer" not in line
    assert "begins with zeros" in draft
