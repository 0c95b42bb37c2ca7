from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.project.loader import load_project, starter_folder
from cdp_pipeline.project.macros import check_macros


@pytest.mark.parametrize(
    "text",
    [
        "create or replace temp macro share(part) as part;",
        'CREATE TEMPORARY FUNCTION "Share"(part) AS part;',
        "create macro\n    if not exists share(part) as table select part;",
    ],
)
def test_a_macro_that_would_replace_another_is_a_mistake(project_root: Path, text: str) -> None:
    shutil.copytree(starter_folder("sql"), project_root / "sql")
    wrong = project_root / "sql" / "macros" / "zz_own.sql"
    wrong.write_text(f"-- One's own.\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="'share' is defined twice") as caught:
        load_project(project_root)
    assert caught.value.where == f"{wrong}:2"
    assert "share.sql:2" in (caught.value.hint or "")


def test_one_file_may_not_define_a_macro_twice_but_may_speak_of_others(tmp_path: Path) -> None:
    path = tmp_path / "own.sql"
    path.write_text(
        "create macro a(x) as x;\n-- create macro a(x) as 2;\n/* create macro a(x)\n as 3; */\n"
        "create macro b(x) as 'create macro a(x) as 4';\ncreate macro a(x) as 5;\n",
        encoding="utf-8",
    )
    assert [error.where for error in check_macros([path])] == [f"{path}:6"]


def test_macros_of_one_schema_are_told_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "own.sql"
    path.write_text(
        'create macro temp.main.a(x) as x;\ncreate macro temp."main" . b(x) as x;\n'
        "create macro temp.main.a(x, y) as y;\n",
        encoding="utf-8",
    )
    assert [error.where for error in check_macros([path])] == [f"{path}:3"]
