"""What was delivered is sealed once its night is over: raw files, staged rows, rows set aside.

Until then they lie in clear, since many readers work with them. A file that was left by a night
that died is sealed at the end of the next. Without a key nothing is sealed; readers do not care.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cdp_pipeline.core.context import RunContext
from cdp_pipeline.core.settings import Settings
from cdp_pipeline.ingest.hashing import Hasher
from cdp_pipeline.ingest.landing import find_files
from cdp_pipeline.project.loader import Project
from cdp_pipeline.storage.at_rest import Sealing, seal_files
from cdp_pipeline.storage.container import key_of
from cdp_pipeline.storage.paths import DataPaths

_NOT_DELIVERED = {"index.json"}


def seal_deliveries(context: RunContext, project: Project) -> Sealing:
    """Seal every delivery that landing and archive hold, and what was staged of it."""
    return seal_files(sealable_files(context.settings, project), context.settings.keys)


def sealable_files(settings: Settings, project: Project) -> Iterator[Path]:
    """Yield files with what was delivered, in clear or sealed, also those whose key is missing."""
    paths = DataPaths.of_settings(settings)
    hasher = Hasher.of(settings.keys)
    for name, contract in project.sources.items():
        where = str(project.path_of("source", name))
        for delivery in find_files(paths.landing, contract, where=where, hasher=hasher):
            path = paths.landing / delivery.file_name
            if delivery.path or _is_closed(path):
                yield path
        for path in sorted((paths.archive / name).glob("*/[!.]*")):
            if path.is_file() and path.name not in _NOT_DELIVERED:
                yield path
    yield from _staged_files(paths)


def seal_staged(context: RunContext) -> Sealing:
    """Seal what was staged and set aside, for those who stage outside a night."""
    return seal_files(_staged_files(DataPaths.of(context)), context.settings.keys)


def _staged_files(paths: DataPaths) -> Iterator[Path]:
    for folder in (paths.staging, paths.quarantine):
        yield from sorted(folder.glob("*/[!.]*.parquet"))


def _is_closed(path: Path) -> bool:
    """Return whether a file that is refused is one of ours, sealed with a key that is not set."""
    return path.is_file() and not path.is_symlink() and key_of(path) is not None
