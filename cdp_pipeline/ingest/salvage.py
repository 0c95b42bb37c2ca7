"""Save the sound lines of a CSV text in which a stray quote would swallow the lines after it.

Only for sources whose contract says ``multiline: false``: there every line is one record, so a
line whose quotes do not close can be set aside by itself. One Python step a line: the only slow
path of staging.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.ingest.line_numbers import LineNumbers
from cdp_pipeline.ingest.records import locate_records
from cdp_pipeline.project.layout import Delivery

MAXIMUM_TEXT = 10_000
"""Characters that are kept of a line set aside; DuckDB keeps as many."""


_HELD = 10_000
_BROKEN = pa.schema([("line", pa.int64()), ("text", pa.string())])


@dataclass(frozen=True)
class Salvaged:
    """A copy without the broken lines.

    Attributes:
        path: The copy; it begins with the first record.
        kept: Line in the original text of each line of the copy, from 0 at the first record.
        broken: Parquet file with line and text of each line set aside.
        broken_count: How many there are.
    """

    path: Path
    kept: LineNumbers
    broken: Path
    broken_count: int


def needs_salvage(path: Path, *, start: int, quote: str) -> bool:
    """Return whether quotes make fewer records than there are lines."""
    quoted = sum(map(len, locate_records(path, start=start, quote=quote)))
    return quoted != sum(map(len, locate_records(path, start=start, quote="")))


def salvage_lines(path: Path, written: Delivery, *, start: int, target: Path) -> Salvaged:
    """Copy every line whose quotes close; set the others aside beside the copy."""
    aside = target.with_suffix(".broken.parquet")
    held: list[tuple[int, str]] = []
    count = 0
    with (
        path.open("rb") as source,
        target.open("wb") as copy,
        LineNumbers(target.with_suffix(".lines")) as kept,
        parquet.ParquetWriter(aside, _BROKEN) as broken,
    ):
        source.seek(start)
        for number, line in enumerate(source):
            bare = line.rstrip(b"\r\n")
            if not bare:
                continue
            if _closes(bare, written):
                copy.write(bare + b"\n")
                kept.add(number)
                continue
            count += 1
            held.append((number, bare.decode("utf-8", "replace")[:MAXIMUM_TEXT]))
            if len(held) >= _HELD:
                broken.write_table(_table(held))
                held.clear()
        broken.write_table(_table(held))
    return Salvaged(target, kept, aside, count)


def _table(held: list[tuple[int, str]]) -> pa.Table:
    lines, texts = [line for line, _ in held], [text for _, text in held]
    return pa.table([pa.array(lines, pa.int64()), pa.array(texts, pa.string())], schema=_BROKEN)


def _closes(line: bytes, written: Delivery) -> bool:
    if written.quote.encode() not in line:
        return True
    text = line.decode("utf-8", "replace")
    try:
        rows = csv.reader(
            [text],
            delimiter=written.delimiter,
            quotechar=written.quote,
            skipinitialspace=True,  # DuckDB takes a quote behind a blank for one
            strict=True,
        )
        list(rows)
    except csv.Error:
        return False
    return True
