from __future__ import annotations

import os
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.yaml_source import read_model

GOOD = """\
title: Members
owner: loyalty
delivery: {path: "members/*.csv", format: csv}
load: {mode: append, key: [member_no]}
columns:
  member_no: {required: true}
  joined_on: {type: date}
feeds:
  - entity: person_records
    columns: {loyalty_id: member_no}
"""


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "members.yml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="is no file"):
        read_model(SourceContract, path)


def read(tmp_path: Path, text: str) -> SourceContract:
    path = tmp_path / "members.yml"
    path.write_text(text, encoding="utf-8")
    return read_model(SourceContract, path)


def test_a_good_contract_takes_its_name_from_the_file(tmp_path: Path) -> None:
    contract = read(tmp_path, GOOD)
    assert contract.name == "members"
    assert [check.rule for check in contract.all_checks()] == ["member_no_not_null"]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("owner: loyalty", "ownr: loyalty", 2, "owner"),
        ("required: true", "requird: true", 6, "required"),
        ("type: date", "type: dat", 7, "date"),
        ("key: [member_no]", "key: [member_id]", 4, "member_id"),
        ("title: Members", "title: NO", 1, "quotes"),
        ("owner: loyalty", "title: Again", 2, "twice"),
        (
            "feeds:\n  - entity: person_records\n    columns: {loyalty_id: member_no}\n",
            "",
            1,
            "feeds",
        ),
        ("mode: append", "mode: rewrite", 4, "day"),
    ],
)
def test_mistakes_are_named_with_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    where = caught.value.where or ""
    assert where.startswith(f"{tmp_path / 'members.yml'}:{line}:"), where
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "[" * 5000, "a: &x [*x]\n"])
def test_what_is_no_declaration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, text)


def test_a_day_that_no_calendar_has_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"2026-13-31 is no date: month must be") as caught:
        read(tmp_path, f"{GOOD}description: 2026-13-31\n")
    assert (caught.value.where or "").endswith("members.yml:11:14")
    assert "such as 2027-03-31" in (caught.value.hint or "")
