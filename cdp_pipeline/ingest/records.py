"""Count the physical records of a text, independently of the reader that loads them.

Conservation rests on this count: what the reader accepts and rejects must add up to it. Records
are those of RFC 4180: a line break inside a quoted field does not end one; empty lines are none.
Source: RFC 4180, sections 2.1 to 2.7.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

LONG_LINE = 1 << 16
"""Bytes of a line from which its fields are looked at one by one."""

_BLOCK = 1 << 22
_BLOCK_RECORDS = 1 << 16
_MAXIMUM_FIELD = 1 << 28
_CR, _LF = 13, 10
_UNIT = "\x1f"
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LongRecord:
    """The longest record of a text; shorter ones than a block of bytes need not be told apart.

    Attributes:
        begin: Offset of its first byte.
        line: Line on which it begins, from 0 where counting began.
        size: Its bytes.
        has_breaks: Whether a line break stands within it.
    """

    begin: int = 0
    line: int = 0
    size: int = 0
    has_breaks: bool = False


@dataclass(frozen=True)
class RecordCount:
    """What a text holds.

    Attributes:
        records: Records that are not empty; empty lines count too where no quote is near.
        lines: Physical lines.
        is_open: Whether the text ends inside quotes.
        has_quotes: Whether it holds any quote.
        has_long_lines: Whether a line may be longer than ``LONG_LINE``.
        longest: The longest record, if it runs over blocks.
    """

    records: int
    lines: int
    is_open: bool
    has_quotes: bool = False
    has_long_lines: bool = False
    longest: LongRecord = LongRecord()

    @property
    def is_regular(self) -> bool:
        """Whether every line is one record, so that record numbers are line numbers."""
        return self.records == self.lines and not self.is_open


@dataclass(frozen=True)
class _Block:
    """Ends of records in one block of bytes, as offsets in the file."""

    ends: Positions
    is_blank: npt.NDArray[np.bool_]
    line_of_end: Positions
    lines: int
    parity: int


def count_records(path: Path, *, start: int, quote: str, keeps_blank: bool = False) -> RecordCount:
    """Return how many records a text holds from a byte offset on.

    Blocks without quotes are counted by their line feeds, so that empty lines in them count. If
    what was read adds up to this count, there are none; if not, ``locate_records`` is exact.

    Args:
        path: UTF-8 text with LF or CR LF line ends.
        start: Offset of the first byte that counts.
        quote: Quote character; empty if line breaks always end a record.
        keeps_blank: Whether an empty line is a record: it is one in a file of one column.
    """
    records = lines = parity = 0
    has_quotes = has_long_lines = False
    previous, line, longest = start - 1, 0, LongRecord()

    def note(end: int, *, lines_before: int) -> None:
        nonlocal longest
        if end - previous - 1 > longest.size:
            has_breaks = lines_before > line
            longest = LongRecord(previous + 1, line, end - previous - 1, has_breaks)

    for offset, block in _blocks(path, start):
        has_long_lines = has_long_lines or _has_long_line(block)
        if not parity and not (quote and quote.encode() in block):
            found_lines = block.count(b"\n")
            if found_lines:
                note(offset + block.find(b"\n"), lines_before=lines)
                previous, line = offset + block.rfind(b"\n"), lines + found_lines
            records += found_lines
            lines += found_lines
            continue
        has_quotes = True
        found = _ends(block, offset=offset, quote=quote, parity=parity, previous=previous)
        records += len(found.ends) if keeps_blank else int((~found.is_blank).sum())
        if len(found.ends):
            note(int(found.ends[0]), lines_before=lines + int(found.line_of_end[0]))
            previous, line = int(found.ends[-1]), lines + int(found.line_of_end[-1]) + 1
        lines, parity = lines + found.lines, found.parity
    note(path.stat().st_size, lines_before=lines)
    has_rest = path.stat().st_size > previous + 1
    return RecordCount(
        records + has_rest, lines + has_rest, bool(parity), has_quotes, has_long_lines, longest
    )


def _has_long_line(block: bytes) -> bool:
    """Return whether a stretch of half a long line lacks a line feed, as any long line has one."""
    half = LONG_LINE // 2
    return any(block.find(b"\n", at, at + half) < 0 for at in range(0, len(block), half))


def locate_records(
    path: Path, *, start: int, quote: str, keeps_blank: bool = False
) -> Iterator[Positions]:
    """Yield the line on which each record begins, from 0 at ``start``, in file order, in blocks.

    Arguments are those of ``count_records``.
    """
    parity = passed = line = 0
    previous = start - 1
    for offset, block in _blocks(path, start):
        found = _ends(block, offset=offset, quote=quote, parity=parity, previous=previous)
        after = passed + found.line_of_end + 1
        first = np.concatenate(([line], after[:-1]))[: len(after)]
        yield first if keeps_blank else first[~found.is_blank]
        if len(after):
            previous, line = int(found.ends[-1]), int(after[-1])
        passed, parity = passed + found.lines, found.parity
    if path.stat().st_size > previous + 1:
        yield np.array([line], np.int64)


def locate_exactly(path: Path, *, start: int, delimiter: str, quote: str) -> Iterator[Positions]:
    """Yield what ``locate_records`` yields, by a state machine that takes every byte in turn.

    For texts whose stray quotes mislead the count by parity; slow.
    """
    csv.field_size_limit(_MAXIMUM_FIELD)
    found = array("q")
    line = 0
    with path.open("rb") as raw:
        raw.seek(start)
        lines = (part.decode("utf-8", "replace") for part in raw)
        mark = delimiter if len(delimiter) == 1 else _UNIT  # ``csv`` knows no longer ones
        marked = (part.replace(delimiter, mark) for part in lines)
        reader = csv.reader(marked, delimiter=mark, quotechar=quote, skipinitialspace=True)
        for fields in reader:
            if fields:
                found.append(line)
            line = reader.line_num
            if len(found) >= _BLOCK_RECORDS:
                yield np.array(found, np.int64)
                del found[:]
    yield np.array(found, np.int64)


def lines_at(path: Path, *, start: int, positions: Positions) -> Positions:
    """Return the line, from 0 at ``start``, in which each byte position lies."""
    lines = np.zeros(len(positions), np.int64)
    for offset, block in _blocks(path, start):
        breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == _LF) + offset
        lines += np.searchsorted(breaks, positions)
    return lines


def _blocks(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as stream:
        stream.seek(start)
        offset = start
        while block := stream.read(_BLOCK):
            yield offset, block
            offset += len(block)


def _ends(block: bytes, *, offset: int, quote: str, parity: int, previous: int) -> _Block:
    text = np.frombuffer(block, np.uint8)
    breaks = np.flatnonzero(text == _LF)
    quotes = np.flatnonzero(text == ord(quote)) if quote else np.empty(0, np.int64)
    is_end = (np.searchsorted(quotes, breaks) + parity) % 2 == 0
    ends = breaks[is_end]
    before = np.concatenate(([previous - offset], ends[:-1]))[: len(ends)]
    length = ends - before - 1
    has_return = text[np.maximum(ends - 1, 0)] == _CR
    return _Block(
        ends=ends + offset,
        is_blank=(length == 0) | ((length == 1) & has_return),
        line_of_end=np.flatnonzero(is_end),
        lines=len(breaks),
        parity=(parity + len(quotes)) % 2,
    )
