"""The commands of the data steward, as a newcomer meets them."""

from __future__ import annotations

import csv
import json
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cdp_pipeline.cli import asking
from cdp_pipeline.cli.app import run_app
from cdp_pipeline.identity.stewardship.judgements import read_judgements

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Query, Village

pytest.importorskip("recordlinkage")


class Desk:
    """A published village and somebody who types commands."""

    def __init__(self, village: Village, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.root = village.store.root
        self.capsys = capsys
        version = self.data / "warehouse" / "versions" / "000001-2026-11-20"
        version.mkdir(parents=True)
        self.database = version / "cdp.duckdb"
        shutil.copy(village.made, self.database)
        (self.data / "warehouse" / "current").symlink_to(version)
        self.blur()

    def blur(self) -> None:
        """Make three links of the village unsure, two inside customers and one across."""
        with duckdb.connect(str(self.database)) as con:
            con.execute("update identity.edges set match_prob = 0.99")
            con.execute(
                "update identity.edges set match_prob = 0.6 where record_key_a = record_key_b "
                "and record_key_a in ('0000', '0002')"
            )
            con.execute(
                "insert into identity.edges select 'loyalty', '0004', 'loyalty', '0006', "
                "-1, -3, 0.45, pattern, rule from identity.edges "
                "where pattern is not null order by all limit 1"
            )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = run_app(["--project", str(self.root), "--data-dir", str(self.data), *arguments])
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def lines(self) -> list[dict[str, Any]]:
        held = read_judgements(self.data / "stewardship")
        return [line.model_dump(mode="json") for line in held.lines]


@pytest.fixture
def desk(village: Village, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(village, tmp_path, capsys)


@pytest.fixture
def customer_of(desk: Desk, read: Query) -> Callable[[str], str]:
    def find(record: str) -> str:
        sql = "select customer_id from identity.customer_map where source || ':' || record_key = ?"
        return str(read(desk.database, sql, record)[0][0])

    return find


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a way to sit at a terminal and type."""

    def type_in(*typed: str) -> None:
        keys = iter(typed)

        def answer(_prompt: str) -> str:
            try:
                return next(keys)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", answer)
        for stream in (sys.stdin, sys.stdout):
            monkeypatch.setattr(stream, "isatty", lambda: True)

    return type_in


def test_without_a_terminal_it_says_what_to_do(desk: Desk) -> None:
    code, _, err = desk("review")
    assert code == 2
    assert "--export" in err
    assert "--import" in err


def test_before_the_first_night_it_says_so(desk: Desk) -> None:
    (desk.data / "warehouse" / "current").unlink()
    code, _, err = desk("review", "--export", str(desk.folder / "q.csv"))
    assert code == 2
    assert "nothing has been published" in err


def test_the_queue_asks_and_keeps_each_answer(desk: Desk, answers: Callable[..., None]) -> None:
    answers("?", "perhaps", "d not the same", "", "s")
    code, out, err = desk("review")
    assert code == 0
    assert "pair 1 of 3" in out
    assert "'perhaps' is no answer" in out
    assert asking.HELP in out
    assert "2 answers recorded as" in err
    assert "next night" in err
    first, second = desk.lines()
    assert (first["verdict"], first["reason"]) == ("different", "not the same")
    assert second["verdict"] == "same"
    assert 0 < first["match_prob"] < 1
    answers("q")
    _, out, err = desk("review")
    assert "pair 1 of 1" in out  # nobody is asked twice; what was skipped comes again
    assert "nothing recorded" in err


def test_a_pair_is_shown_with_both_records_and_the_evidence(
    desk: Desk, answers: Callable[..., None]
) -> None:
    answers("q")
    _, out, _ = desk("review", "--limit", "1")
    assert "loyalty:" in out
    assert "family name" in out
    assert "++ same" in out
    assert "the model: one person" in out


def test_the_end_of_input_stops(desk: Desk, answers: Callable[..., None]) -> None:
    answers()
    code, _, err = desk("review")
    assert code == 0
    assert "nothing recorded" in err


def export(desk: Desk, name: str = "q.csv") -> tuple[Path, list[dict[str, str]]]:
    path = desk.folder / name
    code, _, err = desk("review", "--export", str(path))
    assert code == 0
    assert "personal data" in err
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return path, list(csv.DictReader(stream))


def fill(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_queue_goes_out_and_comes_back(desk: Desk, delimiter: str) -> None:
    path, rows = export(desk)
    assert len(rows) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert export(desk, "again.csv")[1] == rows
    rows[0] |= {"verdict": "Same", "reason": "line one\nline two"}
    rows[2] |= {"verdict": "different"}
    fill(path, rows, delimiter)
    code, _, err = desk("review", "--import", str(path))
    assert code == 0
    assert "2 verdicts" in err
    assert "1 rows without one" in err
    assert [(line["a"], line["verdict"]) for line in desk.lines()] == [
        (rows[0]["record_a"], "same"),
        (rows[2]["record_a"], "different"),
    ]


def test_a_file_imported_again_adds_what_it_says_anew(desk: Desk) -> None:
    path, rows = export(desk)
    rows[0] |= {"verdict": "same"}
    rows[1] |= {"verdict": "different"}
    fill(path, rows)
    assert desk("review", "--import", str(path))[0] == 0
    journal = desk.data / "stewardship" / "judgements.jsonl"
    first, _ = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + b'{"id": "J2", "at"')  # as if it had been killed in mid-write
    for said in ("3 verdicts", "3 verdicts in {path}, 3 recorded before"):
        rows[2] |= {"verdict": "unsure"}
        fill(path, rows)
        code, _, err = desk("review", "--import", str(path))
        assert code == 0
        assert said.format(path=path) in err
        assert [line["verdict"] for line in desk.lines()] == ["same", "different", "unsure"]
    assert "nothing recorded" in err
    rows[0] |= {"verdict": "different"}
    fill(path, rows)
    desk("review", "--import", str(path))
    assert [line["verdict"] for line in desk.lines()][3:] == ["different"]


def test_a_file_imported_again_does_not_take_back_what_another_steward_has_said(desk: Desk) -> None:
    path, rows = export(desk)
    rows[0] |= {"verdict": "same"}
    fill(path, rows)
    desk("review", "--import", str(path))
    journal = desk.data / "stewardship" / "judgements.jsonl"
    (mine,) = desk.lines()
    theirs = mine | {"id": "J2", "who": "somebody", "verdict": "different"}
    theirs["at"] = mine["at"].replace("20", "21", 1)
    journal.write_bytes(journal.read_bytes() + json.dumps(theirs).encode() + b"\n")
    rows[1] |= {"verdict": "same"}
    fill(path, rows)
    assert desk("review", "--import", str(path))[0] == 0
    assert [line["a"] for line in desk.lines()][2:] == [rows[1]["record_a"]]


def test_one_wrong_row_and_nothing_is_imported(desk: Desk) -> None:
    path, rows = export(desk)
    rows[0] |= {"verdict": "same"}
    rows[1] |= {"verdict": "maybe", "record_b": "crm:nobody"}
    rows[2] |= {"verdict": "same", "record_a": rows[2]["record_b"], "match_prob": "often"}
    again = rows[0] | {"verdict": "different"}
    fill(path, [*rows, again])
    code, _, err = desk("review", "--import", str(path))
    assert code == 2
    for expected in (
        f"{path}:3: verdict 'maybe'",
        f"{path}:3: record_b: no person record 'crm:nobody'",
        f"{path}:4: both records are the same",
        f"{path}:4: match_prob 'often'",
        f"{path}:5: judged same in line 2",
    ):
        assert expected in err
    assert desk.lines() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column 'record_a'"),
        ("record_a,record_b\n", "no column 'verdict'"),
        ("record_a,record_a,record_b,verdict\n", "two columns"),
        ('record_a,record_b,verdict\n"open,crm:1,same', "CSV"),
        ("record_a,record_b,verdict\nsame\n", ""),
        ("\x00", "no column"),
    ],
)
def test_hostile_files_are_explained(desk: Desk, text: str, said: str) -> None:
    path = desk.folder / "v.csv"
    path.write_text(text, encoding="utf-8")
    code, _, err = desk("review", "--import", str(path))
    assert said in err
    assert (code == 0) == (said == "")
    assert desk.lines() == []


def test_a_device_without_an_end_is_not_read(desk: Desk) -> None:
    code, _, err = desk("review", "--import", "/dev/zero")
    assert (code, "is no file" in err, desk.lines()) == (2, True, [])


def test_files_that_are_no_text_or_are_missing_are_explained(desk: Desk) -> None:
    path = desk.folder / "v.csv"
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in desk("review", "--import", str(path))[2]
    assert "cannot be read" in desk("review", "--import", str(desk.folder / "none.csv"))[2]
    assert "cannot be read" in desk("review", "--import", str(desk.folder))[2]
    assert "exists" in desk("review", "--export", str(path))[2]
    assert "cannot be written" in desk("review", "--export", str(desk.folder / "no" / "q.csv"))[2]


def test_cells_are_no_formulas(desk: Desk) -> None:
    with duckdb.connect(str(desk.database)) as con:
        con.execute("update identity.records set street = '=cmd()' where record_key = '0000'")
    _, rows = export(desk)
    cells = [cell for row in rows for cell in row.values()]
    assert any(cell.startswith("'=cmd()") for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)


def test_judging_says_who_and_from_when(desk: Desk) -> None:
    code, _, err = desk("judge", "different", "loyalty:0000", "shop:0000", "--reason", "twins")
    assert code == 0
    assert "J1" in err
    assert "next night" in err
    assert desk.lines()[0]["who"] in err
    assert desk.lines()[0]["reason"] == "twins"


def test_judging_customers_takes_a_record_of_each(
    desk: Desk, customer_of: Callable[[str], str]
) -> None:
    pair = customer_of("loyalty:0000"), customer_of("loyalty:0002")
    code, _, err = desk("judge", "same", *pair)
    assert code == 0
    assert f"loyalty:0000 stands for customer {pair[0]}" in err
    assert (desk.lines()[0]["a"], desk.lines()[0]["b"]) == ("loyalty:0000", "loyalty:0002")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("judge", "same", "crm:nobody", "shop:0000"), "no person record"),
        (("judge", "same", "shop:0000", "shop:0000"), "one and the same"),
        (("judge", "same", "C0000000000000000", "shop:0000"), "no customer"),
        (("unmerge", "C0000000000000000"), "no customer"),
        (("freeze", "C0000000000000000"), "no customer"),
        (("freeze", "C0000000000000000", "--thaw"), "not frozen"),
        (("judgements", "--withdraw", "J9"), "no judgement J9"),
        (("review", "--export", "a", "--import", "b"), "exclude each other"),
    ],
)
def test_mistakes_are_explained(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = desk(*arguments)
    assert code == 2
    assert said in err
    assert "help:" in err
    assert desk.lines() == []


def test_unmerging_keeps_records_apart_from_all_that_stay(
    desk: Desk, customer_of: Callable[[str], str]
) -> None:
    customer = customer_of("loyalty:0010")
    code, _, err = desk("unmerge", customer, "shop:0010")
    assert code == 0
    assert f"1 of 2 records leave {customer}" in err
    line = desk.lines()[0]
    assert (line["verdict"], line["a"], line["b"]) == ("different", "shop:0010", ["loyalty:0010"])
    assert "no record of" in desk("unmerge", customer, "shop:0002")[2]
    assert "nothing would remain" in desk("unmerge", customer, "shop:0010", "loyalty:0010")[2]


def test_unmerging_without_records_takes_all_apart(
    desk: Desk, customer_of: Callable[[str], str]
) -> None:
    code, _, err = desk("unmerge", customer_of("loyalty:0971"))
    assert code == 0
    assert "3 different records" in err
    assert [len(line["b"]) for line in desk.lines()] == [2, 1]


def test_freezing_and_thawing(desk: Desk, customer_of: Callable[[str], str]) -> None:
    customer = customer_of("loyalty:0010")
    assert desk("freeze", customer, "--reason", "dispute")[0] == 0
    assert desk.lines()[0]["records"] == ["loyalty:0010", "shop:0010"]
    assert "frozen already" in desk("freeze", customer)[2]
    _, _, err = desk("judge", "same", "shop:0010", "shop:0002")
    assert "conflict: a frozen customer would gain records" in err
    assert desk("freeze", customer, "--thaw")[0] == 0
    assert desk.lines()[-1]["withdraws"] == "J1"
    assert desk("freeze", customer)[0] == 0


def test_freezing_leaves_out_what_was_taken_out_before(
    desk: Desk, customer_of: Callable[[str], str]
) -> None:
    """The published version still has the record, but the steward has spoken: no conflict."""
    customer = customer_of("loyalty:0971")
    assert desk("unmerge", customer, "loyalty:0971", "orders:W1")[0] == 0
    _, _, err = desk("freeze", customer)
    assert "conflict" not in err
    assert "2 judged to be another person's are left out" in err
    assert desk.lines()[-1]["records"] == ["shop:ANNA1"]


def test_judgements_are_listed_withdrawn_and_checked(desk: Desk) -> None:
    assert "no judgements yet" in desk("judgements")[1]
    desk("judge", "different", "loyalty:0000", "loyalty:0004")
    desk("judge", "same", "loyalty:0000", "loyalty:0002")
    assert "no judgements contradict" in desk("judgements", "--conflicts")[2]
    _, _, err = desk("judge", "same", "loyalty:0002", "loyalty:0004")
    assert "conflict" in err
    _, out, _ = desk("judgements", "--conflicts")
    assert "J1" in out
    assert json.loads(desk("judgements", "--conflicts", "--json")[1])[0]["winner"] == "J1"
    assert desk("judgements", "--withdraw", "J1")[0] == 0
    listed = json.loads(desk("judgements", "--json")[1])
    assert [row["id"] for row in listed] == ["J1", "J2", "J3"]
    assert listed[0]["withdrawn_by"].endswith("(J4)")
    assert "does not count anyway" in desk("judgements", "--withdraw", "J1")[2]
    _, out, _ = desk("judgements")
    assert "loyalty:0000 | loyalty:0004" in out


def test_a_hostile_journal_is_named_by_line(desk: Desk) -> None:
    folder = desk.data / "stewardship"
    folder.mkdir()
    (folder / "judgements.jsonl").write_text("\n{\n", encoding="utf-8")
    code, _, err = desk("judgements")
    assert code == 2
    assert "judgements.jsonl:2" in err


def test_the_random_sample_is_shown_without_the_models_opinion(
    desk: Desk, answers: Callable[..., None]
) -> None:
    with duckdb.connect(str(desk.database)) as con:
        con.execute("create table if not exists identity.clerical_sample as select 1 where false")
        con.execute(
            "create or replace table identity.clerical_sample as select 'joined' as stratum, "
            "source_a, record_key_a, source_b, record_key_b, match_prob from identity.edges "
            "where pattern is not null and record_key_a in ('0010', '0012') "
            "and record_key_a = record_key_b"
        )
    answers("d not he")
    _, out, _ = desk("review", "--sample")
    assert "pair 1 of 2: drawn at random" in out
    assert "the model:" not in out
    assert "++ same" in out
    path = desk.folder / "sample.csv"
    desk("review", "--sample", "--export", str(path))
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["match_prob"] for row in rows] == [""]
