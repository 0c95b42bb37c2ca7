"""What a victim does to itself before its night begins; each runs in the victim's process."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from collections.abc import Sequence
from ctypes import CDLL
from datetime import datetime, timedelta
from pathlib import Path

import time_machine


def limit_file_size(size: int) -> None:
    """Let no file grow beyond some bytes: a quota, or a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(megabytes: int) -> None:
    """Let the process have so much more address space than it has now."""
    pages = int(open("/proc/self/statm", encoding="ascii").read().split()[0])  # noqa: PTH123, SIM115 - one line
    size = pages * os.sysconf("SC_PAGE_SIZE") + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def set_clock(moment: datetime) -> None:
    """Let the process live at another time, which goes on from there."""
    time_machine.travel(moment, tick=True).start()


def let_clock_jump(moment: datetime, days: Sequence[int]) -> None:
    """Let the clock jump by so many days each, while the process works."""
    clock = time_machine.travel(moment, tick=True).start()
    pause = threading.Event()

    def jump() -> None:
        for count in days:
            pause.wait(0.5)
            clock.shift(timedelta(days=count))

    threading.Thread(target=jump, daemon=True).start()


def make_read_only(folder: Path) -> None:
    """Let the process see a folder as a disk that is mounted read-only."""
    new_users, new_mounts = 0x10000000, 0x00020000
    user, group = os.getuid(), os.getgid()
    assert CDLL(None, use_errno=True).unshare(new_users | new_mounts) == 0
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    for options in (("--make-rprivate", "/"), ("--bind", str(folder), str(folder)),
                    ("-o", "remount,bind,ro", str(folder))):  # fmt: skip
        subprocess.run(["mount", *options], check=True)
