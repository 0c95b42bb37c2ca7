from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import LockedError
from cdp_pipeline.storage import lock
from cdp_pipeline.storage.lock import hold_lock

HOLDER = """
import sys, time
from pathlib import Path
from cdp_pipeline.storage.lock import hold_lock
with hold_lock(Path(sys.argv[1]), "night of 2026-11-20"):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    holder = start_holder(tmp_path / "lock")
    try:
        with (
            pytest.raises(LockedError, match=rf"{holder.pid}.*night of 2026-11-20"),
            hold_lock(tmp_path / "lock", "second"),
        ):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_a_killed_holder_frees_it_at_once(tmp_path: Path) -> None:
    holder = start_holder(tmp_path / "lock")
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    began = time.monotonic()
    with hold_lock(tmp_path / "lock", "second"):
        assert time.monotonic() - began < 1


def test_it_is_free_after_the_block(tmp_path: Path) -> None:
    for purpose in ("first", "second"):
        with hold_lock(tmp_path / "lock", purpose):
            assert purpose in (tmp_path / "lock").read_text()


@pytest.mark.parametrize(("number", "is_held"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_full_disk_keeps_nobody_from_clearing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, is_held: bool
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "lock"
    path.write_bytes(b"night 7")
    monkeypatch.setattr(lock.os, "pwrite", refuse)
    with ExitStack() as stack:
        if not is_held:
            stack.enter_context(pytest.raises(OSError, match="error"))
        stack.enter_context(hold_lock(path, "second"))
        assert is_held
        assert "holds the data folder: unknown" in refusal(path)


class FakeTime:
    """A clock that stands but for naps; what happens at a nap's end is given by its number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.naps = 100.0, list[float]()
        self.events = dict[int, Callable[[], object]]()
        monkeypatch.setattr(lock, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert len(self.naps) < 1000, "it waits for ever"
        self.now += seconds
        self.naps.append(seconds)
        self.events.get(len(self.naps), lambda: None)()


def seize(path: Path, said: bytes) -> int:
    """Hold the lock as another run does that has written this about itself."""
    path.write_bytes(said)
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def refusal(path: Path, **waiting: float) -> str:
    with pytest.raises(LockedError) as caught, hold_lock(path, "second", **waiting):
        pass
    return str(caught.value)


def test_nobody_waits_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeTime(monkeypatch)
    held = seize(tmp_path / "lock", b"night 7")
    assert "holds the data folder: night 7" in refusal(tmp_path / "lock")
    os.close(held)
    assert clock.naps == []


def test_who_waits_comes_in_within_a_tenth_of_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime(monkeypatch)
    held = seize(tmp_path / "lock", b"night 7")
    clock.events[3] = lambda: os.close(held)
    with hold_lock(tmp_path / "lock", "second", wait_seconds=60):
        assert len(clock.naps) == 3
    assert max(clock.naps) <= 0.1


def test_who_has_waited_long_enough_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime(monkeypatch)
    held = seize(tmp_path / "lock", b"night 7")
    refusal(tmp_path / "lock", wait_seconds=2)
    os.close(held)
    assert 2 <= sum(clock.naps) < 2.2


@pytest.mark.parametrize(("said", "shown"), [(b"", "unknown"), (b"night \xff", "night \ufffd")])
def test_a_holder_that_has_said_nothing_readable_is_named_all_the_same(
    tmp_path: Path, said: bytes, shown: str
) -> None:
    held = seize(tmp_path / "lock", said)
    text = refusal(tmp_path / "lock")
    os.close(held)
    assert re.search(f"holds the data folder: {shown}$", text, re.MULTILINE)


def test_the_file_says_who_holds_it_and_nothing_of_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "lock"
    before = os.umask(0)
    try:
        for purpose in ("a night with a long name", "short"):
            with hold_lock(path, purpose):
                assert json.loads(path.read_bytes()) == {"pid": os.getpid(), "purpose": purpose}
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
