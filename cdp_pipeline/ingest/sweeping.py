"""Delete the files of deliveries past their time, once the night that left them out is published.

A delivery's file in landing, its copy in the archive, its staged rows and its rows set aside go
together, since each could bring back the others; the text of rows set aside may go earlier. What
another delivery that is still kept rests on stays. What no ledger tells of goes with them: a night
that died had it, and the file had come again before the next one. All of it may be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.log import get_logger
from cdp_pipeline.ingest.claims import companion_patterns
from cdp_pipeline.ingest.deliveries import FILE_ID_CHARACTERS
from cdp_pipeline.ingest.hashing import Hasher, RefusedFileError
from cdp_pipeline.ingest.ledger import EXPIRED
from cdp_pipeline.ingest.originals import INDEX
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import beside
from cdp_pipeline.project.loader import load_project
from cdp_pipeline.storage.audit import Deed, note
from cdp_pipeline.storage.files import read_json, remove_folder
from cdp_pipeline.storage.paths import DataPaths
from cdp_pipeline.storage.redactions import original_hashes
from cdp_pipeline.storage.versions import published_versions
from cdp_pipeline.storage.warehouse import fetch_dicts, open_published

_LEDGER = """
    select source, file_id, file_name, sha256, status, first_loaded_on
    from ops.deliveries order by source, business_date, file_name, file_id
"""
_EVER = "select distinct source, file_id from ops.deliveries"
_FILE_ID = re.compile(rf"[0-9a-f]{{{FILE_ID_CHARACTERS}}}")
_LOG = get_logger(__name__)


@dataclass(frozen=True)
class Swept:
    """Files that were deleted.

    Attributes:
        deliveries: Files of deliveries past their time, wherever they lay.
        quarantine: Files with the texts of rows set aside, past their own time.
    """

    deliveries: int = 0
    quarantine: int = 0

    def words(self) -> tuple[str, ...]:
        """Return what went, in a sentence; nothing if nothing did."""
        if not (self.deliveries or self.quarantine):
            return ()
        aside = f"{self.quarantine} with rows set aside"
        return (f"past their time: {self.deliveries} files of deliveries and {aside} deleted",)


def sweep(context: RunContext) -> Swept:
    """Delete files past their time, by the ledger of the current version, and note the deed."""
    paths = DataPaths.of(context)
    sources = load_project(context.project_root).sources
    with open_published(context.data_dir) as con:
        rows = fetch_dicts(con, _LEDGER)
    expired: list[Path] = []
    aside: list[Path] = []
    originals, hasher = original_hashes(paths), Hasher.of(context.settings.keys)
    ever = _ever_known(context)
    for name, contract in sources.items():
        if contract.retention is None:
            continue
        mine = [row for row in rows if row["source"] == name]
        expired += dict.fromkeys(_expired_files(paths, contract, mine, originals, hasher))
        if ever is not None:
            mine_ever = {file_id for source, file_id in ever if source == name}
            expired += _forgotten(paths, name, mine_ever)
        aside += dict.fromkeys(_old_texts(context, contract, mine))
    aside = [path for path in aside if path not in expired]
    if expired or aside:
        # Before the deed, as everything that is logged.
        what = f"{len(expired)} files of deliveries, {len(aside)} of rows set aside"
        note(context.settings, Deed("expire", what, run=context.run_id))
    folders = {path.parent for path in expired if path.is_relative_to(paths.archive)}
    for path in (*expired, *aside):
        if path.parent not in folders:
            path.unlink(missing_ok=True)
    for folder in sorted(folders):
        remove_folder(folder)  # whole, as an empty one is not found again
    swept = Swept(len(expired), len(aside))
    _LOG.info("files_expired", deliveries=swept.deliveries, quarantine=swept.quarantine)
    return swept


def _expired_files(
    paths: DataPaths,
    contract: SourceContract,
    rows: Iterable[dict[str, Any]],
    originals: dict[str, str],
    hasher: Hasher,
) -> Iterator[Path]:
    """Yield what is there of deliveries past their time."""
    listed = list(rows)
    kept = {row["file_id"] for row in listed if row["status"] != EXPIRED}
    kept_names = {row["file_name"] for row in listed if row["status"] != EXPIRED}
    for row in listed:
        if row["status"] != EXPIRED:
            continue
        if row["file_name"] not in kept_names:
            yield from _landed(paths.landing, contract, row, originals, hasher)
        if row["file_id"] not in kept:
            stem = f"{row['file_id']}-*"
            for folder in (paths.staging, paths.quarantine):
                yield from sorted((folder / contract.name).glob(stem))
            yield from sorted((paths.archive / contract.name / row["file_id"]).glob("*"))


def _ever_known(context: RunContext) -> set[tuple[str, str]] | None:
    """Return sources and ids of the deliveries that any night that is kept tells of.

    None if one of them is damaged: nobody knows what it rests on, and that must stop no night.
    """
    found: set[tuple[str, str]] = set()
    for version in published_versions(DataPaths.of(context)):
        try:
            with open_published(context.data_dir, version=version.path) as con:
                found.update((row["source"], row["file_id"]) for row in fetch_dicts(con, _EVER))
        except duckdb.Error:
            _LOG.warning("version_unreadable", version=version.name)
            return None
    return found


def _forgotten(paths: DataPaths, source: str, ever: Collection[str]) -> Iterator[Path]:
    """Yield files of deliveries that no night tells of and none will, as they came again since."""
    fetched = read_json(paths.archive / source / INDEX).values()
    hashes = (str(entry.get(part, "")) for entry in fetched for part in ("sha256", "manifest"))
    known = {*ever, *(sha256[:FILE_ID_CHARACTERS] for sha256 in hashes)}
    for folder in (paths.staging, paths.quarantine, paths.archive):
        for path in sorted((folder / source).glob("*")):
            file_id = path.name[:FILE_ID_CHARACTERS]
            if _FILE_ID.fullmatch(file_id) and file_id not in known:
                yield from sorted(path.glob("*")) if path.is_dir() else [path]


def _landed(
    landing: Path,
    contract: SourceContract,
    row: dict[str, Any],
    originals: dict[str, str],
    hasher: Hasher,
) -> Iterator[Path]:
    """Yield a delivery in landing and what lies beside it, if it still has the bytes we know."""
    path = landing / row["file_name"]
    try:
        actual, _ = hasher.hash_delivery(path)
    except RefusedFileError:  # gone, or something else that nobody read
        return
    if originals.get(actual, actual) != row["sha256"]:
        return
    yield path
    for pattern in companion_patterns(contract):
        beside_it = path.with_name(beside(PurePosixPath(row["file_name"]).name, pattern))
        if beside_it.is_file() and not beside_it.is_symlink():
            yield beside_it


def _old_texts(
    context: RunContext, contract: SourceContract, rows: Iterable[dict[str, Any]]
) -> Iterator[Path]:
    """Yield files of rows set aside by deliveries that came too long ago."""
    days = contract.retention.quarantine_days if contract.retention else None
    if days is None:
        return
    folder = DataPaths.of(context).quarantine / contract.name
    for row in rows:
        if (context.business_date - row["first_loaded_on"]).days > days:
            yield from sorted(folder.glob(f"{row['file_id']}-*.parquet"))
