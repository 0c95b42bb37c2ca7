"""A new project's settings file shows every setting as it may be written."""

from __future__ import annotations

import re
import shutil
import tomllib
from functools import partial
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import Settings, find_project_root
from cdp_pipeline.project.starter import create_project
from tests.dying import count_calls, dies_within


def test_each_setting_that_is_shown_can_be_taken_as_it_stands(tmp_path: Path) -> None:
    create_project(tmp_path)
    text = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    shown = re.sub(r"^# (\[|[a-z_]+ = )", r"\1", text, flags=re.MULTILINE)
    cdp = tomllib.loads(shown)["tool"]["cdp"]
    assert cdp["clv"]["horizon_days"] == 365
    assert cdp["rfm"]["parts"] == []
    assert "id_secrets" not in cdp["identity"]
    assert "keys" not in cdp
    Settings.model_validate({**cdp, "data_dir": tmp_path})


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def test_one_that_died_half_way_is_no_project_yet_and_is_finished(tmp_path: Path) -> None:
    last = count_calls(partial(create_project, tmp_path / "whole"))
    whole = files_of(tmp_path / "whole")
    for at in (2, 5, *range(last - 9, last + 1)):
        folder = tmp_path / "half"
        assert dies_within(partial(create_project, folder), at), at
        if find_project_root(folder):
            assert whole.items() <= files_of(folder).items(), at
        made = create_project(folder)
        assert files_of(folder) == whole, at
        assert [path.relative_to(folder).as_posix() for path in made] == sorted(
            (name for name in whole if (folder / name).is_file()), key=Path
        )
        shutil.rmtree(folder)


def test_what_others_put_there_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    last = count_calls(partial(create_project, tmp_path / "whole"))
    folder = tmp_path / "half"
    assert dies_within(partial(create_project, folder), last - 3)
    (folder / "pyproject.toml").write_text("# mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="already exists"):
        create_project(folder)
    assert (folder / "pyproject.toml").read_text(encoding="utf-8") == "# mine"


def test_what_is_ignored_already_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"*.caf\xe9\ndata/")
    (tmp_path / "notes.txt").touch()
    assert tmp_path / "notes.txt" not in create_project(tmp_path)
    said = (tmp_path / ".gitignore").read_bytes()
    assert said == b"*.caf\xe9\ndata/\n.venv/\n__pycache__/\n.airflow/\n"
