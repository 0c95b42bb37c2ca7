"""Files are whole or absent, and what a dead writer leaves is found and deleted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cdp_pipeline.storage.files import (
    read_json,
    remove_drafts,
    remove_folder,
    write_json,
)
from tests.dying import dies_within

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def test_a_writer_killed_at_every_durable_call_leaves_the_old_file_or_the_new_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "staging" / "pos_sales"
    path = folder / "notes.json"
    write_json(path, {"rows": 1})
    old = path.read_bytes()
    drafts = 0
    for at in range(1, 20):
        died = dies_within(lambda: write_json(path, {"rows": 2}), at)
        drafts += remove_drafts([tmp_path / "staging", tmp_path / "missing"])
        assert [p.name for p in folder.iterdir()] == ["notes.json"]
        assert path.read_bytes() == old or b'"rows": 2' in path.read_bytes()
        if not died:
            break
    assert drafts > 0
    assert b'"rows": 2' in path.read_bytes()


def test_what_could_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as the system says it

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match=r"No space left on device: .*notes\.json"):
        write_json(tmp_path / "notes.json", {"rows": 1})


def test_only_hidden_drafts_are_deleted(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in (".lock", "sales.tmp", ".hidden.json", "sales.part")]
    for path in [*kept, tmp_path / ".sales.parquet.tmp", tmp_path / ".log.jsonl.new"]:
        path.write_bytes(b"x")
    assert remove_drafts([tmp_path]) == 2
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_folder_goes_as_a_whole_wherever_its_remover_dies(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "night-2026-11-20"
    names = {"done/discover.json", "plan.json", "tree/a.parquet"}
    died = 0
    for at in range(1, 20):
        for name in names:
            write_json(folder / name, {})
        is_dead = dies_within(lambda: remove_folder(folder), at)
        left = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert left in (names, set())
        remove_drafts([tmp_path])
        assert [p.name for p in (tmp_path / "work").iterdir()] in ([], [folder.name])
        died += is_dead
        if not is_dead:
            break
    assert died > 1
    remove_folder(folder)  # nothing is there: nothing to do


def test_many_figures_stand_on_one_line_of_a_document(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    document = {"z": [1, 2], "lines": list(range(2000)), "b": {"é": ["x", {"y": None}]}, "a": "ü"}
    write_json(path, document)
    text = path.read_text(encoding="utf-8")
    assert read_json(path) == document
    assert len(text.splitlines()) < 20
    assert text.index('"a"') < text.index('"b"') < text.index('"lines"') < text.index('"z"')
    few = {**document, "lines": [3]}
    write_json(path, few)
    figures = ", ".join(map(str, range(2000)))
    expected = path.read_text(encoding="utf-8").replace("[\n  3\n ]", f"[{figures}]")
    assert text == expected, "all the rest as ever"
