"""Which staged rows are new tonight, as staging noted them in the run's work folder.

Staging writes ``staged/<source>.json`` in every run: a list of deliveries with what the plan says
of each (``plan_status``), whether it was ``loaded`` or ``refused``, how many rows were accepted and
where they lie. This module only reads it.
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
        files: Parquet files in name order; none if no new delivery was loaded.
        names: Path below the landing folder of each, in the files' order.
        records: Records of each new delivery, those set aside included, in the files' order.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    records: tuple[int, ...]


def read_staged(paths: DataPaths, source: str) -> StagedRows:
    """Return the rows of a source's deliveries that are new tonight and were not refused.

    Raises:
        DataQualityError: The source has not been staged, or its rows are not where it says.
    """
    notes = paths.staged / f"{source}.json"
    hint = f"Run the step stage_{source} again."
    if not notes.is_file():
        raise DataQualityError(f"{source} has not been staged", where=str(notes), hint=hint)
    new = sorted(
        (Path(entry["rows_path"]), entry["file_name"], int(entry["records"]))
        for entry in read_json(notes)["deliveries"]
        if entry["plan_status"] == "new" and entry["status"] == "loaded"
    )
    for path, _, _ in new:
        if not path.is_file():
            raise DataQualityError(
                f"staged rows of {source} are missing: {path.name}", where=str(notes), hint=hint
            )
    return StagedRows(
        tuple(path for path, _, _ in new),
        tuple(name for _, name, _ in new),
        tuple(records for _, _, records in new),
    )
