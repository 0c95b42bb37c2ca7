"""Two folders change places in one step, so that a reader sees one or the other.

``renameat2`` with ``RENAME_EXCHANGE`` is atomic on Linux's local file systems; where it is missing,
two renames do, between which the name is gone for a moment.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

from cdp_pipeline.storage.files import fsync

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_ASIDE = ".aside"


def exchange(first: Path, second: Path) -> None:
    """Let two folders of one parent change places, and force that to disk."""
    if not _exchange_at_once(first, second):
        aside = second.with_name(f"{second.name}{_ASIDE}")
        second.rename(aside)
        first.rename(second)
        aside.rename(first)
    fsync(first.parent)


def remove_leftovers(parent: Path, prefix: str) -> None:
    """Delete copies that died before or after their exchange; undo one that died within it.

    Args:
        parent: Folder of what is exchanged; it may be missing.
        prefix: What names of copies begin with.
    """
    if not parent.is_dir():
        return
    for aside in sorted(parent.glob(f"*{_ASIDE}")):
        place = aside.with_name(aside.name.removesuffix(_ASIDE))
        if place.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(place)  # died between two renames
    for copy in sorted(parent.glob(f"{prefix}*")):
        shutil.rmtree(copy)


def _exchange_at_once(first: Path, second: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    done = libc.renameat2(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    return bool(done == 0)
