"""Save the sound lines of a CSV text in which a stray quote would swallow the lines after it.

Only for sources whose contract says ``multiline: false``: there every line is one record, so a
line whose quotes do not close can be set aside by itself. One Python step a line: the only slow
path of staging.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.ingest.records import locate_records
from cdp_pipeline.project.layout import Delivery

MAXIMUM_TEXT = 10_000
"""Characters that are kept of a line set aside; DuckDB keeps as many."""


@dataclass(frozen=True)
class Salvaged:
    """A copy without the broken lines.

    Attributes:
        path: The copy; it begins with the first record.
        kept: Line in the original text of each line of the copy, from 0 at the first record.
        broken: Line and text of each line set aside.
    """

    path: Path
    kept: list[int]
    broken: list[tuple[int, str]]


def needs_salvage(path: Path, *, start: int, quote: str) -> bool:
    """Return whether quotes make fewer records than there are lines."""
    quoted = locate_records(path, start=start, quote=quote)
    return len(quoted) != len(locate_records(path, start=start, quote=""))


def salvage_lines(path: Path, written: Delivery, *, start: int, target: Path) -> Salvaged:
    """Copy every line whose quotes close; set the others aside."""
    kept: list[int] = []
    broken: list[tuple[int, str]] = []
    with path.open("rb") as source, target.open("wb") as copy:
        source.seek(start)
        for number, line in enumerate(source):
            bare = line.rstrip(b"\r\n")
            if not bare:
                continue
            if _closes(bare, written):
                copy.write(bare + b"\n")
                kept.append(number)
            else:
                broken.append((number, bare.decode("utf-8", "replace")[:MAXIMUM_TEXT]))
    return Salvaged(target, kept, broken)


def _closes(line: bytes, written: Delivery) -> bool:
    if written.quote.encode() not in line:
        return True
    text = line.decode("utf-8", "replace")
    try:
        rows = csv.reader([text], delimiter=written.delimiter, quotechar=written.quote, strict=True)
        list(rows)
    except csv.Error:
        return False
    return True
