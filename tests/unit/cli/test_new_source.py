"""`cdp new source`: files and folders become contracts that people finish."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.ingest.discovery import content

Run = Callable[..., tuple[int, str, str]]
SALES = "receipt,line,sku,qty,amount,currency\n" + "".join(
    f"{1000 + n // 2},{n % 2 + 1},{n:05d},1,{n}.50,EUR\n" for n in range(40)
)
PEOPLE = "member_no,email,first_name,phone\n" + "".join(
    f"{n:08d},a{n}@example.com,Ann,+4479460{n:05d}\n" for n in range(30)
)


@pytest.fixture
def run(project_root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = run_app(["--project", str(project_root), "new", "source", *words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_a_folder_becomes_a_contract_for_each_kind_of_file(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "drop"
    (place / "2026-11-20").mkdir(parents=True)
    for day in (19, 20):
        (place / "2026-11-20" / f"sales_202611{day}.csv").write_text(SALES)
    (place / "2026-11-20" / "members.csv").write_text(PEOPLE)
    (place / "2026-11-20" / "sales_20261120.csv.done").write_text("")
    code, out, err = run(str(place), "--out", str(tmp_path / "drafts"))
    assert code == 0, err
    assert sorted(p.name for p in (tmp_path / "drafts").iterdir()) == ["members.yml", "sales.yml"]
    assert "key receipt, line" in out
    draft = (tmp_path / "drafts" / "members.yml").read_text()
    assert "pii: email" in draft
    assert "a1@example.com" not in draft
    assert "+4479460" not in draft


def test_a_slip_does_not_hide_the_key_and_a_sample_is_called_one(run: Run, tmp_path: Path) -> None:
    cards = [f"{n:08d},a{n % 9000}@example.com,Ann,{n % 997:05d}\n" for n in range(21_000)]
    cards[500] = "00000499,b@example.com,Bob,12345\n"
    (tmp_path / "cards.csv").write_text("card_no,email,first_name,post_code\n" + "".join(cards))
    code, out, err = run(str(tmp_path / "cards.csv"), "--out", str(tmp_path / "drafts"))
    assert code == 0, err
    assert "the first 20,000 records" in out
    draft = (tmp_path / "drafts" / "cards.yml").read_text()
    assert "key: [card_no]  # 1 rows repeat it" in draft


def test_one_name_is_for_one_kind_of_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "sales.csv").write_text(SALES)
    (tmp_path / "drop" / "members.csv").write_text(PEOPLE)
    code, _, err = run(str(tmp_path / "drop"), "--name", "both")
    assert code == 2
    assert "2 kinds" in err


def test_a_contract_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SALES)
    target = tmp_path / "mine.yml"
    assert run(str(tmp_path / "sales.csv"), "--out", str(target))[0] == 0
    before = target.read_bytes()
    code, _, err = run(str(tmp_path / "sales.csv"), "--out", str(target))
    assert code == 2
    assert "there already" in err
    assert target.read_bytes() == before


def test_the_answer_for_machines_holds_questions_and_trial(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(SALES.replace(",currency", "").replace(",EUR", ""))
    code, out, _ = run(str(tmp_path / "sales.csv"), "--json")
    assert code == 0
    (found,) = json.loads(out)
    assert [q.partition("  ")[2].partition(":")[0] for q in found["questions"]] == [
        "feeds.0.columns.currency"
    ]
    assert found["trial"] == ["trial  40 of 40 rows of sales.csv would be loaded"]


def test_of_a_large_file_a_sample_is_looked_at(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "SAMPLE_BYTES", 1 << 16)
    monkeypatch.setattr("cdp_pipeline.ingest.discovery.proposal.LARGEST_TRIAL", 1 << 16)
    body = "".join(f"{n},{n % 9 + 1},{n:07d},1,{n % 90}.50,EUR\n" for n in range(100_000))
    (tmp_path / "sales.csv").write_text(SALES + body + "TRAILER,100040\n")
    code, out, err = run(str(tmp_path / "sales.csv"), "--out", str(tmp_path / "sales.yml"))
    assert code == 0, err
    draft = (tmp_path / "sales.yml").read_text()
    assert "MB of the file" in draft
    assert "trailer_lines: 1" in draft
    assert "trial  none: the file has" in out


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "an old Excel file"),
        ("a.pdf", b"%PDF-1.7\n", "a PDF"),
        ("a.csv", b"\x1f\x8b\x08" + b"\0" * 20, "gzip data"),
        ("a.html", b"<!doctype html><html></html>", "a web page"),
        ("a.json", b'{"a": [1, 2', "no array of objects"),
        ("a.parquet", b"PAR1" + b"\0" * 50, "no readable Parquet"),
        ("a.xlsx", b"PK\x05\x06" + b"\0" * 18, "workbook"),
        ("a.xml", b"<a><b>1</b>", "not well-formed"),
    ],
)
def test_what_no_contract_can_read_is_told(
    run: Run, tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    code, _, err = run(str(tmp_path / name))
    assert code == 2, err
    assert said in err
    assert "help:" in err


def test_an_empty_folder_and_a_missing_file_are_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    assert "no deliveries" in run(str(tmp_path / "drop"))[2]
    assert "no such file" in run(str(tmp_path / "nothing.csv"))[2]


def test_special_categories_are_flagged_and_their_values_shown_nowhere(
    run: Run, project_root: Path, tmp_path: Path
) -> None:
    rows = "".join(
        f"{n:08d},a{n}@example.com,{('Catholic', 'Hindu')[n % 2]},{20 + n % 9}\n" for n in range(60)
    )
    (tmp_path / "cards.csv").write_text("member_no,email,Religion,bmi\n" + rows)
    code, _, err = run(str(tmp_path / "cards.csv"))
    assert code == 0, err
    draft = (project_root / "expectations" / "cards.yml").read_text()
    assert "special_category: religion" in draft
    assert "special_category: health" in draft
    assert "name a `legal_basis:` to use it" in draft
    assert "Hindu" not in draft
    assert "20 to 28" not in draft
