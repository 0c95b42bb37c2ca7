"""Declared texts show what they are: no hidden characters, no second line, no formula."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from cdp_pipeline.cli.app import run_app
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import load_settings
from cdp_pipeline.core.unseen import find_unseen
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.marketing import DestinationField

PLACES = (
    "expectations/till.yml", "sql/marketing/segments/vips.yml", "sql/marketing/offers/boots.yml",
    "sql/marketing/destinations/mailer.yml", "reports/daily.yml", "sql/glossary.yml",
)  # fmt: skip

UNSEEN = {
    "a terminal's escape": ("\\e[2J", "U+001B"),
    "a carriage return": ("\\r", "U+000D"),
    "a backspace": ("\\b", "U+0008"),
    "zero": ("\\0", "U+0000"),
    "a control character of the second set": ("\\x9b", "U+009B"),
    "text turned round": ("\\u202E", "U+202E (right-to-left override)"),
    "an isolate": ("\\u2066", "U+2066 (left-to-right isolate)"),
    "a line of its own": ("\\u2028", "U+2028 (line separator)"),
}  # fmt: skip

TILL = """\
title: {title}
owner: {owner}
delivery: {{path: "*/till.csv", format: csv, delimiter: "\\x01"}}
load: {{mode: append, key: [n]}}
columns:
  n: {{type: text, strip: "\\0*", null_values: ["\\x1a"]}}
feeds: []
"""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", UNSEEN)
def test_characters_that_nobody_sees_are_refused_where_they_stand(
    project_root: Path, place: str, case: str
) -> None:
    escape, named = UNSEEN[case]
    path = project_root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'\ntitle: fine\nowner: "Ann{escape}Lee"\n')
    with pytest.raises(ConfigError) as caught:
        load_project(project_root)
    assert caught.value.where == f"{path}:3:8"
    assert f"not shown: {named}" in caught.value.message
    assert find_unseen(str(caught.value)) is None


def test_half_a_character_is_refused(project_root: Path) -> None:
    path = project_root / "expectations" / "till.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text('title: "a\\ud800b"\n')
    with pytest.raises(ConfigError, match=r"till\.yml"):
        load_project(project_root)


@pytest.mark.parametrize(
    "text",
    ['{"a\\e": b}', '["a\\e"]', '{a: {b: ["\\u202E"]}}', '{quote: {title: "\\u202E"}}'],
)
def test_keys_and_lists_are_looked_at_too(project_root: Path, text: str) -> None:
    path = project_root / "sql" / "glossary.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"terms: {text}\n")
    with pytest.raises(ConfigError, match="not shown"):
        load_project(project_root)


def test_the_header_of_a_model_is_a_declaration(project_root: Path) -> None:
    path = project_root / "sql" / "core" / "till.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('/*\ndescription: "a\\u202Eb"\n*/\nselect 1 as n\n')
    with pytest.raises(ConfigError) as caught:
        load_project(project_root)
    assert caught.value.where == f"{path}:2:14"


def test_what_separates_fields_need_not_be_seen(project_root: Path) -> None:
    path = project_root / "expectations" / "till.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TILL.format(title="Till", owner="retail"))
    contract = load_project(project_root).sources["till"]
    assert contract.delivery.delimiter == "\x01"
    assert contract.columns["n"].strip == "\0*"


def test_a_text_without_end_is_refused_with_its_length(project_root: Path) -> None:
    path = project_root / "expectations" / "till.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TILL.format(title="x" * 100_000, owner="retail"))
    with pytest.raises(ConfigError, match=r"text of 100,000 characters") as caught:
        load_project(project_root)
    assert len(str(caught.value)) < 500
    path.write_text(TILL.format(title="x" * 20_000, owner="retail"))
    load_project(project_root)


LETTERS_OF_EVERYWHERE = "Zoë O'Neil-Łuk, 株式会社, שלום, مرحبا\u200f, 👩‍👩‍👧"


def test_letters_of_any_language_stay(project_root: Path) -> None:
    path = project_root / "expectations" / "till.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        TILL.format(title=json.dumps(LETTERS_OF_EVERYWHERE, ensure_ascii=False), owner="a")
    )
    assert load_project(project_root).sources["till"].title == LETTERS_OF_EVERYWHERE


@pytest.mark.parametrize("text", ["Shop\nBcc: eve@evil.example", "Shop\r", "a\x1b[2J", "x" * 201])
def test_settings_that_are_headers_of_mails_are_one_line(project_root: Path, text: str) -> None:
    for settings in (
        {"store_name": text},
        {"mail": {"sender": text}},
        {"mail": {"recipients": {"board": [text]}}},
        {"mail": {"allowed_domains": [text]}},
    ):
        with pytest.raises(ConfigError):
            load_settings(project_root, **settings)


@pytest.mark.parametrize(
    "header", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", " =1", "\u200b=1", "\uff1d1", "\t=1"]
)
def test_no_header_of_an_export_begins_a_formula(header: str) -> None:
    with pytest.raises(ValidationError):
        DestinationField(column="email", header=header)
    assert DestinationField(column="email", header=f"Mail {header.strip()}").header


@pytest.mark.parametrize("reason", ["a\x1b[2Jb", "a\udcffb", "a\u202eb"])
def test_a_reason_is_shown_as_it_was_written(
    project_root: Path, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """``\\udcff`` is what Python makes of a byte that is no UTF-8."""
    assert run_app(["--project", str(project_root), "rollback", "--reason", reason]) == 2
    assert f"not shown: U+{ord(reason[1]):04X}" in capsys.readouterr().err
