"""What a run leaves behind, as hashes that an undisturbed run must leave behind too."""

from __future__ import annotations

import hashlib
import json

from cdp_pipeline.core.access_settings import KeySettings
from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.sealing import broken_seal
from cdp_pipeline.storage.versions import MANIFEST_FILE, current_version, verify
from cdp_pipeline.storage.warehouse import DATABASE_FILE, fetch_value, open_whole

MOMENTARY = {"audit", "seal"}
"""What a manifest says about when and by whom it was made."""


def result_of(paths: DataPaths) -> dict[str, str]:
    """Return a hash of everything that the current version and the folders beside it hold.

    A DuckDB file lays its blocks out as its history went; what it holds is compared by the Parquet
    files, and ``assert_sound`` says that the two agree.
    """
    found: dict[str, str] = {}
    version = paths.current.resolve()
    for name, folder in {
        "version": version,
        "staging": paths.staging,
        "quarantine": paths.quarantine,
        "outbox": paths.outbox,
    }.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".duckdb" and path.name != MANIFEST_FILE:
                found[f"{name}/{path.relative_to(folder)}"] = _hash(path.read_bytes())
    manifest = json.loads((version / MANIFEST_FILE).read_text(encoding="utf-8"))
    manifest["files"].pop(DATABASE_FILE)
    kept = {name: value for name, value in manifest.items() if name not in MOMENTARY}
    found["manifest"] = _hash(json.dumps(kept, sort_keys=True).encode())
    return found


def assert_sound(paths: DataPaths) -> str:
    """Return the name of the current version, whose parts must tell one story."""
    version = current_version(paths)
    assert version is not None
    assert verify(version) == []
    assert broken_seal(version.manifest, load_keyring(KeySettings())) is None
    with open_whole(Settings(data_dir=paths.data_dir)) as con:
        for table, rows in version.manifest["rows"].items():
            assert fetch_value(con, f"select count(*) from {table}") == rows, table
    return version.name


def assert_tidy(paths: DataPaths) -> None:
    """Nothing of a dead run is left: no build, no half-made link, no temporary file, no work."""
    left = [
        str(path.relative_to(paths.data_dir))
        for path in paths.data_dir.rglob("*")
        if path.name.startswith(".build-")
        or path.name.endswith((".tmp", ".new", ".part", ".old", ".link"))
    ]
    work = paths.data_dir / "work"
    left += [path.name for path in work.iterdir()] if work.is_dir() else []
    assert left == [], left


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
