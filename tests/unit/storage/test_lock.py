from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cdp_pipeline.core.errors import LockedError
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
