"""Hashes of landed files: taken once, and again whenever the bytes may be others."""

from __future__ import annotations

import hashlib
import mmap
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.context import Clock
from cdp_pipeline.ingest.hashing import Hasher

FIRST, SECOND = b"id\n1\n", b"id\n2\n"


class Later(Clock):
    """A clock for which every file was written an hour ago."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def hash_on(memory: Path, path: Path, clock: Clock) -> str:
    hasher = Hasher.of(KeySettings(), memory)
    hasher.clock = clock
    digest, size = hasher.hash_delivery(path)
    hasher.remember(memory)
    assert size == path.stat().st_size
    return digest


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    path = tmp_path / "goods.csv"
    path.write_bytes(FIRST)
    return path


def test_a_file_that_has_settled_is_read_once(tmp_path: Path, landed: Path) -> None:
    memory = tmp_path / "memory.json"
    assert hash_on(memory, landed, Later()) == digest_of(FIRST)
    memory.write_text(memory.read_text().replace(digest_of(FIRST), "what was remembered"))
    assert hash_on(memory, landed, Later()) == "what was remembered"


def test_a_file_just_written_is_not_remembered(tmp_path: Path, landed: Path) -> None:
    memory = tmp_path / "memory.json"
    assert hash_on(memory, landed, Clock()) == digest_of(FIRST)
    assert not memory.exists()


def test_what_is_written_through_memory_is_noticed(tmp_path: Path, landed: Path) -> None:
    """The kernel notes the first such change alone, until it has saved the page."""

    class Soon(Clock):
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(seconds=40)

    memory = tmp_path / "memory.json"
    with landed.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:] = FIRST
        hash_on(memory, landed, Soon())
        mapped[:] = SECOND
        assert hash_on(memory, landed, Soon()) == digest_of(SECOND)


def test_files_of_one_number_are_told_apart(
    tmp_path: Path, landed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a folder of a network is mounted again, which keeps no times of changes."""
    memory, other = tmp_path / "memory.json", tmp_path / "other.csv"
    other.write_bytes(SECOND)
    status = landed.stat()
    monkeypatch.setattr(os, "fstat", lambda _: status)
    assert hash_on(memory, landed, Later()) == digest_of(FIRST)
    assert hash_on(memory, other, Later()) == digest_of(SECOND)


@pytest.mark.parametrize("how", ["in_place", "replaced"])
def test_other_bytes_of_the_same_size_and_time_are_noticed(
    tmp_path: Path, landed: Path, how: str
) -> None:
    memory = tmp_path / "memory.json"
    hash_on(memory, landed, Later())
    before = landed.stat()
    time.sleep(0.05)  # kernels count a file's times in steps of milliseconds
    written = landed if how == "in_place" else tmp_path / "new.csv"
    written.write_bytes(SECOND)
    os.utime(written, ns=(before.st_atime_ns, before.st_mtime_ns))
    written.replace(landed)
    assert landed.stat().st_mtime_ns == before.st_mtime_ns
    assert hash_on(memory, landed, Later()) == digest_of(SECOND)


def test_files_that_left_are_forgotten(tmp_path: Path, landed: Path) -> None:
    memory = tmp_path / "memory.json"
    hash_on(memory, landed, Later())
    other = tmp_path / "other.csv"
    other.write_bytes(SECOND)
    hash_on(memory, other, Later())
    assert digest_of(FIRST) not in memory.read_text()
    assert digest_of(SECOND) in memory.read_text()


@pytest.mark.parametrize("text", ["", "{", "\x00\x00"])
def test_a_broken_memory_costs_reading_once_more(tmp_path: Path, landed: Path, text: str) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text(text)
    assert hash_on(memory, landed, Later()) == digest_of(FIRST)
    assert digest_of(FIRST) in memory.read_text()
