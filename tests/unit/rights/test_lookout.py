"""Files are looked into beside other work, and again only if they changed meanwhile."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.rights import scan as scanning
from cdp_pipeline.rights.scan import Find, Lookout, begin_folder, scan_folder
from cdp_pipeline.rights.searching import Searcher
from cdp_pipeline.rights.traces import Traces, add_words

SEARCHER = Searcher(add_words(Traces(), [("email", "anna.reed@example.com")]))
TEXT = "anna.reed@example.com"
OTHER = "carl.reed@example.com"


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written just now is as if it were old."""
    monkeypatch.setattr(scanning, "_AT_REST", -60.0)


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Name of each file that is looked into, and of the thread that does."""
    told: list[tuple[str, str]] = []
    real = scanning.look_into

    def look_into(con: object, path: Path, *args: object, **kwargs: object) -> object:
        told.append((path.name, threading.current_thread().name))
        return real(con, path, *args, **kwargs)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(scanning, "look_into", look_into)
    return told


def lookout(tmp_path: Path) -> Lookout:
    return Lookout(SEARCHER, KeySettings(), tmp_path / "scratch")


@pytest.mark.usefixtures("at_rest")
def test_what_was_looked_into_before_is_not_looked_into_again(
    tmp_path: Path, looked_into: list[tuple[str, str]]
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "a.csv").write_text(TEXT)
    os.link(root / "a.csv", root / "b.csv")
    (root / "c.txt").write_text(TEXT)
    with lookout(tmp_path) as begun:
        begin_folder(root, begun, typed=())
        scan = scan_folder(root, SEARCHER, lookout=begun)
    assert [find.file for find in scan.finds] == ["a.csv", "b.csv", "c.txt"]
    assert scan.files == 3
    assert sorted(name for name, _ in looked_into) == ["a.csv", "c.txt"]


@pytest.mark.usefixtures("at_rest")
@pytest.mark.parametrize("is_replaced", [True, False])
def test_what_changed_since_the_search_began_is_looked_into_again(
    tmp_path: Path, *, is_replaced: bool
) -> None:
    """A text of the same length, put in the file's place or written over it."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "a.csv").write_text(OTHER)
    with lookout(tmp_path) as begun:
        begin_folder(root, begun, typed=())
        assert begun.find(root / "a.csv", figures=True).result() == (set(), False)
        target = tmp_path / "new.csv" if is_replaced else root / "a.csv"
        target.write_text(TEXT)
        target.replace(root / "a.csv")
        scan = scan_folder(root, SEARCHER, lookout=begun)
    assert scan.finds == [Find("a.csv", "bytes", "word")]


def test_what_changes_twice_within_a_tick_of_the_clock_is_looked_into_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system whose clock ticks coarsely gives both changes one time."""

    def coarse(path: Path, *, figures: bool) -> tuple[object, ...]:
        return path.stat().st_ino, path.stat().st_size, path.suffix, figures

    monkeypatch.setattr(scanning, "_stamp_of", coarse)
    root = tmp_path / "data"
    root.mkdir()
    (root / "a.csv").write_text(OTHER)
    with lookout(tmp_path) as begun:
        begin_folder(root, begun, typed=())
        begun._pool.submit(int).result()  # noqa: SLF001 - what was begun has ended
        (root / "a.csv").write_text(TEXT)
        scan = scan_folder(root, SEARCHER, lookout=begun)
    assert scan.finds == [Find("a.csv", "bytes", "word")]


def test_what_takes_room_in_clear_is_unpacked_by_who_asks(
    tmp_path: Path, looked_into: list[tuple[str, str]]
) -> None:
    """So that one copy at a time lies in the scratch folder, and changes on disk have one order."""
    root = tmp_path / "data"
    root.mkdir()
    for name in ("a.csv.gz", "b.csv.gz"):
        (root / name).write_bytes(gzip.compress(TEXT.encode()))
    (root / "c.csv").write_text(TEXT)
    scan = scan_folder(root, SEARCHER, scratch=tmp_path / "scratch")
    assert {find.file for find in scan.finds} == {"a.csv.gz", "b.csv.gz", "c.csv"}
    here = threading.current_thread().name
    assert {name for name, thread in looked_into if thread == here} == {"a.csv.gz", "b.csv.gz"}


def test_a_broken_file_of_two_names_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 broken")
    os.link(tmp_path / "a.parquet", tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 broken")
    assert scan_folder(tmp_path, SEARCHER).unreadable == ["a.parquet", "c.parquet"]
