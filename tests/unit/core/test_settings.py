from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import find_project_root, load_settings


def write(root: Path, text: str) -> Path:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return root


def test_flag_beats_environment_beats_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, '[tool.cdp]\ncurrency = "EUR"\nstore_name = "File"\n')
    monkeypatch.setenv("CDP_STORE_NAME", "Environment")
    monkeypatch.setenv("CDP_RFM__BINS", "4")
    settings = load_settings(tmp_path, data_dir=Path("elsewhere"))
    assert settings.store_name == "Environment"
    assert settings.currency == "EUR"
    assert settings.rfm.bins == 4
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.landing_dir == tmp_path / "elsewhere" / "landing"
    assert settings.rfm.window_days == 365


def test_misspelt_key_in_the_file_is_refused_with_line_and_suggestion(tmp_path: Path) -> None:
    write(tmp_path, "[tool.cdp]\n\n[tool.cdp.rfm]\nwindow_day = 90\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert caught.value.where == f"{tmp_path / 'pyproject.toml'}:4:1"
    assert "window_days" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["CDP_CURENCY", "CDP_MIAL__HOST"])
def test_misspelt_variable_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=name.partition("__")[0]):
        load_settings(tmp_path)


def test_misspelt_nested_variable_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_MAIL__HOSTT", "x")
    with pytest.raises(ConfigError, match="hostt"):
        load_settings(tmp_path)


@pytest.mark.parametrize("zone", ["London", "Europe", "x" * 400, "../etc", ""])
def test_unknown_zone_says_how_to_write_one(tmp_path: Path, zone: str) -> None:
    write(tmp_path, f'[tool.cdp]\ntime_zone = "{zone}"\n')
    with pytest.raises(ConfigError, match="Europe/London"):
        load_settings(tmp_path)


def test_password_is_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_MAIL__PASSWORD", "hunter2")
    assert "hunter2" not in repr(load_settings(tmp_path))


def test_project_is_found_from_below(tmp_path: Path) -> None:
    write(tmp_path, "[tool.cdp]\n")
    below = tmp_path / "sql" / "core"
    below.mkdir(parents=True)
    assert find_project_root(below) == tmp_path
    assert find_project_root(Path("/")) is None
