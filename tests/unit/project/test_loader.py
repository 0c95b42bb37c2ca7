from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.loader import load_project, starter_folder
from cdp_pipeline.project.starter import create_project

CONTRACT = """\
title: Till
owner: stores
delivery: {path: "till/*.csv", format: csv}
load: {mode: append, key: [receipt]}
columns: {receipt: {required: true}}
feeds: [{entity: sale_lines, columns: {sale_id: receipt}}]
"""


def add_source(root: Path, text: str = CONTRACT) -> Path:
    path = root / "expectations" / "till.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_project_may_be_a_single_contract(project_root: Path) -> None:
    add_source(project_root)
    project = load_project(project_root)
    assert list(project.sources) == ["till"]
    assert "core.fct_sales" in project.tables
    assert project.segments


def test_a_changed_file_is_read_again(project_root: Path) -> None:
    path = add_source(project_root)
    before = load_project(project_root)
    path.write_text(CONTRACT.replace("title: Till", "title: Tills"), encoding="utf-8")
    after = load_project(project_root)
    assert after.sources["till"].title == "Tills"
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sale_lines", "sale_line", "Did you mean `sale_lines`"),
        ("sale_lines", "tickets", "Known: "),
        ("sale_id:", "sale_no:", "Did you mean `sale_id`"),
        ("sale_id:", "ticket:", "sale_lines has: "),
    ],
)
def test_feeds_must_fit_their_entity(project_root: Path, old: str, new: str, said: str) -> None:
    text = CONTRACT.replace(old, new)
    path = add_source(project_root, text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_project(project_root)
    line = text[: text.index(new)].count("\n") + 1
    column = len(text[: text.index(new)].rpartition("\n")[2]) + 1
    place, _, _ = (caught.value.where or "").rpartition(":")
    assert place == f"{path}:{line}"
    assert column >= int((caught.value.where or "").rpartition(":")[2])


def test_rules_of_survivorship_name_sources_that_exist(project_root: Path) -> None:
    add_source(project_root)
    path = project_root / "sql" / "linkage" / "survivorship.yml"
    path.parent.mkdir(parents=True)
    shipped = starter_folder("sql") / "linkage" / "survivorship.yml"
    text = shipped.read_text(encoding="utf-8")
    path.write_text(text.replace("trusted_as: {}", "trusted_as: {tils: receipt}"), encoding="utf-8")
    line = text.splitlines().index("trusted_as: {}") + 1
    with pytest.raises(ConfigError, match="tils") as caught:
        load_project(project_root)
    assert caught.value.where == f"{path}:{line}:14"
    assert "Did you mean `till`?" in (caught.value.hint or "")


def test_init_makes_a_project_that_loads(tmp_path: Path) -> None:
    made = create_project(tmp_path / "mystore")
    names = {path.relative_to(tmp_path / "mystore").as_posix() for path in made}
    assert {"pyproject.toml", "dags/cdp_nightly.py", "expectations/README.md"} <= names
    project = load_project(tmp_path / "mystore")
    assert project.sources == {}
    assert project.tables


def test_init_never_overwrites(tmp_path: Path) -> None:
    create_project(tmp_path)
    with pytest.raises(ConfigError, match="already exists"):
        create_project(tmp_path)
