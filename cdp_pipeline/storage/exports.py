"""Lists of people at rest: exports of versions and what the outbox still holds, sealed with a key.

What is kept with a version is a record of what left; whoever receives files gets them from the
outbox, in clear. So the copies are sealed before the version's manifest is written, which bears the
hashes of the sealed bytes: no key is needed to see that one was changed. What lies in the outbox is
sealed once its time to be picked up is over. The manifest of each destination stays in clear, since
it tells counts and hashes and nobody's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.storage.at_rest import Sealing, copy_plain, seal_files
from cdp_pipeline.storage.container import key_of, open_sealed, seal_to
from cdp_pipeline.storage.paths import DataPaths

EXPORTS = "exports"
"""Folder of a version with one folder a destination."""

MANIFEST = "manifest.json"
"""What lies beside the files of a destination and is never sealed."""

FILE_MODE = 0o640
FOLDER_MODE = 0o750

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def export_files(version: Path) -> Iterator[Path]:
    """Yield the files of a version's exports that hold rows of people."""
    return _lists((version / EXPORTS).glob("*/[!.]*"))


def handed_over(paths: DataPaths) -> Iterator[Path]:
    """Yield the files of the outbox that hold rows of people, of every destination and day."""
    return _lists(path for path in paths.outbox.glob("*/*/[!.]*") if is_of_a_day(path.parent))


def is_of_a_day(folder: Path) -> bool:
    """Return whether a folder of the outbox is what a destination got on one business date."""
    return bool(_DAY.fullmatch(folder.name))


def closed_files(paths: DataPaths) -> Iterator[Path]:
    """Yield the files of the outbox that were sealed, by whatever key."""
    return (path for path in handed_over(paths) if key_of(path))


def close_outbox(paths: DataPaths, keys: KeySettings, *, night: date, days: int) -> Sealing:
    """Seal what was handed over long enough ago; nothing without a key.

    Args:
        paths: The data folder.
        keys: With what.
        night: Tonight's business date.
        days: How long files stay in clear for whoever picks them up.
    """
    last = (night - timedelta(days=days)).isoformat()
    return seal_files((path for path in handed_over(paths) if path.parent.name <= last), keys)


def _lists(found: Iterable[Path]) -> Iterator[Path]:
    for path in sorted(found):
        if path.name != MANIFEST and path.is_file() and not path.is_symlink():
            yield path


def seal_exports(build: Path, keys: KeySettings) -> int:
    """Seal the exports of a version that is being gathered; return how many. None without a key.

    A file that is a hard link elsewhere stays in clear there.
    """
    ring = load_keyring(keys)
    if ring.is_public:
        return 0
    due = [path for path in export_files(build) if key_of(path) is None]
    for path in due:
        seal_to(path, path, ring.current)
    return len(due)


def copy_exports(version: Path, to: Path, keys: KeySettings) -> int:
    """Copy the exports of a version below a folder, in clear; return how many files.

    Raises:
        SealedFileError: A file was changed, or its key is missing.
    """
    found = [path for path in sorted((version / EXPORTS).rglob("[!.]*")) if path.is_file()]
    for path in found:
        target = to / path.relative_to(version / EXPORTS)
        target.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        draft = target.with_name(f".{target.name}.part")
        draft.unlink(missing_ok=True)
        try:
            copy_plain(path, draft, keys)
            draft.chmod(FILE_MODE)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)  # what was opened before a changed byte stays nowhere
    return len(found)


def read_export(version: Path, name: str, keys: KeySettings) -> Iterator[bytes]:
    """Yield the content of one exported file, in clear.

    Args:
        version: Folder of the version.
        name: ``<destination>/<file>``.
        keys: What opens it.

    Raises:
        ConfigError: There is no such file.
        SealedFileError: It was changed, or its key is missing.
    """
    known = {f"{path.parent.name}/{path.name}": path for path in export_files(version)}
    if name not in known:
        raise ConfigError(
            f"{version.name} has no export {name!r}",
            where=str(version / EXPORTS),
            hint="`cdp export` lists them: write DESTINATION/FILE.",
        )
    path = known[name]
    return open_sealed(path, load_keyring(keys)) if key_of(path) else iter([path.read_bytes()])
