"""`cdp link` and `cdp evaluate` as their page shows them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.project.linkage import LinkageSpec, LinkConfig
from cdp_pipeline.project.yaml_source import parse_model

PAGE = Path(__file__).resolve().parents[3] / "sql" / "linkage" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ cdp (.+)$", TEXT, flags=re.MULTILINE)
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page speaks of."""
    given, family = (
        ("Anna", "Robert", "Miriam", "Oswald"),
        ("Lee", "Ashdown", "Carmody", "Eastcott"),
    )
    rows = [
        {
            "record_id": f"{copy}{n:02d}",
            "first_name": given[n % 4],
            "last_name": family[n // 4 % 4],
            "dob": f"{1940 + n}-0{1 + n % 9}-1{n % 10}",
            "email": f"{given[n % 4]}{n}@example.org" if copy == "a" else None,
            "cust_ref": f"{7000 + n * 37}",
        }
        for copy in ("a", "b")
        for n in range(16)
    ]
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "customers.csv", index=False)
    frame.assign(record_id="o" + frame["record_id"], notes="x").to_parquet(
        tmp_path / "orders.parquet", index=False
    )
    ids = [*frame["record_id"], *("o" + frame["record_id"])]
    pd.DataFrame({"record_id": ids, "person_id": [i[-2:] for i in ids]}).to_csv(
        tmp_path / "truth.csv", index=False
    )
    (tmp_path / "link.yml").write_text(YAML[1].replace("orders.notes: ignore", "dob: birth_date"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_page_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(COMMANDS) == 5
    for line in COMMANDS:
        assert run_app(line.split()) == 0, line
        printed = capsys.readouterr().out
        if "--json" in line:
            assert json.loads(printed)
    assert {"clusters.csv", "clusters.html", "clusters.parquet", "edges.csv"} <= {
        path.name for path in folder.iterdir()
    }
    clusters = pd.read_csv(folder / "clusters.csv", dtype=str)
    assert list(clusters) == ["source", "record_id", "entity_id", "probability"]


def test_the_declarations_of_the_page_are_valid() -> None:
    header = "title: t\ndescription: d\nowner: o\n"
    assert parse_model(LinkageSpec, header + YAML[0], path=PAGE, name="page").rules
    assert parse_model(LinkConfig, YAML[1], path=PAGE, name="page").id == "record_id"


def test_the_python_of_the_page_runs(folder: Path) -> None:
    names: dict[str, object] = {}
    exec(PYTHON[0], names)  # noqa: S102 - the page's own example
    assert "records are" in str(names["page"])
    assert folder.is_dir()


def test_files_may_name_their_records_differently(folder: Path) -> None:
    orders = pd.read_parquet("orders.parquet").rename(columns={"record_id": "order"})
    orders.to_csv("sales.csv", index=False)
    line = "link customers.csv sales.csv --id record_id --id order --out both.csv"
    assert run_app(line.split()) == 0
    found = set(pd.read_csv(folder / "both.csv", dtype=str)["record_id"])
    assert {"a00", "oa00"} <= found


def test_a_truth_of_other_records_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row numbers and small person numbers look alike; figures made from them are nonsense."""
    numbered = pd.read_csv("customers.csv").drop(columns="record_id")
    numbered.to_csv("rows.csv", index=False)
    people = [n % 16 for n in range(len(numbered))]
    keys = [f"k{n}" for n in range(len(people))]
    pd.DataFrame({"record_id": keys, "person_id": people, "household_id": people}).to_csv(
        "other.csv", index=False
    )
    assert run_app(["link", "rows.csv", "--out", "rows_out.csv"]) == 0
    assert run_app(["evaluate", "rows_out.csv", "--truth", "other.csv"]) == 2
    assert "not those of column 'record_id'" in capsys.readouterr().err
    assert folder.is_dir()


def test_what_is_wrong_is_said_with_exit_codes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["link", "none.csv", "--out", "c.csv"]) == 3
    assert run_app(["link", "customers.csv", "--out", "c.xlsx"]) == 2
    assert run_app(["link", "customers.csv", "--out", "c.csv", "--id", "nope"]) == 2
    assert run_app(["link", "customers.csv", "--out", "customers.csv"]) == 2
    assert run_app(["evaluate", "none.csv", "--truth", "truth.csv"]) == 3
    errors = capsys.readouterr().err
    for told in (
        "no such file",
        "not a kind of file",
        "no column 'nope'",
        "one of the inputs",
        "help:",
    ):
        assert told in errors
    assert not (folder / "c.csv").exists()
