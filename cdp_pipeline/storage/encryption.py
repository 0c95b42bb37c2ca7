"""What in the data folder is encrypted at rest, said plainly: by a key, or by the disk alone.

DuckDB cannot write encrypted files without an extension that needs the internet, and its own way
around that is not secure. So with a key set the vaults are encrypted (``cipher``), lists of people
(``exports``) and, between nights, what was delivered (``at_rest``); all else is as private as the
disk below it and the modes of its files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.storage.cipher import KEYS_FILE
from cdp_pipeline.storage.container import key_of
from cdp_pipeline.storage.exports import export_files, handed_over
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.warehouse import VAULT

CLEAR_FOLDERS = (
    "landing", "archive", "staging", "quarantine", "warehouse", "outbox", "stewardship", "work",
)  # fmt: skip
"""Folders whose files hold personal data as it is; only the audit log holds keyed tokens."""

ALWAYS_CLEAR = {
    "outbox": "files to be picked up, until their time is over, and lists of who was erased",
    "stewardship": "decisions on people, who are named by keys of records and customers",
    "privacy": "keyed tokens of who was erased and, while an erasure runs, its list",
    "proposals": "identities that wait for a decision, by keys of records and customers",
    "work": "a night while it runs, and one that died until the next",
}
"""Folders that hold personal data in clear though a key is set, and what lies there."""

_LINUX = Path("/sys")


@dataclass(frozen=True)
class Vaults:
    """How the vaults of the published versions lie.

    Attributes:
        encrypted: Name of the key, by version.
        clear: Versions whose vault lies in clear, or that have none.
    """

    encrypted: dict[str, str]
    clear: tuple[str, ...]

    def words(self) -> str:
        """Return one line for people."""
        if not (self.encrypted or self.clear):
            return "nothing is published"
        parts = []
        if self.encrypted:
            names = ", ".join(sorted(set(self.encrypted.values())))
            parts.append(f"{len(self.encrypted)} vaults encrypted (AES-256-GCM) under {names}")
        if self.clear:
            parts.append(f"{len(self.clear)} vaults in clear")
        return ", ".join(parts)


def look_at_vaults(versions: Iterable[Path]) -> Vaults:
    """Return how vaults lie; no key is needed to know.

    Args:
        versions: Folders of published versions.
    """
    encrypted: dict[str, str] = {}
    clear = []
    for path in versions:
        name = read_json(path / VAULT / KEYS_FILE).get("key")
        if name:
            encrypted[path.name] = str(name)
        else:
            clear.append(path.name)
    return Vaults(encrypted, tuple(clear))


@dataclass(frozen=True)
class Sealed:
    """How files lie that a key encrypts one by one.

    Attributes:
        encrypted: Number of files, by name of the key.
        clear: Number of files in clear.
    """

    encrypted: dict[str, int]
    clear: int

    def words(self) -> str:
        """Return one line for people."""
        sealed = sum(self.encrypted.values())
        parts = []
        if sealed:
            parts.append(f"{sealed} files encrypted under {', '.join(sorted(self.encrypted))}")
        if self.clear:
            parts.append(f"{self.clear} files in clear")
        return ", ".join(parts) or "none yet"


def look_at_deliveries(paths: DataPaths) -> Sealed:
    """Return how files of deliveries lie: raw, staged, set aside; no key is needed to know."""
    files = [
        *paths.landing.rglob("[!.]*"),
        *paths.archive.glob("*/*/[!.]*"),
        *paths.staging.glob("*/[!.]*.parquet"),
        *paths.quarantine.glob("*/[!.]*.parquet"),
    ]
    return _look_at(files)


def look_at_exports(versions: Iterable[Path]) -> Sealed:
    """Return how the exports lie that published versions keep; no key is needed to know.

    Args:
        versions: Folders of published versions.
    """
    return _look_at(path for version in versions for path in export_files(version))


def count_clear(paths: DataPaths) -> dict[str, int]:
    """Return how many files with data on people lie in clear, by folder of ``ALWAYS_CLEAR``."""
    found = {name: _look_at((paths.data_dir / name).rglob("*")).clear for name in ALWAYS_CLEAR}
    found["outbox"] = _look_at([*handed_over(paths), *paths.outbox.glob("*/erasures/*.csv")]).clear
    return {name: count for name, count in found.items() if count}


def _look_at(files: Iterable[Path]) -> Sealed:
    names = Counter(key_of(path) for path in files if path.is_file() and not path.is_symlink())
    clear = names.pop(None, 0)
    return Sealed({name: count for name, count in names.items() if name}, clear)


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
