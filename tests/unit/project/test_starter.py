"""A new project's settings file shows every setting as it may be written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from cdp_pipeline.core.settings import Settings
from cdp_pipeline.project.starter import create_project


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
