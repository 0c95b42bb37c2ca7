"""Which staged rows are new tonight, as staging noted them in the run's work folder.

Staging writes ``staged/<source>/<file_id>.json`` per new delivery; this module only reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.core.errors import DataQualityError
from cdp_pipeline.storage.files import read_json
from cdp_pipeline.storage.paths import DataPaths


@dataclass(frozen=True)
class StagedRows:
    """Tonight's accepted rows of a source.

    Attributes:
        files: Parquet files in name order; none if nothing new was accepted.
        accepted: Rows in them.
        quarantined: Rows that staging set aside.
    """

    files: tuple[Path, ...]
    accepted: int
    quarantined: int


def read_staged(paths: DataPaths, source: str) -> StagedRows:
    """Return the rows of a source's new deliveries.

    Raises:
        DataQualityError: Staging noted rows whose file is not there.
    """
    files: list[Path] = []
    accepted = quarantined = 0
    for path in sorted((paths.staged / source).glob("*.json")):
        note = read_json(path)
        quarantined += int(note["quarantined"])
        if not note["parquet"] or not note["accepted"]:
            continue
        rows = paths.data_dir / note["parquet"]
        if not rows.is_file():
            raise DataQualityError(
                f"staged rows of {source} are missing: {rows.name}",
                where=str(path),
                hint=f"Run the step stage_{source} again.",
            )
        files.append(rows)
        accepted += int(note["accepted"])
    return StagedRows(tuple(files), accepted, quarantined)
