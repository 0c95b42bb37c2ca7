"""Whether what lies in the data folder is encrypted at rest: by the disk below it, or not at all.

DuckDB cannot write encrypted files without an extension that needs the internet, and its own way
around that is not secure; so it is the disk that must encrypt. This module says whether it does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CLEAR_FOLDERS = (
    "landing", "archive", "staging", "quarantine", "warehouse", "outbox", "stewardship", "work",
)  # fmt: skip
"""Folders whose files hold personal data as it is; only the audit log holds keyed tokens."""

_LINUX = Path("/sys")


def is_on_encrypted_disk(folder: Path, *, sysfs: Path = _LINUX) -> bool | None:
    """Return whether the block device below a folder is encrypted (dm-crypt: LUKS, plain).

    Args:
        folder: Any existing folder.
        sysfs: Where Linux shows its devices.

    Returns:
        None if it cannot be seen: another system, a network or overlay file system, or a container.
        Encryption by the file system (fscrypt, eCryptfs) cannot be seen either.
    """
    device = folder.stat().st_dev
    place = sysfs / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
    if not place.exists():
        return None
    return any(_is_crypt(layer) for layer in _layers(place.resolve()))


def _layers(place: Path) -> Iterator[Path]:
    """Yield a block device and those that it lies upon, such as LVM upon LUKS."""
    yield place
    slaves = place / "slaves"
    for slave in sorted(slaves.iterdir()) if slaves.is_dir() else ():
        yield from _layers(slave.resolve())


def _is_crypt(place: Path) -> bool:
    uuid = place / "dm" / "uuid"
    return uuid.is_file() and uuid.read_text(encoding="ascii").startswith("CRYPT-")
