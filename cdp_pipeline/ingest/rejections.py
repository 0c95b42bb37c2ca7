"""What DuckDB's reader could not take apart, and the proof that nothing else is missing.

Records counted beforehand must equal rows read plus records rejected; if they do not, the file is
counted again byte by byte, and refused if that does not settle it.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.records import Positions, lines_at, locate_exactly, locate_records
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import Delivery

RULES = {
    "MISSING COLUMNS": "too_few_fields",
    "TOO MANY COLUMNS": "too_many_fields",
    "UNQUOTED VALUE": "broken_quotes",
    "INVALID ENCODING": "not_utf8",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}
"""Our rule for each kind of record that DuckDB's CSV reader rejects."""

MEANINGS = {
    "too_few_fields": "the record has fewer fields than the header",
    "too_many_fields": "the record has more fields than the header",
    "broken_quotes": "a quote stands where none may stand",
    "not_utf8": "the record is not UTF-8 text",
    "line_too_long": "the record is longer than 2 MB",
    "unreadable": "the record cannot be read",
}

_SWALLOWED_LINES = 10
"""Lines that rejected records may run over before it looks like a stray quote."""


@dataclass(frozen=True)
class Rejected:
    """Records that the reader could not take apart, and where all others stand.

    Attributes:
        lines: Line in the delivery of each, in file order.
        rules: Rule that each breaks.
        texts: Delivered text of each, cut at 10,000 characters.
        records: Physical records in the file, settled.
        accepted_lines: Line of each row that was read; None if they follow on from the first.
    """

    lines: list[int]
    rules: list[str]
    texts: list[str]
    records: int
    accepted_lines: Positions | None = None


@dataclass(frozen=True)
class _Rejection:
    position: int
    rule: str
    text: str


def collect_rejected(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    contract: SourceContract,
    *,
    rows: int,
    stop_share: float,
) -> Rejected:
    """Return the rejected records of a delivery that has just been read.

    Args:
        con: Connection that read it and holds its reject tables.
        reading: How it was read.
        contract: Its contract.
        rows: Records that were read.
        stop_share: Share of bad records that refuses a whole file.

    Raises:
        RefusedError: Records are unaccounted for, or a stray quote swallowed lines.
    """
    found = _read_rejections(con) if contract.delivery.format != "parquet" else []
    if not found and reading.is_regular and rows == reading.records:
        return Rejected([], [], [], records=rows, accepted_lines=reading.record_lines)
    if contract.delivery.format == "parquet" or reading.is_document:
        raise _unaccounted(reading.records, rows, len(found))
    lines = _locate(reading, contract.delivery, expected=rows + len(found))
    at = lines_at(
        reading.path,
        start=reading.start,
        positions=_after_blank_lines(reading, [r.position for r in found]),
    )
    index = np.unique(np.searchsorted(lines, at, side="right") - 1)
    if len(index) != len(found) or (len(index) and index[0] < 0):
        raise _unaccounted(len(lines), rows, len(index))
    _refuse_swallowed(reading, lines, index, rules=[r.rule for r in found], stop_share=stop_share)
    numbers = np.array(reading.kept, np.int64)[lines] if reading.kept is not None else lines
    numbers = numbers + reading.first_line
    if reading.record_lines is not None and len(reading.record_lines) == len(numbers):
        numbers = reading.record_lines
    broken = [(line + reading.first_line, "broken_quotes", text) for line, text in reading.broken]
    rejected = [(int(line), r.rule, r.text) for line, r in zip(numbers[index], found, strict=True)]
    merged = sorted([*rejected, *broken])
    return Rejected(
        lines=[m[0] for m in merged],
        rules=[m[1] for m in merged],
        texts=[m[2] for m in merged],
        records=len(lines) + len(broken),
        accepted_lines=np.delete(numbers, index),
    )


def _read_rejections(con: duckdb.DuckDBPyConnection) -> list[_Rejection]:
    """Return one rejection a record, in file order; DuckDB lists one per missing field."""
    rows = con.execute(
        "select line_byte_position, min(error_type::varchar), min(csv_line) "
        "from reject_errors group by all order by 1"
    ).fetchall()
    first: dict[int, _Rejection] = {}
    for position, kind, text in rows:
        rule = RULES.get(kind, "unreadable")
        clean = (text or "").strip("\r\n")
        first.setdefault(int(position), _Rejection(int(position), rule, clean))
    return list(first.values())


def _after_blank_lines(reading: Reading, positions: list[int]) -> Positions:
    """Return the first byte of each record: DuckDB counts empty lines before it as part of it."""
    found = []
    with reading.path.open("rb") as stream:
        for position in positions:
            stream.seek(position)
            while (byte := stream.read(1)) in {b"\n", b"\r"}:
                position += 1  # noqa: PLW2901 - moves on to the record
            found.append(position if byte else position - 1)
    return np.array(found, np.int64)


def _locate(reading: Reading, written: Delivery, *, expected: int) -> Positions:
    """Return the line of each record; by the exact count if the fast one does not add up."""
    quote = written.quote if written.format in {"csv", "excel"} else ""
    lines = locate_records(
        reading.path,
        start=reading.start,
        quote="" if reading.kept is not None else quote,
        keeps_blank=reading.width == 1,
    )
    if len(lines) != expected and quote:
        lines = locate_exactly(
            reading.path, start=reading.start, delimiter=written.delimiter, quote=quote
        )
    if len(lines) != expected:
        raise _unaccounted(len(lines), expected, 0)
    return lines


def _refuse_swallowed(
    reading: Reading,
    lines: Positions,
    index: Positions,
    *,
    rules: list[str],
    stop_share: float,
) -> None:
    """Refuse a file in which a quoted field runs over lines that were meant to be records."""
    if not len(index) or reading.kept is not None:
        return
    size = np.array([reading.path.stat().st_size - 1], np.int64)
    last = int(lines_at(reading.path, start=reading.start, positions=size)[0])
    spans = np.diff(np.append(lines, last + 1))[index]
    runs_to_end = index[-1] == len(lines) - 1 and spans[-1] > 1 and rules[-1] == "broken_quotes"
    swallowed = int(spans.sum()) - len(index)
    if runs_to_end or (swallowed >= _SWALLOWED_LINES and swallowed > stop_share * (last + 1)):
        worst = int(np.argmax(spans))
        line = int(lines[index[worst]]) + reading.first_line
        raise RefusedError(
            f"a quoted field that begins in line {line} runs over {int(spans[worst])} lines",
            hint="Mend the quote, or set `multiline: false` to save the other lines.",
            records=len(lines),
        )


def _unaccounted(records: int, rows: int, rejected: int) -> RefusedError:
    return RefusedError(
        f"{records} records stand in the file, but {rows} were read and {rejected} rejected",
        hint="Look for stray quotes, or set `quote:` and `delimiter:` to what the sender writes.",
        records=records,
    )
