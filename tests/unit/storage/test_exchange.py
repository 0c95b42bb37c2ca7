"""Folders change places at once, or in two renames whose death is undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.storage import exchange as exchanging
from cdp_pipeline.storage.exchange import exchange, remove_leftovers


def _folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "told").write_text(text)
    return path


@pytest.mark.parametrize("at_once", [True, False])
def test_two_folders_change_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(exchanging, "_exchange_at_once", lambda *_: False)
    old, new = _folder(tmp_path / "v1", "old"), _folder(tmp_path / ".copy-v1", "new")
    exchange(new, old)
    assert ((old / "told").read_text(), (new / "told").read_text()) == ("new", "old")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".copy-v1", "v1"]


@pytest.mark.parametrize(
    ("held", "left"),
    [
        ({"v1": "old", ".copy-v1": "half"}, "old"),  # died before the exchange
        ({"v1.aside": "old", ".copy-v1": "new"}, "old"),  # between the first two renames
        ({"v1.aside": "old", "v1": "new"}, "new"),  # before the third
        ({"v1": "new", ".copy-v1": "old"}, "new"),  # after it
    ],
)
def test_whenever_it_died_one_whole_folder_is_left(
    tmp_path: Path, held: dict[str, str], left: str
) -> None:
    for name, text in held.items():
        _folder(tmp_path / name, text)
    remove_leftovers(tmp_path, ".copy-")
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    assert (tmp_path / "v1" / "told").read_text() == left


def test_a_folder_that_is_missing_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "versions", ".copy-")
    assert not (tmp_path / "versions").exists()
