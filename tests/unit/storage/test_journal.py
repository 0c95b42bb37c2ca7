from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.journal import (
    LONGEST_LINE,
    append_lines,
    read_journal,
    snapshot_journals,
)
from cdp_pipeline.storage.paths import DataPaths


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "stewardship" / "judgements.jsonl"


def test_a_missing_journal_is_empty(journal: Path) -> None:
    assert read_journal(journal).lines == ()


def test_lines_are_kept_in_order_and_never_changed(journal: Path) -> None:
    append_lines(journal, lambda _: [{"n": 1}, {"n": 2}])
    before = journal.read_bytes()
    found = append_lines(journal, lambda held: [{"n": len(held.lines) + 1}])
    assert [document["n"] for _, document in found.lines] == [1, 2, 3]
    assert [line for line, _ in found.lines] == [1, 2, 3]
    assert journal.read_bytes().startswith(before)


def test_an_unfinished_last_line_is_skipped_then_dropped(journal: Path) -> None:
    append_lines(journal, lambda _: [{"n": 1}])
    with journal.open("ab") as stream:
        stream.write(b'{"n": 2, "who": "an')
    assert read_journal(journal).torn == 19
    found = append_lines(journal, lambda held: [{"n": len(held.lines) + 1}])
    assert [document for _, document in found.lines] == [{"n": 1}, {"n": 2}]
    assert found.torn == 0


def test_a_whole_line_without_its_end_counts(journal: Path) -> None:
    journal.parent.mkdir()
    journal.write_text('{"n": 1}\n{"n": 2}', encoding="utf-8")
    assert len(read_journal(journal).lines) == 2
    assert len(append_lines(journal, lambda _: [{"n": 3}]).lines) == 3


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b" " * LONGEST_LINE + b"{}",
        b"{} {}",
    ],
)
def test_a_hostile_line_is_named(journal: Path, line: bytes) -> None:
    journal.parent.mkdir()
    journal.write_bytes(b'{"n": 1}\n' + line + b'\n{"n": 3}\n')
    with pytest.raises(ConfigError) as caught:
        read_journal(journal)
    assert caught.value.where == f"{journal}:2"
    assert caught.value.hint


def test_links_pipes_and_folders_are_refused(journal: Path, tmp_path: Path) -> None:
    journal.parent.mkdir()
    (tmp_path / "elsewhere").write_text("{}\n", encoding="utf-8")
    journal.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="link"):
        read_journal(journal)
    journal.unlink()
    os.mkfifo(journal)
    with pytest.raises(ConfigError, match="regular"):
        read_journal(journal)
    journal.unlink()
    journal.mkdir()
    with pytest.raises(ConfigError):
        read_journal(journal)


WRITER = """
import sys
from pathlib import Path
from cdp_pipeline.storage.journal import append_lines
for _ in range(20):
    append_lines(Path(sys.argv[1]), lambda held: [{"n": len(held.lines) + 1}])
"""


def test_writers_at_the_same_time_do_not_interleave(journal: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(journal)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert [document["n"] for _, document in read_journal(journal).lines] == list(range(1, 61))


def test_a_night_keeps_the_decisions_it_began_with(tmp_path: Path) -> None:
    context = RunContext(date(2026, 11, 20), "night", tmp_path, Settings(data_dir=tmp_path))
    paths = DataPaths.of(context)
    assert snapshot_journals(paths) == {}
    append_lines(paths.stewardship / "judgements.jsonl", lambda _: [{"n": 1}])
    first = snapshot_journals(paths)
    assert snapshot_journals(paths) == first
    append_lines(paths.stewardship / "judgements.jsonl", lambda _: [{"n": 2}])
    assert len(read_journal(paths.decisions / "judgements.jsonl").lines) == 1
    assert snapshot_journals(paths) != first
