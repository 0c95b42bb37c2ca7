"""Files whose look misleads: what a first look drafts must read every record."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cdp_pipeline.core.unseen import find_unseen
from cdp_pipeline.ingest.discovery.dialect import find_dialect
from cdp_pipeline.ingest.discovery.looking import draft_sources
from cdp_pipeline.ingest.discovery.moments import look_at_moments
from cdp_pipeline.ingest.discovery.writing import write_draft
from cdp_pipeline.ingest.records import locate_exactly
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import parse_model
from tests.unit.ingest.conftest import Stage, make_contract
from tests.unit.ingest.workbooks import workbook


def _draft(path: Path) -> str:
    return write_draft(draft_sources(path, name="orders", landing=path.parent / "landing")[0])


def _delivery(path: Path) -> dict[str, object]:
    delivery: dict[str, object] = yaml.safe_load(_draft(path).replace("!ask", ""))["delivery"]
    return delivery


def test_whole_hours_are_no_midnights() -> None:
    hours = {f"2026-11-20 {hour:02d}:00:00": 1 for hour in range(24)}
    assert not look_at_moments(hours).is_midnight
    assert look_at_moments({"2026-11-20 00:00:00": 2, "2026-11-21T00:00": 1}).is_midnight
    assert not look_at_moments({"2026-11-20T05:30:00+00:00": 2}).is_midnight


def test_one_quote_that_does_not_close_makes_no_file_without_quotes(
    stage: Stage, tmp_path: Path
) -> None:
    lines = [f'A{number},{number},"a, b"' for number in range(20)]
    lines[4] = lines[4].removesuffix('"')
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["order_id,quantity,note", *lines, ""]))
    delivery = _delivery(path)
    assert delivery["multiline"] is False
    assert "delimiter" not in delivery
    contract = make_contract(
        {"order_id": {}, "quantity": {}, "note": {}}, delivery={"multiline": False}
    )
    outcome = stage(path.read_bytes(), contract)
    assert (len(outcome.rows), outcome.notes.rules) == (19, {"broken_quotes": 1})


def test_fields_of_several_lines_stay_whole() -> None:
    text = 'id,note\n1,"a\nb"\n2,"c, d"\n3,e\n'
    assert find_dialect(text, text, is_whole=True).quote == '"'


def test_a_merged_header_stands_above_the_header(tmp_path: Path) -> None:
    rows = [["Order", None, "Money"], ["order_id", "order_date", "amount", "tax"]]
    rows += [[f"A{n}", "2026-11-20", float(n), 1.5] for n in range(1, 20)]  # type: ignore[list-item]
    path = tmp_path / "orders.xlsx"
    path.write_bytes(workbook(rows))
    assert _delivery(path)["skip_lines"] == 1


@pytest.mark.parametrize("above", ["\n   \n", " \t\r\n", "\n\n"])
def test_lines_of_blanks_above_a_header_are_passed_over(stage: Stage, above: str) -> None:
    (row,) = stage(f"{above}id,name\n1, x\n".encode(), make_contract({"id": {}, "name": {}})).rows
    assert (row["id"], row["_line"]) == ("1", above.count("\n") + 2)


def test_a_line_of_separators_above_a_header_is_not_blank(stage: Stage) -> None:
    contract = make_contract({"id": {}, "name": {}}, delivery={"delimiter": "\t"})
    assert stage(b"\nid\tname\n1\tx\n", contract).status == "loaded"


def test_records_of_a_wide_separator_are_counted_exactly(tmp_path: Path) -> None:
    path = tmp_path / "orders.txt"
    path.write_text('1||"a\n||b"||2\n\n2||c||3\n')
    found = locate_exactly(path, start=0, delimiter="||", quote='"')
    assert [line for block in found for line in block.tolist()] == [0, 3]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("'Brien, O'", "Brien, O"),
        ("'O''Brien, Ann'", "O'Brien, Ann"),
        ("'two\nlines'", "two\nlines"),
    ],
)
def test_one_field_that_needs_single_quotes_tells_of_them(
    stage: Stage, tmp_path: Path, field: str, value: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"id,name,note\n1,{field},a\n2,Smith,b\n3,Jones,it's c\n")
    delivery = _delivery(path)
    assert delivery["quote"] == "'"
    written = {"quote": delivery["quote"], "multiline": delivery.get("multiline", True)}
    contract = make_contract({"id": {}, "name": {}, "note": {}}, delivery=written)
    rows = stage(path.read_bytes(), contract).rows
    assert [row["name"] for row in rows] == [value, "Smith", "Jones"]


@pytest.mark.parametrize("field", ["'tis", "rock 'n' roll", "'0012", "5'", "'"])
def test_apostrophes_are_no_quotes(field: str) -> None:
    text = f"id,name,note\n1,x,{field}\n2,Smith,b\n3,Jones,b\n"
    assert find_dialect(text, text, is_whole=True).quote == '"'


def test_what_is_not_shown_in_a_delivery_can_be_drafted_and_declared(tmp_path: Path) -> None:
    states = ["ne\u2066w", "paid\x07", "old\x9b", '"two\nlines"']
    rows = [f"{number},{states[number % 4]},2.50" for number in range(60)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["order_no,status,amo\x1funt", *rows, ""]), encoding="utf-8")
    draft = _draft(path)
    assert find_unseen(draft) is None
    assert "# ne\\u2066w, old\\u009B, paid\\u0007, two lines" in draft
    contract = tmp_path / "orders.yml"
    contract.write_text(draft.replace("!ask", ""), encoding="utf-8")
    found = parse_model(SourceContract, contract.read_text("utf-8"), path=contract, name="orders")
    assert {check.column: check.values for check in found.checks}["status"] == (
        "ne\u2066w", "old\x9b", "paid\x07", "two\nlines",
    )  # fmt: skip
    assert "amo\x1funt" in [column.source for column in found.columns.values()]
