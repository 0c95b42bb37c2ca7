"""`cdp clv` and `cdp rfm` on files of transactions, as somebody new would use them."""

from __future__ import annotations

import gzip
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from cdp_pipeline.cli.app import run_app

CDNOW = Path(__file__).resolve().parents[2] / "data" / "cdnow_sample.csv.gz"
COLUMNS = ["--customer", "customer", "--date", "date", "--amount", "amount"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with gzip.open(CDNOW, "rt") as packed:
        (tmp_path / "cdnow.csv").write_text(packed.read())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, rows: list[tuple[object, object, object]], name: str = "own.csv") -> str:
    frame = pd.DataFrame(rows, columns=["customer", "date", "amount"])
    frame.to_csv(folder / name, index=False)
    return name


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run_app([*words, "--json"]) == 0, words
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("folder")
def test_clv_prints_the_published_table_of_cdnow(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(
        capsys, "clv", "cdnow.csv", *COLUMNS, "--out", "v.csv", "--as-of", "1997-09-30",
        "--count-free", "--unit", "weeks", "--horizon", "273",
    )  # fmt: skip
    assert found["counts"]["fitted_customers"] == 2357
    assert found["counts"]["repeat_customers"] == 946
    bg, mbg, pareto = (found["models"][name] for name in ("bg/nbd", "mbg/nbd", "pareto/nbd"))
    assert bg["log_likelihood"] == pytest.approx(-9582.429, abs=1e-3)
    assert bg["parameters"] == pytest.approx(
        {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}, abs=5e-5
    )
    assert bg["standard_errors"]["alpha"] == pytest.approx(0.3782, abs=1e-4)
    assert mbg["parameters"] == pytest.approx(
        {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, abs=5e-4
    )
    assert pareto["log_likelihood"] == pytest.approx(-9594.976, abs=1e-3)
    spend = found["raw_spend"]
    assert spend["log_likelihood"] == pytest.approx(-4055.9177, abs=1e-3)
    assert spend["parameters"] == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, abs=6e-3)
    total = next(total for total in found["totals"] if total["quantity"] == "visits")
    assert total["low"] < 1_882 < total["high"]
    names = {forecast["name"] for forecast in found["backtest"]["windows"][0]["forecasts"]}
    assert {"mbg/nbd", "bg/nbd", "pareto/nbd", "nbd", "last_horizon", "purchase_rate"} <= names


def test_clv_writes_every_customer_and_a_page_without_any(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["clv", "cdnow.csv", *COLUMNS, "--out", "v.parquet"]) == 0
    assert "nine times in ten" in capsys.readouterr().out
    rows = duckdb.sql(f"from '{folder / 'v.parquet'}'").fetchnumpy()
    assert len(rows["customer_id"]) == 2357
    assert (rows["expected_low_amount"] <= rows["expected_high_amount"]).all()
    page = (folder / "v.html").read_text()
    assert not re.search(r"<script|src=|href=|@import|url\(", page)
    assert "As often as ever".lower() in page.lower()


@pytest.mark.usefixtures("folder")
def test_a_named_model_serves(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "clv", "cdnow.csv", *COLUMNS, "--out", "v.csv", "--model", "pareto/nbd")
    assert found["model"] == "pareto/nbd"


def test_the_same_rows_in_another_order_and_dialect_give_the_same_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(folder / "cdnow.csv", dtype={"customer": str})
    frame["date"] = pd.to_datetime(frame["date"]).dt.strftime("%d.%m.%Y")
    frame["amount"] = frame["amount"].map(lambda value: f"{value:.2f} €".replace(".", ","))
    shuffled = frame.sample(frac=1.0, random_state=3)
    shuffled.to_csv(folder / "german.csv", index=False, sep=";", encoding="utf-8")
    plain = answer(capsys, "clv", "cdnow.csv", *COLUMNS, "--out", "a.csv")
    german = answer(capsys, "clv", "german.csv", *COLUMNS, "--out", "b.csv")
    assert plain | {"file": ""} == german | {"file": ""}
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()


DEGENERATE: dict[str, list[tuple[object, object, object]]] = {
    "one customer": [("A", f"2025-{month:02d}-01", 10) for month in range(1, 13)],
    "one row": [("A", "2025-01-01", 10)],
    "one day": [(f"C{n}", "2025-01-01", 10 + n) for n in range(400)],
    "all returns": [(f"C{n}", f"2025-0{1 + n % 9}-01", -5) for n in range(400)],
    "all taken back": [
        (f"C{n}", f"2025-03-{day:02d}", amount)
        for n in range(300)
        for day, amount in ((1, 20), (9, -20))
    ],
    "nobody leaves": [
        (f"C{n}", f"{year}-{month:02d}-{1 + n % 28:02d}", 10 + n % 7)
        for n in range(300)
        for year in (2023, 2024)
        for month in range(1, 13)
    ],
    "nobody comes back": [(f"C{n}", f"2025-{1 + n % 12:02d}-05", 10) for n in range(400)],
    "everything costs nothing": [(f"C{n}", f"2025-0{1 + n % 9}-01", 0) for n in range(300)],
    "everybody the same": [
        (f"C{n}", day, 10) for n in range(300) for day in ("2025-01-01", "2025-03-01")
    ],
}


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("command", ["clv", "rfm"])
def test_degenerate_stores_are_answered(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    rows = DEGENERATE[name]
    found = answer(capsys, command, write(folder, rows), *COLUMNS, "--out", "o.csv")
    assert "NaN" not in json.dumps(found)
    assert "Infinity" not in json.dumps(found)
    written = pd.read_csv(folder / "o.csv", dtype={"customer_id": str})
    customers = {str(row[0]) for row in rows}
    assert set(written["customer_id"]) <= customers
    assert (folder / "o.html").read_text().startswith("<!doctype html>")
    if command == "clv":
        assert set(written["customer_id"]) == customers
        expected = {
            "nobody leaves": {"nbd_fallback", "pooled_mean", "ok"},
            "everybody the same": {"nbd_fallback", "pooled_mean", "ok", "not_enough_data"},
        }.get(name, {"not_enough_data"})
        assert found["status"] in expected
        if found["status"] == "not_enough_data":
            assert written["expected_amount"].isna().all()
            assert any("not enough data" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("words", "says", "helps"),
    [
        (["--customer", "custmer"], "no column 'custmer'", "Did you mean 'customer'?"),
        (["--date", "amount"], "no readable date", "Check --date"),
        (["--amount", "date"], "not a number", "Check --date and --amount"),
        (["--as-of", "1990-01-01"], "no transaction", "--as-of"),
        (["--as-of", "yesterday"], "'yesterday' is not a date", "Write it as"),
        (["--out", "cdnow.csv"], "one of the inputs", "Name another"),
        (["--out", "v.xls"], ".xls is not a kind", ".csv"),
        (["--out", "nowhere/v.csv"], "no such folder", "Make it"),
    ],
)
def test_mistakes_are_told_with_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str, helps: str
) -> None:
    assert folder.is_dir()
    given = ["clv", "cdnow.csv", *COLUMNS, "--out", "v.csv", *words]
    assert run_app(given) in {2, 3}
    told = capsys.readouterr().err
    assert says in told
    assert helps in told


def test_rows_that_say_nothing_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[object, object, object]] = [
        (f"C{n % 150}", f"2025-{1 + n % 9:02d}-{1 + n % 27:02d}", 5 + n % 11) for n in range(900)
    ]
    rows += [(None, "2025-03-01", 5)] * 30 + [("C1", "soon", 5)] * 4
    found = answer(capsys, "clv", write(folder, rows), *COLUMNS, "--out", "v.csv")
    counts = found["counts"]
    assert (counts["rows"], counts["rows_without_customer"]) == (934, 30)
    assert counts["unreadable_rows"] == 4
    assert any("30 of 934 rows name no customer" in note for note in found["notes"])


