"""What a victim does to itself before its night begins; each runs in the victim's process."""

from __future__ import annotations

import os
import resource
from datetime import datetime

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
