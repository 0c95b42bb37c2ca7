"""Hold everything a published version rests on against what was noted when it was published.

The manifest bears a hash of every file of the version and a seal of its own; the warehouse, one of
these files, bears a hash of every delivery and the fate of each of its records. So one changed bit
in any of them is found, and so is a record that went missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from cdp_pipeline.core.keys import load_keyring
from cdp_pipeline.core.settings import EngineSettings, Settings
from cdp_pipeline.storage.container import SealedFileError, content_of
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import original_hashes
from cdp_pipeline.storage.sealing import SEAL, broken_seal
from cdp_pipeline.storage.versions import MANIFEST_FILE, Version, published_versions, verify
from cdp_pipeline.storage.warehouse import (
    DATABASE_FILE,
    connect,
    fetch_dicts,
    quote_literal,
)

_FATES = ("loaded", "quarantined", "duplicates", "excluded", "suppressed")


@dataclass
class Examination:
    """What was examined and found.

    Attributes:
        version: Name of the version.
        files: Files of the version whose hash was taken.
        deliveries: Delivered files whose hash was taken.
        records: Delivered records whose fate was added up.
        problems: What is wrong; empty if nothing is.
        remarks: What a reader should know and is not wrong.
    """

    version: str
    files: int = 0
    deliveries: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for ``--json``."""
        return {**vars(self)}


def examine_version(settings: Settings, version: Version) -> Examination:
    """Examine one published version and the deliveries it was made of.

    Raises:
        ConfigError: The key that sealed it is missing.
    """
    found = Examination(version.name)
    try:
        manifest = version.manifest
    except ValueError:
        found.problems.append(f"{MANIFEST_FILE} is not JSON any more")
        return found
    if not manifest:
        found.problems.append(f"{MANIFEST_FILE} is missing")
        return found
    wrong = broken_seal(manifest, load_keyring(settings.keys))
    if wrong:
        heap = found.problems if SEAL in manifest else found.remarks
        heap.append(f"{MANIFEST_FILE} {wrong}")
    found.files = len(manifest.get("files", {}))
    found.problems += verify(version)
    found.problems += _strangers(version)
    if not any(problem.startswith(DATABASE_FILE) for problem in found.problems):
        found.problems += _examine_deliveries(settings, version, found)
    return found


def _strangers(version: Version) -> Iterator[str]:
    """Yield files that lie in a version and were not published with it."""
    known = {*version.manifest.get("files", {}), MANIFEST_FILE}
    for path in sorted(version.path.rglob("*")):
        name = path.relative_to(version.path).as_posix()
        if not path.is_dir() and name not in known:
            yield f"{name} was not published"


def _examine_deliveries(settings: Settings, version: Version, found: Examination) -> Iterator[str]:
    hashes: dict[str, set[str]] = {}
    for row in _ledger(version):
        fate = sum(row.get(name, 0) for name in _FATES)
        found.records += row["records"]
        if row["records"] != fate:
            yield f"{row['file_name']}: {row['records']} records came, {fate} are accounted for"
        if row["sha256"]:  # otherwise it was refused unopened
            hashes.setdefault(row["file_name"], set()).add(row["sha256"])
    yield from _examine_landed(settings, version, hashes, found)


def _examine_landed(
    settings: Settings, version: Version, hashes: Mapping[str, set[str]], found: Examination
) -> Iterator[str]:
    """Yield what is wrong with files in landing, given the hashes that each was delivered with."""
    paths, ring = DataPaths.of_settings(settings), load_keyring(settings.keys)
    originals = original_hashes(paths)
    landed = [name for name in hashes if (paths.landing / name).is_file()]
    other: set[tuple[str, str]] = set()
    for name in landed:
        try:
            actual = content_of(paths.landing / name, ring).sha256
        except SealedFileError as error:
            yield f"{name} {error.message}"
            continue
        original = originals.get(actual, actual)
        if original not in hashes[name]:
            other.add((name, original))
    found.deliveries += len(landed)
    again = other & _known_to_others(paths, version) if other else set()
    yield from (f"{name} has other bytes than were delivered" for name, _ in sorted(other - again))
    if again:
        found.remarks.append(
            f"{len(again)} deliveries came again with other content, which is known"
        )
    if len(landed) < len(hashes):
        gone = len(hashes) - len(landed)
        found.remarks.append(f"{gone} deliveries are not in the landing folder any more")


def _known_to_others(paths: DataPaths, version: Version) -> set[tuple[str, str]]:
    """Return names and hashes of what other nights loaded: what came again, or was rolled back."""
    others = (other for other in published_versions(paths) if other != version)
    return {(row["file_name"], row["sha256"]) for other in others for row in _ledger(other)}


def _ledger(version: Version) -> list[dict[str, Any]]:
    con = connect(EngineSettings())
    try:
        con.execute(f"attach {quote_literal(str(version.path / DATABASE_FILE))} as cdp (read_only)")
        con.execute("use cdp")
        return fetch_dicts(con, "from ops.deliveries order by all")
    except duckdb.CatalogException:  # a warehouse without deliveries
        return []
    finally:
        con.close()
