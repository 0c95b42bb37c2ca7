"""Cells that show something else than what is in them, and what a first look makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

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


def _draft(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return write_draft(draft_sources(path, name="orders", landing=path.parent / "landing")[0])


@pytest.mark.parametrize("mark", ["\u00a0", "\u200b", "\u2060", "\ufeff"])
def test_marks_that_nobody_sees_are_no_part_of_a_first_look(tmp_path: Path, mark: str) -> None:
    lines = [
        f"A{1000 + n}{mark * (n == 7)},{mark * (n == 9)}S{n % 3},Anna{mark}B{n}\n"
        for n in range(24)
    ]
    draft = _draft(tmp_path / "orders.csv", "order_id,sku,customer_name\n" + "".join(lines))
    assert "strip" not in draft, "the night takes them off"
    assert "sku: {}  # 3 different" in draft
    assert mark not in draft


_HEADER = "order_id,order_date,amount,customer_name,quantity\n"
_RECORDS = "".join(f"A{n},2026-11-{n:02d},{n}.50,Anna {n},{n % 5}\n" for n in range(10, 30))


@pytest.mark.parametrize(
    "above",
    [
        "Sales report,,,,\n,,,,\n",
        "Sales report,,,,\nNovember 2026,,,,\n",
        "Sales report,,,,2026-11-27\nStore:,12,,,\n",
        "Sales report,,,,\n,,,,\n,,,,\n",
    ],
)
def test_the_header_is_found_under_title_lines_as_wide_as_it(tmp_path: Path, above: str) -> None:
    draft = _draft(tmp_path / "orders.csv", above + _HEADER + _RECORDS)
    assert f"skip_lines: {above.count(chr(10))}" in draft
    assert "order_date: {type: date, required: true}" in draft


def test_records_with_gaps_are_no_title(tmp_path: Path) -> None:
    draft = _draft(tmp_path / "orders.csv", f"{_HEADER}A1,,,,\nA2,,,,\n{_RECORDS}")
    assert "skip_lines" not in draft
    assert "customer_name" in draft


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("да", "нет"), ("ja", "nej"), ("tak", "nie"), ("ano", "ne"), ("sim", "não"),
        ("sì", "no"), ("evet", "hayır"), ("kyllä", "ei"), ("igen", "nem"), ("wahr", "falsch"),  # noqa: RUF001 - other alphabets
        ("vrai", "faux"), ("ναι", "όχι"),  # noqa: RUF001 - other alphabets
    ],
)  # fmt: skip
def test_words_for_yes_and_no_of_many_languages_are_flags(
    tmp_path: Path, yes: str, no: str
) -> None:
    lines = (f"A{n},{yes if n % 3 else no.title()}\n" for n in range(1000, 1024))
    draft = _draft(tmp_path / "orders.csv", "order_id,gift_wrap\n" + "".join(lines))
    columns = yaml.safe_load(draft[draft.index("columns:") :].split("\n\n")[0])["columns"]
    flag = columns["gift_wrap"]
    assert (flag["type"], flag["true_values"], flag["false_values"]) == ("boolean", [yes], [no])
