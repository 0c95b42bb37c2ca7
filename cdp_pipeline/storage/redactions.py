"""Deliveries whose raw files were rewritten without erased people: which bytes stand for which.

A rewritten file is still the delivery that it was: its ledger entry, its staged rows and its place
in the order of loading stay. So discovery asks here which original some bytes stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdp_pipeline.storage.files import read_json, write_json
from cdp_pipeline.storage.paths import DataPaths

FILE_NAME = "redacted_files.json"


@dataclass(frozen=True)
class Redaction:
    """What rewritten bytes stand for.

    Attributes:
        original: SHA-256 of the file as it was delivered.
        lines: Number of its lines that named somebody and do not any more.
    """

    original: str
    lines: int


def read_redactions(paths: DataPaths) -> dict[str, Redaction]:
    """Return rewritten files by the SHA-256 of their bytes."""
    held = read_json(paths.privacy / FILE_NAME)
    return {sha256: Redaction(**entry) for sha256, entry in held.items()}


def original_hashes(paths: DataPaths) -> dict[str, str]:
    """Return the SHA-256 of originals by that of the rewritten bytes."""
    return {sha256: held.original for sha256, held in read_redactions(paths).items()}


def note_redactions(paths: DataPaths, made: Mapping[str, Redaction]) -> None:
    """Add rewritten files; noted before the file is replaced, so that a crash loses nothing."""
    if not made:
        return
    held = read_json(paths.privacy / FILE_NAME)
    held |= {sha256: {"original": r.original, "lines": r.lines} for sha256, r in made.items()}
    paths.ensure(paths.privacy)
    write_json(paths.privacy / FILE_NAME, held)
