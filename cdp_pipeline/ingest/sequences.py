"""JSON texts that follow each other otherwise than one a line.

Several on one line, as streams to a bucket write them; lines that end in commas, as an array
without its brackets; printed over several lines each; or with a record separator before each.
Source: RFC 7464. Arrays and plain JSON lines are none of its business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cdp_pipeline.ingest.documents import (
    LARGEST_VALUE,
    Documents,
    JsonReader,
    lines_to_documents,
    read_line,
)
from cdp_pipeline.ingest.plaintext import UTF8_MARK
from cdp_pipeline.ingest.refusal import RefusedError

SAMPLE_BYTES = 1 << 16
"""Bytes of the head by which a sequence is told."""

_SEPARATOR = b"\x1e"
_CHUNK = 1 << 20
_DECODER = json.JSONDecoder()


def is_sequence(head: bytes) -> bool:
    r"""Return whether the first ``SAMPLE_BYTES`` of a text are such a sequence.

    >>> is_sequence(b'{"id": 1}{"id": 2}'), is_sequence(b'{"id": 1}\n{"id": 2}')
    (True, False)
    >>> is_sequence(b'{"id": 1},\n{"id": 2}')
    True
    """
    return _has_separators(head) or _is_printed(head) or _has_more_on_its_line(head)


def sequence_to_documents(source: Path, documents: Documents, *, first_line: int) -> None:
    """Cut a text of JSON objects into records.

    Args:
        source: JSON text, of any kind that ``is_sequence`` tells, or JSON lines.
        documents: Where they go.
        first_line: Line of the delivery on which it begins.

    Raises:
        RefusedError: A record is longer than any may be, or printed ones are no sound JSON: where
            the next one begins cannot be told then.
    """
    with source.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
    if _has_separators(head):
        _separated_to_documents(source, documents, first_line=first_line)
    elif _is_printed(head):
        _printed_to_documents(source, documents, first_line=first_line)
    else:
        lines_to_documents(source, documents, first_line=first_line)


def _text(head: bytes) -> str:
    return head.removeprefix(UTF8_MARK).decode("utf-8", "ignore").lstrip()


def _has_separators(head: bytes) -> bool:
    return head.removeprefix(UTF8_MARK).lstrip().startswith(_SEPARATOR)


def _is_printed(head: bytes) -> bool:
    text = _text(head)
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        # The first one is longer than the head.
        return len(head) >= SAMPLE_BYTES and text.partition("\n")[0].strip() == "{"
    return isinstance(value, dict) and "\n" in text[:end]


def _has_more_on_its_line(head: bytes) -> bool:
    line = _text(head).partition("\n")[0]
    try:
        value, end = _DECODER.raw_decode(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and line[end:].lstrip().startswith(("{", ","))


def _printed_to_documents(source: Path, documents: Documents, *, first_line: int) -> None:
    with source.open("rb") as stream, documents.path.open("wb") as target, documents.lines:
        reader = JsonReader(stream)
        while reader.peek():
            line = reader.line()
            text, value = reader.value()
            documents.add(target, text, value, line=first_line + line - 1)


def _separated_to_documents(source: Path, documents: Documents, *, first_line: int) -> None:
    with source.open("rb") as stream, documents.path.open("wb") as target, documents.lines:
        for line, piece in _pieces(stream, first_line):
            bare = piece.removeprefix(UTF8_MARK).strip()
            for text, value in read_line(bare) if bare else ():
                documents.add(target, text, value, line=line)


def _pieces(stream: BinaryIO, line: int) -> Iterator[tuple[int, bytes]]:
    """Yield what stands between separators, with the line on which it begins."""
    held = b""
    while chunk := stream.read(_CHUNK):
        *pieces, held = (held + chunk).split(_SEPARATOR)
        for piece in pieces:
            yield line, piece
            line += piece.count(b"\n")
        if len(held) > LARGEST_VALUE:
            raise RefusedError(
                f"the record that begins in line {line} is longer than {LARGEST_VALUE >> 20} MB",
                hint="Have it sent again, or look at it.",
            )
    yield line, held
