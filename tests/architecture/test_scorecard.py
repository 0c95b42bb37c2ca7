"""The scorecard adds up what pytest reported, and no row of it can fall silent."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS
from tests.scorecard import KILLS, ROOT, ROWS, Row, add_up, existing, run_command, show

ROW = Row("R0", "holds", (f"{KILLS}::killed",))
REPORT = """<testsuites><testsuite>
<testcase classname="tests.faults.test_kills" name="test_killed[1]">
<properties><property name="kills" value="1200"/></properties></testcase>
<testcase classname="tests.faults.test_kills" name="test_killed[2]">{}</testcase>
<testcase classname="tests.faults.test_kills" name="test_other"><failure/></testcase>
<testcase classname="tests.faults.test_killers" name="test_killed"><failure/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("became", "line"),
    [
        ("", "R0  pass  holds: 1,200 kills; 2/2 tests\n"),
        ("<skipped/>", "R0  pass  holds: 1,200 kills; 1/1 tests, 1 skipped\n"),
        (
            "<failure/>",
            f"R0  FAIL  holds: 1,200 kills; 1/2 tests\n{'':10}{KILLS}::test_killed[2]\n",
        ),
    ],
)
def test_a_row_is_what_its_tests_became(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], became: str, line: str
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(became), encoding="utf-8")
    is_kept = show(ROW, add_up([ROW], [report])["R0"])
    assert capsys.readouterr().out == line
    assert is_kept == ("pass" in line)


def test_a_row_none_of_whose_tests_ran_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not show(ROW, add_up([ROW], [tmp_path / "no report"])["R0"])
    assert capsys.readouterr().out == "R0  FAIL  holds: none of its tests ran\n"


def test_a_command_that_fails_says_why() -> None:
    score = run_command(Row("Q0", "holds", command=("ruff", "check", "--select", "E", "nowhere")))
    assert score.word == "FAIL"
    assert "nowhere" in score.figure + "".join(score.failed)


@functools.cache
def names_in(place: str) -> str:
    """Return the names of the tests of a place, and the text they stand in."""
    files = existing(Row("R0", "holds", (place,)))
    paths = [
        path
        for file in files
        for path in sorted(
            (ROOT / file).rglob("test_*.py") if (ROOT / file).is_dir() else [ROOT / file]
        )
    ]
    return "\n".join(path.read_text("utf-8") for path in paths)


def is_there(test: str) -> bool:
    """Return whether a test is there, and the case that is meant."""
    place, _, rest = test.partition("::")
    part, _, case = rest.partition("#")
    text = names_in(place)
    return any(part in name for name in re.findall(r"def (test_\w+)", text)) and (
        not case or f'"{case}": ' in text
    )


@pytest.mark.parametrize("row", [row for row in ROWS if row.tests], ids=lambda row: row.id)
def test_every_part_of_a_row_names_tests_that_are_there(row: Row) -> None:
    assert [test for test in row.tests if not is_there(test)] == []


def test_every_fault_is_held_by_tests_that_are_there() -> None:
    assert [fault.what for fault in FAULTS if not fault.tests] == []
    assert [test for fault in FAULTS for test in fault.tests if not is_there(test)] == []
    assert not is_there(f"{KILLS}::no_such_test")
    assert not is_there("tests/hostile/test_hostile_files.py::cannot_be_trusted#no_such_case")
