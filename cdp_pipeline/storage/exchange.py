"""Two folders change places in one step, so that a reader sees one or the other.

``renameat2`` with ``RENAME_EXCHANGE`` is atomic on Linux's local file systems; where it is missing,
two renames do, between which the name is gone for a moment.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from cdp_pipeline.storage.files import fsync

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(first: Path, second: Path) -> None:
    """Let two folders of one parent change places, and force that to disk."""
    if not _exchange_at_once(first, second):
        aside = second.with_name(f"{second.name}.aside")
        second.rename(aside)
        first.rename(second)
        aside.rename(first)
    fsync(first.parent)


def _exchange_at_once(first: Path, second: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    done = libc.renameat2(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    return bool(done == 0)
