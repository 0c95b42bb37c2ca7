"""One run at a time: an advisory lock that dies with its holder.

``flock`` is released by the kernel when the process ends, however it ends. The file is never
deleted (that would let two runs hold two locks of one name) and says who holds it. Network file
systems are not supported.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdp_pipeline.core.errors import LockedError

_POLL_SECONDS = 0.05


@contextmanager
def hold_lock(path: Path, purpose: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock while the block runs.

    Args:
        path: Lock file; made if missing.
        purpose: Shown to whoever is refused, e.g. ``night of 2026-11-20``.
        wait_seconds: How long to wait for another holder.

    Raises:
        LockedError: Another process holds it; names its pid and purpose.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, time.monotonic() + wait_seconds)
        _sign(descriptor, json.dumps({"pid": os.getpid(), "purpose": purpose}).encode())
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int, text: bytes) -> None:
    """Say who holds the lock, if there is room: without it, none could delete what fills a disk."""
    os.ftruncate(descriptor, 0)
    try:
        os.pwrite(descriptor, text, 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 4096, 0).decode(errors="replace") or "unknown"
                raise LockedError(
                    f"another run holds the data folder: {holder}",
                    where=str(path),
                    hint="Wait for it, or stop that process; the lock goes with it.",
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return
