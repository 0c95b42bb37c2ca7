from __future__ import annotations

import re
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.identity.scoring.design import declared_design, shipped_design, shipped_linkage
from cdp_pipeline.project.evidence import EVIDENCE
from cdp_pipeline.project.levels import VOCABULARY
from cdp_pipeline.project.linkage import LinkageSpec, LinkConfig
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.project.yaml_source import parse_model

REPOSITORY = Path(__file__).resolve().parents[3]

SMALL = """\
title: Small
description: Two fields.
owner: tests
comparisons:
  given name:
    compares: given_name
    kind: personal
    levels:
      - same: by frequency
      - alike: 0.9
      - {sql: "left(l.given_name, 1) = left(r.given_name, 1)", as: same first letter}
  phone:
    compares: phone
    kind: shared
    levels: [same]
rules:
  same name: [given_name]
"""


def _read(text: str) -> LinkageSpec:
    return parse_model(LinkageSpec, text, path=Path("small.yml"), name="small")


@pytest.mark.parametrize("name", ["people", "files"])
def test_shipped_declarations_use_known_words_and_pack_into_a_bigint(name: str) -> None:
    design = shipped_design(name)
    size = 1
    for comparison in design.comparisons:
        size *= comparison.size + 1
    assert size < 2**62
    assert len({rule.name for rule in design.rules}) == len(design.rules)
    assert shipped_linkage(name).owner


def test_every_level_says_what_it_means() -> None:
    assert all(template.__doc__ for template in VOCABULARY.values())
    assert all(found.meaning for found in EVIDENCE.values())


def test_own_sql_becomes_a_level_with_a_name() -> None:
    levels = declared_design(_read(SMALL)).comparisons[0].levels
    assert [level.name for level in levels] == ["same", "alike", "same first letter"]
    assert levels[2].condition == "left(l.given_name, 1) = left(r.given_name, 1)"


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("compares: phone", "compares: fone", 13, "unknown evidence 'fone'"),
        ("kind: shared", "kind: common", 14, "kind"),
        ("levels: [same]", "levels: [sane]", 15, "unknown level 'sane'"),
        ("levels: [same]", "levels: [alike: 92]", 13, "similarity"),
        ("levels: [same]", "levels: [nickname: 1]", 13, "takes no argument"),
        ("levels: [same]", "levels: [same, same]", 13, "stands twice"),
        ("levels: [same]", "levels: [day and month swapped]", 13, "for birth_date"),
        ("same name: [given_name]", "same name: [first]", 16, "unknown key 'first'"),
        ("as: same first letter", "of: phone", 5, "name for people"),
        ("left(l.given_name,", "left(l.birthday,", 5, "unknown column 'birthday'"),
        ("owner: tests", "ownr: tests", 3, "ownr"),
        (
            "levels: [same]",
            "no_conflict_if: [{is: same, of: occupation}]\n    levels: [same]",
            15,
            "not every store has",
        ),
    ],
)
def test_mistakes_are_found_with_their_line(
    before: str, after: str, line: int, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(SMALL.replace(before, after, 1))
    assert re.search(message, caught.value.message)
    found = re.fullmatch(r"small\.yml:(\d+):\d+", caught.value.where or "")
    assert found
    assert abs(int(found.group(1)) - line) <= 4


@pytest.mark.parametrize(
    "sql", ["(select 1) = 1", "l.given_name = r.given_name; drop table x", "l.given_name"]
)
def test_own_sql_is_one_condition(sql: str) -> None:
    spec = _read(SMALL.replace("left(l.given_name, 1) = left(r.given_name, 1)", sql))
    with pytest.raises(ConfigError):
        declared_design(spec)


def test_a_project_without_a_declaration_has_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "expectations").mkdir()
    assert load_project(tmp_path).linkage == shipped_linkage("people")


def test_the_declaration_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    folder = tmp_path / "sql" / "linkage"
    folder.mkdir(parents=True)
    (tmp_path / "reports").mkdir()
    (tmp_path / "expectations").mkdir()
    (folder / "people.yml").write_text(SMALL)
    before = load_project(tmp_path)
    assert list(before.linkage.comparisons) == ["given name", "phone"]
    (folder / "people.yml").write_text(SMALL.replace("alike: 0.9", "alike: 0.85"))
    assert load_project(tmp_path).fingerprint != before.fingerprint


def test_what_people_say_replaces_comparisons_or_rules_alone() -> None:
    shipped = shipped_linkage("files")
    said = LinkConfig.model_validate({"rules": {"same phone": ["phone"]}})
    assert said.linkage(shipped).comparisons == shipped.comparisons
    assert list(said.linkage(shipped).rules) == ["same phone"]
    assert LinkConfig().linkage(shipped) is shipped
