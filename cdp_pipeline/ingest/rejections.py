"""What DuckDB's reader could not take apart, and the proof that nothing else is missing.

Records counted beforehand must equal rows read plus records rejected; if they do not, the file is
counted again byte by byte, and refused if that does not settle it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from cdp_pipeline.ingest import totals
from cdp_pipeline.ingest.escapes import plain_quote
from cdp_pipeline.ingest.line_numbers import (
    LineNumbers,
    Walk,
    keep_lines,
    last_not_after,
    shifted,
    without,
)
from cdp_pipeline.ingest.plaintext import NUL_MARK
from cdp_pipeline.ingest.reading import Reading
from cdp_pipeline.ingest.records import Positions, lines_at, locate_exactly, locate_records
from cdp_pipeline.ingest.refusal import RefusedError
from cdp_pipeline.project.contracts import SourceContract
from cdp_pipeline.project.layout import Delivery
from cdp_pipeline.storage.warehouse import fetch_value

RULES = {
    "MISSING COLUMNS": "too_few_fields",
    "TOO MANY COLUMNS": "too_many_fields",
    "UNQUOTED VALUE": "broken_quotes",
    "INVALID ENCODING": "not_utf8",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}
"""Our rule for each kind of record that DuckDB's CSV reader rejects."""

BLANK_RECORD = "blank_record"
"""Rule of rows that hold separators only, such as a spreadsheet's empty rows, or the line that is
ruled under a header; they harm nobody."""

REPEATED_HEADER = "repeated_header"
"""Rule of rows that are the header once more, as where files or pages were put together."""

HARMLESS = {BLANK_RECORD, REPEATED_HEADER, totals.RULE}
"""Rules of rows that hold no data of their own: however many there are, they condemn no file, and
what a sender states about it leaves them out."""

RULED_LINE = "-[-+|: ]+"
_BLANKS = r"[\t\pZ]+"

MEANINGS = {
    REPEATED_HEADER: "the record is the header once more",
    BLANK_RECORD: "the record holds nothing but separators or a ruled line",
    "nul_filling": "nothing but NUL bytes, as after a crash of the sender: records may be lost",
    "too_few_fields": "the record has fewer fields than the header: have fields with line breaks "
    "quoted, or set `short_rows: fill` if the last may be left out",
    "too_many_fields": "the record has more fields than the header: have fields that hold the "
    "delimiter quoted",
    "broken_quotes": "a quote stands where none may stand: have quotes within fields doubled, or "
    "set `escape:`, or `quote: ''` if quotes are plain text",
    "not_utf8": "the record is not UTF-8 text, but of another encoding: set `fallback_encoding: "
    "cp1252` if it is Windows-1252",
    "line_too_long": "the record is longer than 2 MB: look for a quote that never closes",
    "unreadable": "the record cannot be taken apart: compare delimiter and quotes with the "
    "contract",
}

_FIELDS_FOUND = r"try_cast(regexp_extract(error_message, 'Found: ([0-9]+)', 1) as integer)"
"""How many fields DuckDB says there are: of missing ones it lists each, of others as they come."""

_LOOKED_AT = 1000
"""Characters of a rejected record that tell whether it is one: DuckDB cuts long ones anywhere."""

_SWALLOWED_LINES = 10
"""Lines that rejected records may run over before it looks like a stray quote."""


_MOST_REJECTED = 1_000_000
"""Rejected records from which a file that has too many is refused before each is looked at."""


@dataclass(frozen=True)
class Rejected:
    """Records that the reader could not take apart, and where all others stand.

    Attributes:
        records: Physical records in the file, settled.
        accepted_lines: Line of each row that was read; None if they follow on from the first.
    """

    records: int
    accepted_lines: LineNumbers | None = None


def collect_rejected(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    contract: SourceContract,
    *,
    rows: int,
    stop_share: float,
    scratch: Path,
) -> Rejected:
    """Make the table ``rejected`` (line, rule, text, fields) of a delivery that was just read.

    Texts are cut at 10,000 characters; ``fields`` is how many there are where that is wrong.

    Args:
        con: Connection that read it and holds its reject tables.
        reading: How it was read.
        contract: Its contract.
        rows: Records that were read.
        stop_share: Share of bad records that refuses a whole file.
        scratch: Private folder; the caller removes it.

    Raises:
        RefusedError: Records are unaccounted for, or a stray quote swallowed lines.
    """
    con.execute(
        "create or replace temp table rejected "
        "(line bigint, rule varchar, text varchar, fields integer)"
    )
    has_rejects = contract.delivery.format != "parquet"
    count = _count_rejections(con, rows=rows, stop_share=stop_share) if has_rejects else 0
    if not count and reading.is_regular and rows == reading.records:
        return Rejected(rows, reading.record_lines)
    if not has_rejects or reading.is_document:
        raise _unaccounted(reading.records, rows, count)
    positions, rules = _read_rejections(con)
    lines = _locate(reading, contract.delivery, expected=rows + count, scratch=scratch)
    at = lines_at(
        reading.path, start=reading.start, positions=_after_blank_lines(reading, positions)
    )
    index = np.unique(last_not_after(lines.blocks(), at))
    if len(index) != count or (count and index[0] < 0):
        raise _unaccounted(len(lines), rows, len(index))
    _refuse_swallowed(reading, lines, index, rules=rules, stop_share=stop_share)
    _fill_table(con, reading, positions, Walk(_numbers(reading, lines)).at(index), rules, scratch)
    accepted = without(_numbers(reading, lines), index)
    return Rejected(
        records=len(lines) + reading.broken_count,
        accepted_lines=keep_lines(scratch / "accepted.lines", accepted),
    )


