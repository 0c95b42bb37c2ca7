"""CPU seconds, wall time and peak memory of one process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXTRA = "one more copy"
"""A phase that is shown and does not count."""


class Watch:
    """Measures the named phases of a run; the rest of the process does not count."""

    def __init__(self) -> None:
        """Begin with no phase."""
        self.phases: dict[str, dict[str, float]] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside, of all threads, as part of the phase."""
        wall, cpu, busy = time.perf_counter(), time.process_time(), _busy_seconds()
        yield
        spent = self.phases.setdefault(name, {"wall": 0.0, "cpu": 0.0, "others": 0.0})
        own = time.process_time() - cpu
        spent["wall"] += time.perf_counter() - wall
        spent["cpu"] += own
        spent["others"] += max(0.0, _busy_seconds() - busy - own)

    def total(self, kind: str) -> float:
        """Return CPU, wall or other programs' CPU seconds of all phases that count."""
        return sum(spent[kind] for name, spent in self.phases.items() if name != EXTRA)


def peak_megabytes() -> float:
    """Return the largest resident set of this process, imports included.

    From the kernel's high-water mark: ``getrusage`` would count what the parent had before exec.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    message = "the kernel tells no VmHWM"
    raise RuntimeError(message)


def _busy_seconds() -> float:
    """Return the CPU seconds that all programs of the machine have taken since it was started."""
    user, nice, system, _idle, _waiting, *interrupts = (
        int(ticks) for ticks in Path("/proc/stat").read_text(encoding="utf-8").split()[1:8]
    )
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
