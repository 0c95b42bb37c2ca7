"""Files of a destination: rows to CSV, JSON lines or Parquet, and the manifest that proves them.

Machine CSV follows RFC 4180: UTF-8 without BOM, comma, CRLF, header. The same rows give the same
bytes. Which rows go into which file is decided by ``export``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from cdp_pipeline.storage.exports import FILE_MODE, FOLDER_MODE, MANIFEST
from cdp_pipeline.storage.files import sha256_of
from cdp_pipeline.storage.warehouse import fetch_value, quote_literal

_COPY_OPTIONS = {
    "csv": "format csv, header true, delimiter ',', quote '\"', escape '\"', new_line '\\r\\n'",
    "jsonl": "format json, array false",
    "parquet": "format parquet, compression zstd",
}


@dataclass(frozen=True)
class ExportedFile:
    """One file of a destination, as ``ops.exports`` and the manifest tell it.

    Attributes:
        name: Segment of an audience file, offer of a trigger file.
        file_name: Name within the destination's folder.
        kind: ``full``, ``added`` or ``removed``.
        rows: Data rows.
        bytes: Size.
        sha256: Checksum of the bytes.
        definition_sha256: Hash of the declaration that chose the rows.
        members: Members before exclusions; 0 on differences.
        excluded: Members left out by reason; empty on differences.
    """

    name: str
    file_name: str
    kind: str
    rows: int
    bytes: int
    sha256: str
    definition_sha256: str
    members: int
    excluded: dict[str, int]


def write_rows(
    con: duckdb.DuckDBPyConnection, *, select: str, path: Path, file_format: str
) -> tuple[int, int, str]:
    """Write an ordered SELECT to a file and return its rows, bytes and SHA-256.

    Args:
        con: The build.
        select: Ordered SELECT; its column names become the header.
        path: File to write; its folder is made.
        file_format: ``csv``, ``jsonl`` or ``parquet``.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    options = _COPY_OPTIONS[file_format]
    rows = fetch_value(con, f"copy ({select}) to {quote_literal(str(path))} ({options})")
    path.chmod(FILE_MODE)
    return int(rows), path.stat().st_size, sha256_of(path)


def write_manifest(folder: Path, facts: dict[str, Any], files: list[ExportedFile]) -> Path:
    """Write the manifest of a destination's folder: what is in it, by which rules, for which day.

    Args:
        folder: The destination's folder.
        facts: Destination, business date, consent purpose and channel.
        files: Its files, in any order.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    listed = [asdict(file) for file in sorted(files, key=lambda file: file.file_name)]
    path = folder / MANIFEST
    text = json.dumps({**facts, "files": listed}, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(FILE_MODE)
    return path
