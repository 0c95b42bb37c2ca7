"""What `cdp clv`, `cdp rfm` and `cdp recommend` say of files that tell little."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app

FIRST = date(2025, 1, 1)
Row = tuple[str, date, int, int]
"""Customer, day, amount, quantity."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(
    capsys: pytest.CaptureFixture[str], command: str, rows: list[Row], *, sku: str = "A"
) -> tuple[int, str]:
    lines = [f"{who},{day},{amount},{sku},{quantity}" for who, day, amount, quantity in rows]
    Path("sales.csv").write_text("\n".join(["id,day,total,sku,qty", *lines]), encoding="utf-8")
    named = ["--item", "sku", "--quantity", "qty"]
    columns = named if command == "recommend" else ["--amount", "total"]
    words = [command, "sales.csv", "--customer", "id", "--date", "day", *columns]
    code = run_app([*words, "--out", "out.csv"])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["clv", "rfm", "recommend"])
def test_one_is_said_of_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ask(capsys, command, [("c1", FIRST, 10, 1)])
    page = Path("out.html").read_text(encoding="utf-8")
    assert code == 0
    assert "1 of 1 row, 1 customer, " in text
    for wrong in ("1 customers will", "1 customers in", "1 customers,", "1 rows", "1 items,"):
        assert wrong not in text
        assert wrong not in page


@pytest.mark.usefixtures("folder")
def test_a_file_of_returns_has_no_forecast_and_nothing_to_score_by(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [(f"c{n}", FIRST + timedelta(days=n), -5, -1) for n in range(150)]
    code, text = ask(capsys, "clv", rows)
    page = Path("out.html").read_text(encoding="utf-8")
    assert code == 0
    assert "model: none" in text
    assert "150 customers kept no purchase" in text
    assert "not_enough_data" not in text
    assert "There is no forecast to test" in page
    code, text = ask(capsys, "rfm", rows)
    assert code == 0
    assert "nothing to score by" in text
    assert "150 customers kept no purchase" in text
    assert "What a score means" not in Path("out.html").read_text(encoding="utf-8")
    code, text = ask(capsys, "recommend", rows)
    assert code == 0
    assert "all of 150 rows give goods back" in text
    assert "--quantity" in text
    assert len(Path("out.csv").read_text(encoding="utf-8").splitlines()) == 1
    assert "all of 150 rows give goods back" in Path("out.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("folder")
def test_a_row_that_cannot_be_read_makes_no_sales_of_returns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"c{n}", FIRST + timedelta(days=n), -5, -1) for n in range(150)]
    ask(capsys, "recommend", rows)
    torn = folder / "sales.csv"
    torn.write_text(torn.read_text(encoding="utf-8") + "\nc1,soon,-5,A,-1", encoding="utf-8")
    words = ["recommend", "sales.csv", "--customer", "id", "--item", "sku", "--date", "day"]
    assert run_app([*words, "--quantity", "qty", "--out", "out.csv"]) == 0
    assert "all of 150 rows give goods back" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_who_kept_nothing_is_told_from_who_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[Row] = [(f"c{n}", FIRST, 5, 1) for n in range(9)]
    _, text = ask(capsys, "rfm", [*rows, ("c1", FIRST + timedelta(days=1), -5, -1)])
    assert "1 customer kept no purchase" in text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["clv", "rfm", "recommend"])
def test_a_last_day_in_the_future_is_pointed_out(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has not come yet" in ask(capsys, command, [("c1", date(2290, 1, 1), 10, 1)])[1]
    assert "has not come yet" not in ask(capsys, command, [("c1", FIRST, 10, 1)])[1]


@pytest.mark.usefixtures("folder")
def test_one_item_leaves_nothing_to_discover(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[Row] = [(f"c{n}", FIRST, 5, 1) for n in range(9)]
    assert "one item only" in ask(capsys, "recommend", rows)[1]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["rfm", "recommend"])
def test_columns_named_alike_are_pointed_out_where_an_option_names_them(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"rfm": ["--amount", "Total"], "recommend": ["--item", "sku"]}[command]
    texts = []
    for header in ("id,day,Total,total,sku,sku", "id,day,Total,other,sku,another"):
        rows = [f"c{number},{FIRST},{10 + number},1,A,B" for number in range(5)]
        Path("sales.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
        words = [command, "sales.csv", "--customer", "id", "--date", "day", *columns]
        assert run_app([*words, "--out", "out.csv"]) == 0
        texts.append(capsys.readouterr().out)
    name = columns[1]
    note = f"several columns '{name}': the first is used; the next is called '{name}_2'"
    told = [line for line in texts[0].splitlines() if note in line]
    assert len(told) == 1
    assert [line for line in texts[0].splitlines() if line not in told] == texts[1].splitlines()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("buyers", "words"), [(499, "fewer than 500 buyers"), (500, "")])
def test_groups_of_fewer_than_500_buyers_are_said_to_mean_little(
    buyers: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    days = (0, 100, 200)
    rows = [
        (f"c{n}", FIRST + timedelta(days=n % 29 + day), 10, 1)
        for n in range(buyers)
        for day in days
    ]
    code, text = ask(capsys, "rfm", rows)
    assert code == 0
    assert words in text
    assert ("scores mean little" in text) == bool(words)
