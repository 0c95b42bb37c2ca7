"""What this machine has: the only module that asks it."""

from __future__ import annotations

import os
from pathlib import Path

MOST_MB, LEAST_MB = 6_000, 1_000
"""A night leaves room for others on a shared machine, and does not run in less than the last."""

_OF_CONTAINER = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


_STARTED = Path("/proc/sys/kernel/random/boot_id")


def name_start() -> str:
    """Return a name of this run of the machine, another after each start; empty if none is told."""
    return _STARTED.read_text(encoding="ascii").strip() if _STARTED.is_file() else ""


def choose_memory_limit(*, of_container: tuple[Path, ...] = _OF_CONTAINER) -> str:
    """Return how much memory DuckDB may use here before it spills, such as ``6000MB``.

    That is half of what the machine or its container has, for Python and the file cache need
    the other half.

    Args:
        of_container: Files in which Linux states the limit of a container, versions 2 and 1.
    """
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in of_container:
        text = path.read_text(encoding="ascii").strip() if path.is_file() else ""
        if text.isdigit():
            found.append(int(text))
    return f"{min(MOST_MB, max(LEAST_MB, min(found) // 2 // 10**6))}MB"