def test_rfm_scores_alike_what_is_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "rfm", "cdnow.csv", *COLUMNS, "--out", "r.csv", "--window", "600")
    written = pd.read_csv(folder / "r.csv")
    for value, score in (("recency_days", "r_score"), ("frequency_count", "f_score")):
        kept = written[written["frequency_count"] > 0]
        spread = kept.groupby(value)[score]
        assert (spread.min() == spread.max()).all()
    assert (written[written["frequency_count"] == 1]["f_score"] == 1).all()
    assert sum(group["customers"] for group in found["parts"][0]["segments"]) == len(written)


@pytest.mark.usefixtures("folder")
def test_frozen_thresholds_give_the_same_groups_again(capsys: pytest.CaptureFixture[str]) -> None:
    common = ["rfm", "cdnow.csv", *COLUMNS]
    first = answer(
        capsys, *common, "--out", "a.csv", "--save-thresholds", "t.json",
        "--as-of", "1998-03-31",
    )  # fmt: skip
    later = answer(capsys, *common, "--out", "b.csv", "--thresholds", "t.json")
    fixed = first["parts"][0]["thresholds"]
    assert later["parts"][0]["thresholds"] | {"fixed_on": ""} == fixed | {"fixed_on": ""}


def test_movements_add_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "rfm", "cdnow.csv", *COLUMNS, "--out", "r.csv", "--since", "1998-03-31")
    assert folder.is_dir()
    now = sum(group["customers"] for group in found["parts"][0]["segments"])
    assert sum(move["customers"] for move in found["moves"] if move["now"]) == now