def _numbers(reading: Reading, lines: LineNumbers) -> Iterator[Positions]:
    """Yield the line of the delivery of each record that is in the text."""
    if reading.record_lines is not None and len(reading.record_lines) == len(lines):
        return reading.record_lines.blocks()
    if reading.kept is None:
        return shifted(lines.blocks(), reading.first_line)
    kept = Walk(reading.kept.blocks())
    return (kept.at(block) + reading.first_line for block in lines.blocks())


def _count_rejections(con: duckdb.DuckDBPyConnection, *, rows: int, stop_share: float) -> int:
    """Return how many records were rejected; so many that memory would not hold them refuse."""
    count = int(fetch_value(con, "select count(distinct line_byte_position) from reject_errors"))
    if count > _MOST_REJECTED and count > stop_share * (rows + count):
        raise RefusedError(
            f"{count} of {rows + count} records cannot be taken apart",
            hint="Compare its delimiter, quotes and columns with the contract.",
            records=rows + count,
        )
    return count


def _read_rejections(con: duckdb.DuckDBPyConnection) -> tuple[list[int], list[str]]:
    """Return position and rule of each record, in file order; DuckDB lists each missing field."""
    rows = con.execute(
        "select line_byte_position, min(error_type::varchar) "
        "from reject_errors group by all order by 1"
    ).fetchall()
    return [int(row[0]) for row in rows], [RULES.get(row[1], "unreadable") for row in rows]


def _fill_table(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    positions: list[int],
    lines: Positions,
    rules: list[str],
    scratch: Path,
) -> None:
    places = {"position": positions, "line": lines, "rule": rules}
    target = scratch / "rejected.parquet"
    parquet.write_table(pa.table(places), target)
    con.execute(
        "insert into rejected select line, "  # noqa: S608 - fixed
        f"case when regexp_full_match(text, '{RULED_LINE}') "
        f"or (rule = 'too_few_fields' and regexp_full_match(text, '{_BLANKS}')) "
        f"then '{BLANK_RECORD}' "
        f"when regexp_full_match(left(text, {_LOOKED_AT}), '{NUL_MARK}+') then 'nul_filling' "
        "else rule end, text, case rule when 'too_few_fields' then fewest "
        "when 'too_many_fields' then most end "
        "from read_parquet(?) inner join (select line_byte_position as position, "
        "trim(coalesce(min(csv_line), ''), chr(13) || chr(10)) as text, "
        f"min({_FIELDS_FOUND}) as fewest, max({_FIELDS_FOUND}) as most from reject_errors "
        "group by position) using (position)",
        [str(target)],
    )
    if reading.broken is not None:
        con.execute(
            "insert into rejected by name "
            "select line + ? as line, 'broken_quotes' as rule, text from read_parquet(?)",
            [reading.first_line, str(reading.broken)],
        )


def _after_blank_lines(reading: Reading, positions: list[int]) -> Positions:
    """Return the first byte of each record: DuckDB counts empty lines before it as part of it.

    Bytes are counted from 1 there, so that of a record of one character its end would be looked at.
    """
    found = []
    with reading.path.open("rb") as stream:
        for counted in positions:
            position = max(counted - 1, 0)
            stream.seek(position)
            while (byte := stream.read(1)) in {b"\n", b"\r"}:
                position += 1
            found.append(position if byte else position - 1)
    return np.array(found, np.int64)


def _locate(reading: Reading, written: Delivery, *, expected: int, scratch: Path) -> LineNumbers:
    """Return the line of each record; by the exact count if the fast one does not add up."""
    quote = written.quote if written.format in {"csv", "excel"} else ""
    quote = plain_quote(written) if written.escape else quote
    target = scratch / "records.lines"
    found = locate_records(
        reading.path,
        start=reading.start,
        quote="" if reading.kept is not None else quote,
        keeps_blank=reading.width == 1,
    )
    lines = keep_lines(target, found)
    if len(lines) != expected and quote:
        found = locate_exactly(
            reading.path, start=reading.start, delimiter=written.delimiter, quote=quote
        )
        lines = keep_lines(target, found)
    if len(lines) != expected:
        raise _unaccounted(len(lines), expected, 0)
    return lines


def _refuse_swallowed(
    reading: Reading,
    lines: LineNumbers,
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
    begins = Walk(lines.blocks()).at(index)
    inner = index[index < len(lines) - 1]
    ends = Walk(lines.blocks()).at(inner + 1)
    spans = np.append(ends, last + 1)[: len(index)] - begins
    runs_to_end = index[-1] == len(lines) - 1 and spans[-1] > 1 and rules[-1] == "broken_quotes"
    swallowed = int(spans.sum()) - len(index)
    if runs_to_end or (swallowed >= _SWALLOWED_LINES and swallowed > stop_share * (last + 1)):
        worst = int(np.argmax(spans))
        line = int(begins[worst]) + reading.first_line
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
