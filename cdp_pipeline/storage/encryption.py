"""What in the data folder is encrypted at rest, said plainly: the vault by a key, the rest by disk.

DuckDB cannot write encrypted files without an extension that needs the internet, and its own way
around that is not secure. So with a key set the vaults are encrypted (``cipher``), and all else is
as private as the disk below it and the modes of its files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.storage.cipher import KEYS_FILE
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.warehouse import VAULT

CLEAR_FOLDERS = (
    "landing", "archive", "staging", "quarantine", "warehouse", "outbox", "stewardship", "work",
)  # fmt: skip
"""Folders whose files hold personal data as it is; only the audit log holds keyed tokens."""

ALWAYS_CLEAR = ("landing", "archive", "staging", "quarantine", "exports", "outbox", "stewardship",
                "privacy", "work")  # fmt: skip
"""Folders that hold personal data in clear though a key is set."""

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
