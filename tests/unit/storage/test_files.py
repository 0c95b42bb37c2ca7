"""Files are whole or absent, and what a dead writer leaves is found and deleted."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.storage.files import (
    read_json,
    remove_drafts,
    remove_file,
    remove_folder,
    write_given,
    write_json,
    write_new,
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


@pytest.mark.parametrize("name", ["access.json", "p[a-z]*.html"])
def test_what_is_given_out_leaves_no_draft_once_it_was_written_again(
    tmp_path: Path, name: str
) -> None:
    other = tmp_path / f".{name}x.1.tmp"
    other.touch()
    drafts = 0
    for at in range(1, 20):
        died = dies_within(lambda: write_given(tmp_path / name, b"all of her"), at)
        drafts += len(list(tmp_path.glob(f".{glob.escape(name)}.*")))
        write_given(tmp_path / name, b"all of her")
        assert sorted(tmp_path.iterdir()) == sorted([tmp_path / name, other])
        (tmp_path / name).unlink()
        if not died:
            break
    assert drafts > 0


def test_a_new_file_is_whole_or_absent_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "queue.csv"
    kills = 0
    for at in range(1, 20):
        if not dies_within(lambda: write_new(path, b"a,b\n"), at):
            break
        kills += 1
        if not path.exists():
            write_new(path, b"a,b\n")
        assert [p.name for p in tmp_path.iterdir()] == ["queue.csv"]
        assert path.read_bytes() == b"a,b\n"
        path.unlink()
    assert kills > 1
    assert path.stat().st_mode & 0o777 == 0o600
    for there in (path, tmp_path / "link"):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to("nowhere")
        with pytest.raises(FileExistsError):
            write_new(there, b"other")
    assert path.read_bytes() == b"a,b\n"


def test_of_two_writers_of_a_new_file_the_first_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "queue.csv"
    really = os.fsync

    def meanwhile(descriptor: int) -> None:
        really(descriptor)
        path.write_bytes(b"the first")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(FileExistsError):
        write_new(path, b"the second")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"the first"]


def test_where_names_cannot_be_given_so_a_new_file_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    write_new(tmp_path / "queue.csv", b"a,b\n")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"a,b\n"]


def test_what_is_no_file_is_not_given_a_files_content(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ConfigError, match="is no file"):
            write_given(tmp_path / name, b"anna")
    assert [p.is_fifo() for p in tmp_path.iterdir()] == [True]


def test_a_file_that_went_is_not_brought_back_by_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a folder's names are is on disk once the folder is forced there."""
    seen: list[tuple[str, bool]] = []
    path = tmp_path / ".rollback.json"

    def note(descriptor: int) -> None:
        seen.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.exists()))

    path.touch()
    monkeypatch.setattr(os, "fsync", note)
    remove_file(path)
    remove_file(path)  # whoever deleted it before may have died without making sure
    remove_file(tmp_path / "missing" / "file")
    assert seen == [(str(tmp_path), False)] * 2


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
