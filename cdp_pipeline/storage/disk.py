"""What folders cost on disk when files are shared between them by hard links.

A published version never changes, so a file that is byte for byte that of the version before need
not be on disk twice. Which versions are kept belongs in ``versions``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cdp_pipeline.storage.files import sha256_of

_UNITS = ("kB", "MB", "GB", "TB")


def share_unchanged(
    folder: Path, files: Mapping[str, Any], earlier: Path, earlier_files: Mapping[str, Any]
) -> int:
    """Replace files by hard links to equal ones of an earlier folder.

    Args:
        folder: Where they lie; nobody reads it yet.
        files: ``sha256`` and ``bytes`` by name below ``folder``.
        earlier: The other folder, of the same disk.
        earlier_files: The same of it.

    Returns:
        Bytes that are on disk once instead of twice.
    """
    shared = 0
    for name, facts in files.items():
        there = earlier_files.get(name)
        source, target = earlier / name, folder / name
        if there is None or there["sha256"] != facts["sha256"] or not source.is_file():
            continue
        # A file that was damaged since its manifest was written must not take the place of a whole.
        if source.samefile(target) or sha256_of(source) != facts["sha256"]:
            continue
        temporary = target.with_name(f".{target.name}.shared")
        os.link(source, temporary)
        temporary.replace(target)
        shared += int(facts["bytes"])
    return shared


def measure(folders: Iterable[Path]) -> int:
    """Return the bytes that the files below some folders take, each hard-linked file once."""
    return sum(_sizes(folders).values())


def measure_alone(folder: Path, others: Iterable[Path]) -> int:
    """Return the bytes that would be free if a folder went and the others stayed."""
    elsewhere = _sizes(others)
    return sum(size for file, size in _sizes([folder]).items() if file not in elsewhere)


def show_bytes(count: int) -> str:
    """Return a number of bytes for people.

    >>> show_bytes(0), show_bytes(1_234), show_bytes(47_100_000), show_bytes(3_200_000_000)
    ('0 B', '1.2 kB', '47.1 MB', '3.2 GB')
    """
    if count < 1000:  # noqa: PLR2004 - below a kilobyte
        return f"{count} B"
    size, unit = count / 1000, 0
    while size >= 999.95 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - rounds to 1,000.0
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}"


def _sizes(folders: Iterable[Path]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                facts = os.lstat(os.path.join(place, name))  # noqa: PTH118 - many files
                found[facts.st_dev, facts.st_ino] = facts.st_size
    return found
