from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import (
    find_project_root,
    has_colour_terminal,
    load_settings,
    project_from_environment,
)


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


def test_a_project_file_that_is_not_utf_8_says_at_which_byte(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b'[tool.cdp]\nstore_name = "Caf\xe9"\n')
    with pytest.raises(ConfigError, match=r"not UTF-8: .* at byte 28") as caught:
        load_settings(tmp_path)
    assert caught.value.where == str(tmp_path / "pyproject.toml")


@pytest.mark.parametrize(
    ("text", "place"), [("[tool.cdp]\nstore_name = Harrow\n", ":2:14"), ("[tool.cdp\n", ":1:10")]
)
def test_a_project_file_that_is_no_toml_says_where(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML") as caught:
        load_settings(write(tmp_path, text))
    assert caught.value.where == f"{tmp_path / 'pyproject.toml'}{place}"


def test_several_mistakes_are_found_together(tmp_path: Path) -> None:
    write(tmp_path, "[tool.cdp]\ncolour = 1\n[tool.cdp.rfm]\nbins = 'x'\n[other]\nbins = 2\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    places = {part.where for part in caught.value.parts}
    assert places == {f"{tmp_path / 'pyproject.toml'}:{place}" for place in ("2:1", "4:1")}


def test_workers_without_a_folder_are_told_their_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_PROJECT", raising=False)
    assert project_from_environment() is None
    monkeypatch.setenv("CDP_PROJECT", "/srv/store")
    assert project_from_environment() == Path("/srv/store")


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert has_colour_terminal(is_terminal=True)
    assert not has_colour_terminal(is_terminal=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour_terminal(is_terminal=True)


def test_a_misspelt_key_of_a_location_is_refused_with_suggestion(tmp_path: Path) -> None:
    write(tmp_path, '[tool.cdp.locations.partner]\nusre = "x"\n')
    with pytest.raises(ConfigError, match=r"unknown setting 'locations\.partner\.usre'") as caught:
        load_settings(tmp_path)
    assert caught.value.where == f"{tmp_path / 'pyproject.toml'}:2:1"
    assert "'user" in (caught.value.hint or "")
