"""Changing the key: vault and exports of every version are encrypted again, its manifest sealed.

One version after the other changes places with its copy under the new key, so that a rotation that
dies leaves each version under the old key or the new one, and goes on where it was. The old key is
named by each encrypted file or vault until then, and must stay in the ring. What was delivered and
what lies closed in the outbox follows, file by file, and what erasures left noted for a night.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.errors import ConfigError
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.core.settings import EngineSettings, Settings
from cdp_pipeline.storage.at_rest import Sealing, plain_file, seal_files
from cdp_pipeline.storage.audit import Deed, note
from cdp_pipeline.storage.cipher import (
    VaultKey,
    new_vault_key,
    read_vault_key,
    scan_of,
    write_encrypted,
)
from cdp_pipeline.storage.container import key_of, seal_to
from cdp_pipeline.storage.exchange import exchange
from cdp_pipeline.storage.exports import closed_files, export_files
from cdp_pipeline.storage.files import fsync_tree, read_json, sha256_of, write_json
from cdp_pipeline.storage.lease import refuse_beside_living
from cdp_pipeline.storage.leftovers import ROTATING, clear_dead_work
from cdp_pipeline.storage.lock import hold_lock
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.renewal import note_files
from cdp_pipeline.storage.sealing import SEAL, seal
from cdp_pipeline.storage.vault import BATCH, FILE_MODE
from cdp_pipeline.storage.versions import MANIFEST_FILE, Version, published_versions, recover
from cdp_pipeline.storage.warehouse import VAULT, connect


@dataclass(frozen=True)
class Rotation:
    """What a rotation did.

    Attributes:
        key: Name of the key that everything is under now.
        done: Versions that were encrypted again, with the name of the key before.
        kept: Versions that were under that key already.
        delivered: What was delivered to us, handed over and noted for a night, file by file.
    """

    key: str
    done: dict[str, str]
    kept: tuple[str, ...]
    delivered: Sealing


def rotate_keys(settings: Settings, delivered: Iterable[Path] = ()) -> Rotation:
    """Bring everything that is encrypted under the key in use; again, it goes on where it was.

    Args:
        settings: The data folder and its keys.
        delivered: Files to bring under the key, in clear or not, beside those of versions, those
            of the outbox that were encrypted, and notes of erasures.

    Raises:
        ConfigError: No key is set, or the key of a version is missing: nothing of it was changed.
        LockedError: A run holds the data folder, or another night goes on between two steps.
    """
    ring = load_keyring(settings.keys)
    if ring.is_public:
        raise ConfigError(
            "no key is set, so there is none to change to",
            where="CDP_KEYS__FILE",
            hint="Make one with `cdp keys new FILE`, then set CDP_KEYS__FILE to that file.",
        )
    paths = DataPaths.of_settings(settings)
    done: dict[str, str] = {}
    kept = []
    with hold_lock(paths.lock, "key rotation"):
        refuse_beside_living(paths)  # it reads the version it builds upon under the old key
        recover(paths)
        clear_dead_work(paths)
        for version in published_versions(paths):
            before = read_vault_key(version.path / VAULT, settings.keys)
            if before and {before.key.id, *_keys_of_exports(version)} == {ring.current.id}:
                kept.append(version.name)
                continue
            was = before.key.id if before else "none"
            note(settings, Deed("rotate key", f"{version.name}: {was} to {ring.current.id}"))
            _rotate(settings, paths, version, before)
            done[version.name] = was
        note(settings, Deed("rotate key", f"deliveries: to {ring.current.id}"))
        files = (*delivered, *closed_files(paths), *note_files(paths))
        sealed = seal_files(files, settings.keys, scratch=paths.rotation)
        shutil.rmtree(paths.rotation, ignore_errors=True)
    return Rotation(ring.current.id, done, tuple(kept), sealed)


def _keys_of_exports(version: Version) -> set[str | None]:
    """Return the names of the keys that a version's exports are under; None for those in clear."""
    return {key_of(path) for path in export_files(version.path)}


def _rotate(
    settings: Settings, paths: DataPaths, version: Version, before: VaultKey | None
) -> None:
    """Put a copy that is under the new key in the place of a version."""
    copy = version.path.with_name(f"{ROTATING}{version.name}")
    for path in [version.path, *sorted(version.path.rglob("*"))]:
        place = copy / path.relative_to(version.path)
        if path.is_dir():
            place.mkdir(mode=path.stat().st_mode & 0o777)
        elif copy / VAULT not in place.parents and path.name != MANIFEST_FILE:
            os.link(path, place)
    if (version.path / VAULT).is_dir():
        _encrypt(settings.keys, version.path / VAULT, copy / VAULT, before)
    # Each is a hard link into the version that is left, whose own file stays as it is.
    for path in export_files(copy):
        with plain_file(path, settings.keys, paths.rotation) as plain:
            seal_to(plain, path, load_keyring(settings.keys).current)
    _seal(settings, version, copy)
    fsync_tree(copy)
    exchange(copy, version.path)
    shutil.rmtree(copy)


def _encrypt(keys: KeySettings, source: Path, target: Path, before: VaultKey | None) -> None:
    after = new_vault_key(keys)
    if after is None:  # pragma: no cover - asked before
        return
    with connect(EngineSettings()) as con:
        for path in sorted(source.glob("*/*.parquet")):
            place = target / path.relative_to(source)
            place.touch(mode=FILE_MODE)
            rows: pa.RecordBatchReader = con.sql(
                f"from {scan_of(con, path, before)}"
            ).to_arrow_reader(BATCH)
            write_encrypted(rows, place, after)
    after.note(target)


def _seal(settings: Settings, version: Version, copy: Path) -> None:
    """Write the manifest with the new files and the seal of the new key."""
    document = read_json(version.path / MANIFEST_FILE)
    document.pop(SEAL, None)
    vault = [path for path in sorted((copy / VAULT).rglob("*")) if path.is_file()]
    for path in (*vault, *export_files(copy)):
        name = path.relative_to(copy).as_posix()
        document["files"][name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    write_json(copy / MANIFEST_FILE, seal(document, load_keyring(settings.keys).current))
