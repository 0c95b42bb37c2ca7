"""Count the physical records of a text, independently of the reader that loads them.

Conservation rests on this count: what the reader accepts and rejects must add up to it. Records
are those of RFC 4180: a line break inside a quoted field does not end one; empty lines are none.
Source: RFC 4180, sections 2.1 to 2.7.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 22
_MAXIMUM_FIELD = 1 << 28
_CR, _LF = 13, 10
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RecordCount:
    """What a text holds.

    Attributes:
        records: Records that are not empty.
        lines: Physical lines.
        is_open: Whether the text ends inside quotes.
    """

    records: int
    lines: int
    is_open: bool

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

    Args:
        path: UTF-8 text with LF or CR LF line ends.
        start: Offset of the first byte that counts.
        quote: Quote character; empty if line breaks always end a record.
        keeps_blank: Whether an empty line is a record: it is one in a file of one column.
    """
    records = lines = parity = 0
    previous = start - 1
    for offset, block in _blocks(path, start):
        simple = None if parity else _count_simply(block, quote, starts_line=previous == offset - 1)
        if simple is not None:
            records += simple
            lines += simple
            if simple:
                previous = offset + block.rfind(b"\n")
            continue
        found = _ends(block, offset=offset, quote=quote, parity=parity, previous=previous)
        records += len(found.ends) if keeps_blank else int((~found.is_blank).sum())
        lines, parity = lines + found.lines, found.parity
        previous = int(found.ends[-1]) if len(found.ends) else previous
    has_rest = path.stat().st_size > previous + 1
    return RecordCount(records + has_rest, lines + has_rest, is_open=bool(parity))


def _count_simply(block: bytes, quote: str, *, starts_line: bool) -> int | None:
    """Return the records of a block without quotes and empty lines; None if it may have any."""
    if quote and quote.encode() in block:
        return None
    if b"\n\n" in block or b"\n\r\n" in block or (starts_line and block[:1] in b"\r\n"):
        return None
    return block.count(b"\n")


def locate_records(
    path: Path, *, start: int, quote: str, keeps_blank: bool = False
) -> tuple[Positions, Positions]:
    """Return byte offset and line of each record, in file order.

    Lines are counted from 0 at ``start``. Arguments are those of ``count_records``.
    """
    starts: list[Positions] = []
    lines: list[Positions] = []
    parity = passed = 0
    previous, line = start - 1, 0
    for offset, block in _blocks(path, start):
        found = _ends(block, offset=offset, quote=quote, parity=parity, previous=previous)
        first = np.concatenate(([previous], found.ends[:-1])) + 1 if len(found.ends) else found.ends
        first_line = np.concatenate(([line], passed + found.line_of_end[:-1] + 1))[: len(first)]
        kept = np.ones(len(first), bool) if keeps_blank else ~found.is_blank
        starts.append(first[kept])
        lines.append(first_line[kept])
        if len(found.ends):
            previous, line = int(found.ends[-1]), passed + int(found.line_of_end[-1]) + 1
        passed, parity = passed + found.lines, found.parity
    if path.stat().st_size > previous + 1:
        starts.append(np.array([previous + 1]))
        lines.append(np.array([line]))
    empty = np.empty(0, np.int64)
    return np.concatenate([empty, *starts]), np.concatenate([empty, *lines])


def count_exactly(path: Path, *, start: int, delimiter: str, quote: str) -> tuple[int, int]:
    """Return the number of records and the line on which the last one begins, from 0 at ``start``.

    A slow state machine for texts whose stray quotes mislead the count by parity.
    """
    csv.field_size_limit(_MAXIMUM_FIELD)
    records = last_line = line = 0
    with path.open("rb") as raw:
        raw.seek(start)
        lines = (part.decode("utf-8", "replace") for part in raw)
        reader = csv.reader(lines, delimiter=delimiter, quotechar=quote)
        for fields in reader:
            if fields:
                records, last_line = records + 1, line
            line = reader.line_num
    return records, last_line


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