def test_parts_are_scored_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(folder / "cdnow.csv")
    frame["channel"] = ["web" if n % 3 else "store" for n in range(len(frame))]
    frame.to_csv(folder / "parts.csv", index=False)
    found = answer(capsys, "rfm", "parts.csv", *COLUMNS, "--out", "r.csv", "--by", "channel")
    assert [part["part"] for part in found["parts"]] == ["web", "store"]
    assert set(pd.read_csv(folder / "r.csv")["part"]) == {"web", "store"}


def test_thresholds_of_another_kind_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "t.json").write_text('{"bins": 5}')
    given = ["rfm", "cdnow.csv", *COLUMNS, "--out", "r.csv", "--thresholds", "t.json"]
    assert run_app(given) == 2
    assert "--save-thresholds" in capsys.readouterr().err


ORDINARY: list[tuple[object, object, object]] = [
    (f"C{n % 150}", f"2025-{1 + n % 9:02d}-{1 + n % 27:02d}", 5 + n % 11) for n in range(900)
]


@pytest.mark.parametrize(
    ("slip", "says"),
    [
        (("C1", "9999-12-31", 5), "1 row lies more than a year after all others, which end on"),
        (("C1", "1900-01-01", 5), "1 row lies more than a year before all others, which begin on"),
    ],
)
def test_a_date_that_stands_for_none_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str], slip: tuple[object, object, object], says: str
) -> None:
    alone = answer(capsys, "rfm", write(folder, ORDINARY), *COLUMNS, "--out", "o.csv")
    scores = (folder / "o.csv").read_text()
    found = answer(capsys, "rfm", write(folder, [*ORDINARY, slip]), *COLUMNS, "--out", "o.csv")
    assert any(says in note for note in found["notes"])
    assert found["as_of"] == alone["as_of"]
    assert (folder / "o.csv").read_text() == scores


def test_late_sales_count_when_the_last_day_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late: tuple[object, object, object] = ("C1", "2027-12-31", 5)
    found = answer(
        capsys, "rfm", write(folder, [*ORDINARY, late]), *COLUMNS, "--out", "o.csv",
        "--as-of", "2027-12-31",
    )  # fmt: skip
    assert found["counts"]["used_rows"] == 901


def test_centuries_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far: list[tuple[object, object, object]] = [("C1", "9999-12-31", 5)] * 90
    given = ["clv", write(folder, [*ORDINARY, *far]), *COLUMNS, "--out", "v.csv"]
    assert run_app(given) != 0
    told = capsys.readouterr().err
    assert "over a century" in told
    assert "--as-of" in told


