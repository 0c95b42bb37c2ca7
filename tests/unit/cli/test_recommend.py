from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.cli.app import run_app

GOODS = {"cooks": ("pasta", "sauce", "basil"), "builders": ("nails", "hammer", "saw")}


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """Two kinds of customers; all but the last two bought all three goods of their kind."""
    path = tmp_path / "sales.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["who", "what", "day", "receipt", "pieces"])
        for number in range(300):
            kind = GOODS["cooks" if number % 2 else "builders"]
            turn = number // 2 % 3
            baskets = 3 if number < 298 else 2
            for month, good in enumerate((kind[turn:] + kind[:turn])[:baskets], start=1):
                day, receipt = f"2026-{month:02d}-{1 + number % 28:02d}", f"{number}-{month}"
                writer.writerow([f"C{number:03d}", good, day, receipt, 2])
                writer.writerow([f"C{number:03d}", "milk", day, receipt, 1])
        writer.writerow(["C001", "milk", "2026-04-01", "returned", -3])
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_app(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def options(sales: Path, out: Path) -> list[str]:
    return [
        "recommend", str(sales), "--customer", "who", "--item", "what", "--date", "day",
        "--basket", "receipt", "--quantity", "pieces", "--out", str(out),
    ]  # fmt: skip


def test_a_file_gets_lists_a_page_and_a_document(
    sales: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lists.csv"
    code, text, _ = call(capsys, *options(sales, out), "--json")
    assert code == 0
    said: dict[str, Any] = json.loads(text)
    assert said["read"]["customers"] == 300
    assert said["read"]["returned_rows"] == 1
    discover = said["contests"]["discover"]
    assert discover["winner"] != "popular"
    assert {ranker["ranker"] for ranker in discover["rankers"]} >= {"popular", "alike"}
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == said["rows"]
    first = {
        row["customer_id"]: row
        for row in rows
        if row["list"] == "discover" and row["rank_no"] == "1"
    }
    assert first["C299"]["item_id"] == "sauce"
    assert first["C298"]["item_id"] == "hammer"
    assert first["C299"]["reason"].startswith("Bought with ")
    returned = [row for row in rows if (row["customer_id"], row["item_id"]) == ("C001", "milk")]
    assert returned == []
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "C299" not in page


def test_dates_and_baskets_may_be_missing(
    sales: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows then have an order, but no day that could be shown."""
    out = tmp_path / "lists.csv"
    asked = ["recommend", str(sales), "--customer", "who", "--item", "what", "--out", str(out)]
    code, text, _ = call(capsys, *asked)
    assert code == 0
    assert "order of the file" in text
    lists = out.read_text(encoding="utf-8")
    assert "Bought in" in lists
    shown = text + lists + out.with_suffix(".html").read_text(encoding="utf-8")
    assert "2000-01" not in shown
    code, text, _ = call(capsys, *asked, "--json")
    assert json.loads(text)["read"]["as_of"] is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--item": "waht"}, "Did you mean 'what'?"),
        ({"--customer": "day", "--date": "who"}, "no readable date"),
        ({"--as-of": "2020-01-01"}, "no purchase of a named customer up to 2020-01-01"),
        ({"--out": "lists.xlsx"}, "End the name with"),
    ],
)
def test_what_is_wrong_is_said(
    changed: dict[str, str], message: str, sales: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = options(sales, tmp_path / "lists.csv")
    for name, value in changed.items():
        if name in arguments:
            arguments[arguments.index(name) + 1] = value
        else:
            arguments += [name, value]
    code, _, said = call(capsys, *arguments)
    assert code in {2, 3}
    assert message in said


def test_a_last_day_without_a_date_column_is_refused(
    sales: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lists.csv"
    columns = ["--customer", "who", "--item", "what", "--out", str(out)]
    code, _, error = call(capsys, "recommend", str(sales), *columns, "--as-of", "2026-02-15")
    assert code != 0
    assert "--date" in error
    assert not out.exists()
