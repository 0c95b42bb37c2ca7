"""Records that do not end: a quote that nobody closes, or a file without line breaks.

They are found before DuckDB sees the text: over many megabytes in one quoted field its reader was
not seen to end, and of a line beyond its buffer it says nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cdp_pipeline.ingest.records import LongRecord
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.layout import Delivery

LONGEST_QUOTED = 1 << 23
"""Bytes of a record with line breaks, well below those at which DuckDB was not seen to end."""

LONGEST_LINE = 30_000_000
"""Bytes of a line; DuckDB's buffer holds 32 MB."""

_MARK = "\x1f"


def refuse_endless(
    path: Path, longest: LongRecord, written: Delivery, *, first_line: int, records: int
) -> None:
    """Refuse a text one of whose records does not end.

    Args:
        path: The text.
        longest: Its longest record, as quotes are counted.
        written: How the contract says it is written.
        first_line: Line of the delivered file on which records begin, from 1.
        records: Records in the file.

    Raises:
        RefusedError: Names the line on which the record begins.
    """
    line = first_line + longest.line
    if longest.has_breaks:
        is_long = longest.size > LONGEST_QUOTED and written.multiline
        if is_long and _is_quoted_on(path, longest.begin, written):
            raise RefusedError(
                f"a quoted field that begins in line {line} runs over more than "
                f"{LONGEST_QUOTED >> 20} MB",
                hint="Mend the quote, or set `multiline: false` to save the other lines.",
                records=records,
            )
    elif longest.size > LONGEST_LINE:
        raise RefusedError(
            f"line {line} is longer than {LONGEST_LINE // 1_000_000} MB",
            hint="Look at it there: line breaks may be missing, or it may be no text.",
            records=records,
        )


def _is_quoted_on(path: Path, begin: int, written: Delivery) -> bool:
    """Return whether what begins at a byte is one record for as long as records may be.

    Counted quotes may be plain ones, as in ``5" pipe``; what begins a field tells them apart.
    """
    is_over = False

    def lines() -> Iterator[str]:
        nonlocal is_over
        left = LONGEST_QUOTED
        with path.open("rb") as stream:
            stream.seek(begin)
            while left > 0 and (line := stream.readline(left)):
                left -= len(line)
                yield line.decode("utf-8", "replace").replace(written.delimiter, mark)
        is_over = True

    mark = written.delimiter if len(written.delimiter) == 1 else _MARK  # ``csv`` knows no longer
    csv.field_size_limit(2 * LONGEST_QUOTED)
    reader = csv.reader(lines(), delimiter=mark, quotechar=written.quote, skipinitialspace=True)
    with suppress(csv.Error):  # a lone CR outside of quotes: nor is the field before it quoted on
        next(reader, None)
    return is_over