def test_amounts_of_any_currency_are_summed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(customer, day, f"{amount}e11") for customer, day, amount in ORDINARY]
    found = answer(capsys, "clv", write(folder, rows), *COLUMNS, "--out", "v.csv")
    total = next(total for total in found["totals"] if total["quantity"] == "amount")
    assert total["expected"] > 1e12


def steady(customers: int = 120, days: int = 300) -> list[tuple[object, object, object]]:
    """A store whose customers come now and again, each with its own rhythm."""
    start = date(2025, 1, 1)
    return [
        (f"C{n}", (start + timedelta(days=day)).isoformat(), 10 + (n * day) % 23)
        for n in range(customers)
        for day in range(n % 60, days, 17 + n % 40)
    ]


def test_the_shortest_horizon_that_may_be_asked_is_answered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(
        capsys, "clv", write(folder, steady()), *COLUMNS, "--out", "o.csv", "--horizon", "7"
    )
    assert found["horizon_days"] == 7
    assert found["totals"][0]["expected"] > 0


def test_what_was_seen_on_two_days_is_not_carried_on_for_a_year(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[object, object, object]] = [
        (f"C{n}", f"2025-03-0{day}", 10) for n in range(300) for day in (5, 6)
    ]
    found = answer(capsys, "clv", write(folder, rows), *COLUMNS, "--out", "o.csv")
    assert found["status"] == "not_enough_data"
    assert any("within 2 days, 28 are needed" in note for note in found["notes"])


def test_a_forecast_far_beyond_the_history_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = write(folder, steady(customers=600, days=100))
    far = answer(capsys, "clv", name, *COLUMNS, "--out", "o.csv", "--horizon", "365")
    near = answer(capsys, "clv", name, *COLUMNS, "--out", "o.csv", "--horizon", "90")
    assert [any("of history" in note for note in found["notes"]) for found in (far, near)] == [
        True,
        False,
    ]


def test_what_is_given_back_later_and_a_closure_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = date(2025, 1, 1)
    rows: list[tuple[object, object, object]] = [
        (f"C{n}", first + timedelta(days=day), 10)
        for n in range(150)
        for day in range(n % 9, 300, 9 + n % 5)
        if not 100 <= day < 130
    ]
    returned = [(who, day + timedelta(days=1), -2) for who, day, _ in rows[::2]]  # type: ignore[operator]
    closed = {first + timedelta(days=day) for day in range(100, 130)}
    rows += [row for row in returned if row[1] not in closed]
    found = answer(capsys, "clv", write(folder, rows), *COLUMNS, "--out", "o.csv")
    notes = "; ".join(found["notes"])
    assert found["closed"] == [["2025-04-11", "2025-05-10"]]
    assert "nobody came from 2025-04-11 to 2025-05-10: the store counts as closed" in notes
    assert found["spend"]["scale"] == pytest.approx(0.9, abs=0.02)
    assert "forecast amounts are 10% below what visits are usually worth" in notes


@pytest.mark.parametrize("word", ["NULL", "nan", "None", "<NA>", "  "])
@pytest.mark.parametrize("command", ["clv", "rfm"])
def test_what_programs_write_for_nobody_is_no_customer(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, word: str
) -> None:
    rows = [*steady(), *[(word, "2025-05-05", 10)] * 30]
    found = answer(capsys, command, write(folder, rows), *COLUMNS, "--out", "o.csv")
    assert found["counts"]["rows_without_customer"] == 30
    assert word not in (folder / "o.csv").read_text()


def test_a_file_exported_twice_and_rows_left_out_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = steady()
    bad = [("C1", "2025-05-05", "ten")]
    twice, once = (
        answer(capsys, "rfm", write(folder, some), *COLUMNS, "--out", "o.csv")["notes"]
        for some in (rows * 2, rows + bad)
    )
    assert any("have an exact copy" in note for note in twice)
    assert not any("copy" in note for note in once)
    assert any("1 of" in note and "no readable date or amount" in note for note in once)
